"""The energy axis of X-ray spectra is checked by lines and zero peak before it is believed.

Spectra are drawn with energies of the X-ray Data Booklet on axes that are off by known amounts.
"""

import warnings

import numpy as np
import pytest

import lbj
import mfsi_core
from lbj.archive.convert import convert
from mfsi_core.edx.axis_check import check_axis
from mfsi_core.edx.axis_rivals import likeliest, start_of
from mfsi_core.edx.axis_search import Found
from mfsi_core.edx.calibration import calibrate
from mfsi_core.edx.detector import Detector
from mfsi_core.edx.families import families_of
from mfsi_core.quantification.poisson_fit import poisson_fit
from mfsi_core.quantification.quantify import analyse

# Energies and shares of the photons, eV.
LINES = {
    "N": {392.4: 1.0},
    "O": {524.9: 1.0},
    "Mg": {1253.6: 1.0},
    "Si": {1740.0: 0.97, 1835.9: 0.03},
    "Cl": {2622.0: 0.92, 2815.6: 0.08},
    "K": {3313.0: 0.89, 3589.6: 0.11},
    "Ti": {4509.9: 0.88, 4931.8: 0.12},
    "V": {4949.7: 0.88, 5427.3: 0.12},
    "Cr": {5411.6: 0.88, 5946.7: 0.12},
    "Fe": {6399.5: 0.88, 7058.0: 0.12},
    "Cu": {8041.0: 0.88, 8905.3: 0.12},
    "Zr L": {2042.4: 0.63, 2124.4: 0.33, 2219.4: 0.02, 2302.7: 0.02},
    "Zr K": {15746.0: 0.85, 17668.0: 0.15},
    "Nb L": {2165.9: 0.62, 2257.4: 0.32, 2367.0: 0.03, 2461.8: 0.03},
    "Nb K": {16583.0: 0.85, 18623.0: 0.15},
    "Ba L": {4464.0: 0.52, 4827.5: 0.32, 5156.5: 0.11, 5531.1: 0.05},
}
ZERO = (0.0, 30.0)  # eV: place and standard deviation of a zero peak
OFF = [(0.0, 1.0), (60.0, 1.0), (-45.0, 1.0), (0.0, 1.01), (0.0, 0.985), (150.0, 0.99), (-130.0, 1.012), (185.0, 1.018)]


def spectrum(amounts, offset=0.0, gain=1.0, channels=1024, width=10.0, start=0.0, zero=0.0, seed=0):
    """Counts, and the axis that is stated: what is of energy E stands at offset + gain * E of it."""
    axis = start + width * np.arange(channels)
    mean = 0.02 * width * np.exp(-np.maximum(axis, 0) / 3000.0) * (axis > offset + 100 * gain)

    def peak(place, sigma, counts):
        return counts * width / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((axis - place) / sigma) ** 2)

    for element, amount in amounts.items():
        for energy, share in LINES[element].items():
            sigma = np.sqrt(130.0**2 + 2.45 * (energy - 5895)) / 2.3548
            mean = mean + peak(offset + gain * energy, gain * sigma, amount * share)
    if zero:
        mean = mean + peak(offset, ZERO[1], zero)
    return np.random.default_rng(seed).poisson(mean).astype(float), axis


FEW, OTHERS = {"Ti": 20000, "O": 50000}, {"K": 9000, "Cl": 12000}
MORE = {"Fe": 20000, "Mg": 6000, "Si": 30000, "O": 40000}


@pytest.mark.parametrize(
    ("offset", "gain", "amounts"),
    [(*off, amounts) for off, amounts in zip(OFF, [MORE, FEW, OTHERS] * 3, strict=False)]
    + [(0.0, 1.0, FEW), (0.0, 1.0, OTHERS), (185.0, 1.018, MORE)],
)
def test_offset_and_gain_are_found(offset, gain, amounts):
    counts, axis = spectrum(amounts, offset, gain)
    found = check_axis(counts, axis, list(amounts))
    for energy in (next(iter(LINES[element])) for element in amounts):
        expected = offset + gain * energy
        assert found.offset + found.gain * energy == pytest.approx(expected, abs=6.0), energy
    away = [abs(offset + (gain - 1) * energy) for element in amounts for energy in LINES[element]]
    assert found.moved == (max(away) > 8.0)
    assert bool(found.notes) == found.moved
    if found.moved:
        assert f"gain {found.gain:.4f}" in found.notes[0]


@pytest.mark.parametrize(
    ("offset", "gain", "width", "channels"), [(70.0, 0.992, 20.0, 1024), (-28.0, 1.006, 5.0, 2048)]
)
def test_other_channels_and_a_zero_peak(offset, gain, width, channels):
    counts, axis = spectrum({"Cu": 8000, "O": 9000}, offset, gain, channels, width, -480.0, zero=2e5)
    found = check_axis(counts, axis, ["Cu", "O"], 200e3)
    assert found.decided
    assert "zero peak" in found.notes[0]
    for energy in (525.0, 8041.0):
        assert found.offset + found.gain * energy == pytest.approx(offset + gain * energy, abs=6.0)


def test_errors_are_stated():
    """Deviations of offset and gain over ten spectra are what the errors say, within a factor of two."""
    pulls = []
    for seed in range(10):
        counts, axis = spectrum({"Fe": 3000, "Si": 4000, "Ti": 2000}, 40.0, 1.008, seed=seed)
        found = check_axis(counts, axis, ["Fe", "Si", "Ti"])
        places = np.array([[1.0, 1740.0], [1.0, 6399.5]])
        error = np.sqrt(np.einsum("ki,ij,kj->k", places, found.covariance, places))
        pulls.append((places @ [found.offset - 40.0, found.gain - 1.008]) / error)
    assert 0.3 < np.std(pulls) < 1.6


@pytest.mark.parametrize("named", [["Ti"], ["O"], ["Ti", "Si"], ["Cu"]])
def test_peaks_that_nobody_named_do_not_move_a_right_axis(named):
    counts, axis = spectrum({"Ti": 8000, "O": 30000, "Si": 9000, "Cu": 20000})
    found = check_axis(counts, axis, named)
    assert not found.moved
    assert abs(found.offset) < 6
    assert abs(found.gain - 1) < 1.5e-3


def test_what_cannot_be_decided_is_said():
    few = check_axis(*spectrum({"Ti": 20}, 60.0), ["Ti"])
    assert not few.decided
    assert "too few" in few.notes[0]
    absent = check_axis(*spectrum({"Cl": 9000}), ["Fe"])
    assert not absent.decided
    assert "no line of the elements named" in absent.notes[0]
    alone = check_axis(*spectrum({"Mg": 9000}, 40.0), ["Mg"])
    assert not alone.decided
    assert any("1.25 keV" in note for note in alone.notes)


def field(counts):
    """A field of one pixel."""
    signal = lbj.Signal(
        "EDX", "events", (1, 1, counts.size),
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 10.0, "offset": 0.0, "units": "eV"}],
    )  # fmt: skip
    return lbj.Events.from_dense(counts.astype(np.uint32)[None, None]), signal


@pytest.mark.parametrize(("offset", "gain"), OFF[::2])
def test_compositions_are_right_on_axes_that_are_off(offset, gain):
    amounts = {"K": 20000, "Fe": 9000, "O": 30000}
    events, signal = field(spectrum(amounts, offset, gain)[0])
    factors = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in amounts]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = mfsi_core.quantify(events, list(amounts), 1, factors, signal=signal).set_index("element")
    for element, amount in amounts.items():
        assert table.counts[element] == pytest.approx(amount, rel=0.04)
    assert [str(one.message)[:26] for one in caught] == (["The energy axis is off: a "] if offset or gain != 1 else [])
    assert not set(table["flags"]) & {"axis", "misplaced"}


@pytest.mark.parametrize("away", [-55, 15, 60])
def test_a_peak_beside_the_line_of_a_named_element_is_its_own(away):
    """One line out of place while the others are right: counted for the element named, flagged and told."""
    rng = np.random.default_rng(1)
    counts, axis = spectrum({"Fe": 30000, "Si": 20000, "O": 30000})
    sigma = np.sqrt(130.0**2 + 2.45 * (3313 - 5895)) / 2.3548
    for energy, share in LINES["K"].items():
        counts += rng.poisson(
            9000 * share * 10 / (sigma * 2.5066) * np.exp(-0.5 * ((axis - energy - away) / sigma) ** 2)
        )
    events, signal = field(counts)
    elements = ["K", "Fe", "Si", "O"]
    factors = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in elements]
    found = analyse(events, elements, 1, factors, signal=signal)
    assert found.counts[0, 0] == pytest.approx(9000, rel=0.05)
    assert not any(abs(place - 3313) < 100 for place in found.guesses)
    assert "misplaced" in str(found.table["flags"].iloc[0])
    assert "K K" in found.notes[-1]
    assert found.shifts[0] == pytest.approx(away, abs=3)


def test_many_counts_in_one_chip_converge():
    """A first step that took two columns to zero at once never came back."""
    columns = np.zeros((4, 30))
    channel = np.arange(30)
    for row, place in enumerate((5, 12)):
        columns[row] = np.exp(-0.5 * ((channel - place) / 1.2) ** 2)
    columns[2] = channel < 18
    columns[3] = channel >= 14
    columns /= columns.sum(axis=1, keepdims=True)
    truth = np.array([20000.0, 9000.0, 60.0, 40.0])
    for seed in range(20):
        spectra = np.random.default_rng(seed).poisson(truth @ columns)[None].astype(float)
        fit = poisson_fit(spectra, columns)
        assert fit.converged.all()
        np.testing.assert_allclose(fit.counts[0], truth, rtol=0.02, atol=60)


def test_a_run_says_and_corrects(tmp_path):
    """Maps of two halves of a field on an axis that is 80 eV and 1 % off."""
    mean = np.asarray(spectrum({"K": 6e5, "Fe": 8e5, "O": 9e5}, 80.0, 1.01)[0]) / 1e4
    rng = np.random.default_rng(2)
    cubes = rng.poisson(np.broadcast_to(mean, (2, 6, 8, mean.size)) * np.linspace(0.5, 1.5, 8)[:, None])
    signal = lbj.Signal(
        "EDX", "events", (6, 8, mean.size),
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 10.0, "offset": 0.0, "units": "eV"}],
    )  # fmt: skip
    with lbj.create(tmp_path / "a.lbj", [signal], metadata={"elements": ["K", "Fe", "O"]}) as writer:
        for cube in cubes:
            writer.append({"EDX": cube.astype(np.uint16)})
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert any("axis is off" in note for note in summary["notes"])
    assert summary["energy_axis"]["offset_eV"] == pytest.approx(80, abs=6)
    assert summary["energy_axis"]["gain"] == pytest.approx(1.01, abs=1e-3)
    assert all("corrected" in one["flags"][-1] for one in summary["maps"].values())
    shares = []
    for name, amount in (("K_Ka", 60 * 0.89), ("Fe_Ka", 80 * 0.88), ("O_Ka", 90)):
        shares.append(np.load(tmp_path / "out" / f"map-{name}.npy").mean() / amount)
    np.testing.assert_allclose(shares, np.mean(shares), rtol=0.08)
    assert min(shares) > 1


def test_a_vendor_file_whose_axis_is_off(tmp_path, shared_data):
    """Off by 10 eV and 2 per mille; net counts of K Ka by a Gaussian fit to the sum spectrum: 127,000."""
    convert([str(shared_data / "bruker/P45_8bit_compressed_80keV_range.bcf")], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as journal:
        elements = journal.metadata["elements"]
        factors = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "alpha"} for e in elements]
        found = analyse(journal, elements, np.zeros((75, 100), int), factors)
    assert found.axis.moved
    for energy in (1740.0, 3313.0):
        assert found.axis.offset + (found.axis.gain - 1) * energy == pytest.approx(
            10 + 0.002 * energy, abs=12
        )  # channels of 20 eV
    gaussian = dict(zip(found.elements, found.counts[0], strict=True))["K"] * (1 - found.calibration.detector.tail)
    assert gaussian == pytest.approx(127000, rel=0.06)
    assert not any(abs(place - 3313) < 100 for place in found.guesses)


@pytest.mark.parametrize("place", [66.0, 73.0])
def test_what_stands_beside_zero_is_no_zero_peak_where_the_lines_say_so(place):
    """As where the background ends at the low side; the axis is right."""
    counts, axis = spectrum({"Cr": 70000, "Ti": 60000, "N": 30000}, start=-200.0)
    counts += np.random.default_rng(1).poisson(2000 * np.exp(-0.5 * ((axis - place) / 20) ** 2))
    found = check_axis(counts, axis, ["Cr", "Ti", "N"], 200e3)
    assert found.axis(np.array([392.4, 5411.6])) == pytest.approx([392.4, 5411.6], abs=4.0)
    assert found.decided


@pytest.mark.parametrize(
    ("element", "others"),
    [
        ("Ti", {"N": 30000, "O": 30000}),
        ("Ti", {}),
        ("V", {"N": 30000}),
        ("V", {"O": 30000}),
        ("Cr", {"N": 30000, "O": 30000}),
        ("Cr", {"O": 30000}),
    ],
)
def test_a_line_of_another_element_near_a_weak_line_does_not_move_the_axis(element, others):
    """One metal is named; N K (392 eV) and O K (525 eV) stand within the reach of its L lines."""
    found = check_axis(*spectrum({element: 20000, **others}), [element])
    assert found.axis(np.array([392.4, 524.9, 5000.0])) == pytest.approx([392.4, 524.9, 5000.0], abs=4.0)
    assert found.decided or found.notes


def test_an_axis_that_nobody_can_judge_is_said():
    found = check_axis(*spectrum({"Ti": 20000}), [])
    assert not found.decided
    assert "No element is named" in found.notes[0]
    assert not found.moved


@pytest.mark.parametrize(
    ("amounts", "offset", "gain", "width", "start"),
    [
        ({"Zr L": 25000, "Zr K": 1500, "Si": 1500}, 6.0, 0.9919, 20.0, 0.0),
        ({"Zr L": 25000, "Zr K": 1500, "Si": 1500}, -36.0, 0.9827, 20.0, 0.0),
        ({"Nb L": 25000, "Nb K": 1500, "Si": 1500}, 148.0, 0.9834, 20.0, -480.0),
        ({"Cl": 1200, "Cr": 4000}, 148.0, 0.9834, 10.0, -480.0),
    ],
)
def test_lines_far_apart_are_all_explained(amounts, offset, gain, width, start):
    """An axis that puts the strongest lines right alone leaves the others as peaks of nobody: it is not taken."""
    counts, axis = spectrum(amounts, offset, gain, 1024, width, start, zero=1e4 if start else 0.0)
    named = [name for name in dict.fromkeys(key.split()[0] for key in amounts) if name != "Si"]
    found = check_axis(counts, axis, named, 30e3)
    assert found.decided
    for element in (key for key in amounts if key != "Si"):
        energy = next(iter(LINES[element]))
        assert found.offset + found.gain * energy == pytest.approx(offset + gain * energy, abs=12.0), energy


@pytest.mark.parametrize(("offset", "gain"), [(-176.0, 1.019), (-25.0, 1.018), (119.0, 1.0117), (0.0, 1.0)])
def test_one_line_that_may_be_either_of_two_is_settled_by_the_rest(offset, gain):
    """O K (525 eV) may be taken for Ti L (452 eV), Ti K and Ba L for one another; no line of Ba M shows."""
    counts, axis = spectrum({"Ba L": 9000, "Ti": 3000, "O": 2000}, offset, gain)
    found = check_axis(counts, axis, ["Ba", "Ti", "O"], 15e3)
    assert found.decided
    for energy in (524.9, 4464.0, 4509.9):
        assert found.offset + found.gain * energy == pytest.approx(offset + gain * energy, abs=6.0), energy


def test_an_axis_on_which_lines_are_wider_than_a_detector_shows_them_is_not_certain():
    counts, axis = spectrum({"Cl": 60000, "Ti": 90000}, 150.0, 0.99)
    blurred = np.random.default_rng(1).poisson(np.convolve(counts, np.ones(19) / 19, "same")).astype(float)
    assert check_axis(counts, axis, ["Cl", "Ti"]).decided
    found = check_axis(blurred, axis, ["Cl", "Ti"])
    assert not found.decided
    assert any("as no such detector shows them" in note for note in found.notes)


@pytest.mark.parametrize(
    ("amounts", "axis", "tried"),
    [
        ({"Fe": 7000, "Si": 500, "O": 400}, (-92.0, 0.9913), (-146.0, 1.0005)),
        ({"Cu": 9000, "Cl": 700, "Mg": 600}, (60.0, 1.01), (124.0, 1.002)),
    ],
)
def test_an_axis_that_puts_only_the_strongest_line_right_is_straightened(amounts, axis, tried):
    """The others are found beside their places, 40 and 50 eV off, and tell of the axis."""
    counts, energy = spectrum(amounts, *axis)

    def fit(start):
        true = (energy - start[0]) / start[1]
        true = true[true > 150]
        edges = np.append(true, 2 * true[-1] - true[-2]) - (true[1] - true[0]) / 2
        families = [f for element in amounts for f in families_of(element, true[0], true[-1], 20e3)]
        return calibrate(counts[-true.size :], edges, families, Detector(), beam=20e3)

    lines = [next(iter(LINES[element])) for element in amounts]
    taken, known, _ = likeliest(Found(*tried, tuple(lines), (), edge=False, explained=1e4), fit, ["C"])
    offset, gain = start_of(taken)
    for line in lines:
        place = offset + gain * float(known.detector.positions(np.array(line)))
        assert place == pytest.approx(axis[0] + axis[1] * line, abs=5.0)

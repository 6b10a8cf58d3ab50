"""Maps of crowded spectra: truth from `eds_phantom`, whose families are xraylib's and not those of the table of lines."""

import json
import warnings

import eds_phantom as phantom
import numpy as np
import pytest

import lbj
from mfsi_core import Registration, element_maps
from mfsi_core.cli import main
from mfsi_core.edx.peaks import escape_share, find_peaks
from mfsi_core.maps.line_filter import line_filter
from mfsi_core.maps.overlaps import line_overlaps
from mfsi_core.series.axis import centres

AXES = {
    "10 eV": phantom.axis(1024, 10.0),
    "5 eV": phantom.axis(2048, 5.0),
    "20 eV, from -480": np.arange(600) * 20.0 - 490,
}
SMOOTH = 0.1  # share of the counts that are background


def alpha_share(name):
    """Share of a family's photons in its alpha lines, by xraylib: those within 60 eV of the strongest."""
    lines = phantom.family_lines(name)
    strongest = max(lines, key=lambda line: line[1])[0]
    near = {"K": 60.0, "L": 12.0, "M": 20.0}[name[-1]]
    return sum(share for energy, share in lines if abs(energy - strongest) < near)


def spectrum(parts, edges, detector=None):
    """Expected counts in every channel; `parts` gives photons of each family."""
    detector = detector or phantom.Detector(tail=0.0)
    mean = sum(photons * detector.family(name, edges) for name, photons in parts.items())
    smooth = phantom.background(np.maximum(edges, 20.0))
    return mean + SMOOTH * sum(parts.values()) * smooth


def drawn(mean, shape, seed):
    """Counts of a field whose pixels share a mean spectrum."""
    return np.random.default_rng(seed).poisson(np.broadcast_to(mean, (*shape, mean.size)))


def signal_of(shape, edges):
    return phantom.signal((*shape,), edges, "spectra")


CROWDED = [  # families; the element looked for, and photons of it per pixel
    ({"Zr_L": 30.0, "Fe_K": 100.0, "Fe_L": 20.0}, "P", 0.0),
    ({"Zr_L": 30.0, "P_K": 6.0, "Fe_K": 100.0}, "P", 6.0),
    ({"Mg_K": 2.0, "Al_K": 40.0, "Si_K": 200.0, "Na_K": 8.0}, "Mg", 2.0),
    ({"Ba_L": 60.0, "Ti_K": 20.0, "Ti_L": 3.0}, "Ti", 20.0),
    ({"Fe_K": 80.0, "Mn_K": 100.0, "Co_K": 10.0}, "Co", 10.0),
    ({"Pt_L": 40.0, "Pt_M": 60.0, "Ga_K": 0.0, "Cu_K": 60.0}, "Ga", 0.0),
]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(("parts", "element", "photons"), CROWDED)
def test_lines_are_told_apart_from_their_neighbours(parts, element, photons, axis):
    edges, shape = AXES[axis], (16, 20)
    counts = drawn(spectrum(parts, edges), shape, len(element))
    named = [*dict.fromkeys([*(name.split("_")[0] for name in parts), element])]
    found = element_maps(counts, named, signal_of(shape, edges))
    one = found[element]
    family = next((name for name in parts if name.split("_")[0] == element), f"{element}_K")
    expected = photons * alpha_share(family)
    error = np.sqrt(one.variance.sum()) / one.values.size
    # Three standard errors, 3 % for the relative strength of lines, and a hundredth of what stands beside it.
    assert abs(one.values.mean() - expected) < 3 * error + 0.03 * expected + 0.01 * max(parts.values()) * 0.5
    # Few counts are no normal numbers: the fourth moment of Poisson counts widens the scatter of the scatter.
    assert one.values.var() / one.variance.mean() == pytest.approx(1, abs=0.35)
    if not photons:
        assert any("nothing of it is seen" in flag or "shadow" in flag for flag in one.flags)


def test_windows_would_have_been_wrong_and_say_so():
    edges, shape = AXES["10 eV"], (16, 20)
    counts = drawn(spectrum({"Zr_L": 30.0, "Fe_K": 100.0}, edges), shape, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = element_maps(counts, ["Fe", "P", "Zr"], signal_of(shape, edges), method="windows")
    assert any("P_Ka: the line Zr_La1 at 2042 eV lies in the window" in str(one.message) for one in caught)
    assert found["P"].values.mean() > 5
    assert any("Zr" in flag for flag in found["P"].flags)


def test_windows_are_told_of_lines_that_reach_into_them_and_of_one_side():
    signal = signal_of((2, 2), AXES["10 eV"])
    nothing = np.zeros(1024)
    reach = line_overlaps(signal, nothing, (4400, 4600), ((4200, 4300), (4980, 5080)), ["Ti"])
    assert reach == ["the line Ti_Kb1 at 4932 eV reaches into the background window (4980, 5080) eV"]
    assert not line_overlaps(signal, nothing, (4400, 4600), ((4200, 4300), (5100, 5200)), ["Ti"])
    (sided,) = line_overlaps(signal, nothing, (4400, 4600), ((4000, 4100), (4200, 4300)), ["Ti"])
    assert "both background windows lie below" in sided


def test_an_aligned_series_is_the_sum_of_interpolated_maps():
    edges, shape = AXES["20 eV, from -480"], (12, 15)
    rng = np.random.default_rng(3)
    mean = spectrum({"Ti_K": 40.0, "Al_K": 30.0}, edges) * rng.uniform(0.5, 1.5, shape)[..., None]
    frames = [lbj.Events.from_dense(rng.poisson(mean).astype(np.uint16)) for _ in range(3)]
    moved = Registration.rigid([[1, -2], [0, 0], [-1, 2]], shape)
    found = element_maps(frames, ["Ti", "Al"], signal_of(shape, edges), registration=moved)
    tool = line_filter(sum(frame.spectrum() for frame in frames), signal_of(shape, edges), ["Ti", "Al"])
    for k, element in enumerate(("Ti", "Al")):
        planes = [frame.dense() @ tool.weights[:, k] for frame in frames]
        inside = planes[0][1:-3, 4:] + planes[1][2:-2, 2:-2] + planes[2][3:-1, :-4]
        np.testing.assert_allclose(found[element].values[2:-2, 2:-2], inside, atol=1e-9)


@pytest.mark.parametrize(
    ("other", "metal", "place", "photons", "error"),
    [
        ("O_K", "Ti", "0.5", 30.0, 0.15), ("O_K", "Ti", "0.5", 400.0, 0.15), ("N_K", "Ti", "0.", 60.0, 0.15),
        ("V_K", "Ti", "4.9", 200.0, 0.15), ("O_K", "Ti", "0.52keV", 12.0, 0.15), ("Cu_L", "Zn", "0.93keV", 30.0, 0.15),
        ("Mo_L", "S", "2.29keV", 60.0, 0.3),  # side lines alone tell how much of the peak is whose
    ],
)  # fmt: skip
def test_a_major_line_under_one_of_a_named_element_is_found(tmp_path, other, metal, place, photons, error):
    """O K under Ti L beta 3, N K under Ti L l, V K alpha under Ti K beta; Mo L under S K, Cu L under Zn L alpha."""
    edges, shape = AXES["5 eV"], (14, 15)
    family = {f"{metal}_K": 300.0, "Si_K": 200.0}  # silicon holds the energy axis
    if metal != "S":
        family[f"{metal}_L"] = 60.0 if metal == "Zn" else 20.0
    said = []
    for seed, extra in enumerate(({}, {other: photons})):
        counts = drawn(spectrum({**family, **extra}, edges), shape, seed).astype(np.uint16)
        signal = lbj.Signal("EDX", "events", counts.shape, axes=signal_of(shape, edges).axes)
        with lbj.create(tmp_path / f"{seed}.lbj", [signal], {"beam_energy": 2e5}) as writer:
            writer.append({"EDX": counts})
        assert (
            main(["maps", str(tmp_path / f"{seed}.lbj"), "-o", str(tmp_path / str(seed)), "--elements", f"{metal},Si"])
            == 0
        )
        said.append(sorted(path.name for path in (tmp_path / str(seed)).glob(f"map-{place}*.npy")))
    assert not said[0]  # the metal alone hides nothing
    assert len(said[1]) == 1
    mean = np.load(tmp_path / "1" / said[1][0]).mean()
    assert mean == pytest.approx(photons * alpha_share(other), rel=error)


def test_a_line_too_strong_for_a_named_element_is_not_given_back_to_it():
    """Ti explains three other peaks, but not O K, which its L beta lies beneath."""
    edges = AXES["10 eV"]
    counts = drawn(spectrum({"Ti_K": 6e5, "Ti_L": 1e5, "O_K": 1.6e5, "Si_K": 1.4e5}, edges), (), 1)
    found = find_peaks(counts, (edges[:-1] + edges[1:]) / 2, elements=["Ti", "Si"])
    (peak,) = [one for one in found if abs(one.energy - 525) < 20]
    assert peak.hidden
    assert "O_Ka" in peak.lines[:2]


def test_peaks_of_the_detector_are_no_elements():
    edges = AXES["10 eV"]
    energy = (edges[:-1] + edges[1:]) / 2
    parts = {"Ca_K": 4e5, "Mg_K": 3e5, "O_K": 2e5}
    mean = spectrum(parts, edges)
    detector = phantom.Detector(tail=0.0)

    def line(place, photons):
        sigma = np.sqrt(detector.resolution**2 + 2.45 * (place - 5895)) / 2.355
        return photons * 10 / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((energy - place) / sigma) ** 2)

    mean = mean + line(3691 - 1740, 4e5 * 0.006) + line(2 * 1254, 3000) + line(1254 + 525, 2500) + line(8047, 3000)
    counts = np.random.default_rng(5).poisson(mean)
    for named in (["Ca", "Mg", "O"], []):
        found = {round(peak.energy / 100): peak for peak in find_peaks(counts, energy, 128.0, 150.0, 2e5, named)}
        assert found[20].artefact == "escape from Ca_Ka"
        assert found[25].artefact == "Mg_Ka + Mg_Ka"
        assert found[18].artefact in ("O_Ka + Mg_Ka", "Mg_Ka + O_Ka")
        assert found[80].lines[0] == "Cu_Ka"
        assert not found[80].artefact


@pytest.mark.parametrize(("element", "channels", "place"), [("Pb", 1023, 9184.0), ("Au", 940, 8494.0)])
def test_a_minor_line_is_known_where_the_main_one_is_beyond_the_axis(element, channels, place):
    """L l of Pb and Au, which stands 1.2 to 1.4 keV below L alpha."""
    edges = phantom.axis(channels, 10.0)
    counts = np.random.default_rng(3).poisson(spectrum({f"{element}_M": 1e5, f"{element}_L": 1e5}, edges))
    (peak,) = [
        peak
        for peak in find_peaks(counts, (edges[:-1] + edges[1:]) / 2, 128.0, 150.0, 2e5, [element])
        if abs(peak.energy - place) < 40
    ]
    assert peak.lines[0] == f"{element}_Ll"


def test_a_sum_peak_on_the_flank_of_a_line_is_not_counted_to_it():
    """Si K alpha twice, 3480 eV, between K K alpha and Ca K alpha; the K film is thin."""
    edges, shape = AXES["20 eV, from -480"], (12, 14)
    energy = (edges[:-1] + edges[1:]) / 2
    mean = spectrum({"Si_K": 2000.0, "K_K": 30.0, "Ca_K": 60.0}, edges)
    sigma = np.sqrt(128.0**2 + 2.45 * (3480 - 5895)) / 2.355
    mean = mean + 40.0 * 20 / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((energy - 3480) / sigma) ** 2)
    counts = drawn(mean, shape, 9)
    found = element_maps(counts, ["Si", "K", "Ca"], signal_of(shape, edges))
    for element, photons in (("K", 30.0), ("Ca", 60.0)):
        assert found[element].values.mean() == pytest.approx(photons * alpha_share(f"{element}_K"), rel=0.06)


def test_escape_peaks_are_as_strong_as_measured():
    """J. Goldstein et al., Scanning Electron Microscopy and X-ray Microanalysis: 1.8 % of P Ka, ever less above."""
    assert 100 * escape_share(2013.0) == pytest.approx(1.8, rel=0.4)
    assert np.all(np.diff([escape_share(energy) for energy in (2013.0, 2500.0, 4000.0, 6400.0, 9000.0)]) < 0)
    assert escape_share(1800.0) == 0


def test_doubts_are_told_wherever_results_are(tmp_path, capsys):
    edges, shape = AXES["10 eV"], (10, 12)
    counts = drawn(spectrum({"Zr_L": 30.0, "Fe_K": 100.0}, edges), shape, 1).astype(np.uint16)
    signal = lbj.Signal("EDX", "events", counts.shape, axes=signal_of(shape, edges).axes)
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": 2e5}) as writer:
        writer.append({"EDX": counts})
        writer.append({"EDX": counts})
    assert main(["run", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "r"), "--elements", "Fe,P,Zr"]) == 0
    said = capsys.readouterr().out
    assert "note: Map of P Kα: nothing of it is seen beyond noise" in said
    assert "Zr L lies there too" in said
    report = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "<th>Doubts</th>" in report
    maps = json.loads((tmp_path / "r" / "summary.json").read_text(encoding="utf-8"))["maps"]
    assert "nothing of it" in maps["map-P_Ka"]["flags"][0]
    assert not maps["map-Zr_La"]["flags"]
    assert centres(signal).size == 1024


@pytest.mark.parametrize(
    ("parts", "light", "over"),
    [
        ({"V_K": 300.0, "V_L": 40.0, "Cu_K": 200.0}, "O", "V L"),
        ({"Ti_K": 300.0, "Ti_L": 80.0, "N_K": 12.0, "Cu_K": 200.0}, "N", "Ti L"),
        ({"Ti_K": 300.0, "Ti_L": 80.0, "Cu_K": 200.0}, None, ""),  # Ll is as strong as it should be
        ({"Mo_K": 50.0, "Mo_L": 90.0, "Cu_K": 200.0}, "S", "Mo L"),
    ],
)
def test_what_hides_under_lines_of_named_elements_is_told(tmp_path, capsys, parts, light, over):
    """It cannot be decided whether the light element is there, which maps and compositions tell unless it is named."""
    edges, shape = AXES["10 eV"], (10, 12)
    counts = drawn(spectrum(parts, edges), shape, 2).astype(np.uint16)
    signal = lbj.Signal("EDX", "events", counts.shape, axes=signal_of(shape, edges).axes)
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": 2e5}) as writer:
        writer.append({"EDX": counts})
    named = sorted({name.split("_")[0] for name in parts} - {light})
    (tmp_path / "k.csv").write_text(
        "element,family,k,basis,line_scope\n" + "".join(f"{e},{'KL'[e == 'Mo']},1,at,family\n" for e in named)
    )
    for command in (["maps"], ["quantify", "--chips", "5", "--factors", str(tmp_path / "k.csv")]):
        rest = [str(tmp_path / "a.lbj"), "-o", str(tmp_path / command[0]), "--elements", ",".join(named)]
        assert main([command[0], *rest, *command[1:]]) == 0
        said = [line for line in capsys.readouterr().out.splitlines() if "cannot be decided: " in line]
        assert len(said) == (light is not None)
        assert all(f"{light} Kα" in line and f"under {over}" in line for line in said)
    if light:
        names = ",".join([*named, light])
        assert main(["maps", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "more"), "--elements", names]) == 0
        assert f"{light} Kα" not in "".join(
            line for line in capsys.readouterr().out.splitlines() if "cannot be decided: " in line
        )

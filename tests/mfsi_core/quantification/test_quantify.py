"""Compositions of simulated EDX fields: bias, errors, detectors that are off, absorption, threads."""

import argparse
import warnings

import eds_phantom as phantom
import numba
import numpy as np
import pytest
from cells import more
from scipy.optimize import minimize

import lbj
from lbj import UsageError
from lbj.command import run
from mfsi_core.commands.quantify import add
from mfsi_core.edx.calibration import calibrate
from mfsi_core.edx.detector import Detector, respond, respond_slopes
from mfsi_core.edx.families import families_of
from mfsi_core.edx.linear_filter import linear_filter
from mfsi_core.edx.model import build
from mfsi_core.quantification.factors import read_factors, write_factors
from mfsi_core.quantification.poisson_fit import poisson_fit
from mfsi_core.quantification.quantify import analyse, quantify
from mfsi_core.quantification.standards import k_from_standard
from mfsi_core.tables.constants import mass_attenuation

pytest.importorskip("xraylib", reason="the phantom takes its lines from xraylib")
pytest.importorskip("pandas", reason="the table is a pandas table")

ELEMENTS = ["La", "Fe", "O", "Sr", "Ti"]
EDGES = phantom.axis()
SHAPE = (64, 128)


def two_phases(detector=None, seed=1, counts=59.0, **keywords):
    """Events of both phases side by side, and photons per count of each."""
    made = [phantom.phase_spectrum(phase, EDGES, detector, **keywords) for phase in phantom.PHASES]
    phase_of = np.zeros(SHAPE, int)
    phase_of[:, SHAPE[1] // 2 :] = 1
    return phantom.draw([spectrum for spectrum, _ in made], phase_of, counts, seed), [photons for _, photons in made]


@pytest.fixture(scope="module")
def field():
    return two_phases()


def quantified(events, chips=16, **keywords):
    return analyse(events, ELEMENTS, chips, phantom.factors(), signal=phantom.signal(SHAPE, EDGES), **keywords)


@pytest.fixture(scope="module")
def known(field):
    """Chips of 16 x 16 pixels of the field."""
    return quantified(field[0])


@pytest.fixture(scope="module")
def filtered(field):
    """Every pixel of the field by the filter."""
    return quantified(field[0], "pixels", fit="linear")


def expected(number):
    """Atomic percent of a phase."""
    atoms = list(phantom.PHASES.values())[number]
    return np.array([100 * atoms.get(element, 0) / sum(atoms.values()) for element in ELEMENTS])


def biases(result):
    """Mean at% less the truth, (2, 5)."""
    right = result.chips.boxes[:, 1] >= SHAPE[1] // 2
    return np.array([np.nanmean(100 * result.composition.at[right == n], axis=0) - expected(n) for n in (0, 1)])


def test_compositions_are_right_and_absent_elements_absent(known):
    """O K stands on Ti L and beside La M, Ti K beside La L: the fit tells them apart."""
    result, bias = known, biases(known)
    present = np.stack([expected(0), expected(1)]) > 0
    assert abs(bias[present]).max() < 0.5
    assert abs(bias[~present]).max() < 0.1
    assert result.converged.all()
    assert 0.9 < np.median(result.deviance_dof) < 1.2


@pytest.mark.parametrize("size", [more(2), 8])
def test_errors_are_the_scatter(field, size):
    """Within three standard errors of 0.9 to 1.1, for the number of chips that there are."""
    events, photons = field
    result = quantified(events, size)
    right = result.chips.boxes[:, 1] >= SHAPE[1] // 2
    for number in (0, 1):
        chosen, present = right == number, expected(number) > 0
        names = [f"{e}_{phantom.QUANTIFIED[e]}" for e, there in zip(ELEMENTS, present, strict=True) if there]
        counts = np.array([photons[number][name] for name in names]) * 59 * size**2
        made = result.composition
        for pulls in (
            (result.counts[chosen][:, present] - counts) / result.counts_se[chosen][:, present],
            (100 * made.at[chosen][:, present] - expected(number)[present]) / (100 * made.at_se[chosen][:, present]),
        ):
            slack = 3 / np.sqrt(2 * chosen.sum())
            assert (pulls.std(axis=0) > 0.9 - slack).all()
            assert (pulls.std(axis=0) < 1.1 + slack).all()


@pytest.mark.parametrize(
    "detector",
    [
        phantom.Detector(offset=5.0, gain=0.999, resolution=128.0 * 1.05),
        phantom.Detector(offset=-5.0, gain=1.001, resolution=128.0 * 0.95, tail=0.03),
    ],
)
def test_a_detector_that_is_off_costs_little(known, detector):
    events, _ = two_phases(detector)
    result = quantified(events)
    assert abs(biases(result) - biases(known)).max() < 0.3
    found = result.calibration.detector
    energy = np.array([1500.0, 4500.0, 14000.0])
    np.testing.assert_allclose(found.positions(energy), detector.offset + detector.gain * energy, atol=2.5)
    assert found.resolution == pytest.approx(detector.resolution, rel=0.01)


def test_lines_of_the_table_that_are_off_cost_little(known):
    events, _ = two_phases(shift=5.0)
    assert abs(biases(quantified(events)) - biases(known)).max() < 0.3


def test_absorption_is_undone():
    """A film of 150 nm, 6 g/cm³, seen at 20 degrees; photons leave from all depths alike."""

    def leaving(phase):
        masses = {e: n * phantom.WEIGHT[e] for e, n in phantom.PHASES[phase].items()}

        def share(name):
            lines = phantom.family_lines(name)
            out = 0.0
            for energy, part in lines:
                mu = sum(m * float(mass_attenuation(e, energy)) for e, m in masses.items()) / sum(masses.values())
                x = mu * 6.0 * 150e-7 / np.sin(np.radians(20.0))
                out += part * (1 - np.exp(-x)) / x
            return out

        return share

    made = [phantom.phase_spectrum(phase, EDGES, absorption=leaving(phase)) for phase in phantom.PHASES]
    phase_of = np.zeros(SHAPE, int)
    phase_of[:, 64:] = 1
    events = phantom.draw([spectrum for spectrum, _ in made], phase_of, 236.0, 4)
    film = {"thickness_nm": 150.0, "density": 6.0, "take_off_deg": 20.0}
    assert abs(biases(quantified(events))).max() > 1.0
    assert abs(biases(quantified(events, absorption=film))).max() < 0.5


def test_the_filter_is_unbiased_and_knows_its_errors(field, filtered):
    photons, result = field[1], filtered
    assert result.chips.ids.size == SHAPE[0] * SHAPE[1]
    right = np.indices(SHAPE)[1].ravel() >= SHAPE[1] // 2
    for number in (0, 1):
        for j, element in enumerate(ELEMENTS):
            counts = result.counts[right == number, j]
            truth = photons[number].get(f"{element}_{phantom.QUANTIFIED[element]}", 0.0) * 59
            assert abs(counts.mean() - truth) < 4 * counts.std() / np.sqrt(counts.size) + 0.01 * truth
            if truth:
                pulls = (counts - truth) / result.counts_se[right == number, j]
                assert 0.9 < pulls.std() < 1.1


def test_the_filter_sums_as_a_matrix_does(field):
    """Chips of any labels, also more columns than the kernel has lanes."""
    events, _ = field
    from mfsi_core.quantification.summing import spectra_in

    spectra = spectra_in(events, phantom.signal(SHAPE, EDGES), None)
    rng = np.random.default_rng(0)
    weights, labels = rng.normal(size=(4096, 11)), rng.integers(-1, 40, SHAPE).astype(np.int32)
    dense = events.dense().reshape(-1, 4096)
    wanted = np.stack([dense[labels.ravel() == n].sum(axis=0) @ weights for n in range(40)])
    np.testing.assert_allclose(spectra.filtered(labels, 40, weights), wanted, rtol=1e-9, atol=1e-9)
    cube = spectra_in(events.dense(), phantom.signal(SHAPE, EDGES), None)
    np.testing.assert_allclose(cube.filtered(labels, 40, weights), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("chips", "fit"), [(16, "poisson"), ("pixels", "linear")])
def test_the_number_of_threads_changes_nothing(field, known, filtered, chips, fit):
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    alone = quantified(field[0], chips, fit=fit)
    numba.set_num_threads(before)
    assert alone.table.equals((known if fit == "poisson" else filtered).table)


def columns_of(n=4, bins=30, seed=0):
    rng = np.random.default_rng(seed)
    place = np.linspace(0.15, 0.85, n - 1)[:, None]
    peaks = np.exp(-(((np.linspace(0, 1, bins) - place) / 0.12) ** 2))
    columns = np.vstack([peaks, np.ones(bins)])
    return columns / columns.sum(axis=1, keepdims=True), rng


def test_the_fit_is_the_maximum_likelihood():
    """Against a general minimiser, with an intensity that the bound holds at zero, and few counts."""
    columns, rng = columns_of()
    for truth in ([80.0, 0.0, 40.0, 60.0], [3.0, 1.0, 0.0, 2.0], [1e5, 3.0, 2e4, 1e5]):
        spectra = rng.poisson(np.array(truth) @ columns, (6, 30)).astype(float)
        fit = poisson_fit(spectra, columns)
        assert fit.converged.all()
        for spectrum, x in zip(spectra, fit.counts, strict=True):

            def loss(y, n=spectrum):
                mean = np.maximum(y @ columns, 1e-12)
                return mean.sum() - (n * np.log(mean)).sum()

            best = minimize(
                loss, np.full(4, max(spectrum.sum(), 1) / 4), bounds=[(0, None)] * 4, method="L-BFGS-B",
                options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 50000},
            )  # fmt: skip
            assert loss(x) < best.fun + 1e-6
            assert x.min() >= 0


def test_the_fits_errors_are_those_of_fisher():
    columns, rng = columns_of()
    truth = np.array([4000.0, 2500.0, 3000.0, 6000.0])
    information = (columns / (truth @ columns)) @ columns.T
    spectra = rng.poisson(truth @ columns, (3000, 30))
    fit = poisson_fit(spectra, columns)
    np.testing.assert_allclose(fit.covariance.mean(axis=0), np.linalg.inv(information), rtol=0.02)
    np.testing.assert_allclose(np.cov(fit.counts.T), np.linalg.inv(information), rtol=0.12)
    assert fit.deviance_dof.mean() == pytest.approx(1.0, abs=0.02)


def test_a_fit_that_misses_is_told_from_noise():
    """A peak that no column holds, a fifth of the others: misfit where counts show it; never of what the columns make."""
    columns, rng = columns_of()
    truth = np.array([4000.0, 2500.0, 3000.0, 6000.0])
    right = poisson_fit(rng.poisson(truth @ columns, (2000, 30)), columns)
    assert right.misfit.sum() == 0
    foreign = np.exp(-(((np.linspace(0, 1, 30) - 0.32) / 0.03) ** 2))
    wrong = truth @ columns + 800 * foreign / foreign.sum()
    assert poisson_fit(rng.poisson(wrong, (200, 30)), columns).misfit.all()
    assert not poisson_fit(rng.poisson(wrong / 1000, (200, 30)), columns).misfit.any()


def test_errors_grow_where_the_fit_misses_and_the_user_is_told():
    """The detector resolves one half of the field far worse than the other, which no one calibration can hold."""
    detectors = phantom.Detector(), phantom.Detector(resolution=190.0)
    spectra = [phantom.phase_spectrum("SrTiO3", EDGES, detector)[0] for detector in detectors]
    halves = np.repeat([[0, 1]], SHAPE[1] // 2, axis=1) + np.zeros((SHAPE[0], 1), int)
    same, mixed = (
        analyse(
            phantom.draw([spectra[0], spectra[n]], halves, 100.0, 5), ["Sr", "Ti", "O"], 32, phantom.factors(),
            signal=phantom.signal(SHAPE, EDGES),
        )
        for n in (0, 1)
    )  # fmt: skip
    assert not same.misfit.any()
    assert not same.table["flags"].str.contains("misfit|others").any()
    assert not any("misses" in note for note in same.notes)
    assert mixed.misfit.all()
    flagged = mixed.table["flags"].str.contains("misfit")
    assert flagged[mixed.table["element"] != "Sr"].all()  # Sr K, 14 keV, is that wide in either half
    others = mixed.table["flags"].str.contains("others")  # whose atoms are counted against each other
    assert others[mixed.table["element"] == "Sr"].all()
    assert (flagged | others).all()
    assert any("misses the spectra of 8 of 8 chips" in note for note in mixed.notes)
    assert (mixed.counts_se > 1.2 * same.counts_se).all()
    assert (mixed.composition.at_se > 1.2 * same.composition.at_se)[:, :3].all()


def test_an_empty_spectrum_fits_nothing():
    columns, _ = columns_of()
    fit = poisson_fit(np.zeros((2, 30)), columns)
    assert (fit.counts == 0).all()
    assert np.isfinite(fit.covariance).all()


def test_filter_and_fit_agree_where_counts_are_many():
    columns, rng = columns_of()
    truth = np.array([4e6, 2.5e6, 3e6, 6e6])
    spectra = rng.poisson(truth @ columns, (5, 30))
    tool = linear_filter(columns, truth[:3], truth @ columns, [0, 1, 2], [0, 1, 2])
    found = spectra @ tool.weights.T
    np.testing.assert_allclose(tool.weights @ columns.T, np.eye(4)[:3], atol=1e-9)
    np.testing.assert_allclose(found, poisson_fit(spectra, columns).counts[:, :3], rtol=1e-4)
    covariance = tool.covariance(found, spectra.sum(axis=1), np.empty((5, 3, 3)))
    np.testing.assert_allclose(covariance, poisson_fit(spectra, columns).covariance[:, :3, :3], rtol=1e-2)


def test_bins_lose_no_information(field):
    events, _ = field
    families = [family for element in ELEMENTS for family in families_of(element, 150.0, 20000.0, 200e3)]
    calibration = calibrate(events.spectrum()[30:].astype(float), EDGES[30:], families, Detector())
    centres = (EDGES[30:-1] + EDGES[31:]) / 2
    model = build(calibration, centres, 4096, 30)
    assert model.mean.size < 400
    background = model.columns.shape[0] - len(calibration.families)
    full = np.vstack([calibration.templates, np.zeros((background, centres.size))])
    hats = model.columns[len(calibration.families) :]
    full[len(calibration.families) :] = 0
    mean = calibration.counts @ calibration.templates + calibration.background
    held = model.bin_of[30:]
    # Families alone: the information of their own columns, binned and not.
    fine = (full[: len(calibration.families)] ** 2 / mean).sum(axis=1)
    coarse = (model.columns[: len(calibration.families)] ** 2 / model.mean).sum(axis=1)
    assert (coarse / fine > 0.99).all()
    np.testing.assert_allclose(np.bincount(held, mean), model.mean)
    assert hats.min() >= 0


def test_slopes_of_lines_are_their_differences():
    edges = np.arange(3500.0, 5200.0, 10.0)
    position, sigma = np.array([4500.0]), np.array([50.0])

    def form(position=4500.0, sigma=50.0, tail=0.05, length=80.0):
        out = np.zeros((1, edges.size - 1))
        respond(edges, np.array([position]), np.array([sigma]), tail, length, np.ones(1), np.zeros(1, np.int64), out)
        return out[0]

    assert form().sum() == pytest.approx(1.0, abs=1e-4)
    mean = (form() * (edges[:-1] + 5)).sum()
    assert mean == pytest.approx(4500 - 0.05 * 80, abs=0.6)
    out = np.zeros((9, edges.size - 1))
    respond_slopes(edges, position, sigma, 0.05, 80.0, np.ones((1, 9)), np.arange(9)[None], out)
    np.testing.assert_allclose(out[0], form(), atol=1e-12)
    for row, name, value, step in (
        (2, "position", 4500.0, 0.01),
        (5, "sigma", 50.0, 0.01),
        (7, "tail", 0.05, 1e-4),
        (8, "length", 80.0, 0.01),
    ):
        slope = (form(**{name: value + step}) - form(**{name: value - step})) / (2 * step)
        np.testing.assert_allclose(out[row], slope, atol=5e-6)


def test_peaks_that_nobody_named_are_left_to_themselves():
    """Copper of the grid: named with k = 0, or not named at all, the composition is the same."""
    events, _ = two_phases(extra={"Cu": 2.0})
    alone = quantified(events)
    assert any(abs(energy - 8040) < 25 and lines == ["Cu_Ka"] for energy, lines in alone.guesses.items())
    named = analyse(
        events, [*ELEMENTS, "Cu"], 16, [*phantom.factors(elements=ELEMENTS), {"element": "Cu", "family": "K", "k": 0, "basis": "at", "line_scope": "family"}],
        signal=phantom.signal(SHAPE, EDGES),
    )  # fmt: skip
    assert (named.composition.at[:, 5] == 0).all()
    assert named.counts[:, 5].min() > 100
    assert named.table["flags"][5] == "excluded"
    np.testing.assert_allclose(alone.composition.at, named.composition.at[:, :5], atol=0.006)
    assert abs(biases(alone)).max() < 0.6


def test_a_standard_gives_the_factors(tmp_path):
    """Measured on SrTiO3, they quantify another field of it; the same on a journal."""
    spectrum, _ = phantom.phase_spectrum("SrTiO3", EDGES)
    events = phantom.draw([spectrum], np.zeros((32, 32), int), 200.0, 8)
    signal = phantom.signal((32, 32), EDGES)
    found = k_from_standard(events, {"Sr": 1, "Ti": 1, "O": 3}, "Ti", basis="at", signal=signal)
    assert [factor.family for factor in found] == ["K", "K", "K"]
    for factor in found:
        right = phantom.YIELD["Ti_K"] / phantom.YIELD[f"{factor.element}_K"]
        assert factor.k == pytest.approx(right, abs=4 * right * np.hypot(factor.rel_sd, found[1].rel_sd) + 0.02 * right)
    write_factors(found, tmp_path / "k.csv")
    other = phantom.draw([spectrum], np.zeros((32, 32), int), 200.0, 9)
    result = analyse(other, ["Sr", "Ti", "O"], 32, tmp_path / "k.csv", signal=signal)
    np.testing.assert_allclose(100 * result.composition.at[0], [20, 20, 60], atol=1.0)
    by_alpha = k_from_standard(
        events, {"Sr": 1, "Ti": 1, "O": 3}, signal=signal, line_scope="alpha", families={"Sr": "L"}
    )
    assert by_alpha[0].family == "L"
    again = analyse(events, ["Sr", "Ti", "O"], 32, by_alpha, signal=signal)
    np.testing.assert_allclose(100 * again.composition.at[0], [20, 20, 60], atol=0.05)


def test_zeta_factors_and_cross_sections_tell_the_amount(field):
    events, _ = field
    zeta = [{**row, "k": row["k"] * 1e3, "basis": "wt"} for row in phantom.factors("wt", elements=ELEMENTS)]
    result = analyse(events, ELEMENTS, 16, zeta, "zeta", dose=1e10, signal=phantom.signal(SHAPE, EDGES))
    masses = (result.counts * [row["k"] for row in zeta]).sum(axis=1)
    np.testing.assert_allclose(result.composition.mass_thickness, masses / (1e10 * 256))
    assert abs(biases(result)).max() < 0.5
    sections = [{**row, "k": 1 / row["k"]} for row in phantom.factors(elements=ELEMENTS)]
    result = analyse(
        events, ELEMENTS, 16, sections, "cross-section", dose=1e12, signal=phantom.signal(SHAPE, EDGES),
        absorption={"take_off_deg": 25.0, "pixel_area_nm2": 1.0},
    )  # fmt: skip
    assert abs(biases(result)).max() < 0.5
    assert np.isfinite(result.composition.mass_thickness).all()


GOOD = phantom.factors()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"elements": []}, "no elements"),
        ({"elements": ["La", "Qq"]}, "'Qq'"),
        ({"elements": ["La", "La"]}, "twice"),
        ({"energy": (1000.0, 20000.0)}, "O has no line between 1002 and 19998 eV"),
        ({"elements": [*ELEMENTS, "Cu"], "factors": GOOD[:5]}, "no factor is given for Cu"),
        ({"factors": [{**row, "basis": None} for row in GOOD]}, "no basis"),
        ({"factors": [{**GOOD[0], "line_scope": ""}, *GOOD[1:]]}, "no line_scope"),
        ({"factors": [{**GOOD[0], "basis": "wt"}, *GOOD[1:]]}, "share one basis"),
        ({"method": "zeta"}, "needs the dose"),
        ({"method": "cross-section", "dose": -2.0}, "above zero"),
        ({"method": "wavelength"}, "method must be"),
        ({"fit": "chi2"}, "fit must be"),
        ({"chips": np.zeros((3, 3), int)}, r"shape \(3, 3\)"),
        ({"signal": "EDX"}, "must be in eV"),
        ({"absorption": {"thickness_nm": 50.0}}, "take_off_deg"),
        ({"absorption": {"thickness_nm": 50.0, "take_off_deg": 20.0}}, "both thickness_nm and density"),
        ({"absorption": {"take_off_deg": 20.0}}, "needs thickness_nm"),
        ({"absorption": {"angle": 20.0}}, "angle"),
        ({"absorption": {"thickness_nm": -1.0, "density": 5.0, "take_off_deg": 20.0}}, "above zero"),
        ({"energy": (5000.0, 5010.0)}, "16 channels"),
    ],
)
def test_bad_input_is_named(field, changes, words, monkeypatch):
    """Before the axis is sought, which takes a while, but for what depends on it."""
    if "no factor" not in words and "no line " not in words:
        monkeypatch.setattr("mfsi_core.quantification.quantify.check_axis", None)
    call = {
        "source": field[0], "elements": ELEMENTS, "chips": 16, "factors": GOOD, "signal": phantom.signal(SHAPE, EDGES),
    } | changes  # fmt: skip
    with pytest.raises(UsageError, match=words):
        quantify(**call)


def test_no_counts_are_named_and_empty_chips_flagged():
    signal = phantom.signal((4, 4), EDGES)
    nothing = lbj.Events([], [], [], (4, 4, 4096))
    with pytest.raises(UsageError, match="no counts"):
        quantify(nothing, ELEMENTS, 2, GOOD, signal=signal)
    one = phantom.draw(
        [phantom.phase_spectrum("LaFeO3", EDGES)[0]], np.pad([[0]], ((0, 3), (0, 3)), constant_values=9), 3000.0, 1
    )
    for fit in ("poisson", "linear"):
        table = quantify(one, ELEMENTS, 2, GOOD, signal=signal, fit=fit)
        assert np.isfinite(table["at_pct"][:5]).all()
        assert table["at_pct"][5:].isna().all()
        assert (table["flags"][5:] == "empty").all()
    bad = one.dense().astype(float)
    bad[0, 0, 100] = np.nan
    with pytest.raises(UsageError, match="negative or not finite"):
        quantify(bad, ELEMENTS, 2, GOOD, signal=signal)


def test_one_pixel_is_a_field():
    spectrum, _ = phantom.phase_spectrum("LaFeO3", EDGES)
    events = phantom.draw([spectrum], np.zeros((1, 1), int), 5000.0, 1)
    table = quantify(events, ["La", "Fe", "O"], "pixels", GOOD, signal=phantom.signal((1, 1), EDGES))
    assert abs(table["at_pct"].to_numpy() - [20, 20, 60]).max() < 6


def command(*arguments):
    parser = argparse.ArgumentParser(prog="mfsi")
    commands = parser.add_subparsers(dest="command", required=True)
    add(lambda name, text, example: commands.add_parser(name, help=text, epilog=example))
    return run(parser, ["quantify", *map(str, arguments)])


@pytest.fixture(scope="module")
def journal(field, tmp_path_factory):
    path = tmp_path_factory.mktemp("quantify") / "field.lbj"
    with lbj.create(path, [phantom.signal(SHAPE, EDGES)], metadata={"beam_energy": 200e3}) as writer:
        writer.append({"EDX": field[0]})
    write_factors(read_factors(GOOD), path.parent / "k.csv")
    return path


def test_the_command_writes_table_and_maps(known, journal, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    import pandas as pd

    arguments = [
        journal,
        "-o",
        tmp_path / "out",
        "--elements",
        ",".join(ELEMENTS),
        "--factors",
        journal.parent / "k.csv",
    ]
    export = tmp_path / "chips.npz"
    assert command(*arguments, "--chips", 16, "--export", export) == 0
    table = pd.read_csv(tmp_path / "out" / "quantification.csv")
    np.testing.assert_allclose(table["at_pct"], known.table["at_pct"], atol=1e-3)
    assert len(table) == 32 * 5
    for element in ELEMENTS:
        assert (tmp_path / "out" / f"at_{element}.png").read_bytes().startswith(b"\x89PNG")
    with np.load(export) as archive:
        assert archive["spectrum"].shape == (32, 4096)
    np.save(tmp_path / "labels.npy", np.zeros(SHAPE, int))
    film = "thickness_nm=50,density=6,take_off_deg=20"
    assert command(*arguments, "--chips", tmp_path / "labels.npy", "--absorption", film, "--energy", "200:19000") == 0
    earlier = tmp_path / "out" / "quantification.csv"
    assert (
        command(*arguments, "--chips", tmp_path / "labels.npy", "--compare", earlier, "--stated", "La:1,Fe:1,O:3") == 0
    )
    assert "normalised" in capsys.readouterr().out
    changed = pd.read_csv(tmp_path / "out" / "difference.csv")
    film = changed["difference"].to_numpy()
    assert abs(film).max() > 0.1  # the earlier table was corrected for absorption
    assert film.sum() == pytest.approx(0, abs=1e-9)
    assert (tmp_path / "out" / "difference_O.png").exists()
    assert command(*arguments, "--chips", 16, "--compare", earlier) == 2
    assert command(journal, "-o", tmp_path / "std", "--standard", "La:1,Fe:1,O:3", "--region", ":,0:64") == 0
    assert [factor.element for factor in read_factors(tmp_path / "std" / "factors.csv")] == ["La", "Fe", "O"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--factors", "K", "--chips", "many"],
        ["--factors", "K", "--region", "1:2"],
        ["--factors", "K", "--energy", "all"],
        ["--factors", "K", "--absorption", "thickness"],
        ["--factors", "K", "--chips", "none.npy"],
        ["--factors", "K", "--method", "zeta"],
    ],
)
def test_wrong_usage_of_the_command(journal, tmp_path, capsys, words):
    words = [str(journal.parent / "k.csv") if word == "K" else word for word in words]
    assert command(journal, "-o", tmp_path, "--elements", "La,Fe,O", *words) == 2
    assert capsys.readouterr().err


PUBLISHED = [
    {"element": "Fe", "family": "K", "k": 1.450226, "basis": "wt", "line_scope": "alpha"},
    {"element": "Pt", "family": "L", "k": 5.075602, "basis": "wt", "line_scope": "alpha"},
]


@pytest.mark.parametrize("name", ["bare_core", "core_shell"])
def test_fept_with_published_factors(shared_data, tmp_path, name):
    """Against eXSpy's windows beside each line (its own method for these files and factors), on the summed spectrum."""
    exspy = pytest.importorskip("exspy", reason="eXSpy is the peer")
    from lbj.archive.convert import convert

    convert([str(shared_data / "eds" / f"{name}.hdf5")], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as source:
        signal = next(iter(source.signals.values()))
        spectrum = source[0].events(signal.name).spectrum()
        whole = np.zeros(signal.shape[:2], int)
        result = analyse(source, ["Fe", "Pt"], whole, PUBLISHED, signal=signal.name)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The fit misses the spectra of . of (64|100) chips")
            chips = quantify(source, ["Fe", "Pt"], 8, PUBLISHED, signal=signal.name)
    peer = exspy.signals.EDSTEMSpectrum(spectrum.astype(float))
    axis = peer.axes_manager[-1]
    axis.name, axis.units, axis.scale, axis.offset = "E", "keV", 0.02, 0.16
    peer.set_microscope_parameters(beam_energy=200, energy_resolution_MnKa=130)
    peer.set_elements(["Fe", "Pt"])
    peer.set_lines(["Fe_Ka", "Pt_La"])
    windows = peer.estimate_background_windows(line_width=[5.0, 2.0])
    intensities = peer.get_lines_intensity(background_windows=windows)
    found = peer.quantification(intensities, "CL", [1.450226, 5.075602], navigation_mask=None)
    wanted = [float(np.ravel(one.data)[0]) for one in found]
    np.testing.assert_allclose(100 * result.composition.at.ravel(), wanted, atol=1.0)
    assert 0.9 < np.nanmedian(chips["deviance_dof"]) < 1.4


@pytest.mark.parametrize(
    ("file", "leave"),
    [
        ("eds/88_ES-LP_G8_selection2_cropped2.hspy", ["O"]),
        ("bruker/L2083-K-4-1_tilt0.bcf", []),
        ("bruker/test_TEM.bcf", []),
    ],
)
def test_real_maps_are_explained(shared_data, tmp_path, file, leave):
    """All elements that the file names; what else shows is found. The mineral's axis begins above O K."""
    from lbj.archive.convert import convert

    convert([str(shared_data / file)], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as source:
        signal = next(s for s in source.signals.values() if s.kind == "events")
        named = [str(element) for element in source.metadata["elements"]]
        factors = [
            {"element": element, "family": family, "k": 1.0, "basis": "wt", "line_scope": "alpha"}
            for element in named
            for family in "KLM"
        ]
        if leave:
            with pytest.raises(UsageError, match="O has no line"):
                quantify(source, named, 16, factors, signal=signal.name)
        elements = [element for element in named if element not in leave]
        result = analyse(source, elements, 16, factors, signal=signal.name)
    assert 0.9 < np.nanmedian(result.deviance_dof) < 1.3
    detector = result.calibration.detector
    assert abs(detector.offset) < 15
    assert abs(detector.gain - 1) < 0.004
    assert 120 < detector.resolution < 150


@pytest.mark.parametrize(
    ("light", "k", "told", "seed"), [("O", 1000.0, True, 0), ("Na", 1000.0, True, 1), ("O", 3.0, False, 2)]
)
def test_an_element_of_few_counts_that_makes_most_of_the_whole_is_told_with_the_others(light, k, told, seed):
    """Ten counts behind a window of beryllium: the others, thousands of counts, fill up what these leave."""
    detector = phantom.Detector(tail=0.0)
    amounts = {f"{light}_K": 10, "Fe_K": 2000, "Ti_K": 2000}
    mean = sum(photons * detector.family(name, EDGES) for name, photons in amounts.items())
    counts = np.random.default_rng(seed).poisson(mean + 1e-3)
    rows = [
        {
            "element": name[:-2],
            "family": "K",
            "k": k if name[:-2] == light else 1.0,
            "basis": "at",
            "line_scope": "family",
        }
        for name in amounts
    ]
    found = analyse(
        counts[None, None], [row["element"] for row in rows], 1, rows, signal=phantom.signal((1, 1), EDGES, "spectra")
    )
    flags = list(found.table["flags"])
    assert "few" in flags[0]
    assert all(("others" in flag) == told for flag in flags[1:]), flags


def flags_of(amounts, factors, noise=0.0, seed=1):
    """Flags of the elements of `factors` (k by line family), from a spectrum of some photons and a flat background."""
    detector = phantom.Detector(tail=0.0)
    mean = noise + sum(photons * detector.family(name, EDGES) for name, photons in amounts.items())
    counts = np.random.default_rng(seed).poisson(mean)
    rows = [
        {"element": name[:-2], "family": name[-1], "k": k, "basis": "at", "line_scope": "family"}
        for name, k in factors.items()
    ]
    signal = phantom.signal((1, 1), EDGES, "spectra")
    found = analyse(counts[None, None], [row["element"] for row in rows], 1, rows, signal=signal)
    return dict(zip(found.table["element"], found.table["flags"], strict=True))


@pytest.mark.parametrize("seed", range(2))
def test_what_is_not_seen_beyond_noise_is_told_whatever_its_counts(seed):
    """Nothing of Ge K stands in a background of 40 counts a channel, whose noise alone is more than 20 counts."""
    flags = flags_of({"Ti_K": 20000, "Fe_K": 20000}, {"Ti_K": 1.0, "Fe_K": 1.0, "Ge_K": 1.0}, 40.0, seed)
    assert "few" in flags["Ge"] or "zero" in flags["Ge"]
    assert not flags["Ti"] + flags["Fe"]


def test_the_others_are_told_where_most_of_the_whole_may_be_another_elements():
    """Mo L (2.29 keV) stands in the peak of S K; with S as most of the whole, little is left for Fe."""
    flags = flags_of({"S_K": 4e4, "Mo_L": 2e4, "Fe_K": 1200}, {"S_K": 1.0, "Fe_K": 1.0}, 1.0)
    assert "misfit" in flags["S"]
    assert "others" in flags["Fe"]


@pytest.mark.parametrize(("light", "n", "k", "told"), [("Mg", 320, 200.0, True), ("Mg", 320, 0.5, False)])
def test_the_others_are_told_where_most_of_the_whole_is_uncertain(light, n, k, told):
    """Four times its noise stands in a background of 200 counts a channel, and makes nine tenths of the atoms."""
    flags = flags_of({f"{light}_K": n, "Fe_K": 4000}, {f"{light}_K": k, "Fe_K": 1.0}, 200.0, 0)
    assert "few" not in flags[light]
    assert ("others" in flags["Fe"]) == told


def test_by_how_much_a_fit_misses_a_line_does_not_depend_on_where_the_axis_stands():
    """Lines of phosphorus 45 eV above and below their place, which no detector shows so."""
    rows = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in ("P", "Ni", "Ca")]
    missed = []
    for offset in (0.0, 80.0):
        detector = phantom.Detector(offset=offset, tail=0.0)
        mean = 1.0 + sum(n * detector.family(name, EDGES[::2]) for name, n in {"Ni_K": 30000, "Ca_K": 20000}.items())
        mean += sum(15000 * detector.family("P_K", EDGES[::2], away) for away in (-45.0, 45.0))
        counts = np.random.default_rng(1).poisson(mean)[None, None]
        found = analyse(counts, ["P", "Ni", "Ca"], 1, rows, signal=phantom.signal((1, 1), EDGES[::2], "spectra"))
        missed.append(found.missed_by)
        assert ["others" in flags for flags in found.table["flags"]] == [False, True, True]
    assert missed[0][0] > 0.1
    np.testing.assert_allclose(missed[1], missed[0], atol=0.12)

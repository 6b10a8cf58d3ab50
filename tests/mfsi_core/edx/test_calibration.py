"""The fit of a sum spectrum against spectra whose truth is known: background with edges and an end, valence lines."""

import eds_phantom as phantom
import numpy as np
import pytest

from mfsi_core import element_maps
from mfsi_core.edx.calibration import beyond_noise, calibrate
from mfsi_core.edx.detector import Detector
from mfsi_core.edx.families import families_of
from mfsi_core.edx.guesses import unlisted
from mfsi_core.edx.peaks import find_peaks
from mfsi_core.quantification.quantify import analyse

EDGES = phantom.axis(1000, 10.0)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2
FIRST = 15  # channel


def spectrum(parts, background, seed=1):
    """Counts: `parts` gives photons of each family, `background` expected counts per channel."""
    detector = phantom.Detector(tail=0.0)
    mean = background + sum(photons * detector.family(name, EDGES) for name, photons in parts.items())
    return np.random.default_rng(seed).poisson(mean).astype(float)


def kramers(beam, counts):
    shape = np.maximum(beam - CENTRES, 0) / np.maximum(CENTRES, 60.0) * np.exp(-((350 / CENTRES) ** 1.5))
    return counts * shape / shape.sum()


def fitted(counts, elements, beam):
    families = [f for element in elements for f in families_of(element, CENTRES[FIRST], CENTRES[-1], beam)]
    return calibrate(counts[FIRST:], EDGES[FIRST:], families, Detector(), beam=beam)


def photons(found):
    return {family.name: float(n) for family, n in zip(found.families, found.counts, strict=True)}


@pytest.mark.parametrize(("element", "family", "beam"), [("Cr", "K", 6.2e3), ("Mn", "K", 7e3)])
def test_the_background_ends_at_the_energy_of_the_beam(element, family, beam):
    """W. Duane and F. L. Hunt, Phys. Rev. 6 (1915) 166. Without that lines near it gain 3-22 %."""
    parts = {f"{element}_{family}": 5e4, "O_K": 4e5}
    found = photons(fitted(spectrum(parts, kramers(beam, 6e5)), [element, "O"], beam))
    assert found[f"{element}_{family}"] == pytest.approx(5e4, rel=0.02)


@pytest.mark.parametrize("film", [3e-5, 1e-4])
def test_the_background_shows_edges_of_absorption(film):
    """Of carbon (window, support; g/cm²), by xraylib's coefficients: its K edge, 284 eV, lies beside its line, 277 eV."""
    import xraylib

    absorbed = np.array([np.exp(-film * xraylib.CS_Total(6, max(e, 110.0) / 1000)) for e in CENTRES])
    detector = Detector().sigmas(np.array(284.0)) / 10
    from scipy.ndimage import gaussian_filter1d

    background = gaussian_filter1d(kramers(2e5, 6e5) * absorbed, float(detector))
    found = photons(fitted(spectrum({"C_K": 4e4, "N_K": 4e4, "Si_K": 2e5}, background), ["C", "N", "Si"], 2e5))
    assert found["C_K"] == pytest.approx(4e4, rel=0.05)
    assert found["N_K"] == pytest.approx(4e4, rel=0.05)


def test_a_detector_that_cannot_be_is_told():
    """Lines three times as wide as those of any silicon detector."""
    counts = spectrum({"Al_K": 3e5, "Si_K": 4e5}, kramers(2e5, 3e5))
    axes = phantom.signal((1, 1), EDGES, "spectra")
    blurred = np.convolve(counts, np.ones(17) / 17, "same").round()
    found = element_maps(blurred[None, None], ["Al", "Si"], axes, None, 2e5)
    assert any("as no such detector shows them" in flag for flag in found["Si"].flags)
    sharp = element_maps(counts[None, None], ["Al", "Si"], axes, None, 2e5)
    assert not any("no such detector" in flag for flag in sharp["Si"].flags)


EXSPY = {  # weights of L lines, and their energies, of eXSpy 0.3's table
    "Ti": {"La": (452.2, 0.694), "Ln": (401.3, 0.491), "Ll": (395.3, 1.0), "Lb3": (529.1, 0.166)},
    "V": {"La": (511.3, 1.0), "Ln": (453.5, 0.2805), "Ll": (446.5, 0.5745), "Lb3": (585.0, 0.0154)},
    "Cr": {"La": (572.8, 1.0), "Ln": (510.2, 0.2353), "Ll": (500.3, 0.6903), "Lb3": (652.0, 0.0309)},
    "Fe": {"La": (705.0, 1.0), "Ln": (628.0, 0.12525), "Ll": (615.2, 0.3086), "Lb3": (792.0, 0.02448)},
    "Ni": {"La": (851.5, 1.0), "Lb1": (868.8, 0.1677), "Ln": (762.0, 0.09693), "Ll": (742.7, 0.14133)},
}


@pytest.mark.parametrize(
    ("element", "light", "solid"),
    [
        ("Ti", "N", True), ("Ti", "O", True), ("V", "O", True), ("Cr", "O", True), ("Ni", "O", True),
        ("Ti", "N", False), ("Cr", "O", False),
    ],
)  # fmt: skip
def test_side_lines_of_3d_metals_are_stronger_in_solids(element, light, solid, monkeypatch):
    """Ll and Ln by eXSpy's table, up to five times as strong as in free atoms, or by xraylib's free atoms."""
    total = sum(weight for _, weight in EXSPY[element].values())
    lines = [(energy, weight / total) for energy, weight in EXSPY[element].values()]
    own = phantom.family_lines
    if solid:
        monkeypatch.setattr(phantom, "family_lines", lambda name: lines if name == f"{element}_L" else own(name))
    counts = spectrum({f"{element}_L": 1e5, f"{element}_K": 2e5, f"{light}_K": 2e5}, kramers(2e5, 3e5))
    rows = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in (element, light)]
    found = analyse(counts[None, None], [element, light], 1, rows, signal=phantom.signal((1, 1), EDGES, "spectra"))
    error = found.composition.at_se[0, 1]
    away = abs(found.composition.at[0, 1] - 0.5)
    assert away < 3 * error
    assert error < 0.03 or "open" in found.table["flags"][1]
    assert away < 0.03 or "open" in found.table["flags"][1]


@pytest.mark.parametrize(
    ("named", "line", "parts"),
    [
        ("S", "Mo Lα", {"S_K": 4e4, "Mo_L": 2e4}),
        ("Pb", "S Kα", {"Pb_M": 6e4, "Pb_L": 2e4, "S_K": 2e4}),
        ("Si", "W Mα", {"Si_K": 5e4, "W_M": 1e4}),
        ("Zn", "Cu Lα", {"Zn_K": 5e4, "Zn_L": 5e4, "Cu_L": 2e4}),
        ("S", "", {"S_K": 6e4}),
        ("Pb", "", {"Pb_M": 6e4, "Pb_L": 2e4}),
        ("Zn", "", {"Zn_K": 5e4, "Zn_L": 5e4}),
    ],
)
def test_an_element_under_a_line_of_a_named_one_is_told(named, line, parts):
    """By the shape of the peak and side lines, to first order; where it is alone, nothing."""
    found = fitted(spectrum(parts, kramers(2e5, 2e5)), [named], 2e5)
    said = " ".join(map(str, found.beneath.values()))
    assert (line in said) if line else not said


@pytest.mark.parametrize(("light", "heavy"), [("Si", "Tl"), ("Al", "Yb"), ("Na", "Dy")])
def test_what_lies_under_minor_lines_has_an_error_of_their_strength(light, heavy):
    """M lines of the truth are of vacancies in proportion to electrons, a third off those of the table."""
    truth = {f"{light}_K": 3e5, f"{heavy}_M": 1.5e6, f"{heavy}_L": 1e6}
    found = fitted(spectrum(truth, kramers(2e5, 1e6)), [light, heavy], 2e5)
    index = [family.name for family in found.families].index(f"{light}_K")
    off = abs(float(found.counts[index]) - 3e5)
    assert off < max(3 * float(found.counts_error[index]), 0.03 * 3e5)


def test_the_flank_of_a_line_beyond_the_axis_is_not_another_elements():
    """V K alpha (4950 eV) stands 35 eV beyond an axis on which Ba L has its lines."""
    counts = spectrum({"Ba_L": 2e4, "V_K": 3e4, "Ca_K": 5e4}, kramers(8e3, 5e4))
    last = int(np.searchsorted(EDGES, 4920))
    families = [f for element in ("Ba", "V", "Ca") for f in families_of(element, 150, EDGES[last], 8e3)]
    found = calibrate(counts[FIRST:last], EDGES[FIRST : last + 1], families, Detector(), beam=8e3)
    barium = [family.name for family in found.families].index("Ba_L")
    off = abs(float(found.counts[barium]) - 2e4)
    assert off < max(3 * float(found.counts_error[barium]), 0.03 * 2e4)


def test_a_peak_at_the_lines_of_a_named_element_is_in_its_error():
    """A window of beryllium passes M lines of barium at 0.78 keV, of a tenth of the family, eight times as well."""
    parts = {"Al_K": 4e4, "Ca_K": 3e4, "Ba_M": 1500.0}
    counts = spectrum(parts, kramers(5e3, 5e4))
    line = np.exp(-0.5 * ((CENTRES - 775) / 30) ** 2)
    counts += np.random.default_rng(2).poisson(1500 * line / line.sum())
    found = fitted(counts, ["Al", "Ca", "Ba"], 5e3)
    barium = [family.name for family in found.families].index("Ba_M")
    assert abs(float(found.counts[barium]) - 3000) < 3 * float(found.counts_error[barium])


def test_a_family_that_got_nothing_beside_another_one_is_told():
    """K L (260 eV) under C K (277 eV) at a few hundred counts, where K K shows that there is potassium."""
    for seed in range(4):
        found = fitted(spectrum({"C_K": 180, "K_L": 50, "K_K": 700}, kramers(8e3, 300), seed), ["C", "K"], 8e3)
        names = [family.name for family in found.families]
        carbon = names.index("C_K")
        off = abs(float(found.counts[carbon]) - 180) / float(found.counts_error[carbon])
        assert found.close(carbon) or off < 3


def test_families_of_one_group_of_lines_are_fitted():
    """K lines of light elements are one line each: no strengths are fitted."""
    found = photons(fitted(spectrum({"C_K": 2e4, "O_K": 4e4}, kramers(5e3, 1e5)), ["C", "O"], 5e3))
    assert found["O_K"] == pytest.approx(4e4, rel=0.03)


@pytest.mark.parametrize(("named", "stray", "line"), [("Ni", "Cu", 8041.0), ("Cu", "Zn", 8631.0)])
def test_a_stray_line_between_two_of_a_named_element_is_found(named, stray, line):
    """It stands in the valley below K beta, lower than both: of a grid beside what lies on it."""
    found = fitted(spectrum({f"{named}_K": 4e4, f"{stray}_K": 2e3}, kramers(2e5, 6e4)), [named], 2e5)
    places = {f.alpha_energy: float(n) for f, n in zip(found.families, found.counts, strict=True) if f.element == "?"}
    assert list(places) == [pytest.approx(line, abs=15.0)]
    assert next(iter(places.values())) == pytest.approx(2e3 * 0.88, rel=0.12)
    assert photons(found)[f"{named}_K"] == pytest.approx(4e4, rel=0.02)
    alone = fitted(spectrum({f"{named}_K": 4e4}, kramers(2e5, 6e4)), [named], 2e5)
    assert not any(family.element == "?" for family in alone.families)


def test_a_peak_that_only_the_fit_finds_is_told_with_the_lines_it_may_be():
    """Ga K alpha between the K lines of zinc, of a fortieth of its counts; sums of strong lines are the detector's."""
    counts = spectrum({"Si_K": 3e4, "Zn_K": 6e4, "Ga_K": 1500}, kramers(2e5, 6e4))
    place = 5600.0  # no line, nor a sum of two
    for energy in (place, 2 * 1740.0):
        line = np.exp(-0.5 * ((CENTRES - energy) / 50) ** 2)
        counts += np.random.default_rng(2).poisson(3000 * line / line.sum())
    found = fitted(counts, ["Si", "Zn"], 2e5)
    assert any(f.element == "?" and abs(f.alpha_energy - 3480) < 15 for f in found.families)
    listed = [p for p in find_peaks(counts, CENTRES, 130.0, 150.0, 2e5, ["Si", "Zn"]) if abs(p.energy - place) < 50]
    told = unlisted(found, listed, 2e5)
    assert [peak.energy for peak in told] == [pytest.approx(9252, abs=15)]
    assert told[0].lines[0] == "Ga_Ka"
    assert sorted(round(peak.energy / 100) for peak in unlisted(found, [], 2e5)) == [56, 92]


def test_noise_is_no_misfit():
    rng = np.random.default_rng(1)
    for mean in (0.3, 4.0, 200.0):
        fit = np.full((4000, 12), mean)
        assert (beyond_noise(rng.poisson(fit), fit) > 0).mean() < 0.03
        off = fit * np.where(np.arange(12) % 2, 1.6, 0.4)
        assert (beyond_noise(rng.poisson(off), fit) > 0).mean() > (0.99 if mean > 100 else 0.0)

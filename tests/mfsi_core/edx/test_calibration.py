"""The fit of a sum spectrum against spectra whose truth is known: background with edges and an end, detector."""

import eds_phantom as phantom
import numpy as np
import pytest

from mfsi_core import element_maps
from mfsi_core.edx.calibration import calibrate
from mfsi_core.edx.detector import Detector
from mfsi_core.edx.families import families_of

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

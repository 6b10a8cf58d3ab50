"""Pairs of photons that a detector takes for one: found, fitted, told, and no part of the composition."""

import eds_phantom as phantom
import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core.edx.calibration import calibrate
from mfsi_core.edx.detector import Detector
from mfsi_core.edx.families import families_of
from mfsi_core.edx.peaks import find_peaks
from mfsi_core.quantification.quantify import analyse

SAMPLES = {  # photons of each family, and of the family that stands where photons of the others fall together
    "Al": ({"Al_K": 1.0, "O_K": 0.5, "K_K": 0.005, "Ca_K": 0.004}, "K_K"),
    "Fe": ({"Fe_K": 1.0, "Fe_L": 0.4, "O_K": 0.5, "Sr_K": 0.01, "Sr_L": 0.02}, "Sr_K"),
}


def recorded(parts, edges, rate, photons=1e6):
    """Photons that arrive at random times; what follows another within the resolving time is added to it.

    `rate` is the mean number of photons within the resolving time.
    """
    rng = np.random.default_rng(8)
    mean = sum(share * phantom.Detector(tail=0.0).family(name, edges) for name, share in parts.items())
    mean = mean + 0.1 * sum(parts.values()) * phantom.background(np.maximum(edges, 20.0))
    total = int(photons)
    centre, step = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    energy = rng.choice(centre, total, p=mean / mean.sum()) + rng.uniform(-0.5, 0.5, total) * step
    alone = np.diff(np.cumsum(rng.exponential(size=total)), prepend=-1.0) > rate
    alone[0] = True
    return np.histogram(np.bincount(np.cumsum(alone) - 1, energy), edges)[0].astype(float)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1])
def test_composition_is_that_without_pile_up(sample, rate):
    parts, hidden = SAMPLES[sample]
    edges = phantom.axis(2000, 10.0)
    counts = recorded(parts, edges, rate)
    families = [f for e in dict.fromkeys(n.split("_")[0] for n in parts) for f in families_of(e, 150.0, 20e3, 2e5)]
    found = calibrate(counts[15:], edges[15:], families, Detector())
    amount = {family.name: value for family, value in zip(found.families, found.counts, strict=True)}
    main = next(iter(parts))
    for name, share in parts.items():
        assert amount[name] / amount[main] == pytest.approx(share, rel=0.08 if name == hidden else 0.05)
    assert bool(found.notes) == bool(rate)
    # Of photons in runs of mean length 1 / (1 - p), p that another follows in time, a share p of the pulses is piled up.
    assert found.pile_up.sum() / counts.sum() == pytest.approx(-np.expm1(-rate), rel=0.2)


@pytest.mark.parametrize(
    "parts", [{"Al_K": 1.0, "O_K": 0.5}, {"Si_K": 1.0, "N_K": 0.3}, {"Fe_K": 1.0, "Fe_L": 0.4, "O_K": 0.5}]
)
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_sums_of_any_number_of_photons_are_no_elements(parts, rate):
    edges = phantom.axis(1000, 10.0)
    elements = [name.split("_")[0] for name in parts]
    found = find_peaks(recorded(parts, edges, rate), (edges[:-1] + edges[1:]) / 2, elements=elements)
    assert any("+" in peak.artefact for peak in found)
    assert all(peak.artefact or peak.lines[0].split("_")[0] in elements for peak in found)


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_an_element_whose_line_lies_at_a_sum_is_still_named(rate):
    """Ag La stands at twice Al Ka, with more counts than the other sums allow."""
    edges = phantom.axis(1000, 10.0)
    counts = recorded({"Al_K": 1.0, "O_K": 0.5, "Ag_L": 0.12}, edges, rate)
    found = find_peaks(counts, (edges[:-1] + edges[1:]) / 2, elements=["Al", "O"])
    assert any(peak.lines[:1] == ["Ag_La"] and not peak.artefact for peak in found)


def test_maps_and_table_tell_of_it(tmp_path):
    parts, edges = {"Al_K": 1.0, "O_K": 0.3, "K_K": 0.01}, phantom.axis(1000, 10.0)
    counts = np.random.default_rng(1).multinomial(200_000, (c := recorded(parts, edges, 0.05)) / c.sum(), (2, 2))
    signal = phantom.signal((2, 2), edges, "spectra")
    with lbj.create(
        tmp_path / "a.lbj", [signal], metadata={"elements": ["Al", "O", "K"], "beam_energy": 2e5}
    ) as writer:
        writer.append({"EDX": counts.astype(np.uint16)})
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert any(note.startswith(("Pile-up: 4.", "Pile-up: 5.")) for note in summary["notes"])
    rows = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in ("Al", "O", "K")]
    with lbj.open(tmp_path / "a.lbj") as journal:
        for fit in ("poisson", "linear"):
            found = analyse(journal, ["Al", "O", "K"], 1, rows, fit=fit)
            assert any(note.startswith("Pile-up") for note in found.notes)
            share = found.counts.sum(axis=0) / found.counts.sum()
            assert share == pytest.approx([1 / 1.31, 0.3 / 1.31, 0.01 / 1.31], rel=0.05)


@pytest.mark.parametrize(("rate", "told"), [(0.1, False), (0.5, True)])
def test_a_rate_at_which_sums_look_like_elements_is_told(rate, told):
    """From a quarter of all pulses on: Al Ka twice is named Ag La."""
    edges = phantom.axis(1000, 10.0)
    counts = recorded({"Al_K": 1.0, "O_K": 0.5}, edges, rate, 2e5)
    families = [f for element in ("Al", "O") for f in families_of(element, 150.0, 1e4, 2e5)]
    assert ("names of elements" in " ".join(calibrate(counts[15:], edges[15:], families, Detector()).notes)) == told

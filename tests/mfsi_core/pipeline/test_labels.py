"""What is written into the sum spectrum, and what notes say of peaks that nobody named."""

import re

import numpy as np
import pytest

import lbj
from mfsi_core.pipeline.align import register_journal
from mfsi_core.pipeline.maps import add_element_maps

ENERGY = np.arange(1200) * 10.0 + 5


def mapped(tmp_path, peaks, elements):
    """Results of one frame of 3 x 4 pixels with peaks of 3,000 counts a pixel at these energies, eV."""
    mean = 5 + sum(400 * np.exp(-0.5 * ((ENERGY - energy) / 30) ** 2) for energy in peaks)
    counts = np.random.default_rng(0).poisson(mean, (3, 4, 1200)).astype(np.uint32)
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 5.0, "scale": 10.0, "units": "eV"}]
    signal = lbj.Signal("EDX", "events", counts.shape, axes=axes)
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": 2e5}) as writer:
        writer.append({"EDX": counts})
    with lbj.open(tmp_path / "a.lbj") as journal:
        view, results = register_journal(journal, ["a.lbj"], quiet=True)
        add_element_maps(view, results, elements, maps="windows", quiet=True)
    return results


@pytest.mark.parametrize(
    ("element", "labels"),
    [
        ("Ca", {"Ca Kα": 3692, "Ca Kβ": 4013, "Ca Ll": 303}),
        ("K", {"K Kα": 3314, "K Kβ": 3590, "K Ll": 260}),
        ("Ti", {"Ti Kα": 4511, "Ti Kβ": 4932, "Ti Lα": 452}),
        ("U", {"U Mα": 3171}),  # its L alpha, at 13.6 keV, lies beyond the axis, its L l upon it
    ],
)
def test_every_family_of_an_element_has_a_label(tmp_path, element, labels):
    """Energies of the X-ray Data Booklet, to a few eV."""
    found = {text: energy for energy, text in mapped(tmp_path, [max(labels.values())], [element]).labels}
    own = {text: energy for text, energy in found.items() if text.startswith(f"{element} ")}
    assert own == {text: pytest.approx(energy, abs=4) for text, energy in labels.items()}


@pytest.mark.parametrize("peaks", [10, 16])
def test_peaks_beyond_those_listed_are_counted(tmp_path, peaks):
    results = mapped(tmp_path, 700 * np.arange(1, peaks + 1) + 350, ["Si"])
    note = next(note for note in results.notes if note.startswith("Peaks that no line"))
    listed, more = len(re.findall(r"\d\.\d\d", note)), re.search(r", and (\d+) more", note)
    assert (more is not None) == (peaks > 12)
    assert listed + int(more[1] if more else 0) == pytest.approx(peaks, abs=2)  # one may be silicon's

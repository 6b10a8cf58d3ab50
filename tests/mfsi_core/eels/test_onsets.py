"""Edges that begin elsewhere than the table says are measured and told; an option moves the axis."""

import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core.eels.onsets import find_onsets, tell
from mfsi_core.tables.edges import edges_of

ONSETS = {"Ti": 456.0, "O": 532.0, "Fe": 708.0}  # eV, of the EELS Atlas


def mean_spectrum(axis, elements, shift=0.0, heights=60.0):
    """Power law with edges that rise at once, on an axis that states `shift` too much."""
    true = axis - shift
    out = 4e8 * true**-2.4
    for element in elements:
        behind = np.maximum(true - ONSETS[element], 0)
        out = out + (true > ONSETS[element]) * heights * np.exp(-behind / 60)
    return out


@pytest.mark.parametrize("shift", [-11.0, -6.0, -1.0, 0.0, 2.0, 6.0, 12.0])
@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])
def test_onsets_are_measured(shift, step):
    axis = np.arange(380.0, 820.0, step)
    counts = np.random.default_rng(1).poisson(mean_spectrum(axis, ONSETS, shift) * 200)
    found = find_onsets(counts.astype(float), axis, [edge for e in ONSETS for edge in edges_of(e, 380, 820)])
    assert {one.edge.element for one in found} == set(ONSETS)
    for one in found:
        assert one.shift == pytest.approx(shift, abs=1.5)
    notes, common = tell(found)
    assert (common is not None) == bool(notes) == (abs(shift) > 3)


def test_no_edge_no_onset():
    axis = np.arange(380.0, 820.0, 0.5)
    counts = np.random.default_rng(2).poisson(mean_spectrum(axis, []) * 20)
    assert not find_onsets(counts.astype(float), axis, [edge for e in ONSETS for edge in edges_of(e, 380, 820)])
    assert not find_onsets(counts[::16].astype(float), axis[::16], edges_of("O"))  # channels of 8 eV: too wide


@pytest.mark.parametrize("shift", [-7.0, 0.0, 8.0])
def test_maps_say_and_align(tmp_path, shift):
    axis = 620 + 0.5 * np.arange(400)
    mean = mean_spectrum(axis, ["Fe"], shift)
    signal = lbj.Signal(
        "EELS", "spectra", (5, 6, 400), dtype="float32",
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 620.0, "scale": 0.5, "units": "eV"}],
    )  # fmt: skip
    rng = np.random.default_rng(3)
    with lbj.create(tmp_path / "a.lbj", [signal], metadata={"elements": ["Fe"]}) as writer:
        for _ in range(2):
            writer.append({"EELS": rng.poisson(np.broadcast_to(mean * 30, (5, 6, 400))).astype(np.float32)})
    made = {}
    for align in (False, True):
        folder = tmp_path / f"out{align}"
        summary = mfsi_core.run([str(tmp_path / "a.lbj")], folder, align_edges=align, quiet=True)
        made[align] = np.load(folder / "map-Fe_L3.npy").mean()
        said = [note for note in summary["notes"] if "Edges begin elsewhere" in note]
        assert len(said) == bool(shift)
        assert all(("--align-edges" in note) != align for note in said)
    inside = np.arange(706.0, 748.0, 0.5)
    truth = 2 * 30 * (60 * np.exp(-np.maximum(inside - 708, 0) / 60))[inside > 708].sum()
    assert made[True] == pytest.approx(truth, rel=0.1)
    if shift:
        assert abs(made[True] - truth) < abs(made[False] - truth)

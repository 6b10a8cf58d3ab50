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
    found = [one for one in found if not one.reason]
    assert {one.edge.element for one in found} == set(ONSETS)
    for one in found:
        assert one.shift == pytest.approx(shift, abs=1.5)
    notes, common = tell(found)
    assert (common is not None) == bool(notes) == (abs(shift) > 3)


def test_no_edge_no_onset():
    axis = np.arange(380.0, 820.0, 0.5)
    counts = np.random.default_rng(2).poisson(mean_spectrum(axis, []) * 20)
    found = find_onsets(counts.astype(float), axis, [edge for e in ONSETS for edge in edges_of(e, 380, 820)])
    assert all(one.reason for one in found)
    (wide,) = find_onsets(counts[::20].astype(float), axis[::20], edges_of("O"))
    assert "channels of 10 eV are too wide" in wide.reason


@pytest.mark.parametrize("step", [3.5, 5.0, 8.0])
@pytest.mark.parametrize("shift", [0.0, 12.0, -11.0])
def test_wide_channels_are_checked_as_far_as_they_tell(step, shift):
    fine = np.arange(380.0, 900.0, step / 16)
    mean = mean_spectrum(fine, ["Fe"], shift)[: 16 * (fine.size // 16)].reshape(-1, 16).mean(axis=1)
    axis = fine[: 16 * (fine.size // 16)].reshape(-1, 16).mean(axis=1)
    counts = np.random.default_rng(7).poisson(mean * 2000)
    found = find_onsets(counts.astype(float), axis, edges_of("Fe", 380, 880))
    (one,) = (one for one in found if one.edge.name == "Fe_L3")
    assert not one.reason
    assert one.shift == pytest.approx(shift, abs=0.6 * step)
    assert bool(tell(found, step)[0]) == bool(shift)


DELAYED = {"Si": "L3", "S": "L3", "Cl": "L3", "Mo": "M5", "Y": "M5", "Lu": "M5", "Sn": "M5", "Au": "M5"}


@pytest.mark.parametrize("element", DELAYED)
def test_delayed_edges_cannot_be_decided_and_say_so(element, tmp_path):
    (edge,) = (edge for edge in edges_of(element) if edge.name == f"{element}_{DELAYED[element]}")
    step = 1.0 if edge.energy > 1000 else 0.5
    axis = edge.energy + step * np.arange(-140, 200)
    true = np.maximum(axis - 6.0, 1)  # the axis states 6 eV too much, which nothing tells
    behind = np.maximum(true - edge.energy, 0)
    mean = 3000 * (true / true[0]) ** -3.0 * (1 + 0.4 * -np.expm1(-behind / 25))
    signal = lbj.Signal(
        "EELS", "spectra", (3, 4, axis.size), dtype="float32",
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": axis[0], "scale": step, "units": "eV"}],
    )  # fmt: skip
    counts = np.random.default_rng(4).poisson(np.broadcast_to(mean, (3, 4, axis.size))).astype(np.float32)
    with lbj.create(tmp_path / "a.lbj", [signal], metadata={"elements": [element]}) as writer:
        writer.append({"EELS": counts})
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    (said,) = (note for note in summary["notes"] if "cannot be decided" in note)
    assert element in said
    assert "delayed" in said


@pytest.mark.parametrize("element", ["La", "Gd", "Ba", "Ni", "Sr", "K", "B", "Mg"])
def test_sharp_edges_are_checked(element):
    kind = {"La": "M5", "Gd": "M5", "Ba": "M5", "Ni": "L3", "Sr": "L3", "K": "L3"}.get(element, "K")
    (edge,) = (edge for edge in edges_of(element) if edge.name == f"{element}_{kind}")
    axis = edge.energy + 0.5 * np.arange(-200, 120)
    true = axis - 7.0
    mean = 3e4 * (true / true[0]) ** -3.0 * (1 + 0.2 * (true > edge.energy))
    counts = np.random.default_rng(4).poisson(mean).astype(float)
    found = {one.edge.name: one for one in find_onsets(counts, axis, edges_of(element, axis[0], axis[-1]))}
    assert found[edge.name].shift == pytest.approx(7.0, abs=1.5)


def test_an_edge_beside_another_element_s_is_not_taken_for_it():
    axis = np.arange(380.0, 700.0, 0.5)
    edges = [edge for element in ("V", "O") for edge in edges_of(element, 380, 700)]
    mean = 4e8 * axis**-2.4 + (axis > 532.0) * 60.0  # no vanadium
    found = {one.edge.name: one for one in find_onsets(mean * 30, axis, edges)}
    assert found["V_L3"].reason
    assert "too near" in found["O_K"].reason


L_EDGES = {"V": (512.0, 520.0), "Fe": (708.0, 721.0), "O": (532.0,)}  # eV, of the EELS Atlas


@pytest.mark.parametrize("shift", np.arange(-30.0, 31.0, 3.0))
@pytest.mark.parametrize(("elements", "before"), [("V O", 20), ("V O", 60), ("Fe", 20), ("Fe", 45), ("V", 45)])
def test_an_onset_is_measured_right_or_not_at_all(elements, before, shift):
    places = [place for element in elements.split() for place in L_EDGES[element]]
    axis = min(places) - before + 0.5 * np.arange(2 * (before + 120))
    true = axis - shift
    mean = 4e9 * true**-2.4
    for element in elements.split():
        for weight, place in zip((1.0, 0.5), L_EDGES[element], strict=False):
            white = 1 + 2 * np.exp(-(((true - place - 2) / 1.7) ** 2))
            mean = mean + 300 * weight * (true > place) * white * np.exp(-np.maximum(true - place, 0) / 80)
    counts = np.random.default_rng(6).poisson(mean).astype(float)
    edges = [edge for element in elements.split() for edge in edges_of(element, axis[0], axis[-1])]
    found = [one for one in find_onsets(counts, axis, edges) if not one.reason]
    for one in found:
        assert one.shift == pytest.approx(shift, abs=1.5)
    if before > 30 and "O" not in elements and abs(shift) < 13:
        assert found


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
        flagged = [note for note in summary["notes"] if note.startswith("Map of Fe") and "begins" in note]
        assert len(flagged) == bool(shift and not align)
        said = [note for note in summary["notes"] if "Edges begin elsewhere" in note]
        assert len(said) == bool(shift)
        assert all(("--align-edges" in note) != align for note in said)
    inside = np.arange(706.0, 748.0, 0.5)
    truth = 2 * 30 * (60 * np.exp(-np.maximum(inside - 708, 0) / 60))[inside > 708].sum()
    assert made[True] == pytest.approx(truth, rel=0.1)
    if shift:
        assert abs(made[True] - truth) < abs(made[False] - truth)

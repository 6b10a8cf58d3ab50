"""Sums that `lbj export` writes say where stored energy shifts were not applied."""

import numpy as np
import pytest

import lbj
from lbj.cli import main

SHAPE = (2, 3)
SPECTRA = lbj.Signal("EELS", "spectra", (*SHAPE, 8), dtype="uint16")
GROUP = [lbj.Signal(f"EDX-{n}", "events", (*SHAPE, 8), group="EDX") for n in (1, 2)]
PLANE = lbj.Signal("shift", "image", SHAPE, dtype="float32", role="energy_shift", of="EELS")


@pytest.mark.parametrize(
    ("shifts", "plane", "expected"),
    [
        ([{}, {}], None, []),
        ([{"energy_shift": 0.0}, {}], None, []),
        ([{"energy_shift": -3.5}, {"energy_shift": {"EELS": 12}}], None, ["EELS: -3.5 to 12", "EDX: -3.5 to 0"]),
        ([{"energy_shift": {"EDX-2": 7}}, {}], None, ["EDX: 0 to 7"]),
        ([{}, {}], [[0, 1, 2], [np.nan, 4, -9]], ["EELS: -9 to 4"]),
    ],
)
@pytest.mark.parametrize("suffix", ["rpl", "npz"])
def test_shifts_that_a_sum_does_not_heed_are_told(tmp_path, capsys, shifts, plane, expected, suffix):
    signals = [SPECTRA, *GROUP, *([PLANE] if plane is not None else [])]
    data = {signal.name: np.ones(signal.shape, np.uint16) for signal in signals}
    if plane is not None:
        data["shift"] = np.array(plane, np.float32)
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for attributes in shifts:
            writer.append(data, **attributes)
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / f"out.{suffix}")]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "summed as recorded" in line]
    assert len(notes) == (len(expected) if suffix == "rpl" else 0)
    for note, one in zip(sorted(notes, reverse=True), sorted(expected, reverse=True), strict=False):
        name, _, span = one.partition(": ")
        assert note.startswith(f"  note: {name} was summed")
        assert f"by {span} eV" in note

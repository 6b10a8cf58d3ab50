"""Velox spectra without pixels: what is left of a file whose raw streams were pruned, or a point's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..events import Events
from ..signal import Signal
from . import velox_metadata as vm
from .arrays import storable, stored
from .notes import left_out
from .units import linear_axis

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(eq=False)
class Sum:
    """One spectrum."""

    name: str  # the detector's
    values: np.ndarray  # (1, 1, C)
    meta: vm.Item

    @property
    def counts(self) -> bool:
        """Whether the spectrum holds counts."""
        return self.values.dtype.kind == "u" and self.values.dtype.itemsize <= 4

    def signal(self, name: str, role: str | None, field: tuple[int, int], *, several: bool) -> Signal:
        """Return the declaration: counts of a point, or a static spectrum of the whole field of so many pixels."""
        kind = "events" if self.counts and role is None else "spectra"
        channels = self.values.shape[2]
        offset, dispersion = vm.energy_calibration(self.meta, self.name)
        whole = [[float(field[0]), 0.0, (field[0] - 1) / 2], [0.0, float(field[1]), (field[1] - 1) / 2]]
        return Signal(
            name,
            kind,
            (1, 1, channels),
            dtype=None if kind == "events" else self.values.dtype.name,
            axes=[{"name": "y"}, {"name": "x"}, linear_axis("energy", channels, offset, dispersion, "eV")],
            group="EDX" if several and kind == "events" else None,
            role=role,
            to_field=whole if role else None,
            metadata=vm.detector_metadata(self.meta, self.name),
        )

    def data(self) -> Any:
        """Return the spectrum as a frame's data."""
        return Events.from_dense(self.values) if self.counts else self.values


def sums(path: Path, file: Any, notes: list[str]) -> list[Sum]:
    """Return the spectra of a file, without those that are the sum of others; sorted by detector."""
    out = []
    for key, group in vm.groups(file, "Data/Spectrum"):
        data = vm.dataset(group, "Data")
        meta = (vm.columns(path, group) or [{}])[0]
        name = str(vm.dig(meta, "BinaryResult", "Detector") or "spectrum")
        if data is None or data.ndim != 2 or data.shape[1] != 1 or 0 in data.shape or data.dtype.kind not in "uif":
            held = "no data" if data is None else f"{data.dtype} of shape {data.shape}"
            notes.append(left_out(f"spectrum of {name} left out: /Data/Spectrum/{key} holds {held}"))
            continue
        out.append(Sum(name, storable(stored(path, data)[:, 0])[None, None], meta))
    out.sort(key=lambda one: one.name)
    return [one for one in out if not _is_sum(one, [other for other in out if other is not one])]


def _is_sum(one: Sum, others: list[Sum]) -> bool:
    parts = [other.values for other in others if other.name.startswith(one.name)]
    if len(parts) < 2 or any(part.shape != one.values.shape for part in parts):
        return False
    return bool(np.array_equal(one.values, np.sum(parts, axis=0, dtype=np.float64)))

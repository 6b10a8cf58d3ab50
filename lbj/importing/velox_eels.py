"""Velox EELS spectrum images: one data set per energy range, each column by column of one row after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError
from ..signal import Signal
from . import velox_metadata as vm
from .arrays import pieces, stored
from .notes import left_out
from .units import linear_axis, number, positive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..signal import Axis

TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


@dataclass(eq=False)
class Cube:
    """One energy range: where it is and what it holds."""

    path: str
    shape: tuple[int, int, int]  # (Y, X, C)
    n_frames: int
    dtype: str
    meta: vm.Item
    rows: list[vm.Item]  # the acquisition's settings, a row each

    @property
    def offset(self) -> float | None:
        """Energy of the first channel in the first row (eV)."""
        return self._stated("offset", 0)

    def _stated(self, key: str, row: int) -> float | None:
        return number(vm.dig(self.rows[row], "Data", key)) if row < len(self.rows) else None

    def signal(self, name: str, space: list[Axis]) -> Signal:
        """Return the declaration of this range, on the spatial axes of its map."""
        known = {
            "intensity_offset": self._stated("intensityOffset", 0),
            "intensity_scale": self._stated("intensityScale", 0),
            "collection_angle": vm.eels_collection_angle(self.meta),
        }
        energy = linear_axis("energy", self.shape[2], self.offset, self._stated("dispersion", 0), "eV")
        return Signal(
            name,
            "spectra",
            self.shape,
            dtype=self.dtype,
            axes=[*space, energy],
            metadata={
                "detector": str(vm.dig(self.meta, "BinaryResult", "Detector") or "EELS"),
                **{key: value for key, value in known.items() if value is not None},
            },
        )

    def attributes(self, frame: int) -> dict[str, float]:
        """Return exposure (s, of one whole spectrum) and energy shift (eV) of one frame."""
        row = frame * self.shape[0]
        out = {}
        one = positive(self._stated("exposureTime", row))
        if one is not None:
            out["exposure"] = one * (positive(self._stated("detectorFramesAveraged", row)) or 1.0)
        now = self._stated("offset", row)
        if now is not None and self.offset is not None and now != self.offset:
            out["energy_shift"] = now - self.offset
        return out


def cubes(path: Path, file: Any, notes: list[str]) -> list[Cube]:
    """Return the energy ranges of a file, those of lower energy first."""
    out = []
    for key, group in vm.groups(file, "Data/EelsSpectrumImage"):
        where = f"/Data/EelsSpectrumImage/{key}"
        data = vm.dataset(group, "Data")
        if data is None or data.ndim not in (2, 3) or 0 in data.shape or data.dtype.name not in TYPES:
            held = "no data" if data is None else f"{data.dtype} of shape {data.shape}"
            notes.append(left_out(f"EELS spectrum image left out: {where} holds {held}"))
            continue
        columns, channels, rows = (*stored(path, data).shape, 1)[:3]
        info = vm.first(group, "Info")
        height = number(info.get("height")) or rows
        declared = {"width": columns, "bincount": channels}
        wrong = [key for key, found in declared.items() if number(info.get(key)) not in (None, found)]
        if wrong or not 1 <= height <= rows or rows % int(height):
            raise DamagedError(f"{path}: {where}/Info says {info}, but Data has the shape {data.shape}")
        meta = (vm.columns(path, group) or [{}])[0]
        shape = int(height), columns, channels
        settings = vm.columns(path, group, "AcquisitionMetadata")
        out.append(Cube(f"{where}/Data", shape, rows // int(height), data.dtype.name, meta, settings))
    return sorted(out, key=lambda cube: cube.offset or 0.0)


def frames(path: Path, dataset: Any, cube: Cube) -> Iterator[np.ndarray]:
    """Yield the frames (Y, X, C) of one energy range."""
    height = cube.shape[0]
    held: list[np.ndarray] = []
    if dataset.ndim == 2:
        yield np.asarray(dataset)[None]
        return
    for piece in pieces(path, dataset, 2):
        for row in range(piece.shape[2]):
            held.append(piece[:, :, row])
            if len(held) == height:
                yield np.stack(held)
                held = []

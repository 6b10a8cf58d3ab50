"""Velox images: every stack, what it shows, and whether it belongs to the frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..signal import Signal
from . import velox_metadata as vm
from .arrays import pieces, stored
from .notes import aside, left_out
from .units import linear_axis
from .velox_scan import Scan, scan_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from ..signal import Axis

TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


@dataclass(eq=False)
class Picture:
    """One stack of images: where it is and what it shows."""

    path: str
    name: str
    shape: tuple[int, int, int]  # (Y, X, frames)
    dtype: str
    metas: list[vm.Item] = field(default_factory=list)

    @property
    def meta(self) -> vm.Item:
        """Metadata of the first image."""
        return self.metas[0] if self.metas else {}

    @property
    def scan(self) -> Scan:
        """Scan of the first image."""
        return scan_of(self.meta)

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape[:2]

    def signal(self, name: str, role: str | None = None, to_field: list[list[float]] | None = None) -> Signal:
        """Return the declaration of this image."""
        return Signal(
            name,
            "image",
            self.pixels,
            dtype=self.dtype,
            axes=space_axes(self.meta, self.pixels),
            role=role,
            to_field=to_field,
            metadata=vm.image_metadata(self.meta, self.name),
        )


def space_axes(meta: vm.Item, shape: tuple[int, int]) -> list[Axis]:
    """Return the axes y and x that the metadata of a stream or an image state."""
    result = vm.dig(meta, "BinaryResult") or {}
    return [
        linear_axis(
            axis,
            n,
            vm.dig(result, "Offset", axis) or 0,
            vm.dig(result, "PixelSize", side),
            vm.dig(result, f"PixelUnit{axis.upper()}"),
        )
        for axis, side, n in (("y", "height", shape[0]), ("x", "width", shape[1]))
    ]


def pictures(path: Path, file: Any, notes: list[str]) -> list[Picture]:
    """Return the images that a detector recorded, the deepest stacks first."""
    known = _operation_names(file)
    out: list[Picture] = []
    made: Counter[str] = Counter()
    for key, group in vm.groups(file, "Data/Image"):
        where = f"/Data/Image/{key}"
        metas = vm.columns(path, group)
        name = known.get(where) or str(vm.dig(metas[0] if metas else {}, "BinaryResult", "Detector") or "image")
        data = vm.dataset(group, "Data")
        if metas and vm.is_analytical(metas[0], name):
            made[name] += 1
        elif data is None or data.ndim != 3 or 0 in data.shape or data.dtype.name not in TYPES:
            held = "no data" if data is None else f"{data.dtype} of shape {data.shape}"
            notes.append(left_out(f"image of {name} left out: {held}"))
        else:
            stored(path, data)
            out.append(Picture(f"{where}/Data", name[:60], data.shape, data.dtype.name, metas))
    notes += [aside(f"{n} images of {name} left out: they were made from the spectra") for name, n in made.items()]
    return sorted(out, key=lambda picture: -picture.shape[2])


def _operation_names(file: Any) -> dict[str, str]:
    """Return the name of every image that an operation made or read, by its path."""
    out: dict[str, str] = {}
    for operation, group in vm.groups(file, "Operations"):
        for key in group:
            settings = vm.first(group, key)
            target = settings.get("dataPath")
            if isinstance(target, str) and target.startswith("/Data/Image/"):
                plain = settings.get("detector") or settings.get("cameraName")
                out[target] = str(plain or operation.removesuffix("Operation"))
    return out


def frames(path: Path, dataset: Any) -> Iterator[np.ndarray]:
    """Yield the images of a stack."""
    for piece in pieces(path, dataset, 2):
        for i in range(piece.shape[2]):
            yield piece[:, :, i].copy()

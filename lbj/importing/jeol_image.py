"""JEOL Analysis Station `.img`: one image of the field, taken before or beside a map."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, TruncatedError
from ..signal import Signal
from .jeol_header import Tree, find, parse
from .naming import detector_name
from .source import Frame, Source
from .units import linear_axis, number, positive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 1 << 30  # bytes of a file that is read


def read(path: Path) -> Source:
    """Open a `.img` file; see `lbj.importing.open_source`."""
    with open(path, "rb") as file:
        data = file.read(MOST)
    if len(data) < 48:
        raise TruncatedError(f"{path}: a JEOL image has a header of 48 bytes, found {len(data)}")
    try:
        tree = parse(data, int(np.frombuffer(data, "<u4", 1, 44)[0]) + 12)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error.reason}", offset=error.offset) from None
    image = _image(path, tree)
    name = detector_name(str(find(tree, "Image", "Title") or ""), path.stem)
    size, magnification = (positive(find(tree, "Instrument", key)) for key in ("ScanSize", "Mag"))
    field = size / magnification if size and magnification else None
    axes = [
        linear_axis(axis, n, 0.0, field / n if field else None, "mm")
        for axis, n in zip(("y", "x"), image.shape, strict=True)
    ]
    signal = Signal(name, "image", image.shape, dtype=image.dtype.name, axes=axes)
    return Source([signal], _frames(name, image), 1, metadata=_metadata(tree))


def _image(path: Path, tree: Tree) -> np.ndarray:
    size, bits = find(tree, "Image", "Size"), find(tree, "Image", "Bits")
    width, height = size.tolist() if isinstance(size, np.ndarray) and size.size == 2 else (0, 0)
    if not isinstance(bits, np.ndarray) or width < 1 or height < 1 or bits.size < width * height:
        held = bits.size if isinstance(bits, np.ndarray) else 0
        raise DamagedError(f"{path}: an image of {width} x {height} pixels is announced, {held} are there")
    return bits[: width * height].reshape(height, width)


def _metadata(tree: Tree) -> dict[str, Any]:
    volts, created = positive(find(tree, "Instrument", "AccV")), number(find(tree, "Image", "Created"))
    out = {
        "beam_energy": None if volts is None else volts * 1e3,
        "magnification": positive(find(tree, "Instrument", "Mag")),
        "microscope": find(tree, "Instrument", "Name") or None,
        "title": find(tree, "Image", "Title") or None,
    }
    if created is not None and 1 < created < 2**20:
        begun = datetime(1899, 12, 30) + timedelta(days=created)  # noqa: DTZ001 -- the file states no zone
        out["local_start_time"] = begun.replace(microsecond=0).isoformat()
    return {key: value for key, value in out.items() if value is not None}


def _frames(name: str, image: np.ndarray) -> Iterator[Frame]:
    yield {name: image}, {}

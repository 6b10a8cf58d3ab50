"""Any file that only rosettasciio reads: its arrays, axes and metadata as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import cubes, library, panta_rhei
from .notes import aside, left_out

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source


def read(path: Path, reader: str, suffix: str = "") -> Source:
    """Open a file through one of rosettasciio's readers; see `lbj.importing.open_source`."""
    notes: list[str] = [aside(f"read with rosettasciio's reader {reader!r}")]
    items = [_usable(item, notes) for item in library.load(path, reader, suffix)]
    if path.suffix.lower() == ".emi":
        beside = [other for other in path.parent.glob("*.ser") if other.name.startswith(f"{path.stem}_")]
        if len(beside) > len(items):
            notes.append(
                left_out(f"{len(beside) - len(items)} of {len(beside)} .ser files that go with it: not readable")
            )
    for item in items:
        if item is not None and reader == "pantarhei":
            panta_rhei.amend(item)
        if item is not None and reader == "semper":
            for axis in item["axes"]:
                axis.pop("name", None)  # rosettasciio calls the axis of the layers x, and that of the columns z
    with library.quoting(path, reader):
        source = cubes.source(path, [item for item in items if item is not None], notes)
    source.frames = library.quoted(path, reader, source.frames)
    return source


def _usable(item: Item, notes: list[str]) -> Item | None:
    """Return an item with everything that `cubes` asks for; None for what is no array (a model, a table)."""
    data: Any = item.get("data")
    metadata = item.get("metadata")
    if not hasattr(data, "shape") or not hasattr(data, "dtype"):
        notes.append(left_out("a part left out that is no array"))
        return None
    axes: list[dict[str, Any]] = [dict(axis) for axis in item.get("axes") or []]
    if len(axes) != len(data.shape):
        axes = [{"size": size} for size in data.shape]
        notes.append("its axes are not described")
    for axis, size in zip(axes, data.shape, strict=True):
        axis["size"] = size
    return {**item, "axes": axes, "metadata": metadata if isinstance(metadata, dict) else {}}

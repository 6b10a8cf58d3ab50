"""Writer: a HyperSpy signal saved as a journal, ``signal.save("x.lbj")``."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

import lbj
from lbj.archive.convert import write_source
from lbj.format.blocks import MAX_BYTES
from lbj.format.records import MAX_JSON
from lbj.importing import cubes, hspy_journal
from lbj.importing.notes import DATA
from lbj.importing.source import Source
from lbj.outputs import new_journal

from . import kept, layout
from .reader import read

WARN = logging.getLogger("mfsi_core.hyperspy").warning

ROOM = MAX_JSON // 2  # bytes


def write(filename: str | os.PathLike[str], signal: dict[str, Any]) -> None:
    """Write a signal; see `mfsi_core.hyperspy.api.file_writer`."""
    path = Path(filename)
    item = layout.usable(signal, path)
    item["original_metadata"] = dict(signal.get("original_metadata") or {})
    told = _told(item["original_metadata"].pop(hspy_journal.KEY, None))
    source = _source(item, told, path)
    with new_journal(path, replace=True) as part:
        _, notes = write_source(source, part, {"name": path.name, "files": []})
        (found,) = read(part, lazy=True, sum_frames=False, max_bytes=MAX_BYTES, bare=True)
        description, unsaid = kept.description(item, found)
        for name, nothing in (("original_metadata", {}), ("set", {}), ("axes", [])):
            if len(json.dumps(description)) > ROOM:
                description[name] = nothing
                unsaid.append({"set": "metadata"}.get(name, name))
        with lbj.append(part, sync=False) as writer:
            writer.amend({"signals": {found["signal"].signal.name: {"metadata": {kept.KEY: description}}}})
    for note in notes:
        if getattr(note, "rank", DATA) <= DATA:  # what is told of times and descriptions is kept beside
            WARN("%s: %s", path.name, note)
    if told is not None and told.get(kept.DISPLACED) and found["signal"].framed:
        WARN("%s: the displacements of the frames are not stored; the journal that they came from has them", path.name)
    unsaid += [name for name in ("learning_results", "models") if _holds(signal.get(name))]
    if unsaid:
        WARN("%s: a journal has no place for %s; .hspy has", path.name, ", ".join(unsaid))


def _told(data: Any) -> dict[str, Any] | None:
    """The journal's own description, which a signal that was read from one carries."""
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        return None
    try:
        told = json.loads(data.tobytes())
        told["signal"].get("metadata", {}).pop(kept.KEY, None)
        return dict(told) if told["layout"] == hspy_journal.LAYOUT else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _source(item: dict[str, Any], told: dict[str, Any] | None, path: Path) -> Source:
    """The journal that the signal was read from, where it still fits; else what HyperSpy's axes and metadata say."""
    if told is not None and (restored := hspy_journal.source([item], [told], [])) is not None:
        return restored
    notes: list[str] = []
    cube = layout.laid_out(item, path, notes)
    source = cubes.assembled([cube], notes)
    if told is not None:
        _remembered(source, cube, told)
    return source


def _remembered(source: Source, cube: cubes.Cube, told: dict[str, Any]) -> None:
    """What still holds of a journal's description once the array was cropped, binned or computed with."""
    here = ("frame_axis", "live_time", "real_time")
    try:
        source.metadata = {**{k: v for k, v in told["metadata"].items() if k not in here}, **source.metadata}
        if told["signal"]["kind"] == source.signals[0].kind:
            cube.name = source.signals[0].name = str(told["signal"]["name"])
    except (KeyError, TypeError, AttributeError):
        return


def _holds(part: Any) -> bool:
    return isinstance(part, dict) and any(value is not None and key != "_title" for key, value in part.items())

"""Bruker `.bcf`: spectra through rosettasciio, in a process of its own (its compiled parser dies of damaged bytes).

What surrounds the spectra comes from the file's own header, see `lbj.importing.bruker_header`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..errors import DamagedError
from ..signal import Signal
from . import bruker_header, cubes, library
from .bruker_container import Container
from .hyperspy_names import with_vendor_tags
from .library import Item
from .notes import Note, left_out
from .source import Source
from .units import linear_axis

READ = ("HeaderData", "SpectrumData0", "SpectrumPositions0")
NAMED = 4  # files that a note names


def read(path: Path) -> Source:
    """Open a Bruker file; see `lbj.importing.open_source`."""
    container = Container(path)
    header = bruker_header.read(container)
    notes: list[str] = []
    if container.missing:
        notes.append(Note(f"{container.missing} of {container.announced} chunks are missing, none of which holds data"))
    others = sorted((inner for inner in container.files if inner.name not in READ), key=lambda inner: -inner.size)
    if others:
        named = ", ".join(f"{inner.name} ({inner.size} bytes)" for inner in others[:NAMED])
        more = f" and {len(others) - NAMED} smaller ones" if len(others) > NAMED else ""
        notes.append(left_out(f"files inside that rosettasciio does not read left out: {named}{more}"))
    items = load(path)
    bruker_header.apply(header, items, notes)
    for item in items:
        title = item["metadata"].get("General", {}).get("title")
        if len(item["axes"]) == 2 and title:
            item["name"] = title
    overviews = [item for item in items if "overview" in item]
    rest = [item for item in items if "overview" not in item]
    out = cubes.source(path, rest or items, notes)
    for item in overviews if rest else ():
        _add_overview(out, item)
    return out


def _add_overview(source: Source, item: Item) -> None:
    """Add an overview, which shows more than the map, as a survey image in its place."""
    names = {signal.name for signal in source.signals}
    name = next(free for i in range(len(names) + 1) if (free := f"overview{i or ''}") not in names)
    pixels = next((signal.shape[:2] for signal in source.signals if signal.kind != "image"), (1, 1))
    to_field = item["overview"].to_field(pixels)
    if to_field is None:
        source.notes.append(f"{name}: where this survey image lies in the field of the map is not known")
    axes = [
        linear_axis(axis, n, 0.0, item["axes"][i]["scale"], item["axes"][i]["units"])
        for i, (axis, n) in enumerate(zip(("y", "x"), item["data"].shape, strict=True))
    ]
    source.signals.append(
        Signal(
            name,
            "image",
            item["data"].shape,
            dtype=item["data"].dtype.name,
            axes=axes,
            role="survey",
            to_field=to_field,
        )
    )
    source.static = {**source.static, name: item["data"]}


def load(path: Path) -> list[Item]:
    """Return what rosettasciio reads: one dict with ``data``, ``axes`` and ``metadata`` per array.

    Raises
    ------
    DamagedError
        If the file is cut, or the reader fails or dies.
    """
    library.function(path, "bruker")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    with tempfile.TemporaryDirectory(prefix="lbj-") as folder:
        done = subprocess.run(  # noqa: S603 -- this very module
            [sys.executable, "-m", __name__, str(path.resolve()), folder],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise DamagedError(f"{path}: rosettasciio failed on it (exit {done.returncode}): {said[0]}")
        items: list[Item] = json.loads(Path(folder, "items.json").read_text())
        for i, item in enumerate(items):
            item["data"] = np.load(Path(folder, f"{i}.npy"))
    return items


def _child(path: str, folder: str) -> None:
    from rsciio.bruker import file_reader

    out = []
    for i, item in enumerate(file_reader(path)):
        np.save(Path(folder, f"{i}.npy"), item["data"])
        out.append({"axes": item["axes"], "metadata": with_vendor_tags(item)})
    plain = json.dumps(out, default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))
    Path(folder, "items.json").write_text(plain)


if __name__ == "__main__":
    _child(*sys.argv[1:])

"""Bruker `.bcf` through rosettasciio, in a process of its own: its compiled parser dies of damaged bytes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DamagedError, TruncatedError
from . import cubes, library
from .hyperspy_names import with_vendor_tags
from .source import Source


def read(path: Path) -> Source:
    """Open a Bruker file; see `lbj.importing.open_source`."""
    items = load(path)
    for item in items:
        title = item["metadata"].get("General", {}).get("title")
        if len(item["axes"]) == 2 and title:
            item["name"] = title
    return cubes.source(path, items, [])


def load(path: Path) -> list[dict[str, Any]]:
    """Return what rosettasciio reads: one dict with ``data``, ``axes`` and ``metadata`` per array.

    Raises
    ------
    DamagedError
        If the file is cut, or the reader fails or dies.
    """
    _check_size(path)
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
        items: list[dict[str, Any]] = json.loads(Path(folder, "items.json").read_text())
        for i, item in enumerate(items):
            item["data"] = np.load(Path(folder, f"{i}.npy"))
    return items


def _check_size(path: Path) -> None:
    """Check that the file is all there, since rosettasciio may read a cut one as zeros.

    Bruker's container is made of equal chunks behind 280 bytes; their size stands at byte 296, their number at 328.
    """
    with open(path, "rb") as file:
        head = file.read(332)
    if len(head) < 332 or head[:8] != b"AAMVHFSS":
        raise DamagedError(f"{path}: no Bruker .bcf file: it begins with {head[:8]!r}")
    chunk, number = struct.unpack_from("<I", head, 296)[0], struct.unpack_from("<I", head, 328)[0]
    size = path.stat().st_size
    if size < 280 + chunk * number:
        raise TruncatedError(f"{path}: {number} chunks of {chunk} bytes are announced, {size} bytes are there")


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

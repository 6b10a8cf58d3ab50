"""Opening: a command's input, a journal or a vendor file that is converted to a temporary one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import lbj
from lbj.format.layout import SIGNATURE
from lbj.importing.arrays import first_bytes


@contextlib.contextmanager
def opened(path: str) -> Iterator[lbj.Journal]:
    """Open a journal; another file, such as the sum that `mfsi accumulate` writes, is converted for the time being."""
    if not Path(path).is_file() or first_bytes(Path(path))[: len(SIGNATURE)] == SIGNATURE:
        with lbj.open(path) as journal:
            yield journal
        return
    from lbj.archive.convert import convert

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "converted.lbj"
        convert([path], out, quiet=True)
        with lbj.open(out) as journal:
            yield journal

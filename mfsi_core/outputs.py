"""Outputs: files that results must not replace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lbj import UsageError
from lbj.importing.arrays import first_bytes
from lbj.layout import SIGNATURE


def spare(output: Any, *inputs: Any) -> Path:
    """Return the path of an output, unless that would replace an input or a journal.

    Raises
    ------
    UsageError
        Naming the file.
    """
    path = Path(output)
    if path.is_file():
        if any(os.path.exists(name) and os.path.samefile(path, name) for name in inputs):
            raise UsageError(f"{str(path)!r} is an input, which is never overwritten; choose another -o")
        if first_bytes(path)[: len(SIGNATURE)] == SIGNATURE:
            raise UsageError(f"{str(path)!r} is a journal, which is never overwritten; choose another -o")
    if not path.parent.is_dir():
        raise UsageError(f"{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}")
    return path


def folder_of(output: Any) -> Path:
    """Return the folder for results, which need not exist.

    Raises
    ------
    UsageError
        If it is a file.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"the results need a folder, and {str(folder)!r} is a file; choose another -o")
    return folder

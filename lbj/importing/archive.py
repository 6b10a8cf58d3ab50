"""A zip of vendor files: unpacked beside itself in a temporary folder, read as a folder."""

from __future__ import annotations

import shutil
import tempfile
import weakref
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import DamagedError, UsageError
from .notes import aside

if TYPE_CHECKING:
    from .source import Source

MAX_BYTES = 1 << 33
MAX_FILES = 10_000
RATIO = 1100  # deflate cannot do more


def read(path: Path) -> Source:
    """Open what a zip holds; see `lbj.importing.open_source`.

    Raises
    ------
    UsageError
        If it holds folders in folders of nothing readable, or more than 8 GiB.
    """
    from . import open_source

    folder = tempfile.mkdtemp(prefix="lbj-")
    try:
        names = _unpack(path, Path(folder))
        source = open_source([Path(folder, names[0]) if len(names) == 1 else folder])
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    source.notes.append(aside(f"read from the zip archive {path.name}"))
    return source


def _unpack(path: Path, folder: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            size = sum(info.file_size for info in files)
            if size > min(MAX_BYTES, RATIO * path.stat().st_size + (1 << 20)) or len(files) > MAX_FILES:
                raise UsageError(f"{path}: a zip of {len(files)} files and {size} bytes; unpack it and pass the folder")
            names = [PurePosixPath(info.filename.replace("\\", "/")).name for info in files]
            if len(set(names)) != len(names) or not names:
                raise UsageError(f"{path}: a zip of {len(names)} files, names repeated; unpack it and pass the folder")
            for info, name in zip(files, names, strict=True):
                with archive.open(info) as source, open(folder / name, "xb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise DamagedError(f"{path}: the zip archive cannot be unpacked: {error}") from error
    return names

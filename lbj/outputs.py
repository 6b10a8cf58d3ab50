"""Outputs: files are written under hidden names and moved into place; nothing of the user's is overwritten.

Files are made in a hidden folder beside their place, under a lock, and moved into place when they are whole. What is
there already is replaced only if this program made it: each folder has a manifest of what was made in it, with digests.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .errors import StorageError, UsageError
from .locking import lock

MANIFEST = ".made-by-mfsi.json"
PART = ".mfsi-"  # begins the names of hidden folders in which outputs are made
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

Manifest = list[dict[str, str]]  # name, sha256, and by what


@contextlib.contextmanager
def new_journal(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[Path]:
    """Give a name under which a journal is written; it gets its own, `path`, when that is done.

    Parameters
    ----------
    path : path
    replace : bool
        Whether a file that stands there goes, which is never done unless the user has said so.

    Raises
    ------
    UsageError
        If something stands there and is not to be replaced, or another process is writing it.
    StorageError
        If it cannot be written; nothing of it is left.
    """
    out = Path(path)
    if out.is_dir():
        raise UsageError(f"{str(out)!r} is a folder; a file's name is expected")
    if not replace:
        _absent(out)
    _need_folder(out)
    with _naming(out), _workshop(out.parent, out.name) as folder:
        yield folder / out.name
        with (folder / out.name).open("rb+") as file:
            os.fsync(file.fileno())
        if replace and out.exists():
            with out.open("rb") as file:
                lock(file, str(out))  # nobody is writing what goes
            os.replace(folder / out.name, out)
            return
        _absent(out)
        try:
            if out.exists():
                raise OSError  # an empty file, which no link replaces
            os.link(folder / out.name, out)
        except FileExistsError:
            _absent(out)
        except OSError:  # a file system without links
            os.replace(folder / out.name, out)


@contextlib.contextmanager
def new_files(path: str | os.PathLike[str], *inputs: Any) -> Iterator[Path]:
    """Give a name under which a file, perhaps with others beside it, is written; then move all into place.

    Raises
    ------
    UsageError
        If `path` is an input or a file that this program has not made.
    StorageError
        If it cannot be written or its folder is not there; nothing of it is left.
    """
    out = Path(path)
    if out.is_dir():
        raise UsageError(f"{str(out)!r} is a folder; a file's name is expected")
    _need_folder(out)
    refuse_overwrite(out.parent, [out.name], inputs)
    with _naming(out), _workshop(out.parent, out.name) as folder:
        yield folder / out.name
        _place(folder, out.parent, inputs, "")


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], by: str, names: Iterable[str] = (), inputs: Iterable[Any] = ()
) -> Iterator[Path]:
    """Give a folder in which results are written; then move all into the folder `path`, which is made if need be.

    Parameters
    ----------
    path : path
    by : str
        What makes them. Results by the same that an earlier call left, and that were not made again, are removed
        (journals stay).
    names : iterable of str
        Files that will be among them, so that it is known beforehand that they have room.
    inputs : iterable of path
        Files that are never replaced or removed.

    Raises
    ------
    UsageError
        If `path` is a file, another process writes into it, or results would replace what this program has not made.
    StorageError
        If they cannot be written; nothing of them is left.
    """
    out, inputs = Path(path), list(inputs)
    if out.exists() and not out.is_dir():
        raise UsageError(f"the results need a folder, and {str(out)!r} is a file; choose another -o")
    if out.is_dir():
        refuse_overwrite(out, names, inputs)
    with _naming(out), _made(out), _workshop(out, "") as folder:
        yield folder
        _place(folder, out, inputs, by)


@contextlib.contextmanager
def new_tree(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a folder to be filled, with folders inside; it gets its own name, `path`, when that is done.

    Raises
    ------
    UsageError
        If something stands there, which is never replaced, or another process is writing it.
    StorageError
        If it cannot be written; nothing of it is left.
    """
    out = Path(path)

    def refuse() -> None:
        if os.path.lexists(out):
            raise UsageError(f"{str(out)!r} exists, and a folder is never replaced; choose another name")

    refuse()
    _need_folder(out)
    with _naming(out), _workshop(out.parent, out.name) as folder:
        (folder / out.name).mkdir()
        yield folder / out.name
        refuse()
        os.rename(folder / out.name, out)


def digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            found.update(chunk)
    return found.hexdigest()


def _need_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise StorageError(f"cannot write {str(out)!r}: there is no folder {str(out.parent)!r}")


def _absent(out: Path) -> None:
    if os.path.lexists(out) and not (out.is_file() and not out.is_symlink() and out.stat().st_size == 0):
        raise UsageError(f"{str(out)!r} exists, and a journal is never overwritten; choose another name")


@contextlib.contextmanager
def _naming(out: Path) -> Iterator[None]:
    """Name what could not be written, and say that nothing is left of it."""
    try:
        yield
    except OSError as error:
        cause = error.__cause__ if isinstance(error, StorageError) else error
        if not isinstance(cause, OSError):
            raise
        here = any(part.startswith((PART, MANIFEST)) for part in Path(os.fsdecode(cause.filename or "")).parts)
        if cause.errno in (None, *FULL) or here:  # None: a library that writes, and does not say why it could not
            raise StorageError(
                f"{str(out)!r} was not written: {cause.strerror or cause}; nothing of it is left. Mend that and repeat "
                "the command"
            ) from error
        raise


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; they are removed again if the work fails."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for one in missing:
            with contextlib.suppress(OSError):
                one.rmdir()
        raise


@contextlib.contextmanager
def _workshop(folder: Path, name: str) -> Iterator[Path]:
    """Make a hidden folder for the parts of one output, locked by this process; leftovers of a dead one are removed."""
    work = folder / f"{PART}{zlib.crc32(os.fsencode(name)):08x}.part"
    with _locked(folder / f"{work.name}.lock", str(folder / name)):
        if os.path.lexists(work):
            shutil.rmtree(work)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock that is a file of this name."""
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666), "r+b") as file:
            lock(file, what, wait=wait)
            try:  # the one before may have removed the file that is locked now
                if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    continue
            except FileNotFoundError:
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    path.unlink()
        return


def _read(folder: Path) -> Manifest:
    """Return the manifest, without entries that are not as this program writes them."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        rows = [{key: str(row[key]) for key in ("name", "sha256", "by")} for row in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [row for row in rows if _plain(row["name"])]


def _plain(name: str) -> bool:
    return name == os.path.basename(name) and "\0" not in name and name not in ("", ".", "..", MANIFEST)


def refuse_overwrite(folder: Path, names: Iterable[str], inputs: Iterable[Any]) -> None:
    """Refuse names under which something stands that is not this program's, or is an input."""
    listed = _read(folder)
    for name in names:
        if os.path.lexists(folder / name):
            if _is_input(folder / name, inputs):
                raise UsageError(f"{str(folder / name)!r} is an input, which is never overwritten; choose another -o")
            if not _ours(folder, name, listed):
                raise UsageError(
                    f"{str(folder / name)!r} exists, and this program has not made it, or it was changed since; "
                    "move it away, or choose another -o"
                )


def _is_input(path: Path, inputs: Iterable[Any]) -> bool:
    return any(os.path.exists(name) and os.path.samefile(path, name) for name in inputs if path.exists())


def _ours(folder: Path, name: str, listed: Manifest) -> bool:
    path = folder / name
    known = [row["sha256"] for row in listed if row["name"] == name]
    return bool(known) and path.is_file() and not path.is_symlink() and digest(path) in known


def _place(work: Path, folder: Path, inputs: Iterable[Any], by: str) -> None:
    """Move the new files into the folder; until all are moved, the manifest lists the old and the new ones."""
    names = sorted(path.name for path in work.iterdir())
    new: Manifest = [{"name": name, "sha256": digest(work / name), "by": by} for name in names]
    with _locked(folder / f"{MANIFEST}.lock", str(folder), wait=True):
        refuse_overwrite(folder, names, inputs)
        old = [row for row in _read(folder) if os.path.lexists(folder / row["name"])]
        others = [row for row in old if row["name"] not in names]
        stale = [
            row for row in others
            if by and row["by"] == by and not row["name"].endswith(".lbj")
            and _ours(folder, row["name"], old) and not _is_input(folder / row["name"], inputs)
        ]  # fmt: skip
        _write(folder, [*old, *new])
        for name in names:
            os.replace(work / name, folder / name)
        for row in stale:
            (folder / row["name"]).unlink(missing_ok=True)
        _write(folder, [*(row for row in others if row not in stale), *new])


def _write(folder: Path, manifest: Manifest) -> None:
    part = folder / f"{MANIFEST}.part"
    described = {"about": "what mfsi made in this folder and may replace, while it is unchanged", "files": manifest}
    part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    os.replace(part, folder / MANIFEST)

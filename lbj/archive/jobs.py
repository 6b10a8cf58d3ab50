"""Jobs of `lbj convert FOLDER`: one journal of an archive is made, read back and compared with its source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import DamagedError, LbjError, StorageError, UsageError
from ..format import layout
from ..importing.apart import open_apart
from ..importing.notes import LOST
from ..outputs import digest, new_journal
from ..reader import open as open_journal
from .amend import Settings, amend, patch_of
from .convert import store
from .history import changes

CONVERTED, COPIED, THERE, FAILED = "converted", "copied", "there before", "not read"


@dataclass
class Result:
    """What became of files.

    Attributes
    ----------
    files : list of str
    state : str
        Whether they were converted, copied, there before, or not read.
    journal : str
        The journal that holds them; empty where they were not read.
    frames, bytes : int
        Frames of the journal, and its size.
    what : str
        Why they were not read, or what is lost of them.
    """

    files: list[str]
    state: str
    journal: str = ""
    frames: int = 0
    bytes: int = 0
    what: str = ""


def carry_out(files: list[str], out: str, alone: list[str], settings: Settings | None) -> list[dict[str, Any]]:
    """Make the journal `out` of files, or journals of each `alone`; returns a `Result` for each as a dict."""
    os.makedirs(os.path.dirname(out), exist_ok=True)
    return [asdict(result) for result in _results(files, out, alone, settings)]


def _results(files: list[str], out: str, alone: list[str], settings: Settings | None) -> Iterator[Result]:
    if len(files) == 1:
        yield _single(files[0], out, settings)
        return
    places = dict(zip(files, alone, strict=True))
    try:
        found, rest = _series(files, out, settings)
    except StorageError as error:
        yield Result(files, FAILED, what=str(error))
        return
    except LbjError:
        broken = [name for name in files if not _reads(name)]
        whole = [name for name in files if name not in broken]
        try:
            if not broken or len(whole) < 2:
                raise
            found, rest = _series(whole, out, settings)
            rest += broken
        except LbjError:
            found, rest = [], files
    yield from found
    for name in rest:
        yield _single(name, places[name], settings)


def _reads(name: str) -> bool:
    try:
        for _ in open_apart([name]).frames:
            pass
    except LbjError:
        return False
    return True


def _series(files: list[str], out: str, settings: Settings | None) -> tuple[list[Result], list[str]]:
    """Make one journal of files that hold a frame each; returns its result, and the files that did not go into it."""
    if os.path.exists(out):
        held = _held(out)
        sums = {name: digest(name) for name in files}
        inside = [name for name in files if sums[name] in held]
        if not inside or len(held) != len(inside):
            raise UsageError(f"{out!r} stands there, and is made of other files")
        return [_there(inside, out, settings)], [name for name in files if name not in inside]
    source = open_apart(files)
    if source.n_frames is None:
        source.frames = iter(())
        raise UsageError("the files hold several frames each")
    return [_stored(source, files, out, settings)], []


def _single(name: str, out: str, settings: Settings | None) -> Result:
    try:
        if name.lower().endswith(".lbj"):
            return _copied(name, out, settings)
        if os.path.exists(out):
            if os.path.isdir(name) or _held(out) != [digest(name)]:
                raise UsageError(f"{out!r} stands there, and is made of another file, or not by this command")
            return _there([name], out, settings)
        return _stored(open_apart([name]), [name], out, settings)
    except (LbjError, OSError) as error:
        return Result([name], FAILED, what=str(error).removeprefix(f"{name}: "))
    except MemoryError:
        return Result([name], FAILED, what="the memory of this machine does not suffice")
    except Exception as error:  # noqa: BLE001 one file stops no other
        return Result([name], FAILED, what=f"{type(error).__name__}: {error}; please report this")


def _stored(source: Any, files: list[str], out: str, settings: Settings | None) -> Result:
    frames, notes = store(source, files, out, None, settings, quiet=True, proved=True)
    lost = [str(note) for note in notes if getattr(note, "rank", None) == LOST]
    return Result(files, CONVERTED, out, frames, os.path.getsize(out), "; ".join(lost))


def _held(out: str) -> list[str]:
    """Return the SHA-256 of the source files that a finished journal was compared with; none where it was not."""
    with open_journal(out) as journal:
        if not journal.complete or not any(kind == layout.CONT for kind, _ in journal.contents.others):
            return []
        source = journal.head.json.get("source")
        files = source.get("files", []) if isinstance(source, dict) else []
        return [str(item.get("sha256")) for item in files if isinstance(item, dict)]


def _there(files: list[str], out: str, settings: Settings | None) -> Result:
    with open_journal(out) as journal:
        differs = settings is not None and changes(journal.header, patch_of(journal.signals, settings))
        what = "it was there before without what is set now; see 'lbj amend'" if differs else ""
        return Result(files, THERE, out, len(journal), os.path.getsize(out), what)


def _copied(name: str, out: str, settings: Settings | None) -> Result:
    """Copy a journal that is whole, byte by byte; amendments are appended to the copy."""
    if os.path.exists(out):
        if not _begins(out, name):
            raise UsageError(f"{out!r} stands there, and is another journal")
        return _there([name], out, settings)
    with open_journal(name) as journal:
        if journal.tail is not None:
            raise DamagedError(f"cut short: {journal.tail}; 'lbj recover' saves its completed frames")
        content = journal.content_digest()
    with new_journal(out) as part:
        shutil.copyfile(name, part)
        if settings is not None:
            amend(part, settings)
        with open_journal(part) as journal:
            frames = len(journal)
            if not _begins(part, name) or journal.content_digest() != content:
                raise DamagedError("the copy differs from the journal")
    return Result([name], COPIED, out, frames, os.path.getsize(out))


def _begins(path: str | os.PathLike[str], name: str | os.PathLike[str]) -> bool:
    """Tell whether a file begins with the bytes of another."""
    with open(path, "rb") as ours, open(name, "rb") as theirs:
        while wanted := theirs.read(2**20):
            if ours.read(len(wanted)) != wanted:
                return False
    return True

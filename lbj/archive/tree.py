"""Tree: a folder tree of vendors' files as a tree of journals, each proved, with a report."""

from __future__ import annotations

import contextlib
import csv
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .. import outputs
from ..errors import UsageError
from ..importing.child import size_of
from ..progress import track
from .amend import Settings
from .jobs import FAILED, Result
from .plan import Plan, plan
from .pool import carried_out

REPORT = "convert.csv"
LEFT = "left alone"
COLUMNS = ("source", "state", "source_bytes", "journal", "frames", "journal_bytes", "what")


@dataclass
class Outcome:
    """What became of a tree.

    Attributes
    ----------
    results : list of Result
        Of every journal and every file that could not be read.
    aside : list of (Path, str)
        Files that were left alone, and why.
    before, after : int
        Bytes of the files that were read, those read with them included, and of the journals.
    """

    results: list[Result]
    aside: list[tuple[Path, str]]
    before: int = 0
    after: int = 0
    states: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> list[Result]:
        """What could not be read, or not whole."""
        return [result for result in self.results if result.what]


def convert_tree(
    tree: str | os.PathLike[str],
    target: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    quiet: bool = False,
) -> Outcome:
    """Make journals of all files of a tree in the same places of `target`, in as many processes as there are cores.

    Each journal is read back and compared with its source, read once more, before it gets its name; so what stands
    there under its name is done, and calling it again goes on. Journals in the tree are copied. A file that cannot be
    read stops no other. `target` gets a table of what became of every file, `convert.csv`.

    Raises
    ------
    UsageError
        If the tree holds nothing that could be read, or `target` is no place for it.
    StorageError
        If the report cannot be written.
    """
    root, out = Path(tree), Path(target)
    if not root.is_dir():
        raise UsageError(f"{str(root)!r} is no folder")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{str(out)!r} is a file; journals of a tree go into a folder")
    if os.path.realpath(root) == os.path.realpath(out):
        raise UsageError(f"{str(root)!r} cannot be converted into itself; choose another -o")
    found = plan(root, out)
    if not found.jobs and not found.unread:
        raise UsageError(f"{str(root)!r} holds no file that could be read")
    out.mkdir(parents=True, exist_ok=True)
    outputs.refuse_overwrite(out, [REPORT], [])
    outcome = Outcome(_results(found, settings, quiet=quiet), found.aside)
    for folder in sorted({job.out.parent for job in found.jobs}, reverse=True):
        with contextlib.suppress(OSError):  # it holds journals
            folder.rmdir()
    out.mkdir(exist_ok=True)
    sizes = _Sizes(found)
    for result in outcome.results:
        outcome.states[result.state] += len(result.files)
        if result.state != FAILED:
            outcome.before += sum(map(sizes.of, result.files))
            outcome.after += result.bytes
    with outputs.new_files(out / REPORT) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(sorted(_rows(outcome, root, out, sizes)))
    return outcome


def _results(found: Plan, settings: Settings | None, *, quiet: bool) -> list[Result]:
    results = [Result([os.fspath(path)], FAILED, what=why) for path, why in found.unread]
    jobs = [
        {
            "files": [os.fspath(path) for path in job.files],
            "out": os.fspath(job.out),
            "alone": [os.fspath(path) for path in job.alone],
            "settings": settings,
        }
        for job in found.jobs
    ]
    for place, answer in track(carried_out(jobs), "convert", len(jobs), quiet=quiet):
        if isinstance(answer, str):
            results.append(Result([os.fspath(path) for path in found.jobs[place].files], FAILED, what=answer))
        else:
            results += [Result(**one) for one in answer]
    return sorted(results, key=lambda result: result.files)


class _Sizes:
    """Bytes of files, each with those that are read with it."""

    def __init__(self, found: Plan) -> None:
        self._beside: dict[str, list[Path]] = {}
        for job in found.jobs:
            self._beside[os.fspath(job.files[0])] = job.beside

    def of(self, name: str) -> int:
        """Return the bytes of a file and of what is read with it."""
        return size_of([name, *map(os.fspath, self._beside.get(name, []))])


def _rows(outcome: Outcome, root: Path, out: Path, sizes: _Sizes) -> Iterator[tuple[str, ...]]:
    """Yield a row for every file; a journal's frames and bytes stand in the row of its first file."""
    for result in outcome.results:
        journal = _below(result.journal, out) if result.journal else ""
        for number, name in enumerate(result.files):
            first = result.journal and not number
            frames, size = (str(result.frames), str(result.bytes)) if first else ("", "")
            yield _below(name, root), result.state, str(sizes.of(name)), journal, frames, size, result.what
    for path, why in outcome.aside:
        yield _below(path, root), LEFT, str(size_of([os.fspath(path)])), "", "", "", why


def _below(path: str | os.PathLike[str], root: Path) -> str:
    return os.fsencode(os.path.relpath(path, root)).decode("utf-8", "backslashreplace")

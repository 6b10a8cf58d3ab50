"""Plan of `lbj convert FOLDER`: which files of a folder tree make which journals, which are left alone, and why."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path

from ..errors import LbjError
from ..importing.arrays import first_bytes
from ..importing.contents import ASIDE, READ_WITH, goes_with
from ..importing.detect import readable
from ..importing.numbering import grouped
from ..importing.plugin import importers

WHOLE = {".bcf", ".emd", ".h5oina", ".hdf5", ".hspy", ".lbj", ".nxs", ".pts", ".zspy"}
"""Suffixes of files of which each holds an acquisition: numbers in their names count acquisitions, not frames."""
PACKED = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip")
SIGNATURES = (b"\x89HDF\r\n\x1a\n", b"\x89LBJ\r\n\x1a\n", b"AAMVHFSS", b"II*\0", b"MM\0*", b"\x30\x01\0\0")


@dataclass
class Job:
    """Files that make one journal.

    Attributes
    ----------
    files : list of Path
        Several are successive frames, or images and spectra that are paired by their numbers.
    out : Path
        The journal.
    alone : list of Path
        The journals of each file alone, should they make none together.
    beside : list of Path
        Files that are read with them.
    """

    files: list[Path]
    out: Path
    alone: list[Path]
    beside: list[Path] = field(default_factory=list)


@dataclass
class Plan:
    """What shall become of a tree: journals to make, and files left alone, each with the reason."""

    jobs: list[Job] = field(default_factory=list)
    aside: list[tuple[Path, str]] = field(default_factory=list)
    unread: list[tuple[Path, str]] = field(default_factory=list)


def plan(tree: Path, target: Path) -> Plan:
    """Look through a tree. Hidden files and folders are passed over; links are not followed.

    Each file makes a journal of its name, in the same place of `target`. Numbered files of one name pattern make one,
    where one file is one frame in formats of its kind; patterns with the same numbers are taken together.
    """
    found = Plan()
    taken = os.path.realpath(target)

    def unreadable(error: OSError) -> None:
        found.unread.append((Path(os.fsdecode(error.filename or tree)), f"cannot be opened: {error.strerror}"))

    for place, folders, names in os.walk(tree, onerror=unreadable):
        here = Path(place)
        files = [here / name for name in sorted(names) if not name.startswith(".")]
        links = [here / name for name in folders if (here / name).is_symlink()]
        files += [here / name for name in folders if name.lower().endswith(".zspy") and here / name not in links]
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and not name.lower().endswith(".zspy")
            and os.path.realpath(here / name) != taken
        )  # fmt: skip
        found.aside += [(path, f"a link to {os.readlink(path)}") for path in links if not path.name.startswith(".")]
        _folder(found, files, target / here.relative_to(tree))
    return found


def _folder(found: Plan, files: list[Path], target: Path) -> None:
    candidates: list[Path] = []
    beside: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        if path.is_symlink():
            found.aside.append((path, f"a link to {os.readlink(path)}"))
        elif (other := goes_with(path, files)) is not None:
            found.aside.append((path, f"{READ_WITH} {other.name}"))
            beside[other].append(path)
        elif why := _why_not(path):
            found.aside.append((path, why))
        else:
            candidates.append(path)
    series = list(_series(candidates))
    names = iter(_names([*([path] for path in candidates), *series]))
    alone = {path: target / next(names) for path in candidates}
    joined = {path for group in series for path in group}
    groups = [([path], alone[path]) for path in candidates if path not in joined]
    groups += [(group, target / next(names)) for group in series]
    for group, out in groups:
        with_them = [one for path in group for one in beside[path]]
        found.jobs.append(Job(group, out, [alone[path] for path in group], with_them))


def _why_not(path: Path) -> str:
    """Say why a file is left alone; its content is not looked at beyond its first bytes."""
    if not path.is_file() and not path.is_dir():
        return "no file, but a device or a pipe"
    suffix = path.suffix.lower()
    if suffix in ASIDE:
        return "a picture or a text; name it to convert it alone"
    if suffix in PACKED and not importers(path):
        return "packed files: unpack them, and convert those"
    if suffix in readable() or path.is_dir() or importers(path):
        return ""
    try:
        return "" if first_bytes(path).startswith(SIGNATURES) else f"nothing reads {suffix or 'files without a suffix'}"
    except OSError as error:
        return f"cannot be opened: {error.strerror}"


def _series(files: list[Path]) -> Iterator[list[Path]]:
    """Yield the files that belong together, by the numbers in their names."""
    single = [path for path in files if path.suffix.lower() not in WHOLE]
    try:
        groups = [group for group in grouped(single).values() if len(group) > 1]
    except LbjError:  # two files have the same number
        groups = []
    together: dict[tuple, list[Path]] = defaultdict(list)
    for group in groups:
        together[tuple(group)] += group.values()
    yield from together.values()


def _names(series: list[list[Path]]) -> list[str]:
    """Return the journals' names: no two are the same, also where upper and lower case are not told apart."""
    plain = [_stem(group) for group in series]
    counts: dict[str, int] = defaultdict(int)
    for name in plain:
        counts[name.lower()] += 1
    out, used = [""] * len(series), set[str]()
    for place in sorted(range(len(series)), key=lambda place: series[place][0].suffix.lower() != ".lbj"):
        group, name = series[place], plain[place]
        own = group[0].suffix.lower() == ".lbj"  # a journal keeps its name
        full = name if own or counts[name.lower()] == 1 else group[0].name
        tried = (full if number == 1 else f"{full}.{number}" for number in count(1))
        out[place] = next(one for one in tried if one.lower() not in used)
        used.add(out[place].lower())
    return [f"{name}.lbj" for name in out]


def _stem(group: list[Path]) -> str:
    """Return a file's name without its suffix; of several, the first's and what is different in the last's."""
    first, last = group[0].stem, group[-1].stem
    if len(group) == 1:
        return first
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    return f"{first}-{last[len(first[:same].rstrip('0123456789')) :] or last}"

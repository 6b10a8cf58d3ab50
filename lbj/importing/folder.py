"""Several files as one series: successive frames, or images and spectra paired by number and name pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..attributes import PER_SIGNAL
from ..errors import UsageError
from ..signal import Axis, Signal
from .naming import share_field, unique_names
from .notes import about
from .source import Frame, Source

Opener = Callable[[Path], Source]


@dataclass(eq=False)
class Role:
    """The files that carry the same signals, one per frame number."""

    pattern: str
    files: dict[int | None, Path]
    signals: list[Signal]
    probe: Source
    names: dict[str, str]  # the file's name of a signal -> the series'


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which ``frame_2`` comes before ``frame_10``."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", path.name) if part]


def combine(paths: list[Path], open_file: Opener) -> Source:
    """Open several files as one series.

    Parameters
    ----------
    paths : list of path
        Files whose names differ in one number, such as ``SI_001.dm3`` and ``SI_002.dm3``, are successive frames.
        Files of different names are paired by that number where they hold different signals (``SI_001.dm3`` and
        ``HAADF_001.dm3``), and follow one another in the order given where they hold the same.
    open_file : callable
        Opens one file.

    Raises
    ------
    UsageError
        Naming a file that has no partner, or whose signals do not fit the first file's.
    """
    roles = _roles(_grouped(paths), open_file)
    signals = _name(roles)
    share_field(signals)
    if len(roles) > 1:
        _check_pairs(roles)
    metadata: dict[str, Any] = {}
    static: dict[str, Any] = {}
    notes: list[str] = []
    for role in roles:
        metadata = {**role.probe.metadata, **metadata}
        static.update((role.names[name], value) for name, value in role.probe.static.items())
        notes += about(next(iter(role.files.values())).name, role.probe.notes)
    single = all(role.probe.n_frames == 1 for role in roles)
    n_frames = len(roles[0].files) if single else None
    return Source(signals, _frames(roles, open_file, notes), n_frames, static, metadata, notes)


def _grouped(paths: list[Path]) -> dict[str, dict[int | None, Path]]:
    """Return the files by name pattern and frame number."""
    masked = defaultdict(list)
    for path in paths:
        masked[re.sub(r"\d+", "#", path.stem) + path.suffix.lower()].append(path)
    out: dict[str, dict[int | None, Path]] = {}
    for pattern, files in masked.items():
        numbers = [[int(n) for n in re.findall(r"\d+", path.stem)] for path in files]
        distinct = [len(set(column)) for column in zip(*numbers, strict=True)]
        at = max(range(len(distinct)), key=lambda i: (distinct[i], i)) if distinct else None
        for path, found in zip(files, numbers, strict=True):
            rest = pattern
            for i, part in enumerate(found):
                rest = rest.replace("#", "\0" if i == at else str(part), 1)
            rest = rest.replace("\0", "#")
            group = out.setdefault(rest, {})
            number = None if at is None else found[at]
            if number in group:
                raise UsageError(f"{path} and {group[number]} are both frame {number} of {rest!r}")
            group[number] = path
    return {pattern: dict(sorted(group.items(), key=lambda item: item[0] or 0)) for pattern, group in out.items()}


def _roles(groups: dict[str, dict[int | None, Path]], open_file: Opener) -> list[Role]:
    """Put patterns whose files hold the same signals together: those files are successive frames."""
    roles: list[Role] = []
    for pattern, files in groups.items():
        probe = open_file(next(iter(files.values())))
        probe.frames = iter(())  # opened again in its turn; what it holds is let go
        same = next((role for role in roles if _same(role.signals, probe.signals)), None)
        if same is None:
            names = {signal.name: signal.name for signal in probe.signals}
            roles.append(Role(pattern, files, probe.signals, probe, names))
            continue
        if len(same.files) > 1 and len(files) > 1:
            raise UsageError(
                f"{next(iter(same.files.values()))} and {next(iter(files.values()))} hold the same signals under two "
                "name patterns; tell the detectors apart in the files' names, or pass one series"
            )
        offset = len(same.files)
        same.files = {**same.files, **{-1 - offset - i: path for i, path in enumerate(files.values())}}
    return sorted(roles, key=lambda role: all(signal.kind == "image" for signal in role.signals))


def _same(a: list[Signal], b: list[Signal]) -> bool:
    if [(s.name, s.kind, s.shape) for s in a] != [(s.name, s.kind, s.shape) for s in b]:
        return False
    return all(_overlap(x, y) > 0.5 for x, y in zip(a, b, strict=True) if x.kind != "image")


def _window(signal: Signal) -> tuple[float, float]:
    axis = signal.axes[-1]
    start = float(axis.get("offset", 0.0))
    return start, start + float(axis.get("scale", 1.0)) * signal.channels


def _overlap(a: Signal, b: Signal) -> float:
    (a0, a1), (b0, b1) = _window(a), _window(b)
    return (min(a1, b1) - max(a0, b0)) / max(a1 - a0, b1 - b0)


def _name(roles: list[Role]) -> list[Signal]:
    """Give every signal of the series its name."""
    every = [signal for role in roles for signal in role.signals]
    energies: list[Axis | None] = [signal.axes[-1] if signal.kind != "image" else None for signal in every]
    named = [
        Signal.from_json({**signal.to_json(), "name": name})
        for signal, name in zip(every, unique_names([signal.name for signal in every], energies), strict=True)
    ]
    rest = iter(named)
    for role in roles:
        role.names = {signal.name: next(rest).name for signal in role.signals}
    return named


def _check_pairs(roles: list[Role]) -> None:
    for role in roles:
        for other in roles:
            for number, path in role.files.items():
                if number not in other.files:
                    what = "without a number" if number is None else f"with the number {number}"
                    raise UsageError(f"{path} is unpaired: there is no file {other.pattern!r} {what}")


def _frames(roles: list[Role], open_file: Opener, notes: list[str]) -> Iterator[Frame]:
    """Read file after file; what is to be said of those after the first is added to the notes."""
    for place, number in enumerate(roles[0].files):
        paths = [role.files[number] for role in roles]
        sources = [open_file(path) for path in paths]
        for path, source in zip(paths, sources, strict=True) if place else ():
            notes += about(path.name, source.notes)
        shifts = [_fitting(role, path, source) for role, path, source in zip(roles, paths, sources, strict=True)]
        iterators = [source.frames for source in sources]
        while True:
            parts = [next(iterator, None) for iterator in iterators]
            if all(part is None for part in parts):
                break
            if None in parts:
                raise UsageError(f"{paths[parts.index(None)]} has fewer frames than the file it is paired with")
            yield _merged(roles, [part for part in parts if part is not None], shifts, sources)


def _fitting(role: Role, path: Path, source: Source) -> dict[str, float]:
    """Check that a file's signals are the series'; return by how much (eV) their energy axes are shifted."""
    shifts = {}
    expected = {signal.name: signal for signal in role.signals}
    if [signal.name for signal in source.signals] != list(expected):
        held = ", ".join(signal.name for signal in source.signals)
        raise UsageError(f"{path} holds {held}; the first file of the series holds {', '.join(expected)}")
    for signal in source.signals:
        first = expected[signal.name]
        if (signal.kind, signal.shape, signal.dtype) != (first.kind, first.shape, first.dtype):
            raise UsageError(
                f"{path}: {signal.name} is {signal.kind} {signal.dtype} {signal.shape}; the first file of the series "
                f"has {first.kind} {first.dtype} {first.shape}"
            )
        for axis, model in zip(signal.axes, first.axes, strict=True):
            step, wanted = axis.get("scale"), model.get("scale")
            if step and wanted and abs(step / wanted - 1) > 0.001:
                raise UsageError(
                    f"{path}: {signal.name} has {step:g} per {axis['name']} index, the first file {wanted:g}"
                )
        if signal.kind != "image":
            shift = signal.axes[-1].get("offset", 0.0) - first.axes[-1].get("offset", 0.0)
            if shift:
                shifts[role.names[signal.name]] = float(shift)
    return shifts


def _merged(roles: list[Role], parts: list[Frame], shifts: list[dict[str, float]], sources: list[Source]) -> Frame:
    data: dict[str, Any] = {}
    out: dict[str, Any] = {}
    for role, (values, attributes), shift, source in zip(roles, parts, shifts, sources, strict=True):
        data.update((role.names[name], value) for name, value in values.items())
        for key, value in attributes.items():
            if key in PER_SIGNAL:
                by_signal = value if isinstance(value, dict) else dict.fromkeys(values, value)
                out.setdefault(key, {}).update((role.names[name], item) for name, item in by_signal.items())
            else:
                out.setdefault(key, value)
        for name, value in shift.items():
            spread = out.setdefault("energy_shift", {})
            spread[name] = spread.get(name, 0.0) + value
        if "local_start_time" in source.metadata:
            out.setdefault("metadata", {}).setdefault("local_start_time", source.metadata["local_start_time"])
    return data, out

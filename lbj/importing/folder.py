"""Several files as one series: successive frames, or images and spectra paired by number and name pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..format.attributes import PER_SIGNAL
from ..signal import Axis, Signal
from .naming import share_field, unique_names
from .notes import about, left_out
from .numbering import Groups, gaps, grouped
from .source import Frame, Source

Opener = Callable[[Path], Source]

TIMES = ("live_time", "real_time", "exposure", "dwell_time")
"""What a file may state of all of its frames together: never the series'."""


@dataclass(eq=False)
class Role:
    """The files that carry the same signals, one per frame number."""

    pattern: str
    files: dict[Any, Path]  # by number, or by their order where their names tell none
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
    roles, surveys = _companions(_roles(grouped(paths), open_file))
    signals = _name([*roles, *surveys])
    share_field(signals)
    if len(roles) > 1:
        _check_pairs(roles)
    metadata: dict[str, Any] = {}
    static: dict[str, Any] = {}
    notes: list[str] = []
    for role in [*roles, *surveys]:
        metadata = {**role.probe.metadata, **metadata}
        notes += gaps(role.pattern, [number for number in role.files if not isinstance(number, tuple)])
        static.update((role.names[name], value) for name, value in role.probe.static.items())
        notes += about(next(iter(role.files.values())).name, role.probe.notes)
    for role in surveys:
        path = next(iter(role.files.values()))
        notes.append(f"{path.name}: one image beside many frames is stored as a survey; where it lies is not known")
        for data, _ in open_file(path).frames:
            static.update((role.names[name], value) for name, value in data.items())
    for name in TIMES:
        metadata.pop(name, None)
    single = all(role.probe.n_frames == 1 for role in roles)
    n_frames = len(roles[0].files) if single else None
    return Source(signals, _frames(roles, open_file, metadata, notes), n_frames, static, metadata, notes)


def _roles(groups: Groups, open_file: Opener) -> list[Role]:
    """Put patterns whose files hold the same signals together: those files are successive frames."""
    roles: list[Role] = []
    for pattern, files in groups.items():
        probe = open_file(next(iter(files.values())))
        probe.frames = iter(())  # closes the file, which is opened again when its frame is due
        same = next((role for role in roles if _same(role.signals, probe.signals)), None)
        if same is None:
            names = {signal.name: signal.name for signal in probe.signals}
            roles.append(Role(pattern, dict(files), probe.signals, probe, names))
            continue
        if len(same.files) > 1 and len(files) > 1:
            raise UsageError(
                f"{next(iter(same.files.values()))} and {next(iter(files.values()))} hold the same signals under two "
                "name patterns; tell the detectors apart in the files' names, or pass one series"
            )
        same.files = {**same.files, **{("later", len(same.files) + i): path for i, path in enumerate(files.values())}}
    return sorted(roles, key=lambda role: all(signal.kind == "image" for signal in role.signals))


def _companions(roles: list[Role]) -> tuple[list[Role], list[Role]]:
    """Tell single images that lie beside many frames from the files that hold frames."""

    def single(role: Role) -> bool:
        images = all(signal.kind == "image" for signal in role.signals)
        return images and len(role.files) == 1 and role.probe.n_frames == 1

    frames = [role for role in roles if not single(role)]
    numbers = {number for role in frames if len(role.files) > 1 for number in role.files}
    many = any(len(role.files) > 1 or (role.probe.n_frames or 2) > 1 for role in frames)
    surveys = [role for role in roles if single(role) and many and not numbers & set(role.files)]
    for role in surveys:
        role.signals = [signal.amended({"role": "survey"}) for signal in role.signals]
    return [role for role in roles if role not in surveys], surveys


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


def _frames(roles: list[Role], open_file: Opener, metadata: dict[str, Any], notes: list[str]) -> Iterator[Frame]:
    """Read file after file; remarks on files after the first are added to the notes."""
    for place, number in enumerate(roles[0].files):
        paths = [role.files[number] for role in roles]
        sources = [open_file(path) for path in paths]
        for path, source in zip(paths, sources, strict=True) if place else ():
            notes += about(path.name, source.notes)
            if source.static:
                notes.append(left_out(f"{path.name}: {', '.join(source.static)} left out: the first file's are kept"))
        shifts = [_fitting(role, path, source) for role, path, source in zip(roles, paths, sources, strict=True)]
        iterators = [source.frames for source in sources]
        while True:
            parts = [next(iterator, None) for iterator in iterators]
            if all(part is None for part in parts):
                break
            if None in parts:
                raise UsageError(f"{paths[parts.index(None)]} has fewer frames than the file it is paired with")
            yield _merged(roles, [part for part in parts if part is not None], shifts, sources, metadata)


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


def _merged(
    roles: list[Role],
    parts: list[Frame],
    shifts: list[dict[str, float]],
    sources: list[Source],
    metadata: dict[str, Any],
) -> Frame:
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
        own = _own(role, source, metadata)
        if source.n_frames == 1:
            for key in set(own) & set(TIMES):
                out.setdefault(key, {}).update(own.pop(key))
        if own:
            out["metadata"] = {**own, **out.get("metadata", {})}
    return data, out


def _own(role: Role, source: Source, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what a file states that the series does not: its start, its times, and what differs from file to file."""
    out: dict[str, Any] = {}
    for key, value in source.metadata.items():
        if key in TIMES and isinstance(value, dict):
            out[key] = {role.names[name]: time for name, time in value.items() if name in role.names}
        elif key == "local_start_time" or value != metadata.get(key):
            out[key] = value
    return out

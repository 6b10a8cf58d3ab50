"""JEOL Analysis Station `.pts`: X-ray events and images of every sweep."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, TruncatedError, UsageError
from ..signal import Signal
from .jeol_header import Tree, find, parse
from .jeol_stream import CHANNELS, GRID, Area, Sweep, Words, sweeps
from .notes import aside, left_out
from .source import Frame, Source
from .units import linear_axis, number, positive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_HEADER = 1 << 26
MAX_FOREIGN = 0.01  # share of words of unknown type above which the data are not taken for event words

_DATA = ("PTTD Data", "AnalyzableMap MeasData")
_DETECTOR = ("PTTD Param", "Params", "PARAMPAGE0_SEM")


def read(path: Path) -> Source:
    """Open a `.pts` file; see `lbj.importing.open_source`."""
    notes: list[str] = []
    header, start, stamp = _header(path, notes)
    grid = _grid(path, header)
    whole = (0, 0, grid[0] - 1, grid[1] - 1)
    area = _area(header, grid) or whole
    words = Words(path, start, grid, area)
    words.look()
    if words.outside:
        notes.append(f"the header says that only {_said(area)} was scanned, but there are events elsewhere")
        words = Words(path, start, grid, whole)
        words.look()
    elif area != whole:
        notes.append(f"only {_said(area)} of {grid[1]} x {grid[0]} pixels was scanned: it is the field")
    declared = number(find(header, *_DATA, "Doc", "Sweep"))
    if words.total and declared is not None and declared != words.sweeps:
        notes.append(f"the header says {declared:g} sweeps, {words.sweeps} were found")
    if words.total == 0:
        raise TruncatedError(f"{path}: no event words where the header says the data begin", offset=start)
    if words.foreign > MAX_FOREIGN * words.total:
        raise DamagedError(f"{path}: {words.foreign} of {words.total} words are of no known type", offset=start)
    if find(header, "EDS Data", "AnalyzableMap MeasData", "Data", "EDXRF") is not None:
        notes.append(aside("the program's sum spectrum left out: it is the sum of the sweeps"))
    notes.append(aside("left out: emission current, working distance and the program's settings for display"))
    with_image = words.images > 0
    if words.foreign:
        notes.append(left_out(f"{words.foreign} words of unknown type ignored"))
    timing = _Timing(header, words, notes, whole=area == words.area)
    space, shape = _space_axes(header, words), words.shape
    signals = [
        Signal("EDX", "events", (*shape, CHANNELS), axes=[*space, _energy_axis(header)], metadata=_detector(header))
    ]
    if with_image:
        signals.append(Signal("image", "image", shape, dtype="uint16", axes=space))
    metadata = {**_metadata(header, stamp), **timing.series}
    return Source(signals, _frames(words, with_image, timing), words.sweeps, metadata=metadata, notes=notes)


def _header(path: Path, notes: list[str]) -> tuple[Tree, int, float]:
    """Return the header's tree, where the words begin, and the date (days since 1899-12-30)."""
    with open(path, "rb") as file:
        data = file.read(MAX_HEADER)
    if len(data) < 317:
        raise TruncatedError(f"{path}: a .pts header has at least 317 bytes, found {len(data)}")
    if data[:4] != b"\x30\x01\0\0" or data[4:8] != b"PTTD":
        raise UsageError(f"{path}: no JEOL .pts file: it begins with {data[:12]!r}")
    tree_at, _, start, end = (int(value) for value in np.frombuffer(data, "<u4", 4, 20))
    size = path.stat().st_size
    if not tree_at + 12 <= start <= size:
        raise TruncatedError(
            f"{path}: the header is said to be at byte {tree_at}, the data at {start}, of {size} bytes", offset=20
        )
    if end > size:
        notes.append(
            left_out(f"the file announces {end} bytes and has {size}: it was cut, its last sweeps are missing")
        )
    try:
        tree = parse(data[:start], tree_at + 12)
    except DamagedError as error:
        raise DamagedError(f"{path}: {error.reason}", offset=error.offset) from None
    return tree, start, float(np.frombuffer(data, "<f8", 1, 296)[0])


def _grid(path: Path, header: Tree) -> tuple[int, int]:
    text = find(header, *_DATA, "Meas Cond", "Pixels")
    width, _, height = str(text).partition("x")
    if not (width.isdigit() and height.isdigit() and 1 <= int(width) <= GRID and 1 <= int(height) <= GRID):
        raise DamagedError(f"{path}: Meas Cond/Pixels must be WIDTHxHEIGHT of 1 to {GRID}, found {text!r}")
    return int(height), int(width)


def _area(header: Tree, grid: tuple[int, int]) -> Area | None:
    """Return (top, left, bottom, right) of what was scanned, the last pixels included; None where nothing is said."""
    corners = find(header, *_DATA, "Meas Cond", "Aim Area")
    if not isinstance(corners, np.ndarray) or corners.size != 4:
        return None
    left, top, right, bottom = corners.tolist()
    return (top, left, bottom, right) if 0 <= top <= bottom < grid[0] and 0 <= left <= right < grid[1] else None


def _said(area: Area) -> str:
    top, left, bottom, right = area
    rows = f"row {top}" if top == bottom else f"rows {top} to {bottom}"
    return f"{rows}, columns {left} to {right},"


def _space_axes(header: Tree, words: Words) -> list[dict[str, Any]]:
    size = positive(find(header, *_DETECTOR, "ScanSize"))  # mm at magnification 1
    magnification = positive(find(header, *_DATA, "MeasCond", "Mag"))
    field = size / magnification if size and magnification else None
    axes = []
    for name, many, n, first in zip(("y", "x"), words.shape, words.grid, words.area, strict=False):
        scale = field / n if field else None
        axes.append(linear_axis(name, many, first * scale if scale else None, scale, "mm"))
    return axes


def _energy_axis(header: Tree) -> dict[str, Any]:
    scale = positive(find(header, *_DATA, "Doc", "CoefA"))
    zero = number(find(header, *_DATA, "Doc", "CoefB"))
    pulse = str(find(header, *_DATA, "Meas Cond", "Tpl"))
    channel = number(find(header, "PTTD Param", "Params", "PARAMPAGE1_EDXRF", "Tpl", pulse, "DigZ"))
    known = scale is not None and zero is not None and channel is not None
    offset = zero - scale * channel if known else None  # type: ignore[operator]
    return linear_axis("energy", CHANNELS, offset, scale, "keV")


def _detector(header: Tree) -> dict[str, Any]:
    out = {"detector": find(header, *_DETECTOR, "DetT")}
    for key, vendor in (("elevation", "ElevAng"), ("azimuth", "DirAng")):
        degrees = number(find(header, *_DETECTOR, vendor))
        out[key] = None if degrees is None else math.radians(degrees)
    out["energy_resolution"] = positive(find(header, *_DETECTOR, "MnKaRES"))
    return {key: value for key, value in out.items() if value is not None}


def _metadata(header: Tree, stamp: float) -> dict[str, Any]:
    volts = positive(find(header, *_DATA, "MeasCond", "AccKV"))
    rotation = number(find(header, *_DATA, "MeasCond", "ScanR"))
    out = {
        "beam_energy": None if volts is None else volts * 1e3,
        "magnification": positive(find(header, *_DATA, "MeasCond", "Mag")),
        "microscope": find(header, *_DETECTOR, "SEM") or None,
        "scan_rotation": None if rotation is None else math.radians(rotation),
    }
    if 1 < stamp < 2**20:
        begun = datetime(1899, 12, 30) + timedelta(days=stamp)  # noqa: DTZ001 -- the file states no zone
        out["local_start_time"] = begun.replace(microsecond=0).isoformat()
    return {key: value for key, value in out.items() if value is not None}


class _Timing:
    """Times of a sweep: dwell from the header, live time from the clock ticks where they agree with the header."""

    def __init__(self, header: Tree, words: Words, notes: list[str], *, whole: bool) -> None:
        dwell = positive(find(header, *_DATA, "Doc", "DwellTime(msec)"))
        live, real = (positive(find(header, *_DATA, "Doc", key)) for key in ("LiveTime", "RealTime"))
        real_ticks, live_ticks = words.ticks
        self.pixels = math.prod(words.shape)
        self.dwell = None if dwell is None else dwell / 1e3
        self.live_clock = bool(find(header, *_DATA, "Meas Cond", "LTDwellT"))  # the dwell time is live time
        declared = live / real if live and real else 0.0
        self.ticks = real_ticks > 0 and abs(live_ticks / real_ticks - declared) < 0.005 * declared
        self.whole = whole  # whether every pixel was scanned
        per_sweep = self.whole and self.dwell is not None
        self.series: dict[str, Any] = {}
        if per_sweep and self.ticks and not self.live_clock:
            notes.append(
                aside("EDX: live_time of a sweep is its ratio of live to real clock ticks times its real time")
            )
        for key, value, known in (
            ("live_time", live, per_sweep and (self.live_clock or self.ticks)),
            ("real_time", real, per_sweep and not self.live_clock),
        ):
            if value and not known:
                self.series[key] = {"EDX": value}
                notes.append(f"EDX: {key} is known for the whole series only and stands in the journal's metadata")

    def of(self, sweep: Sweep) -> dict[str, Any]:
        """Return dwell, real and live time (s) of one sweep, and how far it came if it broke off."""
        out: dict[str, Any] = {}
        if self.dwell is not None:
            out["dwell_time"] = {"EDX": self.dwell}
        if not self.whole:
            return out
        if sweep.scanned < self.pixels:
            out["scanned_pixels"] = sweep.scanned
        if self.dwell is None:
            return out
        spent = sweep.scanned * self.dwell
        out["live_time" if self.live_clock else "real_time"] = {"EDX": spent}
        real, live = sweep.ticks
        if self.ticks and real and not self.live_clock:
            out["live_time"] = {"EDX": spent * min(live / real, 1.0)}
        return out


def _frames(words: Words, with_image: bool, timing: _Timing) -> Iterator[Frame]:
    for sweep in sweeps(words):
        data: dict[str, Any] = {"EDX": sweep.events}
        if with_image:
            top = int(sweep.image.max())
            if top > 65535:
                raise DamagedError(f"{words.path}: the image words of one pixel add up to {top}")
            data["image"] = sweep.image.astype(np.uint16)
        yield data, timing.of(sweep)

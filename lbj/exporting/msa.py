"""Export to EMSA/MAS ``.msa`` (ISO 22029): the sum spectrum over field and frames, a file for each signal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..importing.naming import members
from .numbers import axis_values
from .spectrum import sum_spectrum

if TYPE_CHECKING:
    from ..signal import Signal
    from .series import Series

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
COLUMNS = 5  # of numbers in a line


def write(series: Series, path: Path) -> None:
    """Write the sum spectrum of every signal; the first gets the name given."""
    signals = [s for s in series.summed if s.kind != "image" and any(True for _ in series.frames(s.name))]
    if not signals:
        raise UsageError("the selected frames hold no spectra; images go to .tif")
    names = members(signal.name for signal in signals)
    for number, signal in enumerate(signals):
        out = path.with_stem(f"{path.stem}_{names[signal.name]}") if number else path
        lines = [
            f"#{key:<12}: {' '.join(str(value).split())[:64]}".rstrip(" ") for key, value in _header(series, signal)
        ]
        lines += [*_data(series, signal), f"#{'ENDOFDATA':<12}:"]
        out.write_text("\n".join(lines) + "\n", encoding="ascii", errors="replace", newline="\r\n")


def _header(series: Series, signal: Signal) -> Iterator[tuple[str, Any]]:
    axis, metadata = signal.axes[-1], series.journal.metadata
    yield "FORMAT", "EMSA/MAS Spectral Data File"
    yield "VERSION", "1.0"
    yield "TITLE", metadata.get("title") or signal.name
    day, _, clock = str(
        series.journal[series.numbers[0]].start_time or metadata.get("local_start_time") or ""
    ).partition("T")
    yield "DATE", _date(day)
    yield "TIME", clock[:5]
    yield "OWNER", ""
    yield "NPOINTS", signal.channels
    yield "NCOLUMNS", 1 if "values" in axis else COLUMNS
    yield "XUNITS", axis.get("units") or "channel"
    yield "YUNITS", "counts" if signal.kind == "events" else "intensity"
    yield "DATATYPE", "XY" if "values" in axis else "Y"
    yield "XPERCHAN", _number(axis.get("scale", 1.0))
    yield "OFFSET", _number(axis["values"][0] if "values" in axis else axis.get("offset", 0.0))
    x_ray = signal.kind == "events" or signal.name.startswith("EDX")
    if x_ray or signal.name.startswith("EELS"):
        yield "SIGNALTYPE", "EDS" if x_ray else "ELS"
    yield "XLABEL", axis["name"]
    yield "COMMENT", f"{signal.name}: sum over {signal.pixels} pixels and {_depth(series, signal)} frames, as recorded"
    for key, value, factor in (
        ("BEAMKV   -kV", metadata.get("beam_energy"), 1e-3),
        ("PROBECUR -nA", series.mean("beam_current"), 1e9),
        ("CONVANGLE-mR", metadata.get("convergence_angle"), 1e3),
    ):
        if isinstance(value, (int, float)):
            yield key, _number(value * factor)
    yield from _detector(series, signal, x_ray=x_ray)
    yield "SPECTRUM", "Spectral data starts here"


def _detector(series: Series, signal: Signal, *, x_ray: bool) -> Iterator[tuple[str, str]]:
    known = {**series.journal.metadata, **series.detector(signal.name)}
    degree = 180 / math.pi
    if x_ray:
        wanted = [("ELEVANGLE-dg", known.get("elevation"), degree), ("AZIMANGLE-dg", known.get("azimuth"), degree),
                  ("SOLIDANGL-sR", known.get("solid_angle"), 1.0)]  # fmt: skip
        wanted += [("LIVETIME  -s", series.total(signal.name, "live_time"), 1.0),
                   ("REALTIME  -s", series.total(signal.name, "real_time"), 1.0)]  # fmt: skip
    else:
        exposure = series.total(signal.name, "exposure")
        wanted = [("COLLANGLE-mR", known.get("collection_angle"), 1e3),
                  ("INTEGTIME-ms", None if exposure is None else exposure * signal.pixels, 1e3)]  # fmt: skip
    for key, value, factor in wanted:
        if isinstance(value, (int, float)):
            yield key, _number(value * factor)


def _data(series: Series, signal: Signal) -> Iterator[str]:
    spectrum, axis = sum_spectrum(series, signal), signal.axes[-1]
    if "values" in axis:
        yield from (f"{_number(x)}, {_number(y)}" for x, y in zip(axis_values(axis), spectrum, strict=True))
        return
    for start in range(0, len(spectrum), COLUMNS):
        yield ", ".join(_number(value) for value in spectrum[start : start + COLUMNS])


def _depth(series: Series, signal: Signal) -> int:
    return sum(1 for _ in series.frames(signal.name))


def _number(value: Any) -> str:
    """Write a number so that it is read as the same, with a point, as the format asks for."""
    text = repr(float(value))
    return text if abs(float(value)) < 1e16 else f"{float(value):.16e}"


def _date(day: str) -> str:
    parts = day.split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or not 1 <= int(parts[1]) <= 12:
        return ""
    return f"{parts[2]}-{MONTHS[int(parts[1]) - 1]}-{parts[0]}"

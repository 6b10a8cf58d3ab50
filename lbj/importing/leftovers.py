"""Left-over metadata: what a vendor's file says that the journal has no name for, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import hyperspy_names as hs
from .elements import symbols
from .hyperspy_names import slug
from .notes import aside
from .units import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .library import Item

NAMED = 8  # descriptions that are named before the rest are counted
LONGEST = 40  # letters of a name
MOST = 100_000  # tags after which counting stops

_TAKEN = {
    "General.title", "General.date", "General.time", "General.original_filename",
    "Signal.signal_type", "Signal.quantity", "Signal.record_by", "Signal.signal_origin", "Sample.elements",
    "Sample.description",
    *(f"Acquisition_instrument.Detector.{key}" for key, _ in hs.OPTICAL_TIMES),
}  # fmt: skip
_BY_MODE = {
    *(path for path, *_ in (*hs.SERIES, *hs.DETECTOR, *hs.TIMES, hs.BEAM_CURRENT)), *hs.TILTS,
    *(path for path, *_ in hs.SPECTROMETER), "Detector.EELS.spectrometer", "microscope", "acquisition_mode",
}  # fmt: skip
_NUMBERS = {path for path, *_ in (*hs.SERIES, *hs.DETECTOR, *hs.TIMES, hs.BEAM_CURRENT)} | set(hs.TILTS)
_MODES = tuple(f"Acquisition_instrument.{mode}." for mode in ("TEM", "SEM"))
_COMMON = {0.0, 1.0, -1.0, "true", "false", "x", "y"}  # values that agree by chance
_OF_THE_PROGRAM = ("_HyperSpy", "General.FileIO", "_internal_parameters")


def told(items: list[Item]) -> list[str]:
    """Return notes on the descriptions of a file's arrays that do not come along."""
    names: dict[str, None] = {}
    unclear: dict[str, None] = {}
    tags: dict[str, None] = {}
    for item in items:
        metadata = item.get("metadata")
        placed = "stage_position" in hs.series_metadata(metadata or {})
        for path, value in _paths(metadata):
            if _unclear(path, value):
                unclear[f"{_short(path)} {str(value)[:LONGEST]!r}"] = None
            if not _taken(path.removesuffix("_units")) and not (placed and path.endswith(hs.STAGE)):
                names[path] = None
        kept = {_plain(value) for part in (metadata, *(item.get("axes") or ())) for _, value in _paths(part)}
        mapped = {slug(path) for path in item.get("mapping") or ()}
        for path, value in _paths(item.get("original_metadata")):
            telling = _plain(value) not in kept or _plain(value) in _COMMON
            if telling and not path.startswith("lbj") and slug(path) not in mapped:
                tags[path.rsplit(".", 1)[-1]] = None
    out: list[str] = []
    if unclear:
        out.append(f"stated, but not as a value that could be taken: {_listed(unclear)}")
    for item in items:
        for axis in item.get("axes") or ():
            step = axis.get("scale")
            if step is not None and axis.get("axis") is None and not number(step):
                out.append(f"its axis {axis.get('name') or 'without a name'} states a step of {step}: not calibrated")
    if names:
        out.append(aside(f"descriptions left out that have no name in a journal: {_listed(map(_short, names))}"))
    if tags:
        out.append(aside(f"tags left out that have no name in a journal: {_listed(tag[:LONGEST] for tag in tags)}"))
    return out


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:NAMED]) + (f" and {len(every) - NAMED} more" if len(every) > NAMED else "")


def _plain(value: Any) -> Any:
    """Normalise a value, so that a number equals its text."""
    found = number(value)
    return str(value).strip().lower() if found is None else found


def _short(path: str) -> str:
    inner = next((path[len(mode) :] for mode in _MODES if path.startswith(mode)), path)
    return inner[-LONGEST:]


def _unclear(path: str, value: Any) -> bool:
    """Tell whether a value under a known name was not understood: not the number, text or element it should be."""
    if path in ("General.date", "General.time"):
        return not isinstance(value, str)
    if path == "Sample.elements":
        return len(symbols(hs.listed(value))) < len(hs.listed(value))
    inner = next((path[len(mode) :] for mode in _MODES if path.startswith(mode)), None)
    return inner in _NUMBERS and number(value) is None


def _taken(path: str) -> bool:
    if path in _TAKEN or path.startswith(_OF_THE_PROGRAM):
        return True
    return any(path.startswith(mode) and path[len(mode) :] in _BY_MODE for mode in _MODES)


def _paths(item: Any) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path of every value that says something, and the value."""
    if not hasattr(item, "items"):
        return
    waiting: list[tuple[str, Any]] = [("", item)]
    seen = 0
    while waiting and seen < MOST:
        prefix, value = waiting.pop()
        seen += 1
        if hasattr(value, "items"):
            waiting += [(f"{prefix}.{key}" if prefix else str(key), inner) for key, inner in value.items()][::-1]
        elif prefix and not (value is None or (isinstance(value, (str, list, tuple, dict)) and not value)):
            yield prefix, value

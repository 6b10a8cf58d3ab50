"""What a file's descriptions hold beside what the journal has a name for, as one line each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from . import hyperspy_names as hs
from .notes import aside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .library import Item

NAMED = 8  # descriptions that are named before the rest are counted
LONGEST = 40  # letters of a name
MOST = 100_000  # tags that are counted

_TAKEN = {
    "General.title", "General.date", "General.time", "General.time_zone", "General.original_filename",
    "Signal.signal_type", "Signal.quantity", "Signal.record_by", "Signal.signal_origin", "Sample.elements",
    "Sample.description",
    *(f"Acquisition_instrument.Detector.{key}" for key, _ in hs.OPTICAL_TIMES),
}  # fmt: skip
_BY_MODE = {
    *(path for path, *_ in (*hs.SERIES, *hs.DETECTOR, *hs.TIMES, hs.BEAM_CURRENT)), *hs.TILTS,
    *(path for path, *_ in hs.SPECTROMETER), "Detector.EELS.spectrometer", "microscope", "acquisition_mode",
}  # fmt: skip
_MODES = tuple(f"Acquisition_instrument.{mode}." for mode in ("TEM", "SEM"))
_OF_THE_PROGRAM = ("_HyperSpy", "General.FileIO", "_internal_parameters")


def told(items: Iterable[Item]) -> list[str]:
    """Return notes on the descriptions of a file's arrays that do not come along."""
    names: dict[str, None] = {}
    tags: Counter[str] = Counter()
    for item in items:
        placed = "stage_position" in hs.series_metadata(item.get("metadata") or {})
        for path in _paths(item.get("metadata")):
            if not _taken(path) and not (placed and path.endswith(hs.STAGE)):
                names[path] = None
        original = item.get("original_metadata")
        for path in _paths(original):
            tags[path.split(".", 1)[0]] += 1
    out: list[str] = []
    if names:
        shown = ", ".join(_short(name) for name in list(names)[:NAMED])
        rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        out.append(aside(f"descriptions left out that have no name in a journal: {shown}{rest}"))
    tags.pop("lbj", None)
    if tags:
        shown = ", ".join(f"{n} in {name[:LONGEST]}" for name, n in tags.most_common(4))
        count = sum(tags.values())
        out.append(aside(f"of {count} tags of the file only those with a name in a journal are kept ({shown})"))
    return out


def _short(path: str) -> str:
    inner = next((path[len(mode) :] for mode in _MODES if path.startswith(mode)), path)
    return inner[-LONGEST:]


def _taken(path: str) -> bool:
    if path in _TAKEN or path.startswith(_OF_THE_PROGRAM):
        return True
    return any(path.startswith(mode) and path[len(mode) :] in _BY_MODE for mode in _MODES)


def _paths(item: Any) -> Iterator[str]:
    """Yield the dotted path of every value that says something."""
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
            yield prefix

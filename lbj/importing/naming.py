"""Naming: a unique name for each signal of a series, and the common field that finer images are mapped to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..signal import Axis, Signal

_DETECTOR = re.compile(r"(?<![A-Za-z])(HAADF|MAADF|LAADF|ABF|ADF|BF|DF\d?|BSE|SEI|SE)(?![A-Za-z])", re.IGNORECASE)


def detector_name(*texts: str) -> str:
    """Return the first detector that one of the texts (a title, a file name) mentions, else ``image``.

    ``Se`` is selenium.
    """
    for text in texts:
        found = [name for name in _DETECTOR.findall(text) if name != "Se"]
        if found:
            return str(found[0]).upper()
    return "image"


def unique_names(wanted: Sequence[str], energy: Sequence[Axis | None]) -> list[str]:
    """Make the names of one frame's signals unique.

    Parameters
    ----------
    wanted : list of str
        The name each signal would have on its own.
    energy : list of axis or None
        Its energy axis, for those that have one.

    Returns
    -------
    list of str
        Several ``EDX`` become ``EDX-1`` …; two ``EELS`` become ``EELS-LL`` and ``EELS-HL`` in order of energy; of
        other names the second becomes ``NAME-2`` and so on.
    """
    out = list(wanted)
    for name in dict.fromkeys(wanted):
        places = [i for i, other in enumerate(wanted) if other == name]
        if len(places) == 1:
            continue
        if name == "EELS" and len(places) == 2:
            places.sort(key=lambda i: float((energy[i] or {}).get("offset", 0.0)))
            suffixes = ["-LL", "-HL"]
        elif name in ("EDX", "EELS"):
            suffixes = [f"-{k + 1}" for k in range(len(places))]
        else:
            suffixes = ["", *(f"-{k + 2}" for k in range(len(places) - 1))]
        for place, suffix in zip(places, suffixes, strict=True):
            out[place] = name + suffix
    return out


def share_field(signals: Iterable[Signal]) -> None:
    """Give images sampled finer or coarser than their spectrum image the map to its pixels.

    Pixels are areas, so index ``i`` of an image ``r`` times finer lies at ``(i + 1/2) / r - 1/2``. An image whose
    proportions differ by more than 5 % shows another field and gets no map.
    """
    ordinary = [signal for signal in signals if not signal.static]
    spectral = [signal for signal in ordinary if signal.kind != "image" and len(signal.shape) == 3]
    if not spectral:
        return
    ny, nx = spectral[0].shape[:2]
    for signal in ordinary:
        nav = signal.shape if signal.kind == "image" else signal.shape[:-1]
        if signal.to_field is not None or len(nav) != 2 or nav == (ny, nx):
            continue
        sy, sx = ny / nav[0], nx / nav[1]
        if abs(sy / sx - 1) > 0.05:
            continue
        signal.to_field = [[sy, 0.0, (sy - 1) / 2], [0.0, sx, (sx - 1) / 2]]


def members(names: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Return names under which signals stand side by side in HDF5, an archive or a folder: no two alike but for case.

    There a slash parts names, and a dot alone means the place itself; `reserved` are taken already.
    """
    out: dict[str, str] = {}
    taken = {name.casefold() for name in reserved}
    times: dict[str, int] = {}
    for name in names:
        base = found = name.replace("/", "_") if name.strip(".") else name.replace(".", "_")
        while found.casefold() in taken:
            times[base] = times.get(base, 1) + 1
            found = f"{base}_{times[base]}"
        taken.add(found.casefold())
        out[name] = found
    return out

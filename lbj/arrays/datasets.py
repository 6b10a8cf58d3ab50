"""Journals for xarray: every signal as a variable on named axes, with coordinates, units and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..format.attributes import PER_FRAME
from .dask_arrays import to_dask
from .frames import FrameArray, stored

if TYPE_CHECKING:
    from ..frame import JournalLike
    from ..signal import Axis

UNITS = {"beam_current": "A", "screen_current": "A", "time_offset": "s", "rotation": "rad"}


def to_xarray(journal: JournalLike) -> Any:
    """Return a Dataset of all signals.

    Returns
    -------
    xarray.Dataset
        A variable for every signal that a frame holds, each detector and the sum of a group, and for the static ones:
        dask arrays of (frame, y, x, energy) or (frame, y, x), read when computed. Dimensions bear the names of the
        axes, with ``_SIGNAL`` added where an earlier signal has another axis of that name; coordinates are in the
        journal's units (eV, m, s, rad), which their attribute ``units`` names. ``frame`` counts the journal's frames;
        ``region``, ``beam_current`` and so on go along it where every frame states them. A signal that some frames
        lack has an axis ``frame_SIGNAL`` of its own. Attributes: the journal's metadata, and of a variable what is
        known of its detector.

    Raises
    ------
    UsageError
        If xarray is not installed, or the journal was opened from a file object.
    """
    try:
        import xarray
    except ImportError as error:
        raise UsageError(f"datasets need xarray ({error}): pip install 'mfsi[arrays]'") from error
    frames = list(journal)
    held = [set(one.names) for one in frames]
    everything = list(range(len(frames)))
    names = [name for signal in journal.signals.values() for name in (signal.group, signal.name) if name]
    taken = {*names, "frame"}
    axes: dict[str, Axis] = {}
    variables: dict[str, Any] = {}
    frame = "frame" if "frame" not in names else "frame_number"
    coords: dict[str, Any] = {frame: (frame, everything, {"long_name": "number of the frame"})}
    for name in dict.fromkeys(names):
        signal, members = journal.signals[name], journal.signals.group(name)
        numbers = [] if signal.static else [n for n in everything if held[n].issuperset(members)]
        if not stored(journal, signal, numbers):
            continue
        dims: list[str] = []
        for axis in signal.axes:
            dims.append(_dimension(axis, name, axes, taken.union(dims)))
        if not signal.static:
            own = frame if numbers == everything else f"{frame}_{name}"
            coords[own] = (own, numbers, {"long_name": "number of the frame"})
            dims.insert(0, own)
        data = to_dask(FrameArray(journal, signal, members, numbers))
        variables[name] = (dims, data, {"kind": signal.kind, **_plain(signal.metadata)})
    for dimension, axis in axes.items():
        values = axis.get("values")
        if values is None:
            values = axis.get("offset", 0.0) + axis.get("scale", 1.0) * np.arange(axis["size"])
        coords[dimension] = (dimension, values, {"units": axis.get("units", "")})
    coords.update({name: value for name, value in _of_frames(frames, frame).items() if name not in names})
    return xarray.Dataset(variables, coords, _plain(journal.metadata))


def _dimension(axis: Axis, signal: str, known: dict[str, Axis], taken: set[str]) -> str:
    """Name of the dimension that an axis is, not one of `taken`: another axis of that name gets the signal's name."""
    name = str(axis["name"])
    while name in taken or known.setdefault(name, axis) != axis:
        name = f"{name}_{signal}"
    return name


def _of_frames(frames: list[Any], dimension: str) -> dict[str, Any]:
    known = [frame.known for frame in frames]
    out: dict[str, Any] = {}
    if any(one.get("region") for one in known):
        out["region"] = (dimension, [int(one.get("region", 0)) for one in known])
    for name in PER_FRAME:
        values = [one.get(name) for one in known]
        if values and None not in values:
            out[name] = (dimension, values, {"units": UNITS[name]})
    return out


def _plain(metadata: dict[str, Any]) -> dict[str, Any]:
    """Values that attributes of netCDF and zarr files can be: texts, numbers and lists of them."""
    good = (str, int, float)
    return {
        key: value
        for key, value in metadata.items()
        if (isinstance(value, good) and not isinstance(value, bool))
        or (isinstance(value, list) and value and len({type(one) for one in value}) == 1 and isinstance(value[0], good))
    }

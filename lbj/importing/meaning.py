"""Meaning of an array's axes: which one is the energy, which are the map, and which counts frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .notes import left_out
from .units import Axis, linear_axis, number, table_axis, unit

if TYPE_CHECKING:
    from .library import Item

_SPECTRAL = ("energy", "wavelength", "wavenumber", "raman", "x-ray energy", "frequency")
_FRAMES = {"t", "time", "frame", "frames", "sweep", "stack", "stack_element", "sequence", "image number"}
_X, _Y = ("x", "width", "column", "columns"), ("y", "height", "row", "rows")
MAX_AXES = 8


@dataclass
class Arrangement:
    """What the axes of a stored array are, as indices into its shape.

    Attributes
    ----------
    frames : int or None
        The axis along which frames succeed one another.
    space : list of int
        Navigation axes in the journal's order.
    spectral : int or None
        The channels.
    """

    frames: int | None
    space: list[int]
    spectral: int | None


def arrange(item: Item, notes: list[str], name: str) -> Arrangement | None:
    """Tell the axes of an item apart; None, with a note, where it is nothing that a frame could hold.

    What the importer knows goes first (``item["spectral"]``, ``item["frames"]``: an index, or None for no such axis);
    then unit and name of an axis, then which axes HyperSpy calls the signal's, then their order.
    """
    axes = item["axes"]
    spectral = item["spectral"] if "spectral" in item else _spectral(axes)
    space = [i for i in range(len(axes)) if i != spectral]
    frames = item["frames"] if "frames" in item else _frames(axes, space, spectral)
    space = [i for i in space if i != frames]
    if len(space) > MAX_AXES - 1 or (not space and spectral is None):
        notes.append(left_out(f"{name}: left out: {len(space)} axes beside the spectrum"))
        return None
    called = [_called(axes[i], _X) - _called(axes[i], _Y) for i in space]
    if 1 in called and -1 in called and called.index(1) < called.index(-1):
        space.reverse()  # a library that counts axes from the fastest one
    if frames is not None and "frames" not in item and not counts_frames(axes[frames]) and axes[frames].get("name"):
        notes.append(left_out(f"{name}: its axis {_words(axes[frames])} is stored as successive frames"))
    if len(space) > 2:
        notes.append(left_out(f"{name}: its {len(space)} axes beside the spectrum are kept in one frame"))
    return Arrangement(frames, space, spectral)


def _spectral(axes: list[dict[str, Any]]) -> int | None:
    for i, axis in enumerate(axes):
        if unit(axis.get("units"))[0] == "eV" or str(axis.get("name") or "").lower().startswith(_SPECTRAL):
            return i
    signal = [i for i, axis in enumerate(axes) if axis.get("navigate") is False]
    return signal[0] if len(signal) == 1 else None


def _frames(axes: list[dict[str, Any]], space: list[int], spectral: int | None) -> int | None:
    """Return the axis of the frames: one that says so; of three the one that is not called x or y, or the first."""
    needed = 1 if spectral is None else 0  # axes that an image cannot do without
    telling = [i for i in space if counts_frames(axes[i])]
    if len(space) > needed and len(telling) == 1:
        return telling[0]
    others = [i for i in space if not _called(axes[i], _X + _Y)]
    return (others if len(others) == 1 else space)[0] if len(space) == 3 else None


def counts_frames(axis: dict[str, Any]) -> bool:
    """Whether an axis says that frames follow one another along it."""
    return str(axis.get("name") or "").lower() in _FRAMES or unit(axis.get("units"))[0] == "s"


def _called(axis: dict[str, Any], names: tuple[str, ...]) -> bool:
    return str(axis.get("name") or "").lower() in names


def _words(axis: dict[str, Any]) -> str:
    step = number(axis.get("scale"))
    steps = f" of {step:g} {axis.get('units') or ''}".rstrip() if step is not None and axis.get("units") else ""
    return f"{axis['name']!r} ({axis['size']} steps{steps})"


def described(axis: dict[str, Any], name: str) -> Axis:
    """Describe an axis of an item in the journal's units."""
    if axis.get("axis") is not None:
        return table_axis(name, axis["axis"], axis.get("units"))
    return linear_axis(name, axis["size"], axis.get("offset"), axis.get("scale"), axis.get("units"))


def space_names(axes: list[dict[str, Any]]) -> list[str]:
    """Name navigation axes: as the file does, ``y`` and ``x`` for its words for these and where it has none."""
    usual = [*(f"axis{i}" for i in range(len(axes) - 2)), "y", "x"][-len(axes) :] if axes else []
    if len(axes) == 1 and _called(axes[0], _Y):
        return usual  # a line along y, stored as a row
    out = []
    for axis, plain in zip(axes, usual, strict=True):
        name = str(axis.get("name") or "").strip()
        known = "x" if _called(axis, _X) else "y" if _called(axis, _Y) else name
        out.append(plain if known.lower() in ("", "none", "<undefined>", "<undefined>_axis") else known)
    return out if len(set(out)) == len(out) else usual


def spectral_name(axis: dict[str, Any]) -> str:
    """Name the channels: ``energy``, or as the file calls them."""
    name = str(axis.get("name") or "").strip()
    if unit(axis.get("units"))[0] == "eV" or name.lower().startswith("energy"):
        return "energy"
    return "channel" if name.lower() in ("", "none", "<undefined>", "x", "y", "z") else name

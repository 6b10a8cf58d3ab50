"""Amend: metadata and axis calibrations of a journal, changed by an appended record (`lbj amend`; spec/lbj.md 7.1)."""

from __future__ import annotations

import datetime
import os
from typing import Any, NamedTuple

from ..creating import append
from ..errors import DamagedError, UsageError
from ..format.amendments import WHEN
from ..format.attributes import NAMES
from ..format.metadata import faults
from ..reader import open as open_journal
from ..signal import Axis, Signal
from ..signal_names import Signals
from . import quantities
from .history import changes

PROPERTIES = ("name", "offset", "scale", "units")


class Settings(NamedTuple):
    """What is to be set.

    Attributes
    ----------
    metadata : tuple of str
        ``NAME=VALUE`` of the series, or ``SIGNAL.NAME=VALUE`` of a detector; an empty value takes the name away.
    axes : tuple of str
        ``SIGNAL.AXIS.PROPERTY=VALUE``, the property being ``offset``, ``scale``, ``units`` or ``name``. A number
        without a unit is in the axis's own. ``units`` says what the numbers of the axis have been in all along.
    """

    metadata: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()


def amend(path: str | os.PathLike[str], settings: Settings) -> list[str]:
    """Append what is set to a journal; nothing that is recorded changes.

    Returns
    -------
    list of str
        What changed, as `lbj.archive.history.changes` says it.

    Raises
    ------
    UsageError
        If a name is not known, with those that are; a value is none of its kind; or the journal is being written.
    DamagedError
        If the journal ends in an unfinished frame.
    """
    with open_journal(path) as journal:
        if journal.tail is not None:
            raise DamagedError(
                f"{os.fspath(path)!r} is cut short, and amending would cut it further; 'lbj recover' it first",
                offset=getattr(journal.tail, "offset", None),
            )
        patch = patch_of(journal.signals, settings)
        said = changes(journal.header, patch)
    if said:
        with append(path) as writer:
            writer.amend(stamped(patch))
    return said


def stamped(patch: dict[str, Any]) -> dict[str, Any]:
    """Return the amendment with the instant at which it is made."""
    return {**patch, WHEN: datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def patch_of(signals: Signals, settings: Settings) -> dict[str, Any]:
    """Return the amendment that settings make, for a journal of these signals.

    Raises
    ------
    UsageError
        As `amend`.
    """
    patch: dict[str, Any] = {"metadata": {}, "signals": {}}
    for text in settings.metadata:
        name, said = _parts(text, "NAME=VALUE, as beam_energy=200keV")
        owner, dot, own = name.rpartition(".")
        if not dot:
            if name in NAMES:
                raise UsageError(f"{name} is stored frame by frame, as it was recorded, and is not amended")
            kind = quantities.known_name(name, quantities.SERIES, "metadata")
            patch["metadata"][name] = quantities.value(name, kind, said)
            continue
        kind = quantities.known_name(own, quantities.DETECTOR, f"metadata of {owner}:")
        for signal in _members(signals, owner):
            patch["signals"].setdefault(signal, {}).setdefault("metadata", {})[own] = quantities.value(name, kind, said)
    if wrong := faults(patch["metadata"]):
        raise UsageError("; ".join(wrong))
    for signal, axes in _axes(signals, settings.axes).items():
        patch["signals"].setdefault(signal, {})["axes"] = axes
    return {key: part for key, part in patch.items() if part}


def _parts(text: str, expected: str) -> tuple[str, str]:
    name, equals, said = text.partition("=")
    if not name.strip() or not equals:
        raise UsageError(f"{expected}, is expected; got {text!r}")
    return name.strip(), said


def _members(signals: Signals, name: str) -> list[str]:
    found = signals.group(name)
    if not found:
        groups = {signal.group for signal in signals.values() if signal.group}
        raise UsageError(f"there is no signal {name!r}; there are {', '.join([*signals, *sorted(groups)])}")
    return found


def _axes(signals: Signals, texts: tuple[str, ...]) -> dict[str, list[Axis]]:
    """Return the axes of each signal that is named, with what is set."""
    asked: dict[tuple[str, int], dict[str, str]] = {}
    for text in texts:
        place, said = _parts(text, "SIGNAL.AXIS.PROPERTY=VALUE, as EDX.energy.offset=-10eV")
        whole, _, member = place.rpartition(".")
        if member not in PROPERTIES:
            raise UsageError(f"--axis {text!r}: {member!r} is not known; known are {', '.join(PROPERTIES)}")
        owner, _, axis = whole.rpartition(".")
        for name in _members(signals, owner):
            names = [one["name"] for one in signals[name].axes]
            if names.count(axis) != 1:
                raise UsageError(f"{name} has no axis {axis!r}; it has {', '.join(names)}")
            asked.setdefault((name, names.index(axis)), {})[member] = said
    out: dict[str, list[Axis]] = {}
    for (name, number), wanted in asked.items():
        axes = out.setdefault(name, [dict(axis) for axis in signals[name].axes])
        axes[number] = _axis(signals[name], axes[number], wanted)
    return out


def _axis(signal: Signal, axis: Axis, wanted: dict[str, str]) -> Axis:
    """Return an axis with the properties that are wanted."""
    where = f"{signal.name}.{axis['name']}"
    out = dict(axis)
    if "values" in out and ("offset" in wanted) != ("scale" in wanted):
        raise UsageError(f"{where} is a table of {out['size']} values; only offset and scale together replace it")
    if "name" in wanted:
        out["name"] = wanted["name"].strip()
        if not out["name"] or any(one is not axis and one["name"] == out["name"] for one in signal.axes):
            raise UsageError(f"{where}: {wanted['name']!r} is no name for it; each axis has its own")
    units = out.get("units", "")
    if "units" in wanted:
        units, factor = quantities.known_unit(where, wanted["units"].strip())
        for key in ("offset", "scale"):
            if key in out:
                out[key] *= factor
        if "values" in out:
            out["values"] = [value * factor for value in out["values"]]
    else:
        factor = 1.0
    for key in ("offset", "scale"):
        if key not in wanted:
            continue
        number, found = quantities.measured(f"{where}.{key}", wanted[key])
        if found is not None and units and found[0] != units:
            raise UsageError(f"{where} is in {units}; {key}={wanted[key]!r} measures something else")
        units = units or (found[0] if found else "")
        out[key] = number * (found[1] if found else factor)
        out.pop("values", None)
    if units and "values" not in out and "scale" not in out:
        raise UsageError(f"{where} is not calibrated; its scale is needed too, as --axis {where}.scale=10eV")
    if out.get("scale") == 0:
        raise UsageError(f"{where}: a scale of zero makes no axis")
    if "scale" in out:
        out.setdefault("offset", 0.0)
    out.pop("units", None)
    return {**out, "units": units} if units else out

"""Panta Rhei's ``.prz`` (CEOS): calibrations that rosettasciio leaves out, and orientation of EELS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .hyperspy_names import put
from .units import number

if TYPE_CHECKING:
    from .library import Item

_CALIBRATIONS = ("user.calib", "inherited.calib")  # the device's own is read by rosettasciio


def amend(item: Item) -> None:
    """Complete an item of rosettasciio's reader by what its own tags say.

    Only ``device.calib`` is read there, and EELS are turned round as the device stores them, also those that another
    program stored, which have an inherited calibration instead.
    """
    tags = item.get("original_metadata")
    if not isinstance(tags, dict):
        return
    eels = str(tags.get("filter.mode")) == "EELS"
    for key in _CALIBRATIONS if not tags.get("device.calib") else ():
        found = tags.get(key)
        if isinstance(found, list) and len(found) == len(item["axes"]) and any(found):
            for i, (axis, calibration) in enumerate(zip(item["axes"], found, strict=True)):
                _calibrate(axis, calibration)
                if eels and axis.get("name") == "Energy":
                    item["data"] = item["data"][(slice(None),) * i + (slice(None, None, -1),)]
            break
    if eels and any(axis.get("name") == "Energy" for axis in item["axes"]):
        put(item["metadata"], "Signal.signal_type", "EELS")


def _calibrate(axis: dict[str, Any], calibration: Any) -> None:
    if not isinstance(calibration, dict):
        return
    step = number(calibration.get("value", 1.0))
    factor = number(calibration.get("pixel_factor", 1.0))
    if step is not None and factor is not None:
        start = number(calibration.get("offset", 0.0)) or 0.0
        axis.update(scale=step * factor, offset=start * step, units=calibration.get("unit", ""))

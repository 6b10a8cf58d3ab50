"""What HyperSpy is told of a signal: its axes and metadata, and the journal's own description beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..format.attributes import PER_SIGNAL
from ..importing import hyperspy_names as hs
from ..importing.hspy_journal import LAYOUT
from .series import share

if TYPE_CHECKING:
    from ..signal import Axis, Signal
    from .series import Series

KEPT_OF_SUMS = ("live_time", "real_time", "dwell_time", "exposure")


def axes(signal: Signal, frame_axes: list[Axis]) -> list[dict[str, Any]]:
    """Axes as HyperSpy has them, in the order of the array: lengths in nm, energies of X-rays in keV.

    Parameters
    ----------
    signal : Signal
        Declaration of the data of one frame.
    frame_axes : list of dict
        Axis of the frames, if there is one.
    """
    out = [_axis(axis, signal, "frame") for axis in frame_axes]
    last = None if signal.kind == "image" else len(signal.axes) - 1
    out += [_axis(axis, signal, "channel" if i == last else "space") for i, axis in enumerate(signal.axes)]
    return out


def frame_axis(series: Series, depth: int) -> Axis:
    """Axis of the frames: the one that the source had, or their numbers."""
    axis = series.journal.metadata.get("frame_axis")
    fits = isinstance(axis, dict) and axis.get("size") == depth and isinstance(axis.get("name"), str)
    return dict(axis) if fits else {"name": "frame", "size": depth}


def _axis(axis: Axis, signal: Signal, place: str) -> dict[str, Any]:
    unit, factor = axis.get("units", ""), 1.0
    if unit == "m":
        unit, factor = "nm", 1e9
    elif unit == "eV" and _is_x_ray(signal):
        unit, factor = "keV", 1e-3
    energy = place == "channel" and axis["name"] == "energy"
    out: dict[str, Any] = {
        "name": ("Energy loss" if signal.name.startswith("EELS") else "Energy") if energy else axis["name"],
        "units": unit,
        "navigate": place == "frame" or (place == "space" and signal.kind != "image"),
        "is_binned": place == "channel",
    }
    if "values" in axis:
        return {**out, "_type": "DataAxis", "axis": [_clean(value * factor) for value in axis["values"]]}
    linear = {key: _clean(axis.get(key, default) * factor) for key, default in (("offset", 0.0), ("scale", 1.0))}
    return {**out, "_type": "UniformDataAxis", "size": axis["size"], **linear}


def _clean(value: float) -> float:
    """Return a number without what a change of its unit added in the last places: 0.1, not 0.09999999999999999."""
    return float(f"{value:.14g}")


def described(series: Series, signal: Signal) -> dict[str, Any]:
    """Return the signal's declaration, the series' metadata, and the attributes of the frames that hold the signal.

    See `lbj.importing.hspy_journal`. Times of a group of detectors are their mean.
    """
    frames = []
    members = series.members(signal.name)
    for index, number in enumerate(series.numbers):
        frame = series.frame(number)
        if signal.static or not set(members) <= set(frame.names):
            continue
        own = {}
        for key, value in frame.attributes.items():
            if key not in PER_SIGNAL or not isinstance(value, dict):
                own[key] = value
            elif signal.name in value:
                own[key] = {signal.name: value[signal.name]}
            elif (mean := share(value, members)) is not None:
                own[key] = {signal.name: mean}
        frames.append({"frame": index, "attributes": own})
    return _told(series, signal, frames, len(series.numbers))


def described_sum(series: Series, signal: Signal) -> dict[str, Any]:
    """Return the description of a journal of one frame, the sum of those that hold the signal, times with them."""
    attributes: dict[str, Any] = {}
    for name in KEPT_OF_SUMS:
        if (total := series.total(signal.name, name)) is not None:
            attributes[name] = {signal.name: total}
    for name in ("beam_current", "screen_current"):
        if (current := series.mean(name)) is not None:
            attributes[name] = current
    if (started := series.frame(series.numbers[0]).start_time) is not None:
        attributes["start_time"] = started
    attributes["metadata"] = {"frames_summed": sum(1 for _ in series.frames(signal.name))}
    return _told(series, signal, [{"frame": 0, "attributes": attributes}], 1)


def _told(series: Series, signal: Signal, frames: list[dict[str, Any]], length: int) -> dict[str, Any]:
    declared = {key: value for key, value in signal.to_json().items() if key != "coding"}
    names = [other.name for other in series.stored]
    return {
        "layout": LAYOUT,
        "order": names.index(series.members(signal.name)[0]),
        "signal": declared,
        "metadata": series.journal.metadata,
        "frames": frames,
        "length": length,
    }


def _is_x_ray(signal: Signal) -> bool:
    return signal.kind == "events" or signal.name.startswith("EDX")


def metadata(series: Series, signal: Signal, *, summed: bool = False) -> dict[str, Any]:
    """Metadata as HyperSpy has them: live and real times are totals over the frames.

    Parameters
    ----------
    series : Series
        The frames that the data are of.
    signal : Signal
    summed : bool
        Whether the data are the sum over the frames: times per pixel are totals too, and not those of one frame.
    """
    known = series.journal.metadata
    energy = known.get("beam_energy")
    mode = "SEM" if isinstance(energy, (int, float)) and 0 < energy <= 30e3 else "TEM"
    kind = next((name for name in ("EELS", "CL") if signal.name.startswith(name)), "")
    kind = f"EDS_{mode}" if _is_x_ray(signal) else kind
    out: dict[str, Any] = {}
    hs.put(out, "General.title", (len(series.stored) == 1 and known.get("title")) or signal.name)
    _date(series, out)
    hs.put(out, "Signal.signal_type", "" if signal.kind == "image" else kind)
    if isinstance(signal.metadata.get("quantity"), str):
        hs.put(out, "Signal.quantity", signal.metadata["quantity"])
    if known.get("elements"):
        hs.put(out, "Sample.elements", list(known["elements"]))
    microscope: dict[str, Any] = {}
    if known.get("microscope"):
        microscope["microscope"] = known["microscope"]
    for path, name, factor in hs.SERIES:
        if isinstance(known.get(name), (int, float)) and (".EELS." not in path or kind == "EELS"):
            hs.put(microscope, path, _clean(known[name] / factor))
    tilt = known.get("stage_tilt")
    for path, angle in zip(hs.TILTS, tilt if isinstance(tilt, list) else [tilt], strict=False):
        if isinstance(angle, (int, float)):
            hs.put(microscope, path, _clean(angle / hs.DEGREE))
    place = known.get("stage_position")
    for path, value in zip(hs.STAGE, place if isinstance(place, list) else (), strict=False):
        if isinstance(value, (int, float)):
            hs.put(microscope, path, _clean(value * 1e3))
    if isinstance(known.get("acquisition_mode"), str):
        microscope["acquisition_mode"] = known["acquisition_mode"]
    if isinstance(known.get("specimen"), str):
        hs.put(out, "Sample.description", known["specimen"])
    if kind == "EELS":
        for path, name, factor in hs.SPECTROMETER:
            if isinstance(signal.metadata.get(name), (int, float)):
                hs.put(microscope, path, _clean(signal.metadata[name] / factor))
        if isinstance(signal.metadata.get("spectrometer"), str):
            hs.put(microscope, "Detector.EELS.spectrometer", signal.metadata["spectrometer"])
    path, name, factor = hs.BEAM_CURRENT
    if (current := series.mean(name)) is not None:
        hs.put(microscope, path, _clean(current / factor))
    if kind.startswith("EDS"):
        detector = series.detector(signal.name)
        for path, name, factor in hs.DETECTOR:
            if isinstance(detector.get(name), (int, float)):
                hs.put(microscope, path, _clean(detector[name] / factor))
    own = "Detector.EDS." if kind.startswith("EDS") else "Detector.EELS." if kind == "EELS" else ""
    for path, name, factor in hs.TIMES:
        here = path.startswith(own) if own else not path.startswith("Detector.")
        if (here or path == name) and not signal.static and (time := _time(series, signal, name, summed)) is not None:
            hs.put(microscope, path, _clean(time / factor))
    if microscope:
        hs.put(out, f"Acquisition_instrument.{mode}", microscope)
    return out


def _date(series: Series, out: dict[str, Any]) -> None:
    """Write when the series began: the first frame's instant in UTC, or the source's local time."""
    started = series.frame(series.numbers[0]).start_time
    text = str(started or series.journal.metadata.get("local_start_time") or "")
    day, _, clock = text.partition("T")
    if day:
        hs.put(out, "General.date", day)
    if day and clock:
        hs.put(out, "General.time", clock.removesuffix("Z"))
        if started:
            hs.put(out, "General.time_zone", "UTC")


def _time(series: Series, signal: Signal, name: str, summed: bool) -> float | None:
    """Return a time (s): totals of live and real time, the mean of times per pixel unless `summed`."""
    total = series.total(signal.name, name)
    if total is None or name in ("live_time", "real_time"):
        whole = series.journal.metadata.get(name)
        whole_time = whole.get(signal.name) if total is None and isinstance(whole, dict) else None
        return float(whole_time) if isinstance(whole_time, (int, float)) else total
    return total if summed else total / sum(1 for _ in series.frames(signal.name))

"""Stopping: when a series ends: number of frames, dose, time, signal-to-noise, predicted error or components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .settings import Settings

LIMITS = ("frames", "max_dose", "max_time", "snr", "max_error", "components")


@dataclass(frozen=True)
class Progress:
    """How far a series is.

    Attributes
    ----------
    frames : int
        Since *acquire*.
    seconds : float
        Since then.
    dose : float or None
        e/Å² of the region, all its frames; None where a frame did not tell.
    next_dose : float
        e/Å² that the next frame will add; 0 where that is not known.
    status : dict
        What the analysis found so far, as `Session.status`; empty where there is none yet.
    """

    frames: int
    seconds: float
    dose: float | None
    next_dose: float
    status: dict[str, Any]


def reached(settings: Settings, progress: Progress) -> tuple[str, str] | None:
    """Say which limit is reached, in a word and a sentence; None where the series goes on.

    A dose is not exceeded: the series ends before the frame that would.
    """
    found = _answer(settings, progress.status)
    if found:
        return "answer", found
    if progress.frames >= settings.frames:
        return "frames", "1 frame was recorded" if progress.frames == 1 else f"{progress.frames} frames were recorded"
    if settings.max_time is not None and progress.seconds >= settings.max_time:
        return "time", f"{progress.seconds:.1f} s have passed, of {settings.max_time:g} s"
    if settings.max_dose is not None and progress.dose is not None:
        after = progress.dose + progress.next_dose
        if progress.dose >= settings.max_dose or after > settings.max_dose * (1 + 1e-9):
            text = f"the region has received {progress.dose:.4g} e/Å²; another frame would exceed "
            return "dose", text + f"{settings.max_dose:.4g} e/Å²"
    return None


def _answer(settings: Settings, status: dict[str, Any]) -> str:
    """Say what was to be found out and has been; everything that was asked for counts together."""
    wanted, found = [], []
    for name, least in settings.snr.items():
        value = status.get("maps", {}).get(name)
        wanted.append(value is not None and value >= least)
        found.append(f"the map {name} has a signal-to-noise ratio of {value or 0:.3g}")
    if settings.max_error is not None:
        error = status.get("predicted_error_px")
        wanted.append(error is not None and error <= settings.max_error)
        found.append(f"the registration's predicted error is {error or 0:.3g} px")
    if settings.components is not None:
        number = status.get("components")
        wanted.append(number is not None and number >= settings.components)
        found.append(f"{number} components are significant")
    return f"{'; '.join(found)}, of {status.get('mapped')} frames" if wanted and all(wanted) else ""

"""Status: dose, drift, counts, maps and components of the frames so far, as `Session.status` tells them."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal
from lbj.array_types import Floats

from ..geometry.registration import Registration
from ..maps.map import Map
from ..pipeline.align import aborted_frames
from ..report.results import Results
from ..series.axis import pixel_size
from ..series.selection import View
from .mapping import map_frames
from .tracking import Following, failed


class State:
    """Registration, maps and figures of the frames taken up so far; made anew when one more comes.

    What is counted costs little. What is found costs as much as there are frames: `Session` and the recorder's analysis
    do not ask for it with every frame.
    """

    def __init__(self, following: Following) -> None:
        self.following, self.journal, self.choice = following, following.journal, following.choice
        self.frames = list(following.frames)

    @cached_property
    def _aligned(self) -> tuple[Registration, bool, list[str]]:
        return self.following.align()

    @property
    def registration(self) -> Registration:
        """Displacements of all frames."""
        return self._aligned[0]

    @cached_property
    def _spectral(self) -> list[int]:
        return [n for n, frame in enumerate(self.frames) if frame.spectra]

    @cached_property
    def _results(self) -> Results:
        return map_frames(self.journal, self.choice, self._spectral, self.registration)

    @property
    def maps(self) -> dict[str, Map]:
        """Maps by the name of line, edge or window."""
        return {name.removeprefix("map-"): one for name, one in self._results.maps.items()}

    def counted(self) -> dict[str, Any]:
        """What of the status the frames tell each for itself; see `Session.status`."""
        frames, notes = self.frames, list(self.following.failures)
        doses = [frame.dose for frame in frames if frame.dose is not None]
        if doses and len(doses) < len(frames):
            silent = len(frames) - len(doses)
            notes.append(f"Current or dwell time of {silent} of {len(frames)} frames are missing: no total dose.")
        return {
            "frames": len(frames),
            "counts": self._counts(),
            "dose_per_frame": frames[-1].dose if frames else None,
            "total_dose": _finite(sum(doses)) if frames and len(doses) == len(frames) else None,
            "flagged": [{"frame": n, "reason": frame.reason} for n, frame in enumerate(frames) if frame.reason],
            "journal_bytes": self.journal.bytes,
            "notes": notes,
        }

    @cached_property
    def found(self) -> dict[str, Any]:
        """What of the status all frames tell together; see `Session.status`."""
        frames = self.frames
        view = View(self.journal, list(range(len(frames))))
        notes = aborted_frames(view, self.choice.spectra or self.choice.reference_signal)
        regions = {frame.region for frame in frames}
        if len(regions) > 1:
            notes.append(
                f"The frames come from {len(regions)} areas, which were laid on one another modulo the lattice."
            )
        ratios: dict[str, float | None] = {}
        components = None
        error, left_out = math.nan, np.zeros(0, bool)
        if frames:
            registration, registered, found = self._aligned
            error, left_out = registration.predicted_error if registered else math.nan, registration.left_out
            ratios = {name.removeprefix("map-"): _finite(value) for name, value in self._results.snr.items()}
            notes += [*found, *self._results.notes]
            components = self._components(notes)
        return {
            "analysed": len(frames),
            "drift": self._drift() if frames else None,
            "predicted_error_px": _finite(error),
            "left_out": np.flatnonzero(left_out).tolist(),
            "maps": ratios,
            "components": components,
            "notes": notes,
        }

    def _components(self, notes: list[str]) -> int | None:
        """Significant components of the sum of all X-ray counts."""
        spectra, registration = self.choice.spectra, self._results.registration
        if spectra is None or spectra.kind != "events" or registration is None:
            return None
        try:
            from ..components.counted import count_components

            found = count_components(View(self.journal, self._spectral), spectra.name, registration)
        except Exception as error:  # noqa: BLE001
            notes.append(failed("Counting components", error))
            return None
        return found if found >= 0 else None

    def _counts(self) -> int | None:
        spectra = self.choice.spectra
        if spectra is None or spectra.kind != "events":
            return None
        stored = sum(int(self.journal.totals(name)[0]) for name in self.journal.signals.group(spectra.name))
        return stored - sum(frame.left_out for frame in self.frames)

    def _drift(self) -> dict[str, Any] | None:
        """Drift within the region of the last frame that was registered."""
        registration, registered, _ = self._aligned
        if not registered:
            return None
        known = np.flatnonzero(~registration.left_out & ~np.isinf(registration.frame_error))
        if not known.size:
            return None
        known = known[[self.frames[n].region == self.frames[known[-1]].region for n in known]]
        return drift(known, registration.shift[known], self.following.source)


def drift(frames: NDArray[np.int64], shift: Floats, source: Signal | None) -> dict[str, Any] | None:
    """Drift of some frames of one region: of the last against the first, and per frame; None of fewer than two.

    Parameters
    ----------
    frames : (N,) int
    shift : (N, 2) array
        Displacement of each, px.
    source : Signal or None
        What was registered, for the size of its pixels.
    """
    if frames.size < 2:
        return None
    moved, rate = shift[-1] - shift[0], np.polyfit(frames, shift, 1)[0]
    size = None if source is None else pixel_size(source)
    return {
        "frame": int(frames[-1]),
        "shift_px": moved.tolist(),
        "shift_nm": None if size is None else (moved * np.array(size) * 1e9).tolist(),
        "rate_px": rate.tolist(),
        "rate_nm": None if size is None else (rate * np.array(size) * 1e9).tolist(),
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

"""Region: the journal of one region of interest, begun or continued, with its dose so far."""

from __future__ import annotations

import contextlib
import datetime
import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

import lbj
from lbj import LbjError, Signal, StorageError, UsageError

from ..instruments.protocol import Frame, Picture
from ..planning.size import FILE_BYTES
from ..series.axis import pixel_size
from ..series.dose import dose
from . import session_folder
from .settings import Settings

SURVEY, OUTLINE = "Survey", "Region"


class Region:
    """Journal of a region in its folder.

    Attributes
    ----------
    number : int
        Of the region, from 1.
    path, live : path
        The journal, and the folder of what the analysis finds.
    dose : float or None
        e/Å² of all frames; None where one did not tell its own.
    seconds : float
        For which the frames were exposed.
    """

    def __init__(self, folder: Path, number: int, signals: list[Signal]) -> None:
        self.number, self.signals = number, signals
        self.path = session_folder.journal_of(folder, number)
        self.live = self.path.parent / session_folder.LIVE
        self.dose: float | None = 0.0
        self.begun = time.time()
        self.frames = 0
        self._writer: lbj.Writer | None = None
        self._pixel = next((size for signal in signals if not signal.static and (size := pixel_size(signal))), None)

    @classmethod
    def begin(
        cls, folder: Path, number: int, settings: Settings, signals: list[Signal], metadata: dict[str, Any],
        survey: Picture | None, *, exposed: bool,
    ) -> Region:  # fmt: skip
        """Begin the journal in the next sub-folder; the survey and the region drawn on it are its static signals.

        `exposed`: whether the frames are exposed as the settings say.
        """
        if not signals:
            raise UsageError("the instrument records no signal")
        coded = settings.coded(signals)
        static = _static(settings, survey) if survey is not None else []
        region = cls(folder, number, coded)
        try:
            region.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {str(region.path.parent)!r}: {error.strerror}") from error
        about = {**metadata, "acquisition": {"region": number, **(settings.to_json() if exposed else {})}}
        if settings.title:
            about["title"] = settings.title
        _warm_up(coded)
        region._writer = lbj.create(region.path, [*coded, *(signal for signal, _ in static)], about, steady=True)
        for signal, value in static:
            region._writer.put_static(signal.name, value)
        return region

    @classmethod
    def reopen(cls, folder: Path, number: int) -> Region:
        """Look at a region that is there; its journal is opened for writing when it is extended."""
        with lbj.open(session_folder.journal_of(folder, number)) as journal:
            region = cls(folder, number, [s for s in journal.signals.values() if not s.static])
            created = str(journal.header.get("created", ""))
            with contextlib.suppress(ValueError):
                region.begun = datetime.datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp()
            for frame in journal:
                region._count(frame.known)
        return region

    def extend(self, settings: Settings, signals: list[Signal]) -> None:
        """Make sure that frames of these signals fit, and open the journal for them.

        Raises
        ------
        UsageError
            If they do not; a new region takes them.
        """
        before = {signal.name: signal for signal in self.signals}
        for signal in settings.coded(signals):
            same = before.get(signal.name)
            if same is None or (same.kind, same.shape, same.dtype) != (signal.kind, signal.shape, signal.dtype):
                had = f"has {same.kind} {same.dtype} {same.shape}" if same else "does not have it"
                raise UsageError(
                    f"{signal.name} would be {signal.kind} {signal.dtype} {signal.shape}, and region {self.number} "
                    f"{had}: begin a new region for it"
                )
            steps = [[axis.get("scale") for axis in one.axes] for one in (same, signal)]
            if steps[0] != steps[1]:
                raise UsageError(
                    f"{signal.name} would have steps of {steps[1]} along its axes, and region {self.number} has "
                    f"{steps[0]}: begin a new region for it"
                )
        if self._writer is None:
            self._writer = lbj.append(self.path, steady=True)

    def __len__(self) -> int:
        return self.frames

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes that a pixel of a frame takes in the journal, all signals together; 0 before the first frame."""
        pixels = self.frames * math.prod(self.signals[0].shape[:2])
        try:
            return max(self.path.stat().st_size - FILE_BYTES, 0) / pixels if pixels else 0.0
        except OSError:
            return 0.0

    def append(self, frame: Frame, settings: Settings | None, shift: float, asked: float) -> int:
        """Store a frame; it is durable on return.

        Parameters
        ----------
        frame : Frame
        settings : Settings or None
            By which it was exposed; None where the instrument does that itself.
        shift : float
            Energy shift that was asked for, eV.
        asked : float
            When the frame was asked for, s since 1970.
        """
        assert self._writer is not None
        attributes = dict(frame.attributes)
        if settings is not None:
            attributes.setdefault("dwell_time", settings.dwell)
            attributes.setdefault("beam_current", settings.current)
            attributes.setdefault("start_time", _utc(asked))
            spectra = [s.name for s in self.signals if s.kind == "spectra" and s.name in frame.data]
            if settings.energy_steps and spectra:
                attributes.setdefault("energy_shift", dict.fromkeys(spectra, shift))
        attributes.setdefault("time_offset", max(asked - self.begun, 0.0))
        attributes["region"] = self.number
        if frame.serial is not None:
            attributes["metadata"] = {**attributes.get("metadata", {}), "serial": frame.serial}
        number = self._writer.append(frame.data, **attributes)
        self._count(attributes, settings.plan.dose_per_frame if settings is not None else None)
        return number

    def _count(self, attributes: dict[str, Any], planned: float | None = None) -> None:
        """Count a frame and its dose, `planned` where it does not tell."""
        self.frames += 1
        current = attributes.get("beam_current", attributes.get("screen_current"))
        dwell = attributes.get("dwell_time")
        dwell = next(iter(dwell.values()), None) if isinstance(dwell, dict) else dwell
        found = dose(current, dwell, self._pixel) or planned
        self.dose = None if found is None or self.dose is None else self.dose + found

    def close(self) -> None:
        """Close the journal."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _warm_up(signals: list[Signal]) -> None:
    """Store a small frame in memory: what is compiled for the codings is compiled before anything is exposed."""
    small = []
    for signal in signals:
        channels = () if signal.kind == "image" else signal.shape[-1:]
        shape = (*(min(size, 2) for size in signal.shape[: len(signal.shape) - len(channels)]), *channels)
        small.append(Signal(signal.name, signal.kind, shape, dtype=signal.dtype, coding=signal.coding))
    with contextlib.suppress(LbjError):  # which would be told with the first frame
        writer = lbj.create(io.BytesIO(), small, sync=False, steady=True)
        writer.append({signal.name: np.ones(signal.shape, signal.dtype) for signal in small})


def _static(settings: Settings, survey: Picture) -> list[tuple[Signal, Any]]:
    """Survey image and, on its pixels, the region (1 within); their place is told in pixels of the region."""
    image = np.asarray(survey.image)
    corner = np.asarray(settings.corner) - np.asarray(survey.corner)
    first = (0.5 * survey.pixel - corner) / settings.pixel - 0.5
    step = survey.pixel / settings.pixel
    place = [[step, 0.0, float(first[0])], [0.0, step, float(first[1])]]
    plane = [
        {"name": name, "offset": offset + survey.pixel / 2, "scale": survey.pixel, "units": "m"}
        for name, offset in zip("yx", survey.corner, strict=True)
    ]
    end = corner + np.asarray(settings.plan.pixels) * settings.pixel
    within = [
        (at >= low) & (at <= high)
        for n, low, high in zip(image.shape, corner, end, strict=True)
        for at in [(np.arange(n) + 0.5) * survey.pixel]
    ]
    outline = np.multiply.outer(*within).astype(np.uint8)
    about = {"corner_m": list(settings.corner), "size_m": list((end - corner).tolist())}
    common: dict[str, Any] = {"axes": plane, "role": "survey", "to_field": place}
    return [
        (Signal(SURVEY, "image", image.shape, dtype=image.dtype.name, **common), image),
        (Signal(OUTLINE, "image", image.shape, dtype="uint8", metadata=about, **common), outline),
    ]


def _utc(seconds: float) -> str:
    found = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")

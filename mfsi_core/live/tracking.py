"""Tracking: frames of a growing journal are taken up, checked (blank, saturated, not finite) and registered."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from lbj.array_types import Floats
from lbj.frame import Frame
from lbj.reader import Journal
from lbj.scanned import left_out, scanned, scanned_of

from ..geometry.registration import Registration
from ..registration.incremental import IncrementalRegistration
from ..registration.trust import distrusted
from ..series.axis import pixel_size
from ..series.dose import dose_per_frame
from ..series.selection import holds, reference_image
from .options import Choice
from .running import RunningRegistration

FULL_SCALE = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 15, 16))  # largest values of AD converters
SATURATED = 1e-3  # share of pixels at such a value from which a frame is flagged as saturated


class Seen(NamedTuple):
    """One frame.

    Attributes
    ----------
    reason : str
        What is wrong with it; empty if nothing is.
    spectra : bool
        Whether it holds the spectra chosen.
    dose : float or None
        e/Å², mean over the field: what was not scanned got none.
    region : int
    left_out : int
        X-rays stored in pixels that were not scanned.
    """

    reason: str
    spectra: bool
    dose: float | None
    region: int
    left_out: int = 0


class Following:
    """Takes up the frames of a journal as they come; whatever fails becomes a note and is not raised.

    Attributes
    ----------
    frames : list of Seen
    failures : list of str
    image : (Y, X) array
        Of the last frame; NaN where it has none.

    Parameters
    ----------
    journal : Journal
    choice : Choice
    registrar : IncrementalRegistration or RunningRegistration, optional
        Given the images. Default: a IncrementalRegistration.
    """

    def __init__(
        self, journal: Journal, choice: Choice, registrar: IncrementalRegistration | RunningRegistration | None = None
    ) -> None:
        self.journal, self.choice = journal, choice
        self.frames: list[Seen] = []
        self.failures: list[str] = []
        source = choice.reference_signal or choice.spectra
        plane = source is not None and len(source.shape) == (2 if source.kind == "image" else 3)
        self.source = source if plane else None
        self._shape = (self.source.shape[0], self.source.shape[1]) if self.source is not None else (1, 1)
        to_field = None if choice.reference_signal is None else choice.reference_signal.to_field
        self._registrar = IncrementalRegistration(across=True, to_field=to_field) if registrar is None else registrar
        self.image: Floats = np.full(self._shape, np.nan)
        self._stopped = self.source is None

    def catch_up(self) -> None:
        """Take up the frames completed since the last call."""
        while self.next():
            pass

    def next(self) -> bool:
        """Take up the next frame; whether there was one."""
        try:
            if len(self.frames) == len(self.journal):
                self.journal.refresh()
            if len(self.frames) == len(self.journal):
                return False
            self._take(self.journal[len(self.frames)])
        except Exception as error:  # noqa: BLE001 the frame is stored, whatever is wrong with its analysis
            self.fail("Following the journal", error)
            return False
        return True

    def fail(self, what: str, error: Exception) -> None:
        """Note an analysis that failed."""
        text = failed(what, error)
        if text not in self.failures:
            self.failures.append(text)

    def _take(self, frame: Frame) -> None:
        number = len(self.frames)
        image, seen = np.full(self._shape, np.nan), Seen("not analysed", spectra=False, dose=None, region=0)
        try:
            spectra = self.choice.spectra is not None and holds(frame, self.choice.spectra.name)
            seen = seen._replace(spectra=spectra, dose=self._dose(frame), region=frame.region)
            if self.choice.spectra is not None and self.choice.spectra.kind == "events" and spectra:
                seen = seen._replace(left_out=int(left_out(frame, self.choice.spectra)))
            image, reason = self._look(frame, spectra=spectra)
            missing = "" if spectra or self.choice.spectra is None else "no spectra"
            seen = seen._replace(reason=reason or missing)
        except Exception as error:  # noqa: BLE001
            self.fail(f"Reading frame {number}", error)
        self.frames.append(seen)
        self.image = image
        if self._stopped:
            return
        try:
            self._registrar.push(image, seen.region)
        except Exception as error:  # noqa: BLE001
            self.fail(f"Frame {number} and those after it are not registered: that", error)
            self._stopped = True

    def _look(self, frame: Frame, *, spectra: bool) -> tuple[Floats, str]:
        """Image to register, NaN where there is none, and what is wrong with it."""
        reference_signal = self.choice.reference_signal
        if self.source is None or (reference_signal is None and not spectra):
            return np.full(self._shape, np.nan), ""
        image = reference_image(frame, reference_signal, self.choice.spectra)
        if reference_signal is not None and reference_signal.name not in frame.names:
            return image, "no image"
        mask = scanned(frame, self.source)
        values = image if mask is None else image[mask]
        if not np.isfinite(values).all():
            return image, "not finite"
        top = values.max(initial=-np.inf)
        if not values.size or (image.size > 1 and values.min() == top):
            return image, "blank"
        full = (
            reference_signal is not None
            and top in FULL_SCALE
            and (values == top).sum() > max(SATURATED * values.size, 1)
        )
        return image, "saturated" if full else ""

    def _dose(self, frame: Frame) -> float | None:
        sizes = (pixel_size(one) for one in (self.choice.spectra, self.choice.reference_signal) if one is not None)
        size = next((one for one in sizes if one), None)
        found, source = dose_per_frame(frame.known, size), self.choice.spectra or self.choice.reference_signal
        mask = None if source is None else scanned(frame, source)
        return found if found is None or mask is None else found * float(mask.mean())

    def align(self) -> tuple[Registration, bool, list[str]]:
        """Displacements of all frames, whether they were measured (else they are zero), and notes."""
        recorded = None if self.source is None else scanned_of(self.journal, self.source)
        recorded = None if recorded is None else recorded[: len(self.frames)]
        none = Registration.rigid(np.zeros((len(self.frames), 2)), self._shape, recorded=recorded)
        if self.source is None:
            return none, False, ["There is neither an image nor a spectrum image of rows and columns to register."]
        if len(self.frames) < 2 or self._stopped:
            return none, False, []
        reference_signal = self.choice.reference_signal
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = self._registrar.registration
                found.recorded = recorded
        except Exception as error:  # noqa: BLE001
            return none, False, [failed("Registration", error)]
        x_rays = self.source.kind == "events" or self.source.name.startswith("EDX")
        sums = "X-ray counts" if x_rays else "summed EELS"
        name = sums if reference_signal is None else reference_signal.name
        doubts = distrusted(found, name, image=reference_signal is not None)
        if doubts:
            return none, False, [doubts]
        return found, True, [f"{one.message}." for one in caught if one.category is UserWarning]


def failed(what: str, error: Exception) -> str:
    """Note on an analysis that failed."""
    return f"{what} failed: {type(error).__name__}: {error}."

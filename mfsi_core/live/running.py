"""Running registration: each new frame is registered against the mean of those before it."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from scipy import ndimage

from lbj.array_types import Floats

from ..geometry.registration import Registration
from ..registration.register import LEAST_SEEN, prepared
from ..registration.rigid.align import align_near
from ..registration.spikes import remove_spikes

FEW = 0.5  # frames (with interpolation, shares of frames) that must have seen a pixel of the mean
UNLIKE = 3  # frames in a row unlike the mean after which the mean is begun anew
RECENT = 12  # last frames from which the drift is estimated, which says where the next one is expected
FEWEST = 4  # frames that are needed for that; fewer: where the last one was
JUMP, UNUSUAL = 2.0, 8.0  # a frame counts as jumped if it lies off by more px, and more times the usual deviation
NAMED = 5  # frames that a note names
AWAY = 0.25  # share of a frame by which the drift may leave the mean's grid before the grid is moved along


class Mean:
    """Sum of aligned frames on a grid that follows the drift.

    Attributes
    ----------
    origin : (2,) int array
        Displacement, px, of a frame that lies on the grid as it is.
    total, cover : (Y, X) float64
        Sum of the frames, and how many saw each pixel.
    frames : int
        How many there are.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.origin = np.zeros(2, int)
        self.total, self.cover, self.frames = np.zeros(shape), np.zeros(shape), 0

    def image(self) -> Floats:
        """Mean of the frames; NaN where none saw the pixel."""
        known = self.cover > FEW
        return np.where(known, self.total / np.where(known, self.cover, 1.0), np.nan)

    def add(self, image: Floats, shift: Floats) -> None:
        """Add a frame that sampled the scene at its pixels and `shift`."""
        self.frames += 1
        near = np.rint(shift).astype(int)
        if (np.abs(near - self.origin) > AWAY * np.array(image.shape)).any():
            moved = tuple(self.origin - near)
            self.total, self.cover = (_rolled(one, moved) for one in (self.total, self.cover))
            self.origin = near
        seen = np.isfinite(image).astype(float)
        by = shift - self.origin
        self.total += ndimage.shift(np.where(seen > 0, image, 0.0), by, order=1, cval=0.0)
        self.cover += ndimage.shift(seen, by, order=1, cval=0.0)


class RunningRegistration:
    """Registers frames as they come, as a whole; what is found of a frame is not changed later.

    Every area has a mean of its own. Rows are not registered for themselves, and an error made is kept: for what is
    shown while the microscope runs. `register` does all that. Which period of a lattice is meant, only the drift before
    tells: a frame is looked for where that lets expect it.

    Attributes
    ----------
    shift, error : list
        Displacement (y, x) of each frame, px, within its area; standard error of one component, infinite where the
        frame resembles the others no more than noise would.
    regions : list of int
        Its area.
    shape : (int, int) or None
        Of the frames.
    begun_anew : list of int
        Frames that resembled those before no more, as did the next ones: where those after them lie against those
        before is not known.
    jumped : list of int
        Frames that lie elsewhere than the drift let expect. That may be so; in a crystal it may be a period off.
    """

    def __init__(self, *, to_field: Any = None) -> None:
        self.to_field = to_field
        self.shift: list[Floats] = []
        self.error: list[float] = []
        self.regions: list[int] = []
        self._means: dict[int, Mean] = {}
        self._last: dict[int, Floats] = {}
        self._unlike: dict[int, int] = {}
        self._recent: dict[int, deque[tuple[int, Floats]]] = {}  # number and place of the last frames of each area
        self.begun_anew: list[int] = []
        self.jumped: list[int] = []
        self.shape: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.shift)

    def push(self, image: Any, region: int = 0) -> None:
        """Register the next frame: (Y, X), NaN where a pixel is missing."""
        image = np.asarray(image, float)
        self.shape = self.shape or (image.shape[0], image.shape[1])
        shift, error = self._place(image, region)
        self.shift.append(shift)
        self.error.append(error)
        self.regions.append(region)

    def _place(self, image: Floats, region: int) -> tuple[Floats, float]:
        last = self._last.get(region)
        seen = image[np.isfinite(image)]
        if seen.size < LEAST_SEEN * image.size or (image.size > 1 and seen.min() == seen.max()):
            return np.zeros(2) if last is None else last, np.inf
        if last is None:
            return self._begin(image, region, np.zeros(2))
        mean = self._means[region]
        expected, usual = self._expected(region)
        moved = np.rint(expected).astype(int) - mean.origin
        both, _ = prepared(np.stack([_rolled(mean.image(), tuple(-moved), np.nan), image]))
        remove_spikes(both)
        found, error = align_near(both, expected - mean.origin - moved)
        if np.isinf(error).any():
            self._unlike[region] = self._unlike.get(region, 0) + 1
            if mean.frames > 1 and self._unlike[region] < UNLIKE:
                return last, np.inf
            self.begun_anew.append(len(self))
            return self._begin(image, region, last)
        shift = np.asarray(mean.origin + moved + found[1] - found[0])
        if np.hypot(*(shift - expected)) > max(JUMP, UNUSUAL * usual):
            self.jumped.append(len(self))
        mean.add(image, shift)
        self._last[region], self._unlike[region] = shift, 0
        self._recent[region].append((len(self), shift))
        return shift, float(2 * np.sqrt((error[1] ** 2).mean()))

    def _expected(self, region: int) -> tuple[Floats, float]:
        """Where the next frame of an area is expected, and how far from there the last ones usually lay, px."""
        number, shift = (np.array(part) for part in zip(*self._recent[region], strict=True))
        if number.size < FEWEST:
            return np.asarray(shift[-1]), 0.0
        steps = np.diff(shift, axis=0) / np.diff(number)[:, None]
        drift = np.median(steps, axis=0)
        return shift[-1] + drift * (len(self) - number[-1]), float(np.median(np.hypot(*(steps - drift).T)))

    def _begin(self, image: Floats, region: int, shift: Floats) -> tuple[Floats, float]:
        """Begin the mean of an area with a frame."""
        self._means[region] = Mean((image.shape[0], image.shape[1]))
        self._means[region].origin = np.rint(shift).astype(int)
        self._means[region].add(image, shift)
        self._last[region], self._unlike[region] = shift, 0
        self._recent[region] = deque([(len(self), shift)], RECENT)
        return shift, 0.0

    def mean(self, region: int) -> Floats | None:
        """Mean of the aligned frames of an area; None where there is none."""
        return self._means[region].image() if region in self._means else None

    def doubts(self) -> list[str]:
        """Sentences on frames whose place is doubtful."""
        said = [
            f"From frame {number} on the images show something else than before: they are aligned anew from there."
            for number in self.begun_anew[:NAMED]
        ]
        if len(self.begun_anew) > NAMED:
            said.append(
                f"So do those from {len(self.begun_anew) - NAMED} later frames on: they may be too noisy to be aligned."
            )
        if self.jumped:
            named = ", ".join(map(str, self.jumped[:NAMED]))
            more = f" and {len(self.jumped) - NAMED} more" if len(self.jumped) > NAMED else ""
            said.append(
                f"Frame {named}{more}: the image lies elsewhere than the drift before lets expect. In a crystal it may "
                "lie a period of the lattice more or less from there."
            )
        return said

    @property
    def registration(self) -> Registration:
        """Displacements of all frames, those of each area with a mean of zero."""
        shift, regions, error = np.array(self.shift).reshape(-1, 2), np.array(self.regions), np.array(self.error)
        known = np.isfinite(error)
        for region in np.unique(regions):
            mine = (regions == region) & known
            if mine.any():
                shift[regions == region] -= shift[mine].mean(axis=0)
        shift[~known] = 0
        rms = float(np.sqrt(np.mean(error[known] ** 2))) if known.sum() > 1 else float("nan")
        return Registration.rigid(
            shift, self.shape or (1, 1), predicted_error=rms, frame_error=error, left_out=~known, region=regions,
            to_field=self.to_field,
        )  # fmt: skip


def _rolled(image: Floats, by: tuple[int, ...], fill: float = 0.0) -> Floats:
    """Image moved by whole pixels."""
    out = np.full_like(image, fill)
    into = tuple(slice(max(step, 0), max(n + min(step, 0), 0)) for step, n in zip(by, image.shape, strict=True))
    of = tuple(slice(max(-step, 0), max(n + min(-step, 0), 0)) for step, n in zip(by, image.shape, strict=True))
    out[into] = image[of]
    return out

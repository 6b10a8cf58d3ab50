"""Placed: frames of one area aligned as a whole, then row by row, without what shows something else."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask, Singles

from .along import less_mean
from .bad_parts import strange_rows
from .laid import Laid
from .motion import keeps_still
from .resemblance import Compared, compare, parted
from .rigid.align import align
from .rows.field import Field, register_rows
from .rows.unknowns import SHIFTS
from .settled import Fit, lattice_settled

WINDOW = 6  # frames registered before with which new ones are aligned, the last ones
SMALLEST = 8  # least rows and columns of frames whose rows are displaced one by one
SURE = 2.5  # times what is expected by which frames must lie beside where rows put them if brightness misleads
MENDED = 0.5  # share of what the others lacked before that may still be lacking if that is mended
OWN = 0.5  # share of what a frame shows beyond noise, that the others lack, from which on it shows something else


@dataclass
class Placed:
    """Frames whose rows were fitted, before it is decided what of it is believed.

    Attributes
    ----------
    error : (N,)
        Error of one component of the frames' shifts as a whole, px; infinite for frames that resemble no other.
    good : (G,) int
        Frames whose rows were fitted.
    images : (G, Y, X)
        Those frames; NaN in rows that show something else.
    found : Fit
    bad : (G, Y) bool
        Rows that show something else.
    compared : Compared
    lacking : (G,) bool
        Frames, not `bad` as a whole, of which the others lack most nevertheless.
    change : (int, float) or None
        As of `resemblance.parted`.
    """

    error: Floats
    good: NDArray[np.int64]
    images: Singles
    found: Fit
    bad: Mask
    compared: Compared
    lacking: Mask
    change: tuple[int, float] | None


def shifts(stack: Singles, before: Field | None) -> tuple[Floats, Floats]:
    """Shift, (N, 2), of each frame as a whole, and the error of one component, (N,), px: as of `rigid.align`.

    Where those of the first frames are known (`before`), new frames are aligned with the last of these.
    """
    shift, errors = align(stack) if before is None else _continued(stack, before)
    return shift, np.asarray(np.sqrt((errors**2).mean(axis=1)))


def placed(stack: Singles, shift: Floats, error: Floats, before: Field | None) -> Placed | None:
    """Fit the rows of the frames of one area, (N, Y, X), that have these `shifts`; None if they are too few or small.

    Where they then do not resemble each other, or the brightness of their rows pulls at them, they are placed by what
    rows show besides their brightness, if that mends it.
    """
    found = _by_all(stack, shift, error, before)
    if found is None or not (_doubtful(found) or _misled(found)):
        return found
    level = _of_mean_0(stack)
    other = _by_all(level, *shifts(level, None), None)
    if other is None or other.good.size < found.good.size or _doubtful(other):
        return found
    if other.compared.lacking.sum() > MENDED * found.compared.lacking.sum():
        return found
    warnings.warn(
        "rows differ in brightness by more than the scene, as by stripes: frames were registered by what "
        "rows show besides",
        stacklevel=4,
    )
    return other


def _by_all(stack: Singles, shift: Floats, error: Floats, before: Field | None) -> Placed | None:
    """Frames placed by all that they show."""
    good = np.flatnonzero(np.isfinite(error))
    if good.size < 2 or min(stack.shape[1:]) < SMALLEST:
        return None
    images = stack if good.size == len(stack) else stack[good]
    found = lattice_settled(images, shift[good], before)
    hops = found.hops  # where lattice vectors tie, rows fit better at one of them by chance
    bad = strange_rows(found.laid, hops.alike[:0] if hops.tied else hops.alike)
    images = _parts_left_out(images, found, bad, error[good])
    if images is not found.laid.images or found.fitted.modes is not found.laid.modes:
        found.laid = Laid(images, found.fitted.modes)
    foreign = np.asarray(bad.all(axis=1))
    compared = compare(found.laid)
    lacking = (compared.lacking > OWN) & ~foreign
    return Placed(error, good, images, found, bad, compared, lacking, parted(found.laid, lacking | foreign))


def _doubtful(found: Placed) -> bool:
    """Whether frames do not show the same."""
    return bool(found.lacking.any()) or found.change is not None


def _parts_left_out(images: Singles, found: Fit, bad: Mask, error: Floats) -> Singles:
    """Fit again without the rows that show something else; returns the images with NaN there.

    Frames that are `bad` as a whole are not changed. Where no single rows are bad and no rows were seen to move, the
    displacements become those of frames shifted as a whole: as aligned, or as fitted if rows differ in brightness,
    which pulls at the frames when these are aligned.
    """
    partly = np.asarray(bad.any(axis=1) & ~bad.all(axis=1))
    if partly.any():
        images = images.copy()
        images[bad & partly[:, None]] = np.nan
        modes = found.fitted.modes
        place = modes[:, :, 0].mean(axis=1)
        place[partly] = [_where(one, ~rows) for one, rows in zip(modes[partly], bad[partly], strict=True)]
        found.place, found.fitted = place, register_rows(images, place)
    elif not found.hops.shift.any() and keeps_still(found.fitted.modes):
        if found.fitted.prior.power[1:, SHIFTS].any():
            found.place = found.fitted.modes[:, :, 0].mean(axis=1)
        found.fitted = _whole(found.fitted, found.place, error)
    return images


def _misled(found: Placed) -> bool:
    """Whether the brightness of rows holds frames away from where all else that they show puts them."""
    kept = np.asarray(~found.bad.all(axis=1))
    unsure, error = found.compared.unsure[1, kept].mean(axis=0).sum(), (found.found.fitted.error[kept] ** 2).mean()
    return bool(found.compared.misled(kept).sum() > SURE**2 * max(unsure, error))


def _of_mean_0(stack: Singles) -> Singles:
    """Images (N, Y, X) less the mean of each row, of the deviation 1."""
    out = less_mean(stack)
    return np.asarray(out / max(float(np.nanstd(out)), 1e-30), np.float32)


def _whole(fitted: Field, place: Floats, error: Floats) -> Field:
    """Field of frames shifted as a whole, with errors (N,) of these shifts.

    The error of the rows is added to them, since it includes jitter that was not seen.
    """
    modes = np.zeros_like(fitted.modes)
    modes[:, :, 0] = place[:, None]
    return replace(fitted, modes=modes, error=np.hypot(fitted.error, error))


def _where(modes: Floats, seen: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.median(modes[seen, 0], axis=0))


def _continued(stack: Singles, before: Field) -> tuple[Floats, Floats]:
    """Shifts and errors, (N, 2), where those of the first frames are known; new frames are aligned with the last."""
    known = before.modes[:, :, 0].mean(axis=1)
    first = max(0, len(known) - WINDOW)
    shift, error = align(stack[first:])
    if np.isinf(error).any():
        return align(stack)
    shift += np.median(known[first:] - shift[: len(known) - first], axis=0)
    errors = np.repeat(before.error[:, None], 2, axis=1)
    new = len(known) - first
    return np.concatenate([known, shift[new:]]), np.concatenate([errors, error[new:]])

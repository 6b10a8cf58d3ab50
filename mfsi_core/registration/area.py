"""Area: registration of the frames of one area: shifts of frames, displacements of rows, lattice hops, warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask, Singles

from .along import continued, unfollowed
from .bad_parts import DOUBTED, ELSEWHERE, OTHER, spans, strange_rows
from .hops import FEW_STEPS, SHORT, Hops
from .laid import Laid
from .motion import jumps, keeps_still, standing_apart, stepping, sway
from .rigid.align import align
from .rows.drift import mains_hum, with_shear
from .rows.field import Field, register_rows
from .rows.kernels import displaced
from .rows.unknowns import SHIFTS
from .settled import Fit, lattice_settled, moving_by, unlike
from .sight import covariance, sight

WINDOW = 6  # frames registered before with which new ones are aligned, the last ones
SMALLEST = 8  # least rows and columns of frames whose rows are displaced one by one
APART = "lies far from the frames before and after"
BLIND = 1e-9  # share of the information below which a direction is not seen
UNKNOWN = 0.3  # px, rms; displacement of rows that is assumed, at least, where it could not be measured
TRUSTED = 0.5  # weight of a row in the fit (`Field.trust`) below which it is flagged
RIGID = 1.15  # rows fit worse if their misfit exceeds that of frames shifted as a whole by this factor
ALONG = 0.15  # lattice periods; a lattice row runs along the scan if it rises by less over the width of the frame
DENSE = 1.5  # lattice periods; longest spacing along a lattice row that is considered in this
MISTAKEN = 0.5  # rms error of rows there, as a share of their rms displacement along y; measured on simulations
MUCH = 0.25  # share of a frame's rows showing something else above which the place of the others is uncertain, too
# Ties between lattice vectors cannot be decided if the rms displacement of a component of the rows within frames, times
# this, exceeds the lattice period.
SWAYING = 6
# Share of the scene's variance by which the misfit must exceed that of frames shifted as a whole, too (`RIGID`);
# patterns that stand still in the frames are no part of the scene and account for as much.
LEAST = 0.02


class Rows:
    """Displacements of frames, (2, Y, X) each, computed one by one from the coefficients (N, Y, K, 2) of their rows."""

    def __init__(self, modes: Floats, columns: int) -> None:
        self.modes, self.columns = modes, columns

    def __iter__(self) -> Iterator[Singles]:
        return (displaced(one, self.columns) for one in self.modes)


@dataclass
class Area:
    """Registration of the frames of one area.

    Attributes
    ----------
    displacement : N arrays of (2, Y, X) float32
        Of each frame, px.
    error : (N,)
        Error of one component along the directions that are seen, px rms; infinite for frames that resemble no other.
    covariance : (N, 2, 2)
        Covariance of each frame's displacement (y, x), px².
    flags : list of list of str
        Remarks on each frame, for the report.
    fitted : Field or None
        Displacements of the rows as fitted, if every frame was fitted and none left out as a whole.
    """

    displacement: Iterable[Singles]
    error: Floats
    covariance: Floats
    flags: list[list[str]]
    fitted: Field | None = None


def register_area(stack: Singles, before: Field | None = None) -> Area:
    """Register the usable frames of one area, (N, Y, X) as of `register.prepared`; NaN where a pixel is missing.

    `before`: displacements found for the first of these frames, which are refined with the others.
    """
    shift, errors = align(stack) if before is None else _continued(stack, before)
    error = np.sqrt((errors**2).mean(axis=1))
    frames, rows, columns = stack.shape
    out = Area(Rows(_shifted(shift, rows), columns), error, covariance(error, np.eye(2)), [[] for _ in stack])
    good = np.flatnonzero(np.isfinite(error))
    if good.size < 2 or min(rows, columns) < SMALLEST:
        return out
    images = stack if good.size == frames else stack[good]
    found = lattice_settled(images, shift[good], before)
    hops = found.hops  # where lattice vectors tie, rows fit better at one of them by chance
    bad = strange_rows(found.laid, hops.alike[:0] if hops.tied else hops.alike)
    foreign = np.asarray(bad.all(axis=1))
    images = _parts_left_out(images, found, bad, error[good])
    _flag(out, good, images, found, bad)
    out.error[good] = found.fitted.error
    if images is not found.laid.images or found.fitted.modes is not found.laid.modes:
        found.laid = Laid(images, found.fitted.modes)
    modes = _believed(out, good, found, rows)
    out.error[good] = np.hypot(out.error[good], np.sqrt(max(unfollowed(found.laid), continued(found.fitted.prior))))
    _warn_of_rows_along(out, good, found, columns)
    shares = sight(found.laid)
    if not shares.any() and not keeps_still(found.fitted.modes):
        shares = np.eye(2)  # not only noise, since rows were seen to move; outliers made the means rough
    out.covariance = covariance(out.error, shares)
    far = _warn_of_lattice(out, good, found)
    modes = _seen_only(modes, out, good, shares, found.hops, far=far)
    _warn_of_jumps(out, good, found)
    partly = np.asarray(bad.any(axis=1) & ~foreign)
    ends = bad[:, 0] | bad[:, -1]  # where a step may have moved the frame's first or last rows
    much = partly & (ends | (bad.mean(axis=1) > MUCH)) if 2 * partly.sum() < good.size else ~foreign
    out.covariance[good[much]] = np.diag([np.inf, np.inf])
    whole = np.zeros((frames, *modes.shape[1:]))
    whole[good] = modes
    out.displacement = Rows(whole, columns)
    out.error[good[foreign]] = np.inf
    out.fitted = found.fitted if good.size == frames and not foreign.any() else None
    return out


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


def _flag(out: Area, good: NDArray[np.int64], images: Singles, found: Fit, bad: Mask) -> None:
    """Add to the flags of each frame which of its rows, or that all of it, cannot be trusted."""
    foreign = np.asarray(bad.all(axis=1))
    doubted = (found.fitted.trust < TRUSTED) & ~bad & np.array([np.isfinite(image).any(axis=1) for image in images])
    for chosen, text in ((bad & ~foreign[:, None], OTHER), (doubted, DOUBTED)):
        for n in np.flatnonzero(chosen.any(axis=1)):
            out.flags[good[n]].append(f"rows {spans(np.flatnonzero(chosen[n]))} {text}")
    beside = np.hypot(*np.moveaxis(found.fitted.beside, 2, 0))
    for n in np.flatnonzero(beside.any(axis=1)):
        out.flags[good[n]].append(f"rows {spans(np.flatnonzero(beside[n]))} lie up to {beside[n].max():.1f} px aside")
    for n in np.flatnonzero(foreign):
        out.flags[good[n]].append(ELSEWHERE)


def _believed(out: Area, good: NDArray[np.int64], found: Fit, rows: int) -> Floats:
    """Coefficients of the displacements: of the rows or, if these explain the frames worse, of frames as a whole."""
    if _rows_are_worse(found.laid, found.place):
        out.error[good] = np.hypot(found.fitted.error, np.maximum(sway(found.fitted.modes), UNKNOWN))
        _warn("the rows' own displacements explain the frames worse than shifts of whole frames, which are returned")
        return _shifted(found.place, rows)
    modes = with_shear(found.fitted.modes)
    if not found.fitted.known_hum:
        _warn_of_hum(found.fitted)
    return modes


def _warn_of_jumps(out: Area, good: NDArray[np.int64], found: Fit) -> None:
    """Warn of frames far from the others, and of steps within frames; their errors become infinite where unknown."""
    for n in standing_apart(found.place):
        out.flags[good[n]].append(APART)
        out.covariance[good[n]] = np.diag([np.inf, np.inf])
        _warn(
            f"frame {good[n]} lies far from the frames before and after it, as if it were wrapped or of another place"
        )
    for n, row, step in stepping(found.fitted.modes[:, :, 0] - found.fitted.beside):
        out.flags[good[n]].append(f"steps by {step:.1f} px at row {row}")
        out.covariance[good[n]] = np.diag([np.inf, np.inf])
        told = "which of its rows lie where"
        if len(found.hops.vectors):
            told = f"of its rows on one side, whether they lie periods of {found.hops.period:.1f} px off"
        _warn(f"frame {good[n]} steps by {step:.1f} px at row {row}: {told}, cannot be told")


def _warn_of_rows_along(out: Area, good: NDArray[np.int64], found: Fit, columns: int) -> None:
    """Warn of a lattice whose rows run along the scan.

    A row of pixels that crosses the atoms then looks the same displaced up or down, so that the sign is uncertain.
    """
    vectors = found.hops.vectors
    vectors = vectors[np.hypot(*vectors.T) < DENSE * found.hops.period]
    off = np.abs(vectors[:, 0]) * columns / np.maximum(np.abs(vectors[:, 1]), 1e-9)
    if not (off < ALONG * found.hops.period).any() or found.fitted.known_hum:
        return
    place = found.fitted.modes[:, :, 0, 0]
    own = np.sqrt(((place - place.mean(axis=1, keepdims=True)) ** 2).mean(axis=1) / 2)
    if np.median(own) < np.median(out.error[good]):
        return
    out.error[good] = np.hypot(out.error[good], MISTAKEN * own)
    _warn(
        "rows of the lattice run along the scan: rows of pixels upon atoms look the same moved up or down, and some "
        "may be displaced the wrong way; turn the lattice by some degrees"
    )


def _warn_of_lattice(out: Area, good: NDArray[np.int64], found: Fit) -> bool:
    """Warn where frames may be placed a lattice period off; return whether steps exceed half a period."""
    hops, place = found.hops, found.place if found.longer is None else found.longer
    if hops.period < SHORT:
        _warn(
            f"a lattice period of {hops.period:.1f} px is too short to tell hops of a period from steps of the stage; "
            "the shortest steps were taken; record with finer pixels"
        )
        if jumps(place).size:  # by how many periods, nothing tells
            out.covariance[good] = np.diag([np.inf, np.inf])
    usual, change = moving_by(place)
    few = len(place) < FEW_STEPS  # a jump, or that the specimen drifts steadily, cannot be seen
    longest = float(np.hypot(*np.diff(place, axis=0).T).max()) if few else usual
    far = hops.period / 2 < usual
    taken = "" if found.longer is None else "; the shortest steps were taken"
    if hops.period / 2 < longest:
        _warn(
            f"the frames are {longest:.1f} px apart, more than half a lattice period of {hops.period:.1f} px: "
            f"distortions that two frames share may have taken them for a period apart{taken}; record with less drift"
        )
        if few:
            out.covariance[good] = np.diag([np.inf, np.inf])
    if hops.resembling / 2 < change and len(place) >= FEW_STEPS:
        out.covariance[good] = np.diag([np.inf, np.inf])
        _warn(
            f"the step from frame to frame changes by {change:.1f} px each time, and parts of the scene repeat after "
            f"{hops.resembling:.1f} px: some frames may lie as much off, taken there by distortions of the scan that "
            f"turn from frame to frame, such as a slow hum{taken}"
        )
    return far


def _seen_only(modes: Floats, out: Area, good: NDArray[np.int64], shares: Floats, hops: Hops, *, far: bool) -> Floats:
    """Coefficients without the direction in which nothing is seen; warns of that, of mere noise, or of lattice ties."""
    if not shares.any():
        _warn(
            "what the frames show is mostly noise: shifts may be off by more than any estimate, the predicted error "
            "is infinite; record more counts"
        )
    elif np.linalg.eigvalsh(shares)[0] < BLIND:
        values, vectors = np.linalg.eigh(shares)
        blind = vectors[:, np.argmin(values)]
        _warn(
            f"the scene looks the same when moved along ({blind[0]:.2f}, {blind[1]:.2f}) (y, x), as fringes, an edge "
            "or a wire do: displacement along it cannot be seen and is zero"
        )
        return np.asarray(modes - (modes @ blind)[..., None] * blind)
    elif hops.tied:
        for cut, (y, x) in hops.tied:
            out.flags[good[cut]].append(f"might as well lie ({y:.1f}, {x:.1f}) px farther on")
        told = "the shortest steps were taken"
        jumped = np.isin(jumps(modes[:, :, 0].mean(axis=1)), [cut for cut, _ in hops.tied]).any()
        if far or SWAYING * np.median(sway(modes)) > hops.period or jumped:
            out.covariance[good] = np.diag([np.inf, np.inf])
            told = "which is right cannot be told, and the predicted error is infinite"
        _warn(
            f"moving all frames from one on by a lattice vector fits as well, from frames "
            f"{spans([good[cut] for cut, _ in hops.tied])} on: {told}"
        )
    return modes


def _whole(fitted: Field, place: Floats, error: Floats) -> Field:
    """Field of frames shifted as a whole, with errors (N,) of these shifts.

    The error of the rows is added to them, since it includes jitter that was not seen.
    """
    modes = np.zeros_like(fitted.modes)
    modes[:, :, 0] = place[:, None]
    return replace(fitted, modes=modes, error=np.hypot(fitted.error, error))


def _where(modes: Floats, seen: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.median(modes[seen, 0], axis=0))


def _shifted(shift: Floats, rows: int) -> Floats:
    """Coefficients for frames shifted as a whole, (N, Y, 1, 2)."""
    return np.repeat(shift[:, None, None], rows, axis=1)


def _rows_are_worse(laid: Laid, shift: Floats) -> bool:
    """Whether rows fit worse than whole frames: the means of every second frame and of the others differ more."""
    rows, whole = (unlike(one) for one in (laid, Laid(laid.images, _shifted(shift, laid.images.shape[1]))))
    return rows > max(RIGID * whole, whole + LEAST)


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


def _warn_of_hum(fitted: Field) -> None:
    """Warn of a hum of which a part may be the same in all frames, and so remain in the sum."""
    found = mains_hum(fitted.modes, fitted.error)
    if found is not None:
        _warn(
            f"a scan distortion of {found.cycles:.3g} cycles a frame, as of the mains, turns by only {found.turn:.2f} "
            "of a cycle from frame to frame: what all frames share of it cannot be seen and stays in the sum; let the "
            "frame time differ from a whole number of mains periods"
        )


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)

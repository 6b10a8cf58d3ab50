"""Area: registration of the frames of one area: what is believed of it, and all that the user is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask, Singles

from .along import continued, unfollowed
from .bad_parts import DOUBTED, ELSEWHERE, OTHER, spans
from .hops import FEW_STEPS, SHORT, Hops
from .laid import Laid
from .motion import jumps, keeps_still, standing_apart, stepping, sway
from .placed import Placed, placed, shifts
from .rows.drift import mains_hum, with_shear
from .rows.field import Field
from .rows.kernels import displaced
from .settled import Fit, moving_by, unlike
from .sight import covariance, sight
from .spikes import remove_spikes

APART = "lies far from the frames before and after"
BLIND = 1e-9  # share of the information below which a direction is not seen
UNKNOWN = 0.3  # px, rms; displacement of rows that is assumed, at least, where it could not be measured
TRUSTED = 0.5  # weight of a row in the fit (`Field.trust`) below which it is flagged
RIGID = 1.15  # rows fit worse if their misfit exceeds that of frames shifted as a whole by this factor
ALONG = 0.15  # lattice periods; a lattice row runs along the scan if it rises by less over the width of the frame
DENSE = 1.5  # lattice periods; longest spacing along a lattice row that is considered in this
COMMON = (
    0.4  # least share of the field that a frame and the one after it must both show for their places to be believed
)
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

    Spikes become NaN in place (`spikes.remove_spikes`).

    `before`: displacements found for the first of these frames, which are refined with the others.
    """
    frames, rows, columns = stack.shape
    remove_spikes(stack)
    shift, error = shifts(stack, before)
    found = placed(stack, shift, error, before)
    if found is not None:
        return _told(found, frames, columns)
    return Area(Rows(_shifted(shift, rows), columns), error, covariance(error, np.eye(2)), [[] for _ in stack])


def _told(placed: Placed, frames: int, columns: int) -> Area:
    """What is believed of the displacements of an area of so many frames; warns of all that cannot be trusted."""
    good, found, bad, error = placed.good, placed.found, placed.bad, placed.error
    rows = bad.shape[1]
    foreign = np.asarray(bad.all(axis=1))
    out = Area((), error, covariance(error, np.eye(2)), [[] for _ in range(frames)])
    _flag(out, good, placed.images, found, bad)
    out.error[good] = found.fitted.error
    modes = _believed(out, good, found, rows)
    along = max(unfollowed(found.laid), continued(found.fitted.prior))
    out.error[good] = np.sqrt(out.error[good] ** 2 + along + placed.compared.misled(~foreign).mean())
    _warn_of_rows_along(out, good, found, columns)
    shares = sight(found.laid)
    if not shares.any() and not keeps_still(found.fitted.modes):
        shares = np.eye(2)  # not only noise, since rows were seen to move; outliers made the means rough
    out.covariance = covariance(out.error, shares)
    far = _warn_of_lattice(out, good, found)
    modes = _seen_only(modes, out, good, shares, found.hops, far=far)
    _warn_of_jumps(out, good, found, (rows, columns))
    foreign |= _differing(out, placed)
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


def _differing(out: Area, placed: Placed) -> Mask:
    """Frames of which the others lack most, if these are few; else it warns of them.

    It also warns where the frames before and after one differ; the error of the fewer becomes infinite.
    """
    good, own = placed.good, placed.lacking
    if own.any() and 2 * (own | placed.bad.all(axis=1)).sum() >= good.size:
        out.covariance[good] = np.diag([np.inf, np.inf])
        _warn(
            f"most of what {own.sum()} of {good.size} frames show is not seen in the others: frames were not brought "
            "together, and the predicted error is infinite; register a part of the frames, or another signal"
        )
        return np.zeros_like(own)
    for n in np.flatnonzero(own):
        out.flags[good[n]].append(ELSEWHERE)
    if placed.change is not None:
        cut, alike = placed.change
        out.covariance[good[:cut] if 2 * cut < good.size else good[cut:]] = np.diag([np.inf, np.inf])
        _warn(
            f"frames before and from {good[cut]} on resemble each other by only {100 * alike:.0f} %: contrast, focus "
            "or scene changed there, or frames lie a lattice period off; how they lie to each other is uncertain, the "
            "predicted error infinite"
        )
    return own


def _warn_of_jumps(out: Area, good: NDArray[np.int64], found: Fit, shape: tuple[int, int]) -> None:
    """Warn of frames far from the others, and of steps within frames; their errors become infinite where unknown."""
    common = np.prod(np.maximum(1 - np.abs(np.diff(found.place, axis=0)) / shape, 0), axis=1)
    for cut in np.flatnonzero(common < COMMON) + 1:
        out.covariance[good[:cut] if 2 * cut < good.size else good[cut:]] = np.diag([np.inf, np.inf])
        _warn(
            f"frames before and from {good[cut]} on were laid so that they share only {100 * common[cut - 1]:.0f} % of "
            "the field: unless the stage moved that far, they were taken for another place, and the predicted error "
            "is infinite; register them as two series"
        )
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
            "of steps that fit as well the shortest were taken; record with finer pixels"
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


def _shifted(shift: Floats, rows: int) -> Floats:
    """Coefficients for frames shifted as a whole, (N, Y, 1, 2)."""
    return np.repeat(shift[:, None, None], rows, axis=1)


def _rows_are_worse(laid: Laid, shift: Floats) -> bool:
    """Whether rows fit worse than whole frames: the means of every second frame and of the others differ more."""
    rows, whole = (unlike(one) for one in (laid, Laid(laid.images, _shifted(shift, laid.images.shape[1]))))
    return rows > max(RIGID * whole, whole + LEAST)


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

"""Register: from a series of images to the displacement of every pixel."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from .registration import Registration
from .rigid import align
from .rowlocked.drift import hum, with_drift
from .rowlocked.field import Field, row_locked
from .selection import image_signal, picture
from .sources import is_journal

Floats = NDArray[np.float64]

CLIPPED = 0.05  # share of a frame's pixels at the highest value, above that of most frames
WINDOW = 6  # known frames that new ones are aligned with
SMALLEST = 8  # rows and columns from which on rows are registered for themselves


def register(
    images: Any, *, signal: str | None = None, regions: Any = None, across: bool = False, to_field: Any = None
) -> Registration:
    """Register a series of images of one scene, every row of every frame for itself.

    Frames are first shifted as a whole, from all pairs (`rigid.align`); then each row is displaced by a smooth function
    of the position along it, to the maximum a posteriori of all frames together, with the jitter's covariance, the
    noise and each frame's gain and background learned from the data (`rowlocked.field.row_locked`).

    Parameters
    ----------
    images : (N, Y, X) array, sequence of (Y, X) arrays, or journal
        Any real numbers.
    signal : str, optional
        Image of a journal; default HAADF or the first, or its X-ray counts where it has no image.
    regions : (N,) sequence of int, optional
        Area that each frame shows; default: what a journal's frames say, else one area.
    across : bool
        Also lay frames of different areas on one another, which is possible only modulo the periods of one lattice.
    to_field : 2x3 array, optional
        `Signal.to_field` of the images; a journal declares its own.

    Returns
    -------
    Registration
        Displacement (uy, ux), px: frame pixel q sampled the scene at q + u. Its mean over frames and pixels (each
        area's, unless `across`) is zero. What rows of all frames share is seen as far as frames are shifted against
        one another; the shear by a steady drift is taken from the drift from frame to frame; the rest is zero.

        ``predicted_error`` is the error of one component that the noise lets expect, px rms. Frames that are blank,
        saturated or not finite, and frames that resemble the others no more than noise would, are flagged in
        ``left_out`` with a warning and keep zero displacement; where no two frames resemble each other, none is left
        out and the error is infinite.

    Raises
    ------
    UsageError
        If the frames differ in shape or are not real images.

    Notes
    -----
    The method is the project's own. It follows the insight that a scan is serial (L. Jones et al., Adv. Struct. Chem.
    Imaging 1 (2015) 8; C. Ophus et al., Ultramicroscopy 162 (2016) 1), and is judged by the Bayesian Cramér-Rao bound.
    """
    if is_journal(images):
        images, regions, to_field = _of_journal(images, signal, regions)
    stack = _stack(images)
    frames, *shape = stack.shape
    area = np.zeros(frames, int) if regions is None else np.asarray(regions)
    if area.shape != (frames,) or area.dtype.kind not in "iu":
        raise UsageError(f"regions must be one integer for each of the {frames} frames, got {area.dtype} {area.shape}")
    usable = usable_frames(stack)
    field, error = np.zeros((frames, 2, *shape), np.float32), np.full(frames, np.nan)
    for name in np.unique(area):
        chosen = np.flatnonzero(usable & (area == name))
        if chosen.size:
            field[chosen], error[chosen], _ = register_area(stack[chosen])
    return assemble(stack, area, usable, field, error, across=across, to_field=to_field)


def assemble(
    stack: Floats,
    area: NDArray[Any],
    usable: NDArray[np.bool_],
    field: NDArray[np.float32],
    error: Floats,
    *,
    across: bool,
    to_field: Any,
) -> Registration:
    """Make one registration of what was found area by area; arguments as in `register`, frames first."""
    names, known = np.unique(area), usable.copy()
    for name in names:
        chosen = np.flatnonzero(usable & (area == name))
        if np.isfinite(error[chosen]).sum() > 1:
            known[chosen] = np.isfinite(error[chosen])
    together = across and len(names) > 1
    if together:
        field += _offsets(stack, field, area, known)[:, :, None, None]
    field -= np.sum([_share(area, name, known, field) for name in ([None] if together else names)], axis=0)
    _warn(usable, known, error)
    field[~known] = 0
    return Registration(
        field,
        predicted_error=_rms(error[known]),
        frame_error=error,
        left_out=~known,
        to_field=to_field,
        region=area,
        modulo_lattice=together,
    )


def register_area(stack: Floats, before: Field | None = None) -> tuple[NDArray[np.float32], Floats, Field | None]:
    """Register the usable frames of one area, (N, Y, X).

    Returns displacement (N, 2, Y, X), error of each frame, and the rows' field where all frames have one; given for the
    first frames, as `before`, it is refined.
    """
    shift, errors = align(stack) if before is None else _continued(stack, before)
    error = np.sqrt((errors**2).mean(axis=1))
    frames, rows, columns = stack.shape
    flat = np.broadcast_to(shift.astype(np.float32)[:, :, None, None], (frames, 2, rows, columns))
    good = np.flatnonzero(np.isfinite(error))
    if good.size < 2 or min(rows, columns) < SMALLEST:
        return flat, error, None
    fitted = row_locked(stack[good], shift[good], before)
    out = flat.copy()
    out[good] = replace(fitted, modes=with_drift(fitted.modes)).displacement(columns)
    error[good] = fitted.error
    _warn_of_hum(fitted)
    return out, error, fitted if good.size == frames else None


def _continued(stack: Floats, before: Field) -> tuple[Floats, Floats]:
    """Shifts of all frames where those of the first are known: the others are aligned with the last of them."""
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
    """Warn of a hum that all frames may share."""
    found = hum(fitted.modes, fitted.error)
    if found is not None:
        warnings.warn(
            f"a scan distortion of {found.cycles:.3g} cycles a frame, as of the mains, turns by only {found.turn:.2f} "
            "of a cycle from frame to frame: what all frames share of it cannot be seen and stays in the sum; let the "
            "frame time differ from a whole number of mains periods",
            stacklevel=4,
        )


def _offsets(stack: Floats, field: NDArray[np.float32], area: NDArray[Any], known: NDArray[np.bool_]) -> Floats:
    """Shift (N, 2) that lays each area's aligned mean on the others', modulo the lattice."""
    from .accumulation import accumulate, coverage

    out, means, of = np.zeros((len(stack), 2)), [], []
    for name in np.unique(area):
        chosen = np.flatnonzero(known & (area == name))
        if chosen.size:
            one = Registration(field[chosen])
            seen = coverage(one)
            mean = accumulate(stack[chosen], one) / np.maximum(seen, 1e-9)
            means.append(np.where(seen > chosen.size / 2, mean, mean[seen > chosen.size / 2].mean()))
            of.append(chosen)
    if len(means) > 1:
        shift, error = align(np.array(means))
        if np.isinf(error).any():
            warnings.warn("some areas show too little in common to be laid on one another", stacklevel=3)
        for chosen, one in zip(of, shift, strict=True):
            out[chosen] = one
    return out


def _share(
    area: NDArray[Any], name: int | None, known: NDArray[np.bool_], field: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean displacement of the frames of one area (of all: None), laid on these frames: (N, 2, 1, 1)."""
    member = np.ones_like(known) if name is None else area == name
    chosen = member & known
    mean = field[chosen].mean(axis=(0, 2, 3), dtype=np.float64) if chosen.any() else np.zeros(2)
    return np.asarray((member[:, None] * mean)[:, :, None, None], np.float32)


def _of_journal(journal: Any, signal: str | None, regions: Any) -> tuple[Floats, Any, Any]:
    guide = image_signal(journal, signal)
    spectra = None
    if guide is None:
        from .selection import spectra_signal

        spectra = spectra_signal(journal, None)
        if spectra is None:
            raise UsageError("the journal holds neither images nor spectra to register")
    if len(journal) == 0:
        raise UsageError("the journal holds no frame to register")
    stack = np.array([picture(journal[i], guide, spectra) for i in range(len(journal))])
    if regions is None:
        regions = [journal[i].region for i in range(len(journal))]
    source = guide or spectra
    return stack, regions, source.to_field if source is not None else None


def _stack(images: Any) -> Floats:
    try:
        stack = np.asarray(images if hasattr(images, "shape") else [np.asarray(image) for image in images])
    except ValueError:
        shapes = sorted({np.shape(image) for image in images})
        raise UsageError(f"all frames must have one shape, got {shapes}") from None
    if stack.ndim != 3 or 0 in stack.shape or stack.dtype.kind not in "biuf":
        raise UsageError(f"images must be real numbers of shape (N, Y, X), got {stack.dtype} {stack.shape}")
    return stack.astype(np.float64)


def usable_frames(stack: Floats) -> NDArray[np.bool_]:
    """Frames (N, Y, X) that are finite and, of two or more, neither blank nor clipped where the others are not."""
    usable = np.asarray(np.isfinite(stack).all(axis=(1, 2)))
    if len(stack) > 1 and stack[0].size > 1:
        usable[usable] = np.ptp(stack[usable], axis=(1, 2)) > 0
        if usable.any():
            top = stack[usable].max()
            at_top = (stack[usable] == top).sum(axis=(1, 2))  # one pixel always is
            clipped = np.maximum(at_top - 1, 0) / stack[0].size
            usable[usable] = clipped <= np.median(clipped) + CLIPPED
    return usable


def _warn(usable: NDArray[np.bool_], known: NDArray[np.bool_], error: Floats) -> None:
    frames = len(usable)
    if not usable.all():
        warnings.warn(
            f"{(~usable).sum()} of {frames} frames are blank, saturated or not finite and are left out: "
            f"{_list(~usable)}",
            stacklevel=3,
        )
    strange = usable & ~known
    if strange.any():
        warnings.warn(
            f"{strange.sum()} of {frames} frames resemble the others no more than noise would and are left out: "
            f"{_list(strange)}",
            stacklevel=3,
        )
    lost = known & np.isinf(error)
    if lost.any():
        warnings.warn(
            f"{lost.sum()} of {frames} frames show too little to be registered and are taken as they are: "
            f"{_list(lost)}",
            stacklevel=3,
        )


def _rms(error: Floats) -> float:
    """Root mean square over the frames that could be registered; infinite, or NaN, where none could."""
    finite = error[np.isfinite(error)]
    if finite.size:
        return float(np.sqrt(np.mean(finite**2)))
    return float("inf") if np.isinf(error).any() else float("nan")


def _list(frames: NDArray[np.bool_]) -> str:
    return ", ".join(str(i) for i in np.flatnonzero(frames)[:10]) + (", …" if frames.sum() > 10 else "")

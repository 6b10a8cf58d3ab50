"""Register: `register`, from a series of images to the displacement of every pixel."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats, Mask, Singles
from lbj.frame import Recording
from lbj.scanned import scanned_of

from ..accumulation.mean import aligned_mean
from ..geometry.registration import Registration
from ..series.selection import image_signal, reference_images, spectra_signal
from ..series.series import is_journal
from . import plugins as registrations
from .area import Area, register_area
from .bad_parts import ELSEWHERE, PARTS, missing, sample
from .rigid.align import align

CLIPPED = 0.05  # share of pixels at the highest value by which a frame may exceed the median of the frames
LEAST_SEEN = 0.25  # least share of a frame's pixels that must have been recorded
TAIL = 1e-3  # share of the lowest, and of the highest, pixels that may be outliers
FARTHEST = 1e15  # standard deviations at which values are cut off


def register(
    images: Any,
    *,
    signal: str | None = None,
    regions: Any = None,
    across: bool = False,
    to_field: Any = None,
    method: str | None = None,
    client: Any = None,
) -> Registration:
    """Register a series of images of one scene, every row of every frame for itself.

    Frames are first shifted as a whole, from many pairs (`rigid.align`); then each row is displaced by a smooth
    function of the position along it, to the maximum a posteriori of all frames together, with the jitter's covariance,
    the noise and each frame's gain and background learned from the data (`rows.field.register_rows`).

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
    method : str, optional
        A registration that another installed package provides (docs/plugins.md), in place of the one described here.
    client : dask.distributed.Client, optional
        Whose workers register the areas, one each (`mfsi_core.cluster`).

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
        If the frames differ in shape or are not real images, or no package provides `method`.
    PluginError
        If the plugin that `method` names fails.
    ClusterError
        If the scheduler or its workers fail.

    Notes
    -----
    The method is the project's own. It follows the insight that a scan is serial (L. Jones et al., Adv. Struct. Chem.
    Imaging 1 (2015) 8; C. Ophus et al., Ultramicroscopy 162 (2016) 1), and is judged by the Bayesian Cramér-Rao bound.
    """
    recorded = None
    if is_journal(images):
        images, regions, to_field, recorded = _of_journal(images, signal, regions)
    stack = _stack(images)
    del images  # frees the images read from a journal
    frames = len(stack)
    area = np.zeros(frames, int) if regions is None else np.asarray(regions)
    if area.shape != (frames,) or area.dtype.kind not in "iu":
        raise UsageError(f"regions must be one integer for each of the {frames} frames, got {area.dtype} {area.shape}")
    stack, said = prepared(stack)
    usable = usable_frames(stack)
    one_area = register_area if method is None else partial(registrations.register_area, name=method)
    members = {int(name): usable & (area == name) for name in np.unique(area)}
    stacks = ((name, stack if one.all() else stack[one]) for name, one in members.items() if one.any())
    if client is None:
        parts = {name: one_area(some) for name, some in stacks}
    else:
        from .by_workers import register_areas

        parts = register_areas(client, dict(stacks), one_area)
    found = assemble(stack, area, usable, parts, said, across=across, to_field=to_field)
    found.recorded = recorded
    return found


def prepared(images: NDArray[Any]) -> tuple[Singles, list[list[str]]]:
    """Images (N, Y, X) less their mean, over their standard deviation, NaN where not recorded; remarks on each.

    For mean and standard deviation outliers are cut off at a distance from the 0.001 and 0.999 quantiles that is as
    large as that between the two.
    """
    some = sample(images)
    some = some if some.size else np.zeros(1)
    low, high = np.quantile(some, [TAIL, 1 - TAIL])
    if low == high:
        low, high = some.min(), some.max()
    unit = max(abs(low), abs(high)) or 1.0
    some = np.clip(some, 2 * low - high, 2 * high - low) / unit
    level, scale = float(some.mean()), float(some.std()) or 1.0
    stack = np.empty(images.shape, np.float32)
    for image, single in zip(images, stack, strict=True):
        _level(np.asarray(image, np.float64), unit, level, scale, single)
    return stack, missing(stack)


@njit(cache=True, nogil=True, error_model="numpy")
def _level(image: Any, unit: float, level: float, scale: float, out: Any) -> None:
    """Fill in (image / unit - level) / scale, cut off at `FARTHEST`, NaN where the image is not finite."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            value = (image[y, x] / unit - level) / scale
            value = min(max(value, -FARTHEST), FARTHEST)
            out[y, x] = value if math.isfinite(image[y, x]) else np.nan


def assemble(
    stack: Singles,
    area: NDArray[Any],
    usable: NDArray[np.bool_],
    parts: dict[int, Area],
    said: list[list[str]],
    *,
    across: bool,
    to_field: Any,
) -> Registration:
    """Join the results of the areas into one registration.

    `stack`, `said`: as `prepared` returns them; `usable`: as `usable_frames`; `parts`: what was found in each area; the
    other arguments as in `register`.
    """
    frames = len(stack)
    field, error = np.zeros((frames, 2, *stack.shape[1:]), np.float32), np.full(frames, np.nan)
    covariance, flags = np.full((frames, 2, 2), np.nan), [list(one) for one in said]
    names, known = np.unique(area), usable.copy()
    for name, part in parts.items():
        chosen = np.flatnonzero(usable & (area == name))
        error[chosen], covariance[chosen] = part.error, part.covariance
        for frame, one, told in zip(chosen, part.displacement, part.flags, strict=True):
            field[frame] = one
            flags[frame] += told
        if np.isfinite(part.error).sum() > 1:
            known[chosen] = np.isfinite(part.error)
    together = across and len(names) > 1
    if together:
        field += _offsets(stack, field, area, known)[:, :, None, None]
    field -= np.sum([_share(area, name, known, field) for name in ([None] if together else names)], axis=0)
    _warn(usable, known, error, flags)
    field[~known] = 0
    return Registration(
        field,
        predicted_error=_rms(np.sqrt(np.trace(covariance[known], axis1=1, axis2=2) / 2)),
        frame_error=error,
        frame_covariance=covariance,
        left_out=~known,
        to_field=to_field,
        region=area,
        modulo_lattice=together,
        flags=flags,
    )


def _offsets(stack: Singles, field: Singles, area: NDArray[Any], known: NDArray[np.bool_]) -> Floats:
    """Shift (N, 2), px, that brings the aligned mean of each area onto the others', up to a lattice vector."""
    out, means, of = np.zeros((len(stack), 2)), [], []
    for name in np.unique(area):
        chosen = np.flatnonzero(known & (area == name))
        if chosen.size:
            mean, seen = aligned_mean(stack[chosen].astype(float), Registration(field[chosen]))
            means.append(np.where(seen > chosen.size / 2, mean, mean[seen > chosen.size / 2].mean()))
            of.append(chosen)
    if len(means) > 1:
        shift, error = align(np.array(means, np.float32))
        if np.isinf(error).any():
            warnings.warn("some areas show too little in common to be laid on one another", stacklevel=3)
        for chosen, one in zip(of, shift, strict=True):
            out[chosen] = one
    return out


def _share(area: NDArray[Any], name: int | None, known: NDArray[np.bool_], field: Singles) -> Singles:
    """Mean displacement of the frames of one area, or of all (None), (N, 2, 1, 1); zero for other frames."""
    member = np.ones_like(known) if name is None else area == name
    chosen = member & known
    means = [field[n].mean(axis=(1, 2), dtype=np.float64) for n in np.flatnonzero(chosen)]
    mean = np.mean(means, axis=0) if means else np.zeros(2)
    return np.asarray((member[:, None] * mean)[:, :, None, None], np.float32)


def _of_journal(journal: Recording, signal: str | None, regions: Any) -> tuple[Floats, Any, Any, Mask | None]:
    reference_signal = image_signal(journal, signal)
    spectra = None
    if reference_signal is None:
        spectra = spectra_signal(journal, None)
        if spectra is None:
            raise UsageError("the journal holds neither images nor spectra to register")
    if len(journal) == 0:
        raise UsageError("the journal holds no frame to register")
    stack = reference_images(journal, reference_signal, spectra)
    if regions is None:
        regions = [journal[i].region for i in range(len(journal))]
    source = reference_signal or spectra
    assert source is not None
    return stack, regions, source.to_field, scanned_of(journal, source)


def _stack(images: Any) -> NDArray[Any]:
    try:
        stack = np.asarray(images if hasattr(images, "shape") else [np.asarray(image) for image in images])
    except ValueError:
        shapes = sorted({np.shape(image) for image in images})
        raise UsageError(f"all frames must have one shape, got {shapes}") from None
    if stack.ndim != 3 or 0 in stack.shape or stack.dtype.kind not in "biuf":
        raise UsageError(f"images must be real numbers of shape (N, Y, X), got {stack.dtype} {stack.shape}")
    return stack


def usable_frames(stack: NDArray[Any]) -> NDArray[np.bool_]:
    """Frames (N, Y, X) that can be registered: enough of them recorded, not blank, not clipped unlike the others."""
    seen = np.array([np.isfinite(image).mean() for image in stack])
    if len(stack) == 1:
        return np.asarray(seen == 1)
    usable = seen >= LEAST_SEEN
    if stack[0].size > 1:
        usable[usable] = [np.nanmax(image) > np.nanmin(image) for image, one in zip(stack, usable, strict=True) if one]
        if usable.any():
            chosen = np.flatnonzero(usable)
            top = max(np.nanmax(stack[n]) for n in chosen)
            at_top = np.array([(stack[n] == top).sum() for n in chosen])  # one pixel may be the maximum
            clipped = np.maximum(at_top - 1, 0) / stack[0].size
            usable[chosen] = clipped <= np.median(clipped) + CLIPPED
    return np.asarray(usable)


def _warn(usable: NDArray[np.bool_], known: NDArray[np.bool_], error: Floats, flags: list[list[str]]) -> None:
    frames = len(usable)
    foreign = np.array([ELSEWHERE in one for one in flags])
    for chosen, text in (
        (~usable, "are blank, saturated or not finite and are left out"),
        (usable & ~known & ~foreign, "resemble the others no more than noise would and are left out"),
        (usable & ~known & foreign, "show something else than the others and are left out"),
        (known & np.isinf(error), "show too little to be registered and are taken as they are"),
    ):
        if chosen.any():
            warnings.warn(f"{chosen.sum()} of {frames} frames {text}: {_list(chosen)}", stacklevel=3)
        for frame in np.flatnonzero(chosen):
            if ELSEWHERE not in flags[frame]:
                flags[frame].append(text.removeprefix("are "))
    partly = {n: [text for text in flags[n] if text.endswith(PARTS)] for n in np.flatnonzero(known)}
    partly = {n: texts for n, texts in partly.items() if texts}
    if partly:
        told = [f"frame {n}: {', '.join(texts)}" for n, texts in list(partly.items())[:5]]
        more = "; …" if len(partly) > 5 else ""
        text = f"parts of {len(partly)} frames are left out or count less: {'; '.join(told)}{more}"
        warnings.warn(text, stacklevel=3)


def _rms(error: Floats) -> float:
    """Root mean square over the frames; infinite if an error is, NaN where no frame was registered."""
    return float(np.sqrt(np.mean(error**2))) if error.size else float("nan")


def _list(frames: NDArray[np.bool_]) -> str:
    return ", ".join(str(i) for i in np.flatnonzero(frames)[:10]) + (", …" if frames.sum() > 10 else "")

"""Bad parts: missing pixels, and rows or whole frames that show something else than the other frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask, Singles

from .laid import Laid, mean_of, misfit
from .threads import each

ELSEWHERE = "shows something else than the other frames"
OTHER, UNRECORDED, ABSURD = "show something else than the other frames", "not recorded", "of absurd value"
DOUBTED = "fit no place of the scene and count less"
PARTS = (OTHER, UNRECORDED, ABSURD, DOUBTED)
MOST = 0.5  # rows constant in a smaller share of the frames are missing there, and rows with more of their pixels NaN
OUTLYING = 1e3  # distance from the median, in ranges between the 0.001 and 0.999 quantiles, of an absurd value
STRIPS = 16  # strips of rows into which a frame is cut, at most
LEAST_ROWS = 4  # least rows of a strip
# A strip is bad if its misfit exceeds three limits: WORSE times the median misfit of that strip over the frames, that
# median by CERTAIN standard deviations of the misfits, and the share DIFFERENT of the scene's variance in the strip.
WORSE = 2.0
DIFFERENT = 0.3
CERTAIN = 6.0
SAMPLE = 1_000_000  # of more pixels quantiles are taken from at least this many, and fewer than twice as many
WHOLE = 0.6  # share of a frame's strips; if more are bad, all of the frame is


def missing(stack: Singles) -> list[list[str]]:
    """Replace pixels that were not recorded by NaN, in place; return remarks on each frame.

    These are rows that are constant in one frame but not in most others, as after an aborted scan or a lost block of
    data, the pixels of the same value at the end of the row before them, and pixels of absurd value. In the frames
    (N, Y, X) pixels that are not finite are NaN already.
    """
    said: list[list[str]] = [[] for _ in stack]
    if stack[0].size > 1:
        some = sample(stack)
        low, middle, high = np.quantile(some, (0.001, 0.5, 0.999)) if some.size else (0.0, 0.0, 0.0)
        for image, told in zip(stack, said, strict=True):
            absurd = np.abs(image - middle) > OUTLYING * (high - low)
            if high > low and absurd.any():
                told.append(f"{absurd.sum()} pixels {ABSURD}")
                image[absurd] = np.nan
    if len(stack) > 2 and min(stack.shape[1:]) > 2:
        flat = np.array([image.max(axis=1) == image.min(axis=1) for image in stack])  # false for rows with NaN
        empty = flat & (flat.mean(axis=0) < MOST)
        empty[flat.all(axis=1)] = False  # a frame without any contrast is left out as a whole elsewhere
        for n in np.flatnonzero(empty.any(axis=1)):
            gone = np.flatnonzero(empty[n])
            for row in gone[np.flatnonzero(np.diff(gone, prepend=-2) > 1)]:
                if row > 0 and not flat[n, row - 1]:
                    before = stack[n, row - 1]
                    same = np.flatnonzero(before[::-1] != stack[n, row, 0])
                    if same.size and same[0] > 2:
                        before[before.size - same[0] :] = np.nan
            stack[n, empty[n]] = np.nan
    for frame, image in enumerate(stack):
        one = np.isnan(image)
        rows = np.flatnonzero(one.mean(axis=1) > MOST)
        if 0 < rows.size < len(one):
            said[frame].append(f"rows {spans(rows)} {UNRECORDED}")
        pixels = int(one.sum() - one[rows].sum())
        if pixels and not said[frame]:
            said[frame].append(f"{pixels} pixel{'s' if pixels > 1 else ''} {UNRECORDED}")
    return said


def sample(stack: NDArray[Any]) -> Floats:
    """Finite values of a stack, of large ones a sample taken at equal distances."""
    flat = stack.reshape(-1)
    some = np.asarray(flat[:: max(1, flat.size // SAMPLE)], np.float64)
    return np.asarray(some[np.isfinite(some)])


def strange_rows(laid: Laid) -> Mask:
    """Rows (N, Y) of a registered series that differ from the mean of the other frames more than is usual.

    Frames are cut into strips of rows. The misfit of a strip is compared with that of the same strip in all frames.
    """
    frames, rows = laid.images.shape[:2]
    out = np.zeros((frames, rows), bool)
    if frames < 4 or rows < 2 * LEAST_ROWS:
        return out
    edges = np.linspace(0, rows, min(STRIPS, rows // LEAST_ROWS) + 1).astype(int)
    found = np.full((frames, edges.size - 1), np.nan)
    varied = np.ones_like(found)
    place = laid.shift[:, 0] + laid.corner[0]

    def compare(n: int) -> None:
        one = laid.frame(n)
        own, others = (laid.smooth(mean_of(part)) for part in (one, laid.all - one))
        square = misfit(own, others)
        both = np.isfinite(square)
        for k in range(edges.size - 1):
            strip = slice(*(round(edge + place[n]) for edge in edges[k : k + 2]))
            if both[strip].mean() > MOST / 2:
                found[n, k] = square[strip][both[strip]].mean()
                varied[n, k] = others[strip][both[strip]].var()

    each(compare, range(frames))
    usual = np.nanmedian(found, axis=0)
    ratio = found / np.maximum(usual, 1e-300)
    scatter = 1.4826 * np.nanmedian(np.abs(ratio - 1))
    with np.errstate(invalid="ignore"):
        bad = (ratio > 1 + max(WORSE - 1, CERTAIN * scatter)) & (found > DIFFERENT * varied)
    gap = np.pad(bad, ((0, 0), (1, 1)))
    bad |= gap[:, :-2] & gap[:, 2:]  # a good strip between two bad ones looks good by chance
    bad[bad.mean(axis=1) > WHOLE] = True
    for k in range(edges.size - 1):
        out[:, edges[k] : edges[k + 1]] = bad[:, k : k + 1]
    return out


def spans(numbers: Any) -> str:
    """Text for ascending whole numbers, with ranges: 0-3, 7."""
    numbers = np.asarray(numbers)
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) > 1)
    parts = [(part[0], part[-1]) for part in np.split(numbers, starts[1:])]
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)

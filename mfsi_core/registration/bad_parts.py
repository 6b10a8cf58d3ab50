"""Bad parts: missing pixels, and rows or whole frames that show something else than the other frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask, Singles

from .laid import Binned, Laid, misfit, moved
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
# median by CERTAIN standard deviations of the misfit of as many pixels, and the share DIFFERENT of the scene's variance
# in the strip.
WORSE = 2.0
DIFFERENT = 0.3
CERTAIN = 6.0
# Rows above or below a cut are tried elsewhere where their misfit exceeds that of the others by the factor UNEVEN and
# by LIKELY standard errors. They are off where they fit better there by BETTER standard errors, taken from the scatter
# between blocks of them, and by the share CLEAR of the misfit.
UNEVEN, LIKELY, BETTER, CLEAR = 1.3, 3.0, 4.0, 0.3
BLOCKS, FEWEST = 8, 12  # blocks along a strip; least number of blocks that must be known
SAMPLE = 250_000  # of more pixels quantiles are taken from at least this many, and fewer than twice as many
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


def strange_rows(laid: Laid, resembling: Floats) -> Mask:
    """Rows (N, Y) of a registered series that differ from the mean of the other frames more than is usual.

    Frames are cut into strips of rows. The misfit of a strip is compared with that of the same strip in all frames.
    Where it is larger above or below a row than in the rest of the frame, the rows there are tried at the shifts
    `resembling`, (L, 2), at which the scene resembles itself, in case that the specimen stepped within the frame.
    """
    frames, rows = laid.images.shape[:2]
    out = np.zeros((frames, rows), bool)
    if frames < 4 or rows < 2 * LEAST_ROWS:
        return out
    edges = np.linspace(0, rows, min(STRIPS, rows // LEAST_ROWS) + 1).astype(int)
    found = np.full((frames, edges.size - 1), np.nan)
    varied, known = np.ones_like(found), np.ones_like(found)
    place = laid.shift[:, :1] + laid.corner[0] + edges
    scene = Binned(laid, 2 * STRIPS * LEAST_ROWS)
    at = np.rint(place / scene.factor).astype(int)

    def compare(n: int) -> None:
        one = scene.frame(n)
        own, others = (moved(scene.waves(part), (0.0, 0.0)) for part in (one, scene.all - one))
        sums = _by_row(misfit(own, others), others)
        for k in range(edges.size - 1):
            strip = sums[at[n, k] : at[n, k + 1]]
            count, square, total, power = strip.sum(axis=0)
            known[n, k] = count / max(len(strip) * own.shape[1], 1)
            if known[n, k] > MOST / 2:
                found[n, k], varied[n, k] = square / count, power / count - (total / count) ** 2

    each(compare, range(frames))
    found[:, ~np.isfinite(found).any(axis=0)] = 0  # strips that no frame shows
    usual = np.nanmedian(found, axis=0)
    ratio = found / np.maximum(usual, 1e-300)
    scatter = 1.4826 * np.nanmedian(np.abs(ratio - 1))
    with np.errstate(invalid="ignore"):
        chance = CERTAIN * scatter / np.sqrt(np.maximum(known, MOST / 2))
        bad = (ratio > 1 + np.maximum(WORSE - 1, chance)) & (found > DIFFERENT * varied)
    for n in np.flatnonzero(_uneven(ratio, scatter)):
        one = scene.frame(int(n))
        own = moved(scene.waves(one), (0.0, 0.0))
        bad[n] |= _elsewhere(own, scene.waves(scene.all - one), at[n], resembling / scene.factor)
    gap = np.pad(bad, ((0, 0), (1, 1)))
    bad |= gap[:, :-2] & gap[:, 2:]  # a good strip between two bad ones looks good by chance
    bad[bad.mean(axis=1) > WHOLE] = True
    for k in range(edges.size - 1):
        out[:, edges[k] : edges[k + 1]] = bad[:, k : k + 1]
    return out


def _uneven(ratio: Floats, scatter: float) -> Mask:
    """Frames whose misfit, (N, strips), is larger in some of the first or last strips than in the rest.

    `scatter`: standard deviation of the misfit of a strip.
    """
    seen = np.isfinite(ratio)
    total, count = np.cumsum(np.where(seen, ratio, 0), axis=1), np.cumsum(seen, axis=1)
    first, last = np.maximum(count[:, :-1], 1), np.maximum(count[:, -1:] - count[:, :-1], 1)
    above, below = total[:, :-1] / first, (total[:, -1:] - total[:, :-1]) / last
    larger, other = np.maximum(above, below), np.minimum(above, below)
    error = scatter * np.sqrt(1 / first + 1 / last)
    return np.asarray(((larger > UNEVEN * other) & (larger - other > LIKELY * error) & (other > 0)).any(axis=1))


def _elsewhere(
    own: Singles, others: tuple[NDArray[np.complex64], Mask], edges: NDArray[np.int64], shifts: Floats
) -> Mask:
    """Strips at the top or at the bottom of a frame that fit better at one of the shifts or at its opposite."""
    columns = np.linspace(0, own.shape[1], BLOCKS + 1).astype(int)
    strips = edges.size - 1
    now = _by_block(misfit(own, moved(others, (0.0, 0.0))), edges, columns)
    gained, out = 0.0, np.zeros(strips, bool)
    for shift in np.concatenate([shifts, -shifts]):
        then = _by_block(misfit(own, moved(others, shift)), edges, columns)
        better = 2 * (now - then) / np.maximum(now + then, 1e-300)
        known = np.isfinite(better)
        better = np.where(known, better, 0)
        sums = np.cumsum([known.sum(axis=1), better.sum(axis=1), (better**2).sum(axis=1)], axis=1)
        above, below = sums[:, :-1], sums[:, -1:] - sums[:, :-1]
        for first, (count, total, square) in ((True, above), (False, below)):
            mean = total / np.maximum(count, 1)
            error = np.sqrt(np.maximum(square - count * mean**2, 0) / np.maximum(count * (count - 1), 1))
            gain = np.where((count >= FEWEST) & (mean > np.maximum(BETTER * error, CLEAR)), total, 0)
            cut = int(gain.argmax())
            if gain[cut] > gained:
                gained, out = float(gain[cut]), (np.arange(strips) <= cut) == first
    return out


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _by_block(square: Any, rows: Any, columns: Any) -> Any:
    """Mean of an image over the blocks between these rows and columns; NaN where less than half a block is finite."""
    out = np.full((rows.size - 1, columns.size - 1), np.nan)
    for k in range(rows.size - 1):
        for block in range(columns.size - 1):
            count = sums = 0.0
            for y in range(rows[k], rows[k + 1]):
                part = square[y, columns[block] : columns[block + 1]]
                number = total = np.float32(0)
                for x in range(part.size):
                    seen = math.isfinite(part[x])
                    number += np.float32(1) if seen else np.float32(0)
                    total += part[x] if seen else np.float32(0)
                count += float(number)
                sums += float(total)
            if 2 * count > (rows[k + 1] - rows[k]) * (columns[block + 1] - columns[block]):
                out[k, block] = sums / count
    return out


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _by_row(square: Any, scene: Any) -> Any:
    """Of the finite pixels of each row of `square` (H, W): their number, sum, and that of scene and scene², (H, 4)."""
    out = np.zeros((len(square), 4))
    for y in range(len(square)):
        count = total = level = power = np.float32(0)
        for x in range(square.shape[1]):
            seen = math.isfinite(square[y, x])
            value = scene[y, x] if seen else np.float32(0)
            count += np.float32(1) if seen else np.float32(0)
            total += square[y, x] if seen else np.float32(0)
            level += value
            power += value * value
        out[y, 0], out[y, 1], out[y, 2], out[y, 3] = count, total, level, power
    return out


def spans(numbers: Any) -> str:
    """Text for ascending whole numbers, with ranges: 0-3, 7."""
    numbers = np.asarray(numbers)
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) > 1)
    parts = [(part[0], part[-1]) for part in np.split(numbers, starts[1:])]
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)

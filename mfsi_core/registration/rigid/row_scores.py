"""Row scores: how well two images agree at a shift from which every row may deviate a little (jitter)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Floats, Singles

from ..threads import each

MARGIN = 4  # grid points left out along the border of the images
PHASES = 2  # steps to a grid point; shifts are rounded to these
# Weights of the grid points on either side, the nearest first, in the value halfway between: a windowed sinc.
HALFWAY = np.array([np.sinc(k + 0.5) * np.cos(np.pi * (k + 0.5) / 10) ** 2 for k in range(5)])
HALFWAY = (HALFWAY / (2 * HALFWAY.sum())).astype(np.float32)
FEWEST = 8  # least rows, and columns, in which the images must overlap
ROWS = 48  # of a longer overlap at least this many rows are compared, and fewer than twice as many


def row_scores(
    clean: Singles,
    seen: NDArray[np.bool_],
    first: Any,
    second: Any,
    shift: Floats,
    given: NDArray[np.bool_],
    reach: int,
    stiffness: float,
) -> Floats:
    """Correlation of pairs of images when each row is placed where it fits best, near a common shift.

    Jitter and hum displace the rows, which lowers the plain correlation at the true shift and may raise it at a shift
    that is a lattice period off. Here they do not matter, nor does the brightness of single rows. Agreement by chance
    is the same at all shifts.

    Parameters
    ----------
    clean : (N, Y, X) float32
        Images filtered of noise.
    seen : (N, Y) bool
        Rows that are not missing.
    first, second : (P,) int
        Images of each pair.
    shift : (P, K, 2)
        Shifts to look at, grid points (y, x): pixel q of the first image corresponds to q + shift of the second.
    given : (P, K) bool
        Whether there is such a shift.
    reach : int
        Grid points by which a row may deviate from the shift, along y and along x.
    stiffness : float
        By how much the squared difference of two rows, summed along them, must fall for a row to be placed one grid
        point off: variance of the noise over the expected squared displacement of rows, in grid points.

    Returns
    -------
    (P, K)
        Share of the rows' variance that both images have in common, at least 0; 0 where they overlap too little.
    """
    out = np.zeros(shift.shape[:2])
    place = np.rint(shift * PHASES).astype(np.int64)

    def of(frame: int) -> None:
        pairs = np.flatnonzero(first == frame)
        phases, others = _phases(clean[frame]), np.asarray(second)[pairs]
        out[pairs] = _of_frame(phases, clean, seen, frame, others, place[pairs], given[pairs], reach, stiffness)

    each(of, np.unique(first))
    return out


@njit(cache=True, nogil=True)
def _of_frame(
    phases: Any, clean: Any, seen: Any, frame: int, others: Any, place: Any, given: Any, reach: int, stiffness: float
) -> Any:
    """Scores of one frame with others, (pairs, K); `phases`: this frame as of `_phases`."""
    out = np.zeros(given.shape)
    for pair in range(given.shape[0]):
        other = others[pair]
        for k in range(given.shape[1]):
            if given[pair, k]:
                y, x = place[pair, k, 0], place[pair, k, 1]
                own = phases[y % PHASES, x % PHASES]
                down, right = y // PHASES, x // PHASES
                out[pair, k] = _score(own, clean[other], seen[frame], seen[other], down, right, reach, stiffness)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _phases(image: Any) -> Any:
    """The image as it is and moved by half a grid point along y and along x: (PHASES, PHASES, Y, X)."""
    rows, columns = image.shape
    out = np.zeros((PHASES, PHASES, rows, columns), np.float32)
    reach = HALFWAY.size
    out[0, 0] = image
    if rows > 2 * reach:
        for y in range(rows):
            one = out[1, 0, y]
            for k in range(reach):
                before, after, share = image[max(y - 1 - k, 0)], image[min(y + k, rows - 1)], HALFWAY[k]
                for x in range(columns):
                    one[x] += share * (before[x] + after[x])
    padded = np.empty(columns + 2 * reach, np.float32)
    for a in range(PHASES):
        for y in range(rows):
            one = out[a, 1, y]
            padded[:reach], padded[reach + columns :] = out[a, 0, y, 0], out[a, 0, y, columns - 1]
            padded[reach : reach + columns] = out[a, 0, y]
            for k in range(reach):
                before, after, share = padded[reach - 1 - k :], padded[reach + k :], HALFWAY[k]
                for x in range(columns):
                    one[x] += share * (before[x] + after[x])
    return out


@njit(cache=True, nogil=True)
def _least(before: float, lowest: float, after: float) -> float:
    """Minimum of the parabola through three equidistant points, the middle one the lowest."""
    bend = before + after - 2 * lowest
    return lowest - (after - before) ** 2 / (8 * bend) if bend > 0 else lowest


@njit(cache=True, nogil=True, fastmath=True)
def _square(a: Any) -> float:
    total = np.float32(0)
    for x in range(a.size):
        total += a[x] * a[x]
    return float(total)


@njit(cache=True, nogil=True, fastmath=True)
def _total(a: Any) -> Any:
    total = np.float32(0)
    for x in range(a.size):
        total += a[x]
    return total


@njit(cache=True, nogil=True, fastmath=True)
def _products(a: Any, b: Any, out: Any) -> None:
    """Scalar products of a row with another one, at 3 or 5 offsets along that, as `out` has elements."""
    n = a.size
    b0, b1, b2 = b[:n], b[1 : n + 1], b[2 : n + 2]
    p0 = p1 = p2 = np.float32(0)
    for x in range(n):
        p0 += a[x] * b0[x]
        p1 += a[x] * b1[x]
        p2 += a[x] * b2[x]
    out[0], out[1], out[2] = p0, p1, p2
    if out.size > 3:
        b3, b4 = b[3 : n + 3], b[4 : n + 4]
        p0 = p1 = np.float32(0)
        for x in range(n):
            p0 += a[x] * b3[x]
            p1 += a[x] * b4[x]
        out[3], out[4] = p0, p1


@njit(cache=True, nogil=True, error_model="numpy")
def _score(first: Any, second: Any, seen: Any, also: Any, down: int, right: int, reach: int, stiffness: float) -> float:
    rows, columns = first.shape
    top, bottom = max(MARGIN, MARGIN - down + reach), min(rows - MARGIN, rows - MARGIN - down - reach)
    left, end = max(MARGIN, MARGIN - right + reach), min(columns - MARGIN, columns - MARGIN - right - reach)
    width = end - left
    if bottom - top < FEWEST or width < FEWEST:
        return 0.0
    misfit, products = np.empty((2 * reach + 1, 2 * reach + 1)), np.empty(2 * reach + 1, np.float32)
    missed = total = 0.0
    used = 0
    for y in range(top, bottom, max(1, (bottom - top) // ROWS)):
        if not (seen[y] and also[y + down]):
            continue
        a = first[y, left:end]
        mean = _total(a) / width
        power = _square(a) - width * mean**2
        least, dy, dx, other = 1e300, 0, 0, 0.0
        for v in range(2 * reach + 1):
            b = second[y + down + v - reach]
            start = left + right - reach
            beside = b[start : start + width]
            there, square = float(_total(beside)), _square(beside)
            _products(a, b[start : start + width + 2 * reach], products)
            for h in range(2 * reach + 1):
                spread = square - there**2 / width
                both = float(products[h]) - mean * there
                away = (v - reach) ** 2 + (h - reach) ** 2
                misfit[v, h] = power + spread - 2 * both + stiffness * away
                if misfit[v, h] < least:
                    least, dy, dx, other = misfit[v, h], v, h, spread
                if h < 2 * reach:
                    there += b[start + width] - b[start]
                    square += b[start + width] ** 2 - b[start] ** 2
                    start += 1
        lowest = least
        if 0 < dx < 2 * reach:
            lowest += _least(misfit[dy, dx - 1], least, misfit[dy, dx + 1]) - least
        if 0 < dy < 2 * reach:
            lowest += _least(misfit[dy - 1, dx], least, misfit[dy + 1, dx]) - least
        used += 1
        missed += max(lowest, 0.0)
        total += power + other
    return max(1 - missed / total, 0.0) if total > 0 and used >= FEWEST else 0.0

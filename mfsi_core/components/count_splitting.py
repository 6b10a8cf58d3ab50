"""Count splitting: which components of one random half of the counts the other half confirms."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lbj import UsageError
from lbj.array_types import Floats, Singles
from lbj.events import Events

Counts = NDArray[np.int64]

BLOCKS = (8, 3, 1)  # px, edges of the squares whose counts are taken together to find components
CANDIDATES = 12  # components sought with each size of square
LEAST_Z = 4.5  # 36 candidates of noise pass it once in 8,000 sums
BINS = 256
BAND = 4096  # pixels of an array worked on at a time


class Halves:
    """Two independent halves of a growing sum of frames.

    Every count is dealt by the toss of a coin, frame by frame and before anything is moved, so that both halves of
    Poisson counts are Poisson and independent; then it is pushed to the nearest pixel of the scene, which keeps it a
    count. Interpolated counts would be neither whole nor independent. The tosses depend on the frame's number alone.

    Parameters
    ----------
    shape : (Y, X, C)
        Of a frame.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = (shape[0], shape[1])
        size = (shape[0] * shape[1], shape[2])
        self.parts = [sparse.csr_array(size, dtype=np.int64), sparse.csr_array(size, dtype=np.int64)]

    def add(self, events: Events, displacement: Singles, frame: int) -> None:
        """Add a frame whose pixels sampled the scene displaced by (2, Y, X) px."""
        y, x, channel, dealt = deal(events, displacement, frame)
        place = y * self._shape[1] + x, channel
        for index, part in enumerate(dealt):
            half = sparse.coo_array((part, place), shape=self.parts[index].shape).tocsr()
            self.parts[index] = self.parts[index] + half

    def joined(self, other: Halves) -> Halves:
        """Return the halves of the frames of both."""
        out = copy.copy(self)
        out.parts = [one + more for one, more in zip(self.parts, other.parts, strict=True)]
        return out

    def z_scores(self) -> Floats:
        """Significance of the components: see `z_scores`."""
        for half in self.parts:
            half.sum_duplicates()  # sorts the entries, so that the result does not depend on the order of the frames
        return z_scores(self.parts[0], self.parts[1], self._shape)


def deal(
    events: Events, displacement: NDArray[np.float32], frame: int
) -> tuple[Counts, Counts, Counts, tuple[Counts, Counts]]:
    """Toss a coin for every count of a frame, and push it to the nearest pixel of the scene.

    Returns rows, columns and channels of its voxels that stay in the field, and how many counts each half has there.
    """
    count = events.count.astype(np.int64)
    first = np.random.default_rng(frame).binomial(count, 0.5)
    rows, columns = events.shape[:2]
    y, x = np.divmod(events.pixel.astype(np.int64), columns)
    to_y, to_x = (at + np.rint(u[y, x]).astype(np.int64) for at, u in zip((y, x), displacement, strict=True))
    inside = (to_y >= 0) & (to_y < rows) & (to_x >= 0) & (to_x < columns)
    dealt = first[inside], (count - first)[inside]
    return to_y[inside], to_x[inside], events.channel[inside].astype(np.int64), dealt


def z_scores(first: Any, second: Any, shape: tuple[int, int]) -> Floats:
    """Significance of the components of one half of the counts, measured on the other half.

    Parameters
    ----------
    first, second : sparse (Y*X, C) matrices
        Independent Poisson counts of one scene.
    shape : (Y, X)

    Returns
    -------
    (K,) array
        Of each component found in the first half, its strength in the second half over its standard error: a normal
        number of unit variance where it is noise. The significant ones, above 4.5, come first, strongest leading.

    Notes
    -----
    The candidates u v' are the sum over everything, then the leading singular vectors of what in the first half
    departs from one spectrum of varying intensity: summed over squares of 8, 3 and 1 pixels, so that slow changes are
    found at low dose and fast ones at all, and over neighbouring channels (`bins`); divided by the roots of the sums
    over squares and bins, to each of which their mean is added so that single counts weigh little. On the second half
    B, u' B v is a sum of independent Poisson counts weighted by u v, the variance of which is estimated by the sum of
    the counts times u² v². The most significant pair is taken from all others so that u_j' B v = u' B v_j = 0, then the
    next: once all true components are taken, the expected value of the rest is zero whatever the error of u and v,
    being a Schur complement in a matrix of that rank.
    """
    group = bins(np.asarray(first.sum(axis=0), float))
    return binned_z_scores(first @ _members(group), second @ _members(group), shape)


def binned_z_scores(first: Any, second: Any, shape: tuple[int, int]) -> Floats:
    """`z_scores` of halves whose channels are shared out to bins already: (Y*X, B) sparse matrices or arrays."""
    if not first.sum():
        return np.zeros(0)
    y, x = np.indices(shape).reshape(2, -1)
    pairs = [(np.ones((first.shape[0], 1)), np.ones((first.shape[1], 1)))]
    for edge in BLOCKS:
        block = np.unique((y // edge) * shape[1] + x // edge, return_inverse=True)[1]
        u, v = _components(first if edge == 1 else _transposed_times(first, _members(block)).T)
        pairs.append((u[block], v))
    return _confirmed(np.hstack([u for u, _ in pairs]), np.hstack([v for _, v in pairs]), second)


def _bands(counts: Any) -> Iterator[tuple[slice, Any]]:
    """Rows of a matrix, and what stands there: all of a sparse one; of an array some at a time, as floats."""
    step = max(counts.shape[0], 1) if sparse.issparse(counts) else BAND
    for top in range(0, counts.shape[0], step):
        rows = slice(top, top + step)
        yield rows, counts if sparse.issparse(counts) else counts[rows].astype(float)


def _times(counts: Any, y: Floats) -> Floats:
    return np.concatenate([band @ y for _, band in _bands(counts)])


def _transposed_times(counts: Any, x: Any) -> Any:
    return sum(band.T @ x[rows] for rows, band in _bands(counts))


def _components(counts: Any) -> tuple[Floats, Floats]:
    """Leading differences between spectra: weights of the pixels (P, K) and of the channels (C, K)."""
    pixel, channel = (np.asarray(counts.sum(axis=axis), float) for axis in (1, 0))
    by_pixel, by_channel = (np.sqrt(total + total.mean()) for total in (pixel, channel))
    p, q = pixel / by_pixel, channel / by_channel / pixel.sum()  # p q' is the expectation if all spectra are alike

    def weighted() -> Iterator[tuple[slice, Any]]:
        for rows, band in _bands(counts):
            yield rows, _diagonal(1 / by_pixel[rows]) @ band @ _diagonal(1 / by_channel)

    products: Any = sum(band.T @ band for _, band in weighted())
    cross = np.outer(sum(band.T @ p[rows] for rows, band in weighted()), q)
    whole = products.toarray() if sparse.issparse(products) else products
    square, right = np.linalg.eigh(whole - cross - cross.T + (p @ p) * np.outer(q, q))
    leading = np.argsort(square)[::-1][:CANDIDATES]
    leading = leading[square[leading] > 1e-9]
    right = right[:, leading]
    left = np.concatenate([band @ right for _, band in weighted()]) - np.outer(p, q @ right)
    return left / np.sqrt(square[leading]) / by_pixel[:, None], right / by_channel[:, None]


def _diagonal(values: Floats) -> Any:
    return sparse.dia_array((values[None], [0]), shape=(values.size, values.size))


def _members(group: Counts) -> Any:
    """Matrix that sums what belongs to one group."""
    return sparse.coo_array((np.ones(group.size), (np.arange(group.size), group))).tocsr()


def bins(spectrum: Floats) -> Counts:
    """Number of the bin of each channel: neighbours share one of at most 256, which divide the root of the counts."""
    if spectrum.size <= BINS:
        return np.arange(spectrum.size)
    root = np.sqrt(spectrum)
    share = (np.cumsum(root) - root / 2) / max(float(root.sum()), 1.0)
    return np.unique((share * BINS).astype(np.int64), return_inverse=True)[1]


def _confirmed(x: Floats, y: Floats, counts: Any) -> Floats:
    """Take the most significant pair of columns, clear it from the others, and so on; then the z of what is left."""
    taken: list[float] = []
    while x.shape[1]:
        image = _times(counts, y)
        strength, variance = (x * image).sum(axis=0), (x**2 * _times(counts, y**2)).sum(axis=0)
        z = np.divide(strength, np.sqrt(variance), out=np.zeros(strength.size), where=variance > 0)
        best = int(np.argmax(z))
        if z[best] <= LEAST_Z:
            return np.append(taken, z)
        taken.append(float(z[best]))
        others = np.arange(z.size) != best
        along = (image[:, best] @ x[:, others], _transposed_times(counts, x[:, best]) @ y[:, others])
        x, y = (
            part[:, others] - np.outer(part[:, best], shares / strength[best])
            for part, shares in zip((x, y), along, strict=True)
        )
    return np.array(taken)


def add_frames(
    halves: Halves, frames: Iterable[tuple[int, Any, Singles]], first: int
) -> Halves | None:  # fmt: skip
    """Add frames, each with its number and displacement; None once one holds other than whole counts."""
    for number, frame, displacement in frames:
        events = counted_events(frame, first)
        if events is None:
            return None
        halves.add(events, displacement, number)
    return halves


def counted_events(frame: Any, first: int = 0) -> Events | None:
    """Frame from a channel on as Events, or None where it holds other than whole counts."""
    if not isinstance(frame, Events):
        try:
            return Events.from_dense(np.asarray(frame)[..., first:])
        except UsageError:
            return None
    if not first:
        return frame
    part = slice(int(np.searchsorted(frame.channel, first)), None)
    shape = (*frame.shape[:-1], frame.channels - first)
    return Events(frame.pixel[part], frame.channel[part] - first, frame.count[part], shape)

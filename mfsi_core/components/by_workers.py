"""By workers: counts split into halves on a dask cluster, for `scree`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Singles

from ..cluster.client import Workers
from ..cluster.pieces import Piece, cut, worth
from ..series.series import Series
from .count_splitting import Halves, add_frames


def halves_of(
    client: Any, series: Series, displacement: Singles, frames: NDArray[np.int64], first: int
) -> Halves | None:
    """Return the halves of some frames, from a channel on; None where one holds other than whole counts."""
    workers = Workers(client)
    given = series.subset(frames)
    pieces = cut(given, worth(given, workers))
    parts, at = [], 0
    for piece in pieces:
        numbers = frames[at : at + len(piece)]
        parts.append(workers.submit(_halves, piece, numbers.tolist(), displacement[numbers], first))
        at += len(piece)
    found: Halves | None = workers.result(workers.tree(parts, _joined))
    return found


def _halves(piece: Piece, numbers: list[int], displacement: Singles, first: int) -> Halves | None:
    with piece.opened() as series:
        halves = Halves((*series.shape, series.signal.channels - first))
        frames = ((number, series.nearest(n), displacement[n]) for n, number in enumerate(numbers))
        return add_frames(halves, frames, first)


def _joined(one: Halves | None, other: Halves | None) -> Halves | None:
    return None if one is None or other is None else one.joined(other)

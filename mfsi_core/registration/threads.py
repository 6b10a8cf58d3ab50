"""Threads: work on frames or groups of them in parallel, with the results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Part = TypeVar("Part")
Result = TypeVar("Result")

GROUPS = 8  # most groups of frames, each of which is summed by itself; fixed, so that sums are the same on any computer


def each(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """Results of the work on each part, in the order of the parts."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, parts))


def summed(work: Callable[[NDArray[np.int64]], NDArray[Any]], frames: int) -> Any:
    """Sum of what the work makes of each group of frames; rounding does not depend on the number of threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(work, np.array_split(np.arange(frames), min(GROUPS, frames)))
        total = next(parts)
        for part in parts:  # each part is added as it comes, so that few are in memory
            total += part
    return total

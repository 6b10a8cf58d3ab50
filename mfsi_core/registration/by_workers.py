"""By workers: `register` on a cluster, one area to a worker."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..cluster.client import Workers
from .area import Area


def register_areas(client: Any, stacks: dict[int, Any], one_area: Callable[[Any], Area]) -> dict[int, Area]:
    """Register the frames of each area, (N, Y, X); warnings on the workers are repeated here."""
    workers = Workers(client)
    futures = {name: workers.submit(_one, one_area, stack) for name, stack in stacks.items()}
    out = {}
    for name, future in futures.items():
        out[name], said = workers.result(future)
        for text, kind in said:
            warnings.warn(text, kind, stacklevel=2)
    return out


def _one(one_area: Callable[[Any], Area], stack: Any) -> tuple[Area, list[tuple[str, type[Warning]]]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = one_area(stack)
    return found, [(str(one.message), one.category) for one in caught]

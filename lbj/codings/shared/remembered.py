"""Memory from frame to frame: the model that earlier frames were coded with is tried before a new one is fitted.

To fit a model to a small frame takes longer than to code it, and the frames of a series resemble one another.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .integer_fit import Model

SLACK = 0.02  # relative change of the coded length from which on a model is fitted anew


class Remembered:
    """Models of one signal, by the part of the block that they are for.

    Parameters
    ----------
    steady : bool
        Fit in a thread beside while frames are coded with the model at hand, the first of them with a rough one: no
        frame takes much longer than the others.
    """

    def __init__(self, *, steady: bool = False) -> None:
        self._steady = steady
        self._model: Model | None = None
        self._density = 0.0  # bytes per element, when a model was fitted last
        self._coded = 0
        self._parts: dict[str, Remembered] = {}
        self._fitting: threading.Thread | None = None
        self._fitted: list[Model] = []

    def part(self, name: str) -> Remembered:
        """Return the memory of another stream in the same block."""
        return self._parts.setdefault(name, Remembered(steady=self._steady))

    def best(
        self, size: int, fit: Callable[[], Model], code: Callable[[Model], bytes], rough: Callable[[], Model]
    ) -> bytes:
        """Code an array of `size` elements with the model at hand, or with a new one if the result is shorter.

        A new one is fitted to the 1st, 2nd, 4th, 8th … array, and wherever the coded length has changed since the last
        fit, which shows that the data have changed. `rough` makes a first model quickly.
        """
        self._coded += 1
        if self._steady and self._model is None:
            self._model = rough()
        data = None if self._model is None else code(self._model)
        again = self._coded & (self._coded - 1) == 0
        if data is None or again or abs(len(data) - self._density * size) > SLACK * len(data):
            self._fit(fit)
        if self._fitted:
            model = self._fitted.pop()
            fresh = code(model)
            if data is None or len(fresh) < len(data):
                self._model, data = model, fresh
            self._density = len(data) / size
        assert data is not None
        return data

    def _fit(self, fit: Callable[[], Model]) -> None:
        """Fit a model, or begin to if none is being fitted."""
        if not self._steady:
            self._fitted.append(fit())
        elif self._fitting is None or not self._fitting.is_alive():
            self._fitting = threading.Thread(target=lambda: self._fitted.append(fit()), daemon=True)
            self._fitting.start()

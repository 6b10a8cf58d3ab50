"""The model that a signal's earlier frames were coded with, tried again before another is fitted to the next frame.

To fit a model to a small frame takes longer than to code it, and the frames of a series resemble one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .integer_fit import Model

SLACK = 0.02  # by which a frame may differ in length from the last one that a model was fitted to


class Remembered:
    """Models of one signal, by the part of the block that they are for."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._density = 0.0  # bytes per element, when a model was fitted last
        self._coded = 0
        self._parts: dict[str, Remembered] = {}

    def part(self, name: str) -> Remembered:
        """Return the memory of another stream in the same block."""
        return self._parts.setdefault(name, Remembered())

    def best(self, size: int, fit: Callable[[], Model], code: Callable[[Model], bytes]) -> bytes:
        """Code an array of `size` elements with the model at hand, or with a new one if that is shorter.

        A new one is fitted to the 1st, 2nd, 4th, 8th … array, and to each whose length differs from that of the last
        one that was fitted to: the data have changed.
        """
        self._coded += 1
        data = None if self._model is None else code(self._model)
        again = self._coded & (self._coded - 1) == 0
        if data is None or again or abs(len(data) - self._density * size) > SLACK * len(data):
            model = fit()
            fresh = code(model)
            if data is None or len(fresh) < len(data):
                self._model, data = model, fresh
            self._density = len(data) / size
        return data

"""Beam damage: whether image intensity, counts or maps show a trend against the dose."""

from __future__ import annotations

import math
from typing import Any

CLEAR = 4.0  # standard errors from which a slope is reported,
LEAST = 0.03  # if the value has changed by this share of the first one,
FEWEST = 8  # over so many frames at least


class Trend:
    """Straight line through a number of each frame against the dose, from sums alone."""

    def __init__(self) -> None:
        self.n, self.x, self.y, self.xx, self.xy, self.yy, self.last = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        self._first: tuple[float, float] | None = None

    def add(self, dose: float, value: float) -> None:
        """Add a frame's value, after which the specimen had received `dose`, e/Å² or frames."""
        self._first = self._first or (dose, value)
        x, y = dose - self._first[0], value - self._first[1]  # differences, so that sums of squares lose no digits
        self.n += 1
        self.x, self.y, self.xx, self.xy, self.yy = (
            self.x + x, self.y + y, self.xx + x * x, self.xy + x * y, self.yy + y * y,
        )  # fmt: skip
        self.last = x

    def found(self) -> dict[str, Any] | None:
        """Relative change from the first frame to the last, its standard error, and whether it is clear."""
        spread = self.xx - self.x * self.x / self.n if self.n else 0.0
        if self.n < FEWEST or spread <= 0 or self._first is None:
            return None
        slope = (self.xy - self.x * self.y / self.n) / spread
        start = self._first[1] + (self.y - slope * self.x) / self.n
        rest = self.yy - self.y * self.y / self.n - slope * slope * spread
        error = math.sqrt(max(rest, 0.0) / (self.n - 2) / spread)
        if start <= 0:
            return None
        change, uncertain = slope * self.last / start, error * self.last / start
        return {"change": change, "error": uncertain, "clear": abs(change) > max(CLEAR * uncertain, LEAST)}


def told(name: str, found: dict[str, Any], by_dose: str) -> str:
    """Sentence on a clear trend."""
    way = "fell" if found["change"] < 0 else "rose"
    return (
        f"{name} {way} by {abs(found['change']):.0%} ± {found['error']:.0%} over {by_dose}: beam damage, "
        "contamination, or a beam or focus that changes"
    )

"""Result: the table of a scree, variance ratios and significant components of every sum."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .count_splitting import LEAST_Z

COLUMNS = ["frames", "dose", "component", "variance_ratio", "z", "significant", "dose_unit", "sum"]
WRITTEN = 64  # components written to the table
UNTESTED = "The spectra are no counts but a multiple of them: which components are significant was not tested."


@dataclass(frozen=True, eq=False)
class Scree:
    """Variance ratios of several sums of a series; every attribute but the unit has one entry per sum.

    Attributes
    ----------
    labels : list of str
        ``"cumulative"`` for the sum of the first frames; what it was called for any other.
    frames : (S,) int array
        Frames summed.
    dose : (S,) array
        Dose of the sum, in `dose_unit`.
    dose_unit : str
        ``"e/Å²"`` where the journal tells beam current, dwell time and pixel; else ``"counts"`` recorded.
    variance_ratio : (S, K) array
        Share of every component in the weighted variance, largest first; sums to 1, or is 0 without counts.
    z : list of (K',) arrays
        Significance of the leading components on an independent half of the counts, significant ones first
        (`count_splitting.z_scores`); empty where it was not tested.
    significant : (S,) int array
        Number of components significant; -1 where it was not tested, the sum being of fractional counts.
    """

    labels: list[str]
    frames: NDArray[np.int64]
    dose: Floats
    dose_unit: str
    variance_ratio: Floats
    z: list[Floats]
    significant: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def tested(self) -> bool:
        """Whether significance was tested for any of the sums."""
        return bool((self.significant >= 0).any())

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the leading 64 components of every sum as CSV, a row each; z is empty where it was not tested."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for i, label in enumerate(self.labels):
                for k, ratio in enumerate(self.variance_ratio[i, :WRITTEN]):
                    z = f"{self.z[i][k]:.3f}" if k < len(self.z[i]) else ""
                    table.writerow([
                        self.frames[i], f"{self.dose[i]:.6g}", k + 1, f"{ratio:.9g}", z, int(k < self.significant[i]),
                        self.dose_unit, label,
                    ])  # fmt: skip


def number_significant(z: Floats) -> int:
    """Components that the second half of the counts confirms."""
    return int((z > LEAST_Z).sum())

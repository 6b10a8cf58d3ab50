"""Linear filter: intensities as weighted sums of a spectrum's counts, one set of weights for every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from lbj.array_types import Floats

SMOOTH = 1.0  # photon, added to every estimate before its noise is computed, which few counts make too small


@dataclass(frozen=True, eq=False)
class Filter:
    """Weights and what they do to noise.

    Attributes
    ----------
    weights : (m, B) float64
        Of the columns wanted.
    spread : (m, m, m + 1) float64
        Covariance of the estimates that one count of each source brings.
    held : (m,) float64
        Counts that come with one photon of each wanted column: its own, and those of the families beside it.
    """

    weights: Floats
    spread: Floats
    held: Floats

    def scaled(self, scope: Floats) -> Filter:
        """Filter of other photons: `scope` (m,) is their share of those of the columns wanted."""
        weights, spread = self.weights * scope[:, None], self.spread * np.outer(scope, scope)[..., None]
        return Filter(weights, spread, self.held / scope)

    def covariance(self, estimates: Floats, totals: Floats, out: Floats) -> Floats:
        """Fill `out` (N, m, m) with the covariance of estimates (N, m) of spectra that hold `totals` (N,) counts.

        The noise is that of the spectrum that the estimates, where above zero, imply; what they leave of the counts is
        background.
        """
        _covariance(estimates, totals, self.held, self.spread, out)
        return out


@njit(cache=True, nogil=True)
def _covariance(estimates, totals, held, spread, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    chips, m = estimates.shape
    parts = np.empty(m + 1)
    for c in range(chips):
        rest = totals[c]
        for j in range(m):
            estimate = max(estimates[c, j], 0.0)
            parts[j] = (estimate + SMOOTH) * held[j]
            rest -= estimate * held[j]
        parts[m] = max(rest, 0.0)
        for j in range(m):
            for k in range(j + 1):
                total = 0.0
                for part in range(m + 1):
                    total += parts[part] * spread[j, k, part]
                out[c, j, k] = out[c, k, j] = total


def linear_filter(columns: Floats, counts: Floats, mean: Floats, wanted: list[int], owner: list[int]) -> Filter:
    """Return the unbiased linear estimate of least variance.

    Parameters
    ----------
    columns : (n, B) array
        Share of each column's photons in every bin.
    counts : (F,) array
        Photons of the first F columns, the families, in the mean spectrum.
    mean : (B,) array
        Expected counts, in the same unit, for whose Poisson noise the filter is made.
    wanted : list of int
        Columns to estimate; the others are allowed for.
    owner : (F,) list of int
        Which of the wanted columns each family goes along with; -1 for none.

    Returns
    -------
    Filter
        Weighted least squares (C. R. Rao, Linear Statistical Inference, 4a): W = (A D⁻¹ Aᵀ)⁻¹ A D⁻¹, D = diag(mean).
    """
    scaled = columns / mean
    normal = scaled @ columns.T
    unit = 1 / np.sqrt(np.diag(normal))
    weights = (np.linalg.pinv(normal * np.outer(unit, unit), rcond=1e-10) * np.outer(unit, unit) @ scaled)[wanted]
    families = counts[:, None] * columns[: counts.size]
    groups = np.array([families[np.equal(owner, j)].sum(axis=0) for j in range(len(wanted))])
    rest = np.maximum(mean - families.sum(axis=0), 0.0)
    sources = np.vstack([groups, rest])
    own = np.maximum(counts[wanted], 1e-300)
    held = np.where(counts[wanted] > 0, groups.sum(axis=1) / own, 1.0)
    sources = sources / np.maximum(sources.sum(axis=1, keepdims=True), 1e-300)
    spread = np.einsum("jb,kb,lb->jkl", weights, weights, sources, optimize=True)
    return Filter(weights, spread, held)

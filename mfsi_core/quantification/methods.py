"""Methods: compositions by Cliff-Lorimer, zeta-factors or cross-sections, with errors and absorption."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from lbj import UsageError
from lbj.array_types import Floats

METHODS = ("cliff-lorimer", "zeta", "cross-section")
AVOGADRO = 6.02214076e23
BARN = 1e-10  # nm²
ROUNDS = 200
BATCH = 4096  # chips whose covariances are held at a time
ENOUGH = 1e-12  # change of the absorption's exponents, relative


@dataclass(frozen=True, eq=False)
class Composition:
    """Compositions of N chips with m elements.

    Attributes
    ----------
    at, wt : (N, m) float64
        Atomic and mass fractions, 1 a chip; NaN where no intensity is above zero.
    at_se, wt_se : (N, m) float64
        Standard errors: of the intensities, their correlation, and the factors.
    absorption : (N, m) float64
        By what each intensity was multiplied for absorption.
    mass_thickness : (N,) float64
        kg/m²; NaN where the method does not tell.
    atoms : (N, m) float64
        Atoms in the beam, for cross-sections; else NaN.
    """

    at: Floats
    wt: Floats
    at_se: Floats
    wt_se: Floats
    absorption: Floats
    mass_thickness: Floats
    atoms: Floats


@dataclass(frozen=True, eq=False)
class Absorber:
    """Thin film that absorbs what it emits.

    Attributes
    ----------
    attenuation : (m, m) float64
        Mass attenuation coefficient of the line of element i (rows) in element j (columns), m²/kg.
    take_off : float
        Angle between the film's surface and the way to the detector, degrees.
    mass_thickness : float or (N,) array, optional
        kg/m²; where absent, zeta-factors or cross-sections give it.
    area : float or (N,) array, optional
        Irradiated area, nm², from which cross-sections give the mass thickness.
    """

    attenuation: Floats
    take_off: float
    mass_thickness: Any = None
    area: Any = None


def composition(
    intensities: Floats,
    factors: Floats,
    weights: Floats,
    method: str = "cliff-lorimer",
    basis: str = "wt",
    covariance: Floats | Callable[[slice], Floats] | None = None,
    rel_sd: Floats | None = None,
    dose: Any = None,
    absorber: Absorber | None = None,
) -> Composition:
    """Compute compositions; the arguments are what the formulas of all methods are made of, one by one.

    Parameters
    ----------
    intensities : (N, m) array
        Net counts.
    factors : (m,) array
        Cliff-Lorimer k, zeta (kg/m²) or cross-section (barn); 0 leaves an element out.
    weights : (m,) array
        Atomic weights, g/mol.
    method : {"cliff-lorimer", "zeta", "cross-section"}
        G. Cliff and G. W. Lorimer, J. Microsc. 103 (1975) 203; M. Watanabe and D. B. Williams, J. Microsc. 221 (2006)
        89; K. E. MacArthur et al., Microsc. Microanal. 22 (2016) 71.
    basis : {"wt", "at"}
        Of Cliff-Lorimer factors.
    covariance : (N, m, m) array, or function from a slice of the chips to theirs, optional
        Of the intensities; their own variance where absent.
    rel_sd : (m,) array, optional
        Relative standard deviation of the factors.
    dose : float or (N,) array, optional
        Electrons (zeta) or electrons per nm² (cross-section).
    absorber : Absorber, optional
        The intensities are then multiplied by x / (1 - exp(-x)), x = (mu/rho) (rho t) cosec(take-off), mu/rho being
        that of the composition found, until both agree.

    Returns
    -------
    Composition

    Raises
    ------
    UsageError
        If the method is unknown, the dose absent, negative or not wanted, or arrays do not fit.

    Notes
    -----
    Errors hold the absorption fixed at the composition found.
    """
    counts = np.atleast_2d(np.asarray(intensities, float))
    factors, weights = np.asarray(factors, float), np.asarray(weights, float)
    if method not in METHODS:
        raise UsageError(f"method must be {', '.join(map(repr, METHODS))}, got {method!r}")
    if factors.shape != counts.shape[1:] or weights.shape != counts.shape[1:]:
        raise UsageError(
            f"{counts.shape[1]} intensities a chip need as many factors and atomic weights, got {factors.size} and "
            f"{weights.size}"
        )
    dose = checked_dose(dose, method)
    used = factors > 0
    if method == "cross-section":
        per_count = np.where(used, 1 / np.where(used, factors, 1) / BARN, 0.0)
    else:
        per_count = factors / weights if method == "zeta" or basis == "wt" else factors
    absorption, thickness = _absorbed(counts, per_count, weights, method, dose, absorber)
    slope = np.broadcast_to(per_count, counts.shape) if absorber is None else absorption * per_count
    spread = np.zeros(counts.shape[1]) if rel_sd is None else np.asarray(rel_sd, float)
    at, at_se, wt, wt_se = (np.empty(counts.shape) for _ in range(4))
    for start in range(0, len(counts), BATCH):
        part = slice(start, start + BATCH)
        if covariance is None:
            found = np.maximum(counts[part], 0)[:, :, None] * np.eye(counts.shape[1])
        else:
            found = covariance(part) if callable(covariance) else covariance[part]
        _fractions(counts[part], slope[part], found, spread, np.ones_like(weights), at[part], at_se[part])
        _fractions(counts[part], slope[part], found, spread, weights, wt[part], wt_se[part])
    atoms = counts * slope / dose[:, None] if method == "cross-section" else np.broadcast_to(np.nan, counts.shape)
    thickness = np.where(np.isfinite(at[:, 0]), thickness, np.nan)
    return Composition(at, wt, at_se, wt_se, absorption, thickness, atoms)


def checked_dose(dose: Any, method: str) -> Floats:
    """Dose as an array; NaN for Cliff-Lorimer, which takes none.

    Raises
    ------
    UsageError
        If it is absent, not above zero, or given to Cliff-Lorimer.
    """
    if method == "cliff-lorimer":
        if dose is not None:
            raise UsageError("Cliff-Lorimer factors take no dose; leave it out, or name method 'zeta'")
        return np.array([np.nan])
    unit = "electrons" if method == "zeta" else "electrons per nm²"
    if dose is None:
        raise UsageError(f"method {method!r} needs the dose in {unit}: dose = current x time / e")
    value = np.atleast_1d(np.asarray(dose, float))
    if not (np.isfinite(value) & (value > 0)).all():
        raise UsageError(f"the dose must be above zero ({unit}), got {dose!r}")
    return value


def film_absorption(exponent: Floats) -> Floats:
    """Return x / (1 - exp(-x)), 1 at x = 0: emitted over observed photons of an evenly emitting film."""
    x = np.asarray(exponent, float)
    small = np.abs(x) < 1e-8
    safe = np.where(small, 1.0, x)
    return np.where(small, 1 + x / 2, safe / -np.expm1(-safe))


def _absorbed(
    counts: Floats, per_count: Floats, weights: Floats, method: str, dose: Floats, absorber: Absorber | None
) -> tuple[Floats, Floats]:
    """Absorption corrections (N, m) and mass thickness (N,)."""
    ones = np.broadcast_to(1.0, counts.shape)
    area = None if absorber is None else absorber.area
    given = None if absorber is None else absorber.mass_thickness
    if absorber is None:
        return ones, _mass_thickness(counts @ (per_count * weights), method, dose, None)
    if given is None and (method == "cliff-lorimer" or (method == "cross-section" and area is None)):
        wanted = "the irradiated area" if method == "cross-section" else "thickness and density"
        raise UsageError(f"absorption with method {method!r} needs {wanted}")
    if not 0 < absorber.take_off <= 90:
        raise UsageError(f"the take-off angle must lie between 0 and 90 degrees, got {absorber.take_off!r}")
    cosec = 1 / np.sin(np.radians(absorber.take_off))
    correction, exponent = ones, np.zeros_like(counts)
    thickness = np.full(len(counts), np.nan)
    for _ in range(ROUNDS):
        masses = counts * correction * per_count * weights
        total = masses.sum(axis=1)
        wt = masses / np.where(total > 0, total, np.nan)[:, None]
        found = _mass_thickness(total, method, dose, area)
        thickness = found if given is None else np.broadcast_to(np.asarray(given, float), total.shape)
        new = wt @ absorber.attenuation.T * thickness[:, None] * cosec
        new = np.clip(np.nan_to_num(new), 0.0, 500.0)
        done = np.abs(new - exponent).max(initial=0) <= ENOUGH * max(new.max(initial=0), 1e-300)
        exponent, correction = new, film_absorption(new)
        if done:
            break
    return correction, thickness


def _mass_thickness(total: Floats, method: str, dose: Floats, area: Any) -> Floats:
    """From the summed masses (N,) in the method's unit; NaN where it does not tell."""
    if method == "zeta":
        return np.asarray(total / dose)
    if method == "cross-section" and area is not None:
        return np.asarray(total / dose / AVOGADRO / 1e3 / (np.asarray(area, float) * 1e-18))
    return np.full(total.shape, np.nan)


@njit(cache=True, nogil=True)
def _fractions(counts, slope, covariance, rel_sd, weights, fraction, error):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in fractions f_i = t_i / sum(t) of amounts t = weights x slope x counts, and their standard errors.

    d f_i / d t_j = (delta_ij - f_i) / sum(t), so that with V the covariance of t and R its sums over rows the variance
    of f_i is (V_ii - 2 f_i R_i + f_i² sum(R)) / sum(t)². All are NaN where no amount is above zero.
    """
    chips, m = counts.shape
    rows, own, unit = np.empty(m), np.empty(m), np.empty(m)
    for c in range(chips):
        total, both = 0.0, 0.0
        for j in range(m):
            unit[j] = slope[c, j] * weights[j]
        for j in range(m):
            amount = counts[c, j] * unit[j]
            total += amount
            factor = (amount * rel_sd[j]) ** 2
            row = 0.0
            for k in range(m):
                row += unit[k] * covariance[c, j, k]
            rows[j] = unit[j] * row + factor
            own[j] = unit[j] ** 2 * covariance[c, j, j] + factor
            both += rows[j]
        scale = 1 / total if total > 0 else np.nan
        for i in range(m):
            f = counts[c, i] * unit[i] * scale
            fraction[c, i] = f
            error[c, i] = math.sqrt(max(own[i] - 2 * f * rows[i] + f * f * both, 0.0)) * scale

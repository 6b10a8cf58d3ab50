"""Background of an EDX spectrum: the splines and the absorbers whose exponent it is."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Floats

from ..tables.constants import mass_attenuation
from .detector import Detector
from .families import Family
from .unassigned import ELEMENT

KNOTS_PER_OCTAVE = 1.0  # of the background's spline
ABSORBER = 1e-5  # g/cm²; the unit of what absorbs the background: carbon (window, film) and the elements named


def absorbers(centre: Floats, families: list[Family], detector: Detector) -> Floats:
    """Exponents of absorption by carbon and by the elements named, edges as wide as the detector shows them: (2, C)."""
    from scipy.ndimage import gaussian_filter1d

    step = float(centre[-1] - centre[0]) / max(centre.size - 1, 1)
    sigma = float(detector.sigmas(np.array(500.0))) / max(step, 1e-9)
    named = list(dict.fromkeys(family.element for family in families if family.element != ELEMENT))
    rows = [mass_attenuation("C", centre)]
    if named:
        rows.append(np.mean([mass_attenuation(element, centre) for element in named], axis=0))
    return np.asarray(ABSORBER * gaussian_filter1d(np.array(rows), sigma, axis=1, mode="nearest"))


def spline(x: Floats) -> Floats:
    """Cubic B-splines over x (natural logarithm of energy): (K, C)."""
    from scipy.interpolate import BSpline

    pieces = max(round((x[-1] - x[0]) / np.log(2) * KNOTS_PER_OCTAVE), 2)
    inner = np.linspace(x[0], x[-1], pieces + 1)
    step = inner[1] - inner[0]
    knots = np.concatenate([inner[0] - step * np.arange(3, 0, -1), inner, inner[-1] + step * np.arange(1, 4)])
    return np.asarray(BSpline.design_matrix(np.clip(x, inner[0], inner[-1]), knots, 3).toarray().T)

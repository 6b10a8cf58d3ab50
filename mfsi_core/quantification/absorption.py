"""Absorption: thickness, density and take-off angle checked, for the correction of absorbed X-rays."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import UsageError

from ..edx.families import Family
from ..tables.constants import mass_attenuation
from .chips import Chips
from .factors import Factor
from .methods import Absorber

ABSORPTION = ("thickness_nm", "density", "take_off_deg", "pixel_area_nm2")


def check_absorption(given: dict[str, float] | None, method: str, metadata: dict[str, Any]) -> dict[str, float] | None:
    """Check what is given of absorption; returned with the take-off angle, which the metadata of the series may have.

    Raises
    ------
    UsageError
        Saying what is wrong and what to supply.
    """
    if given is None:
        return None
    unknown = sorted(set(given) - set(ABSORPTION))
    if unknown:
        raise UsageError(f"absorption takes {', '.join(ABSORPTION)}, got {', '.join(unknown)}")
    for name, value in given.items():
        if not np.isfinite(value) or value <= 0:
            raise UsageError(f"absorption's {name} must be above zero, got {value!r}")
    thickness, density, angle = (given.get(name) for name in ABSORPTION[:3])
    if angle is None:
        angle = metadata.get("take_off_angle")
        if angle is None:
            raise UsageError("absorption needs take_off_deg, the detector's take-off angle in degrees")
    if (thickness is None) != (density is None):
        raise UsageError("absorption needs both thickness_nm and density (g/cm³)")
    told = method == "zeta" or (method == "cross-section" and "pixel_area_nm2" in given)
    if thickness is None and not told:
        what = " or pixel_area_nm2" if method == "cross-section" else ""
        raise UsageError(f"absorption with method {method!r} needs thickness_nm and density (g/cm³){what}")
    return {**given, "take_off_deg": float(angle)}


def absorber_of(
    given: dict[str, float] | None, parts: Chips, factors: list[Factor], families: list[Family]
) -> Absorber | None:
    """Make of what was checked what `methods.composition` takes; None without."""
    if given is None:
        return None
    thickness, density = (given.get(name) for name in ABSORPTION[:2])
    by_name = {family.name: family for family in families}
    energies = np.array([by_name[f"{factor.element}_{factor.family}"].alpha_energy for factor in factors])
    attenuation = np.stack([mass_attenuation(factor.element, energies) for factor in factors], axis=1) * 0.1
    mass = None if thickness is None or density is None else thickness * density * 1e-6
    area = given.get("pixel_area_nm2")
    return Absorber(attenuation, given["take_off_deg"], mass, None if area is None else area * parts.pixels)

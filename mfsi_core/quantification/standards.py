"""Standards: k-factors measured on a specimen of known composition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lbj import UsageError

from ..tables.constants import atomic_weight
from .factors import Factor
from .quantify import analyse
from .summing import spectra_in


def k_from_standard(
    source: Any,
    composition: Mapping[str, float],
    reference: str | None = None,
    *,
    basis: str = "wt",
    line_scope: str = "family",
    families: Mapping[str, str] | None = None,
    rel_sd: Mapping[str, float] | None = None,
    **options: Any,
) -> list[Factor]:
    """Measure Cliff-Lorimer factors.

    Parameters
    ----------
    source : journal, frame, Events, sequence of Events, or (Y, X, C) cube
        Spectra of the standard; all of the field is summed.
    composition : mapping of element to atoms
        Such as ``{"Sr": 1, "Ti": 1, "O": 3}``.
    reference : str, optional
        Element whose k is 1; default the first.
    basis, line_scope : str
        Of the factors.
    families : mapping of element to family, optional
        Whose lines are taken, where it is not the default one.
    rel_sd : mapping of element to float, optional
        Relative standard deviation of the standard's own amounts.
    **options
        ``signal, absorption, energy, region, registration`` of `analyse`; intensities are corrected for absorption.

    Returns
    -------
    list of Factor
        k_i = (c_i / I_i) / (c_ref / I_ref). Each ``rel_sd`` is that of c_i / I_i alone: the reference's uncertainty is
        its own, since errors of a composition count every factor's once.

    Raises
    ------
    UsageError
        If an element has no counts in the standard.
    """
    elements = list(composition)
    reference = reference or elements[0]
    if reference not in composition:
        raise UsageError(f"the reference {reference!r} is not in the standard, which holds {', '.join(elements)}")
    if min(composition.values()) <= 0:
        raise UsageError(f"the standard must name amounts above zero, got {dict(composition)}")
    known = families or {}
    rows = [
        Factor(element, family, 1.0, basis, line_scope)
        for element in elements
        for family in ((known[element],) if element in known else ("K", "L", "M"))
    ]
    signal = options.get("signal", "EDX")
    whole = np.zeros(spectra_in(source, signal, None).shape, np.int32)
    result = analyse(source, elements, whole, rows, **options)
    intensity = result.counts[0] * result.composition.absorption[0]
    weak = [element for element, value in zip(elements, intensity, strict=True) if not value > 0]
    if weak:
        raise UsageError(f"the standard shows no counts of {', '.join(weak)}; check the composition and the energies")
    amount = np.array([composition[element] * (atomic_weight(element) if basis == "wt" else 1) for element in elements])
    ratio = amount / intensity
    k = ratio / ratio[elements.index(reference)]
    spread = np.hypot(
        result.counts_se[0] / result.counts[0], [(rel_sd or {}).get(element, 0.0) for element in elements]
    )
    return [
        Factor(factor.element, factor.family, float(value), basis, line_scope, reference, float(error))
        for factor, value, error in zip(result.factors, k, spread, strict=True)
    ]

"""Comparison: two quantifications of one field, and either against a stated stoichiometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbj import UsageError


@dataclass(frozen=True)
class Stoichiometry:
    """How far a composition is from the nominal one.

    Attributes
    ----------
    summed, normalised, stated, percent_error : dict of float
        By element: what was found, in any unit; the same as percent of its total; the nominal composition, percent;
        and 100 |normalised - nominal| / nominal.
    """

    summed: dict[str, float]
    normalised: dict[str, float]
    nominal: dict[str, float]
    percent_error: dict[str, float]


def against_stoichiometry(found: Mapping[str, float], nominal: Mapping[str, float]) -> Stoichiometry:
    """Sum, normalise and compare a composition.

    Parameters
    ----------
    found : mapping of element to amount
        Atoms in any unit, such as the mean at% of a phase's chips; elements that the phase lacks are left out of the
        sum.
    nominal : mapping of element to atoms
        Such as ``{"Sr": 1, "Ti": 1, "O": 3}``.

    Raises
    ------
    UsageError
        If an element of it was not found, or amounts are not above zero.
    """
    lacking = [element for element in nominal if element not in found]
    if lacking:
        raise UsageError(f"the stated composition names {', '.join(lacking)}, which was not quantified")
    if not nominal or min(nominal.values()) <= 0:
        raise UsageError(f"the stated composition must name atoms above zero, got {dict(nominal)}")
    summed = {element: float(found[element]) for element in nominal}
    total, atoms = sum(summed.values()), sum(nominal.values())
    if not total > 0:
        raise UsageError(f"the amounts found sum to {total}; there is nothing to normalise")
    if len(nominal) < 2:
        raise UsageError(f"one element alone is 100 % of itself; state two or more, got {dict(nominal)}")
    normalised = {element: 100 * value / total for element, value in summed.items()}
    right = {element: 100 * value / atoms for element, value in nominal.items()}
    error = {element: 100 * abs(normalised[element] - right[element]) / right[element] for element in nominal}
    return Stoichiometry(summed, normalised, right, error)


def phase_composition(table: Any, chip_ids: Any, column: str = "at_pct") -> dict[str, float]:
    """Mean of a column over some chips, by element; chips that are empty do not enter."""
    chosen = table[table["chip_id"].isin(np.asarray(chip_ids)) & np.isfinite(table[column])]
    if not len(chosen):
        raise UsageError("none of the chips of the phase holds a composition")
    means = chosen.groupby("element", sort=False, observed=True)[column].mean()
    return {str(element): float(value) for element, value in means.items()}


def difference(first: Any, second: Any, column: str = "at_pct") -> Any:
    """Difference of two quantifications, chip by chip.

    Parameters
    ----------
    first, second : DataFrame
        See `quantify`; of the same chips. Elements that both hold are compared.
    column : str
        ``at_pct``, ``wt_pct`` or ``counts``.

    Returns
    -------
    DataFrame
        ``chip_id, y0, x0, y1, x1, element``, both values, ``difference`` (second less first) and its standard error as
        if both were independent.

    Raises
    ------
    UsageError
        If the chips differ.
    """
    error = {"at_pct": "at_se", "wt_pct": "wt_se", "counts": "counts_se"}.get(column)
    if error is None:
        raise UsageError(f"column must be 'at_pct', 'wt_pct' or 'counts', got {column!r}")
    keys = ["chip_id", "y0", "x0", "y1", "x1"]
    one, two = (table[keys].drop_duplicates().reset_index(drop=True) for table in (first, second))
    if not one.equals(two.astype(one.dtypes)) if len(one) == len(two) else True:
        raise UsageError("the two quantifications differ in their chips; quantify the same grid or labels")
    shared = [element for element in first["element"].unique() if element in set(second["element"])]
    if not shared:
        raise UsageError("the two quantifications have no element in common")
    left, right = (table.astype({"element": str})[[*keys, "element", column, error]] for table in (first, second))
    merged = left.merge(right, on=[*keys, "element"], suffixes=("_first", "_second"))
    merged["difference"] = merged[f"{column}_second"] - merged[f"{column}_first"]
    merged["difference_se"] = np.hypot(merged[f"{error}_first"], merged[f"{error}_second"])
    return merged

"""Factors: k-factors, zeta-factors or cross-sections, with the basis and the lines that they speak of."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lbj import UsageError

COLUMNS = ("element", "family", "k", "basis", "line_scope", "reference", "rel_sd")
REQUIRED = COLUMNS[:5]
BASES = {"cliff-lorimer": ("wt", "at"), "zeta": ("wt",), "cross-section": ("at",)}
HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Factor:
    """One factor.

    Attributes
    ----------
    element, family : str
        Symbol; ``K``, ``L`` or ``M``.
    k : float
        Cliff-Lorimer factor (weight or atomic fraction per count, relative to the reference's), zeta-factor (kg/m²) or
        ionisation cross-section (barn). 0: the element is fitted and left out of the composition.
    basis : str
        ``wt`` or ``at``: whether k times intensity goes with mass or with atoms.
    line_scope : str
        ``alpha``: the intensity is that of the alpha lines; ``family``: that of all lines of the shell.
    reference : str
        Element, or what k is relative to.
    rel_sd : float
        Relative standard deviation of k.
    """

    element: str
    family: str
    k: float
    basis: str
    line_scope: str
    reference: str = ""
    rel_sd: float = 0.0


def read_factors(source: Any) -> list[Factor]:
    """Read factors.

    Parameters
    ----------
    source : path, pandas DataFrame, or iterable of Factor or dict
        A file is CSV with the columns ``element, family, k, basis, line_scope, reference, rel_sd``; the last two may be
        missing; lines that begin with # are remarks.

    Returns
    -------
    list of Factor

    Raises
    ------
    UsageError
        Naming the row and what it lacks.
    """
    where = "the table of factors"
    if isinstance(source, (str, os.PathLike)):
        where = str(source)
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the k-factor file {where!r} cannot be read ({error}); it is CSV: {HEADER}") from None
        rows: Iterable[Any] = csv.DictReader(
            (line for line in text.splitlines() if line.strip() and not line.startswith("#")), skipinitialspace=True
        )
    elif hasattr(source, "to_dict"):
        rows = source.to_dict("records")
    else:
        rows = source
    if isinstance(rows, (dict, float, int)) or not hasattr(rows, "__iter__"):
        raise UsageError(
            "factors must say their basis and lines: give a CSV file, a DataFrame or rows with the columns "
            f"{HEADER}; got {type(source).__name__}"
        )
    out = [
        row if isinstance(row, Factor) else _factor(row, f"{where}, row {number}") for number, row in enumerate(rows, 1)
    ]
    if not out:
        raise UsageError(f"{where} holds no factor; it needs the columns {HEADER}")
    return out


def write_factors(factors: list[Factor], path: Any) -> None:
    """Write factors as CSV."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(factor, name) for name in COLUMNS] for factor in factors)


def _factor(row: Any, where: str) -> Factor:
    if not hasattr(row, "get"):
        raise UsageError(f"{where}: expected the columns {HEADER}, got {row!r}")
    row = {str(key).strip(): "" if value is None or value != value else value for key, value in row.items()}  # noqa: PLR0124
    for name in REQUIRED:
        if str(row.get(name, "")).strip() == "":
            hint = {
                "basis": "say 'wt' (k times counts goes with mass) or 'at' (with atoms)",
                "line_scope": "say 'alpha' (counts of the alpha lines) or 'family' (of all lines of the shell)",
            }.get(name, f"the columns are {HEADER}")
            raise UsageError(f"{where} ({row.get('element') or 'no element'}) has no {name}: {hint}")
    element, family, basis, scope = (str(row[name]).strip() for name in ("element", "family", "basis", "line_scope"))
    _one_of(where, "family", family, ("K", "L", "M"))
    _one_of(where, "basis", basis, ("wt", "at"))
    _one_of(where, "line_scope", scope, ("alpha", "family"))
    k = _number(row["k"], where, "k")
    rel_sd = _number(row.get("rel_sd") or 0.0, where, "rel_sd")
    return Factor(element, family, k, basis, scope, str(row.get("reference", "")).strip(), rel_sd)


def _one_of(where: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{where}: {name} must be {' or '.join(map(repr, known))}, got {value!r}")


def _number(value: Any, where: str, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UsageError(f"{where}: {name} must be a number of at least 0, got {value!r}")
    return number


def choose(factors: list[Factor], elements: list[str], families: dict[str, list[str]], method: str) -> list[Factor]:
    """Choose the factor of every element.

    Parameters
    ----------
    factors : list of Factor
    elements : list of str
    families : dict
        Families of each element that the spectrum shows, the preferred first.
    method : str

    Raises
    ------
    UsageError
        If an element has no factor for a family in range, or basis and line scope are not what the method takes.
    """
    out = []
    for element in elements:
        held = {factor.family: factor for factor in factors if factor.element == element}
        family = next((name for name in families[element] if name in held), None)
        if not held:
            raise UsageError(
                f"no factor is given for {element}: add a row {HEADER} with its family "
                f"({' or '.join(families[element])}), or k = 0 to fit it and leave it out of the composition"
            )
        if family is None:
            raise UsageError(
                f"the factor given for {element} is of family {', '.join(held)}, which has no lines in range; give one "
                f"for {' or '.join(families[element])}"
            )
        out.append(held[family])
    counted = [factor for factor in out if factor.k > 0]
    if not counted:
        raise UsageError("every factor is 0; at least one element must enter the composition")
    for factor in counted:
        if factor.basis not in BASES[method]:
            raise UsageError(
                f"the factor of {factor.element} has the basis {factor.basis!r}; method {method!r} takes "
                f"{' or '.join(map(repr, BASES[method]))}"
            )
    if method == "cliff-lorimer":
        for name in ("basis", "line_scope"):
            kinds = {getattr(factor, name): factor.element for factor in counted}
            if len(kinds) > 1:
                said = " and ".join(f"{value!r} ({element})" for value, element in kinds.items())
                raise UsageError(
                    f"Cliff-Lorimer factors are relative to one another and must share one {name}, got {said}; convert "
                    "them, or measure all on one standard (k_from_standard)"
                )
    return out

"""Factors: tables of k-factors, zeta-factors or cross-sections are read, with their basis and lines."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lbj import UsageError

from ..tables.lines import symbols

COLUMNS = ("element", "family", "k", "basis", "line_scope", "reference", "rel_sd")
REQUIRED = COLUMNS[:5]
BASES = {"cliff-lorimer": ("wt", "at"), "zeta": ("wt",), "cross-section": ("at",)}
HEADER = ",".join(COLUMNS)
SEPARATORS = (",", ";", "\t", "|")
SEEN, UNSEEN = 100.0, 0.02  # photons from which a family shows; another with less than this share of them does not
SHELL = re.compile(r"((?P<element>[A-Za-z]{1,2})[_ ])?(?P<shell>[KLM])([ _-]?(a|α|alpha)(1|2|1,2|12)?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Factor:
    """One factor.

    Attributes
    ----------
    element, family : str
        Symbol; ``K``, ``L`` or ``M`` (in tables also Siegbahn's names of their alpha lines, ``Ka``, ``Ka1``).
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
    where : str
        Table and row, for messages.
    """

    element: str
    family: str
    k: float
    basis: str
    line_scope: str
    reference: str = ""
    rel_sd: float = 0.0
    where: str = field(default="", compare=False)

    @property
    def told(self) -> str:
        """Name for messages: the row, or the element."""
        return f"{self.where} ({self.element} {self.family})" if self.where else f"the factor of {self.element}"


def read_factors(source: Any) -> list[Factor]:
    """Read factors.

    Parameters
    ----------
    source : path, pandas DataFrame, or iterable of Factor or dict
        A file is text (UTF-8 or UTF-16) with the columns ``element, family, k, basis, line_scope, reference, rel_sd``,
        separated by commas, semicolons, tabs or bars; the last two may be missing; lines that begin with # are remarks.
        Where commas do not separate, they may be decimal ones.

    Returns
    -------
    list of Factor

    Raises
    ------
    UsageError
        Naming the row and what it lacks, or the two rows that speak differently of one line.
    """
    where = "the table of factors"
    if isinstance(source, (str, os.PathLike)):
        where = str(source)
        rows: Iterable[Any] = _rows(_text(where), where)
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
    _check_lines(out)
    return out


def _text(path: str) -> str:
    """Text of a file in UTF-8, or in UTF-16 as Windows programs write it."""
    try:
        data = Path(path).read_bytes()
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        narrow = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be" if data[:1] == b"\0" else "utf-8-sig"
        return data.decode("utf-16" if wide else narrow)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the k-factor file {path!r} cannot be read ({error}); it is CSV: {HEADER}") from None


def _rows(text: str, where: str) -> list[dict[str, Any]]:
    """Rows of a table as dicts, whatever separates its columns."""
    lines = [line for line in text.splitlines() if line.strip(" ,;|\t") and not line.startswith("#")]
    if not lines:
        return []
    try:
        return _split(lines, where)
    except csv.Error as error:
        raise UsageError(f"{where} cannot be read as a table: {error}") from None


def _split(lines: list[str], where: str) -> list[dict[str, Any]]:
    found = {mark: next(csv.reader(lines[:1], delimiter=mark, skipinitialspace=True)) for mark in SEPARATORS}
    names = {mark: [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in row] for mark, row in found.items()}
    mark = max(SEPARATORS, key=lambda one: len(set(names[one]) & set(COLUMNS)))
    if len(set(names[mark]) & set(COLUMNS)) < 2:
        raise UsageError(
            f"{where}: the first line must name the columns {HEADER}, separated by commas, semicolons or tabs; it "
            f"is {lines[0]!r}"
        )
    _check_header(found[mark], names[mark], where)
    out = []
    for number, values in enumerate(csv.reader(lines[1:], delimiter=mark, skipinitialspace=True), 1):
        if any(value.strip() for value in values[len(names[mark]) :]):
            comma = " (decimal commas need another separator, such as ;)" if mark == "," else ""
            raise UsageError(f"{where}, row {number}: {len(values)} values for {len(names[mark])} columns{comma}")
        row: dict[str, Any] = dict(zip(names[mark], values, strict=False))
        if mark != ",":
            row |= {name: _decimal(row[name]) for name in ("k", "rel_sd") if name in row}
        out.append(row)
    return out


def _check_header(written: list[str], names: list[str], where: str) -> None:
    """Refuse a column that is there twice, or whose name holds more than ours, as a unit, in which it would be read."""
    for title, name in zip(written, names, strict=True):
        word = re.match(r"[a-z_]*[a-z]", name)
        if name in COLUMNS and names.count(name) > 1:
            raise UsageError(f"{where}: the column {name} is there {names.count(name)} times")
        if name not in COLUMNS and word is not None and word[0] in COLUMNS:
            raise UsageError(
                f"{where}: the column {title.strip()!r} must be called {word[0]!r}; no unit is read: k is a ratio, in "
                "kg/m² (zeta) or in barn (cross-section), rel_sd a share of k, as 0.02"
            )


def _decimal(text: str) -> str:
    """Number with a decimal point in place of a decimal comma."""
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def _check_lines(factors: list[Factor]) -> None:
    """Refuse two different factors for one line."""
    known: dict[tuple[str, str], Factor] = {}
    for factor in factors:
        first = known.setdefault((factor.element, factor.family), factor)
        if first != factor:
            said = [f"{one.told}: k = {one.k:g}, {one.basis}, {one.line_scope}" for one in (first, factor)]
            raise UsageError(f"two factors are given for {factor.element} {factor.family}: {'; '.join(said)}; keep one")


def write_factors(factors: list[Factor], path: Any) -> None:
    """Write factors as CSV."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(factor, name) for name in COLUMNS] for factor in factors)


def _factor(row: Any, where: str) -> Factor:
    if not hasattr(row, "get"):
        raise UsageError(f"{where}: expected the columns {HEADER}, got {row!r}")
    row = {str(key).strip().lower(): "" if value is None or value != value else value for key, value in row.items()}  # noqa: PLR0124
    for name in REQUIRED:
        if str(row.get(name, "")).strip() == "":
            hint = {
                "basis": "say 'wt' (k times counts goes with mass) or 'at' (with atoms)",
                "line_scope": "say 'alpha' (counts of the alpha lines) or 'family' (of all lines of the shell)",
            }.get(name, f"the columns are {HEADER}")
            raise UsageError(f"{where} ({row.get('element') or 'no element'}) has no {name}: {hint}")
    element, family, basis, scope = (str(row[name]).strip() for name in ("element", "family", "basis", "line_scope"))
    if element not in symbols():
        raise UsageError(f"{where}: element must be a symbol, as 'Fe', got {element!r}")
    named = SHELL.fullmatch(family)
    if named is None or (named["element"] or element).lower() != element.lower():
        raise UsageError(
            f"{where}: family must be 'K', 'L' or 'M', or name an alpha line of {element} as 'Ka' or 'La1' do, got "
            f"{family!r}"
        )
    _one_of(where, "basis", basis, ("wt", "at"))
    _one_of(where, "line_scope", scope, ("alpha", "family"))
    k = _number(row["k"], where, "k")
    rel_sd = _number(row.get("rel_sd") or 0.0, where, "rel_sd")
    if rel_sd >= 1:
        raise UsageError(f"{where}: rel_sd is a share of k below 1, as 0.02 for 2 %, got {rel_sd:g}")
    reference = str(row.get("reference", "")).strip()
    return Factor(element, named["shell"].upper(), k, basis, scope, reference, rel_sd, where)


def _one_of(where: str, name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{where}: {name} must be {' or '.join(map(repr, known))}, got {value!r}")


def _number(value: Any, where: str, name: str) -> float:
    try:
        number = math.nan if "_" in str(value) else float(value)
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
                f"{factor.told} has the basis {factor.basis!r}; method {method!r} takes "
                f"{' or '.join(map(repr, BASES[method]))}"
            )
    if method == "cliff-lorimer":
        _check_relative(counted)
    return out


def check_given(factors: list[Factor], elements: list[str], method: str) -> None:
    """Refuse factors that do not go together, whatever the spectrum shows; see `choose`, which refuses the others."""
    held = {element: [factor.family for factor in factors if factor.element == element] for element in elements}
    if all(len(families) == 1 for families in held.values()):
        choose(factors, elements, held, method)


def check_shown(factors: list[Factor], chosen: list[Factor], photons: dict[str, float]) -> None:
    """Refuse families that do not show where factors are given for others that do, and no beam energy is known.

    Parameters
    ----------
    factors, chosen : list of Factor
        All that are given, and those that were chosen.
    photons : dict
        In the sum spectrum, of every family by name, as ``Ti_K``.

    Raises
    ------
    UsageError
        Asking for the beam energy.
    """
    for factor in chosen:
        own = photons[f"{factor.element}_{factor.family}"]
        for other in factors:
            seen = photons.get(f"{other.element}_{other.family}", 0.0)
            if other.element == factor.element and seen > SEEN and own < UNSEEN * seen:
                raise UsageError(
                    f"factors are given for {factor.element} {factor.family} and {other.family}; the spectrum shows "
                    f"{own:.0f} photons of the one and {seen:.0f} of the other, and the beam energy, which decides, is "
                    "not known: give it (--beam-energy 15keV, or beam_energy in the metadata), or only the factor of "
                    f"{factor.element} {other.family}"
                )


def _check_relative(factors: list[Factor]) -> None:
    """Refuse Cliff-Lorimer factors that are not relative to one another."""
    for name in ("basis", "line_scope", "reference"):
        kinds: dict[str, Factor] = {}
        for factor in factors:
            value = _base(factor) if name == "reference" else getattr(factor, name)
            if value:
                kinds.setdefault(value, factor)
        if len(kinds) > 1:
            said = " and ".join(f"{value!r} ({factor.told})" for value, factor in kinds.items())
            raise UsageError(
                f"Cliff-Lorimer factors are relative to one another and must share one {name}, got {said}; convert "
                "them, or measure all on one standard (k_from_standard)"
            )


def _base(factor: Factor) -> str:
    """What k is relative to: an element's symbol where that is named, in whatever line; else the text."""
    first = re.split(r"[^A-Za-z]", factor.reference, maxsplit=1)[0]
    return first if first in symbols() else factor.reference.casefold()

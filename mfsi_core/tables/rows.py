"""Rows of the tables that come with the package, and the refusal of elements that they do not know."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

from lbj import UsageError


def table_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a table beside this file, by the names of its columns; lines that begin with ``#`` tell its source."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


def check_elements(elements: Iterable[str], table: Mapping[str, object], what: str) -> None:
    """Refuse elements of which a table, by symbol in the order of atomic numbers, does not know `what`.

    Raises
    ------
    UsageError
        Naming them.
    """
    unknown = sorted(set(elements) - set(table))
    if unknown:
        known = list(table)
        raise UsageError(
            f"no {what} known for {', '.join(map(repr, unknown))}; expected a symbol from {known[0]} to {known[-1]}, "
            "such as 'Ti'"
        )

"""Rows of the tables that come with the package."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from importlib import resources


def table_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a table beside this file, by the names of its columns; lines that begin with ``#`` tell its source."""
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))

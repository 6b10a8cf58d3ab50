"""Parquet: every CSV table of a run as Parquet too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lbj import UsageError

PARQUET: dict[str, Any] = {"action": "store_true", "help": "every table as .parquet too (needs pyarrow)"}
"""Arguments of the option ``--parquet``."""


def need_pyarrow() -> None:
    """Raise UsageError, before the work, where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'mfsi[tables]'") from error


def parquet_beside(folder: Path) -> list[str]:
    """Write every CSV table of a folder as Parquet too; returns the names of the files."""
    tables = sorted(folder.glob("*.csv"))
    for table in tables:
        to_parquet(table, table.with_suffix(".parquet"))
    return [table.with_suffix(".parquet").name for table in tables]


def to_parquet(table: Path, out: Path) -> None:
    """Write a CSV table as Parquet: numbers as numbers, texts as texts, empty fields as missing."""
    need_pyarrow()
    import pyarrow as pa
    from pyarrow import csv
    from pyarrow import parquet as pq

    found = csv.read_csv(table)
    for place, column in enumerate(found.schema):
        if pa.types.is_null(column.type):  # a column of empty texts
            found = found.set_column(place, column.name, found[column.name].cast(pa.string()))
    pq.write_table(found, out)

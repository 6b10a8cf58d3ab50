"""Tables as Markdown, printed line by line while a benchmark runs."""

from __future__ import annotations


def head(*names: str) -> None:
    """Names of the columns, after an empty line."""
    print()
    row(*names)
    row(*["---"] * len(names))


def row(*cells: object) -> None:
    """One line; cells that are None stay empty."""
    print("| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |", flush=True)

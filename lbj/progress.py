"""Progress of long work: a bar on a terminal where rich is installed, nothing when piped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], label: str, total: int | None = None, *, quiet: bool = False) -> Iterator[T]:
    """Yield the items, drawing a bar on standard error while they come."""
    if not quiet and sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import track as bar
        except ImportError:
            pass
        else:
            yield from bar(items, label, total=total, console=Console(stderr=True), transient=True)
            return
    yield from items

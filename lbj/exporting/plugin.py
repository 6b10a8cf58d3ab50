"""Exporters of other packages: each writes the files whose suffix is the name of its entry point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import PluginError, UsageError
from ..plugins.found import as_suffix, installed, named
from .series import Series

GROUP = "lbj.exporters"


def writer(path: Path, others: Sequence[str]) -> Callable[[Series, Path], None]:
    """Return what writes a file of this suffix, in a process of its own.

    Raises
    ------
    UsageError
        If nothing does; `others` are suffixes that are written without plugins.
    """
    names = {as_suffix(one.name): one.name for one in installed(GROUP)}
    if path.suffix.lower() not in names:
        raise UsageError(
            f"{str(path)!r}: no export to {path.suffix or 'a file without suffix'}; use {', '.join([*others, *names])}"
        )
    plugin = named(GROUP, names[path.suffix.lower()])

    def write(series: Series, part: Path) -> None:
        from ..importing.apart import call

        journal = series.journal
        if journal.path is None:
            raise UsageError(f"{plugin} exports journals that are files of this system")
        call(
            f"{__name__}:write_here",
            {"name": plugin.name, "journal": journal.path, "part": str(part), "numbers": series.numbers},
            journal.bytes,
            f"{plugin}, asked for {path.name},",
        )

    return write


def write_here(name: str, journal: str, part: str, numbers: list[int]) -> None:
    """Have a plugin write the frames of these numbers."""
    from ..reader import open as open_journal

    plugin, out = named(GROUP, name), Path(part)
    function = plugin.load()
    with open_journal(journal) as opened, plugin.blamed(f"the export to {out.name}"):
        function(opened, out, numbers)
    if not out.is_file():
        raise PluginError(f"{plugin} wrote no file {out.name}; an exporter writes the one that it is given")

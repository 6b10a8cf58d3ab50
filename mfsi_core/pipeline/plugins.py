"""Analyses of other packages (plugins ``mfsi.analyses``), each in a process of its own."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lbj
from lbj import UsageError
from lbj.array_types import Floats
from lbj.errors import PluginError
from lbj.frame import Recording
from lbj.importing.apart import call
from lbj.plugins.found import Plugin, kind, named

from ..geometry.registration import Registration
from ..series.selection import View

GROUP = "mfsi.analyses"
EXPECTED = (
    "a dict of some of text (a list of sentences), numbers (name: number), table (column: list), maps (name: array)"
)
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,60}"  # of what becomes a file
TAKEN = {"accumulated", "map", "quantification", "registration", "report", "scree", "summary"}  # by files of a run
FIELDS = ("displacement", "left_out", "region", "to_field", "recorded", "predicted_error", "frame_error")


@dataclass
class Analysis:
    """What an analysis found.

    Attributes
    ----------
    name, by : str
        Of the analysis; the plugin and its package.
    text : list of str
        Sentences.
    numbers : dict of float
    table : dict of list
        Columns of equal length, by name.
    maps : dict of (Y, X) arrays
    """

    name: str
    by: str
    text: list[str] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    table: dict[str, list[Any]] = field(default_factory=dict)
    maps: dict[str, Floats] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table, row by row."""
        return [dict(zip(self.table, row, strict=True)) for row in zip(*self.table.values(), strict=True)]

    def write(self, folder: Path) -> list[str]:
        """Write the table as ``NAME.csv`` and each map as ``NAME-MAP.npy``; returns the files' names."""
        out = []
        if self.table:
            with (folder / f"{self.name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(self.table)
                writer.writerows(zip(*self.table.values(), strict=True))
            out.append(f"{self.name}.csv")
        for name, values in self.maps.items():
            np.save(folder / f"{self.name}-{name}.npy", values)
            out.append(f"{self.name}-{name}.npy")
        return out


def analyse(
    journal: Recording, name: str, registration: Registration | None = None, signal: str | None = None
) -> Analysis:
    """Analyse a journal with a plugin of another package, in a process of its own.

    Parameters
    ----------
    journal : journal
        That is a file.
    name : str
        Of the plugin, in the group ``mfsi.analyses``.
    registration : Registration, optional
        One displacement for each frame.
    signal : str, optional
        The spectra to analyse.

    Returns
    -------
    Analysis

    Raises
    ------
    UsageError
        If there is no such plugin, or the journal is no file.
    PluginError
        If the plugin fails, takes more time than the import of such a file may, or returns something else.
    """
    plugin = named(GROUP, name)
    if not re.fullmatch(NAME, name) or name.lower() in TAKEN:
        why = "is that of files of every run" if name.lower() in TAKEN else "cannot be"
        raise UsageError(f"{plugin}: its name is to be that of files, and {name!r} {why}; its package must change that")
    view = journal if isinstance(journal, View) else View(journal, list(range(len(journal))))
    if view.path is None:
        raise UsageError("an analysis by a plugin needs a journal that is a file of this system")
    arguments = {
        "name": name, "path": view.path, "frames": view.frames, "metadata": view.metadata, "signal": signal,
        "registration": None if registration is None else {key: getattr(registration, key) for key in FIELDS},
    }  # fmt: skip
    return _checked(plugin, call(f"{__name__}:_analyse_here", arguments, view.bytes, str(plugin)))


def _analyse_here(
    name: str, path: str, frames: list[int], metadata: dict[str, Any], signal: str | None, registration: Any
) -> Any:
    plugin = named(GROUP, name)
    function = plugin.load()
    known = None if registration is None else Registration(**registration)
    with lbj.open(path) as journal, plugin.blamed(path):
        found = function(View(journal, frames, metadata), known, signal)
    _checked(plugin, found)
    return found


def _checked(plugin: Plugin, found: Any) -> Analysis:
    fault = _fault(found)
    if fault:
        raise PluginError(f"{plugin}: {EXPECTED} is expected; {fault}")
    maps = {name: np.asarray(values, float) for name, values in found.get("maps", {}).items()}
    return Analysis(plugin.name, str(plugin), **{**found, "maps": maps})


def _fault(found: Any) -> str:
    if not isinstance(found, dict):
        return f"it returned something {kind(found)}"
    unknown = sorted(str(key) for key in set(found) - {"text", "numbers", "table", "maps"})
    if unknown:
        return f"it returned {', '.join(unknown)}"
    text = found.get("text", [])
    if not isinstance(text, list) or not all(isinstance(one, str) for one in text):
        return "text is no list of texts"
    for part in ("numbers", "table", "maps"):
        if not isinstance(found.get(part, {}), dict) or not all(isinstance(name, str) for name in found.get(part, {})):
            return f"{part} is no dict by name"
    for name, value in found.get("numbers", {}).items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            return f"the number {name!r} is {kind(value)}"
    columns = found.get("table", {})
    if not all(isinstance(column, (list, tuple)) or np.ndim(column) == 1 for column in columns.values()):
        return "a column of the table is no list"
    if len({len(column) for column in columns.values()}) > 1:
        return f"the table's columns have {', '.join(f'{len(c)} ({n})' for n, c in columns.items())} entries"
    for name, values in found.get("maps", {}).items():
        if not re.fullmatch(NAME, name):
            return f"{name!r} is no name of a map, which becomes a file's"
        if np.ndim(values) != 2 or np.asarray(values).dtype.kind not in "biuf":
            return f"the map {name!r} is no array of numbers with two axes"
    return ""

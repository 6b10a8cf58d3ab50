"""Importers of other packages: asked first where the suffix of a file is the name of their entry point."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PluginError, UsageError
from ..plugins.found import Plugin, as_suffix, installed, kind
from ..signal import Signal
from .notes import left_out
from .source import Frame, Source

GROUP = "lbj.importers"
EXPECTED = "an importer returns a lbj.importing.Source, or None for a file that is not its own"
KINDS = "biuf"  # of arrays

avoided: set[str] = set()
"""Plugins that took an earlier process down, as text; they are not asked in this one."""


def importers(path: str | os.PathLike[str]) -> list[Plugin]:
    """Return the plugins that are to be asked for a file, by its suffix."""
    suffix = Path(path).suffix.lower()
    found = installed(GROUP) if suffix else []
    return [one for one in found if as_suffix(one.name) == suffix and str(one) not in avoided]


def suffixes() -> set[str]:
    """Return the suffixes that plugins read."""
    return {as_suffix(one.name) for one in installed(GROUP)}


def read(path: Path, plugins: list[Plugin], otherwise: Callable[[Path], Callable[[Path], Source]]) -> Source:
    """Open a file with the first plugin that knows it, else as if there were none, which is noted where one failed."""
    failed: list[PluginError] = []
    for one in plugins:
        try:
            source = _opened(one, path)
        except PluginError as error:
            failed.append(error)
        else:
            if source is not None:
                return source
    try:
        source = otherwise(path)(path)
    except UsageError:
        if failed:
            raise failed[0] from None
        raise
    source.notes += [left_out(f"read without a plugin: {error}") for error in failed]
    return source


def _opened(plugin: Plugin, path: Path) -> Source | None:
    """Open a file with a plugin; None where it says that the file is not its own.

    Raises
    ------
    PluginError
        If it fails, or returns something else than a Source; also while frames are read.
    """
    function = plugin.load()
    with plugin.blamed(str(path)):
        source: Source | None = function(path)
    if source is None:
        return None
    fault = _fault(source)
    if fault:
        raise PluginError(f"{plugin}: {EXPECTED}; for {path} {fault}")
    source.frames = _checked(plugin, path, source.frames, {signal.name: signal for signal in source.signals})
    return source


def _fault(source: Any) -> str:
    if not isinstance(source, Source):
        return f"it returned something {kind(source)}"
    if not isinstance(source.signals, list) or not all(isinstance(one, Signal) for one in source.signals):
        return "signals is no list of lbj.Signal"
    if not source.signals:
        return "signals is empty"
    for name, wanted in (("frames", Iterable), ("static", Mapping), ("metadata", dict), ("notes", list)):
        if not isinstance(getattr(source, name), wanted):
            return f"{name} is {kind(getattr(source, name))}"
    return "" if source.n_frames is None or isinstance(source.n_frames, int) else "n_frames is no whole number"


def _checked(plugin: Plugin, path: Path, given: Iterable[Any], declared: dict[str, Signal]) -> Iterator[Frame]:
    where = str(path)
    with plugin.blamed(where):
        frames = iter(given)
    for number in range(2**63):
        with plugin.blamed(f"{where}, frame {number}"):
            frame = next(frames, None)
        if frame is None:
            return
        fault = _frame_fault(frame, declared)
        if fault:
            raise PluginError(f"{plugin}: frame {number} of {path}: {fault}")
        yield frame


def _frame_fault(frame: Any, declared: dict[str, Signal]) -> str:
    if not isinstance(frame, tuple) or len(frame) != 2 or not all(isinstance(part, Mapping) for part in frame):
        return f"a pair (data by signal, attributes) of mappings is expected, got something {kind(frame)}"
    for name, data in frame[0].items():
        if name not in declared:
            return f"data of {name!r}, a signal that is not declared; declared are {', '.join(declared)}"
        shape = getattr(data, "shape", None)
        if shape is None or tuple(shape) != tuple(declared[name].shape):
            return f"{name}: Events or an array of shape {tuple(declared[name].shape)} is expected, got {shape}"
        if isinstance(data, np.ndarray) and data.dtype.kind not in KINDS:
            return f"{name}: numbers are expected, got an array of {data.dtype}"
    return ""

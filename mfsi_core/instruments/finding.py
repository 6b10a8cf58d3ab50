"""Finding: instruments by name, through the entry points ``mfsi.instruments`` of installed packages."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

from lbj import LbjError
from lbj.errors import PluginError
from lbj.plugins.found import installed, kind, named

from .protocol import Instrument

GROUP = "mfsi.instruments"
METHODS = ("abilities", "prepare", "acquire", "close")  # that every instrument must have


def names() -> list[str]:
    """Return the names of the instruments that are installed."""
    return sorted({one.name for one in installed(GROUP)})


def find(name: str, **options: Any) -> Instrument:
    """Return an instrument; what it prints on the way goes to the standard error.

    Parameters
    ----------
    name : str
        Of an entry point in the group ``mfsi.instruments``: a class, or a function, that takes the options.
    **options
        What that instrument takes.

    Raises
    ------
    UsageError
        If there is no such instrument.
    PluginError
        If it cannot be imported, does not take the options, fails to connect, or makes something else.
    """
    connect = connector(name, **options)
    with contextlib.redirect_stdout(sys.stderr):
        return connect()


def connector(name: str, **options: Any) -> Callable[[], Instrument]:
    """Return the function that connects an instrument, imported already; parameters and errors as of `find`."""
    plugin = named(GROUP, name)
    make = plugin.load()

    def connect() -> Instrument:
        with plugin.blamed("connecting", spared=LbjError):
            instrument: Instrument = make(**options)
        missing = [method for method in METHODS if not callable(getattr(instrument, method, None))]
        if missing:
            raise PluginError(f"{plugin} made something {kind(instrument)}: an instrument has {', '.join(METHODS)}")
        return instrument

    return connect

"""Finding: instruments by name, through the entry points ``mfsi.instruments`` of installed packages."""

from __future__ import annotations

from typing import Any

from lbj import LbjError
from lbj.plugins.found import installed, named

from .protocol import Instrument

GROUP = "mfsi.instruments"


def names() -> list[str]:
    """Return the names of the instruments that are installed."""
    return sorted({one.name for one in installed(GROUP)})


def find(name: str, **options: Any) -> Instrument:
    """Return an instrument.

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
        If it cannot be imported, does not take the options, or fails to connect.
    """
    plugin = named(GROUP, name)
    make = plugin.load()
    with plugin.blamed("connecting", spared=LbjError):
        instrument: Instrument = make(**options)
    return instrument

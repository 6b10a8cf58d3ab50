"""The commands of an archive: what they take, and what they say."""

from __future__ import annotations

import argparse
from typing import Any

SET = "beam_energy=200keV, elements=Ti,O, EDX.elevation=18deg; an empty value takes the name away; repeatable"
AXIS = (
    "EDX.energy.offset=-10eV, HAADF.x.scale=0.05nm, EELS.channel.units=eV; a number without a unit is in the axis's "
    "own; repeatable"
)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that set metadata and axes."""
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=SET)
    parser.add_argument("--axis", action="append", default=[], metavar="SIGNAL.AXIS.PROPERTY=VALUE", help=AXIS)


def settings(args: argparse.Namespace) -> Any:
    """Return what the arguments set, or None where they set nothing."""
    if not args.set and not args.axis:
        return None
    from .amend import Settings

    return Settings(tuple(args.set), tuple(args.axis))


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of `lbj`."""
    amend = commands.add_parser("amend", help="set metadata and calibrations; nothing that is recorded changes")
    amend.description = (
        "Appends an amendment to the journal; 'lbj info' shows what was amended. Example: lbj amend series.lbj "
        "--set beam_energy=200keV --axis EDX.energy.offset=-10eV"
    )
    amend.add_argument("file")
    add_settings(amend)
    amend.set_defaults(run=_amend)


def _amend(args: argparse.Namespace) -> int:
    from ..errors import UsageError
    from .amend import amend

    wanted = settings(args)
    if wanted is None:
        raise UsageError("nothing to amend: give --set NAME=VALUE or --axis SIGNAL.AXIS.PROPERTY=VALUE")
    for line in amend(args.file, wanted) or ["nothing to amend: all of that stands there already"]:
        print(f"{args.file}: {line}")
    return 0

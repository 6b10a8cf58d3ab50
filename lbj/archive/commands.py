"""Command line of the archive: arguments and messages of `lbj amend`, `pack`, `strip` and `convert FOLDER`."""

from __future__ import annotations

import argparse
import os
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

    pack = commands.add_parser("pack", help="store a journal smaller, with the same content digest")
    pack.description = (
        "The smallest lossless coding of each signal; every frame is addressable as before, what is stored with loss "
        "is copied. The result is read back and compared before it gets its name."
    )
    pack.add_argument("file")
    pack.add_argument("-o", "--output", required=True, metavar="OUT.lbj")
    pack.set_defaults(run=_pack)

    strip = commands.add_parser("strip", help="store a journal without personal data, and say what was removed")
    strip.description = (
        "Leaves out personal records, operators, users, addresses, computers, folders and the names of the source's "
        "files; counts, images and spectra stay as they are, which is proved before the result gets its name."
    )
    strip.add_argument("file")
    strip.add_argument("-o", "--output", required=True, metavar="OUT.lbj")
    strip.set_defaults(run=_strip)


def is_tree(sources: list[str], output: str) -> bool:
    """Tell whether `lbj convert` is asked for a tree of folders, and not for one journal."""
    one = sources[0] if len(sources) == 1 else ""
    return os.path.isdir(one) and not one.lower().rstrip("/").endswith(".zspy") and not output.endswith(".lbj")


def convert_folders(args: argparse.Namespace) -> int:
    """Convert a tree of folders."""
    from ..errors import UsageError
    from .tree import LEFT, REPORT, convert_tree

    if args.coding:
        raise UsageError("--coding is of one journal; a tree is stored with the lossless codings of each signal")
    found = convert_tree(args.source[0], args.output, settings(args), quiet=args.quiet)
    for result in found.failed:
        print(f"{result.state}: {', '.join(result.files[:3])}{' …' * (len(result.files) > 3)}: {result.what}")
    if not args.quiet:
        states = {**found.states, LEFT: len(found.aside)}
        told = ", ".join(f"{number} {state}" for state, number in states.items() if number)
        journals = sum(bool(result.journal) for result in found.results)
        print(f"{args.output}: {told}; {journals} journals, each read back and compared with its source")
        if found.before:
            saved = f"{1 - found.after / found.before:.1%} saved"
            print(f"  {found.after:,} bytes instead of {found.before:,}: {saved}")
        print(f"  each file: {os.path.join(args.output, REPORT)}")
    return 3 if found.failed else 0


def _amend(args: argparse.Namespace) -> int:
    from ..errors import UsageError
    from .amend import amend

    wanted = settings(args)
    if wanted is None:
        raise UsageError("nothing to amend: give --set NAME=VALUE or --axis SIGNAL.AXIS.PROPERTY=VALUE")
    for line in amend(args.file, wanted) or ["nothing to amend: all of that stands there already"]:
        print(f"{args.file}: {line}")
    return 0


def journals_name(path: str) -> str:
    """Return the name of a journal to be made; UsageError where it is that of another file."""
    from ..errors import UsageError

    if not path.endswith(".lbj"):
        raise UsageError(f"a journal's name ends in .lbj, got {path!r}; 'lbj export' writes other formats")
    return path


def _pack(args: argparse.Namespace) -> int:
    from .pack import pack

    found = pack(args.file, journals_name(args.output))
    saved = found.before - found.after
    told = f"{saved / found.before:.1%} saved" if saved > 0 else "no smaller: it was packed as well before"
    print(f"{args.output}: {found.after:,} bytes of {found.before:,}, {told}; content digest {found.digest}")
    for name, coding in found.codings.items():
        print(f"  {name} is now stored with {coding}")
    return 0


def _strip(args: argparse.Namespace) -> int:
    from .strip import strip

    found = strip(args.file, journals_name(args.output))
    print(f"{args.output}: content digest {found.digest}")
    for line in found.removed or ["nothing personal was found"]:
        print(f"  {line}")
    for text in found.texts:
        print(f"  kept, read it: {text}")
    return 0

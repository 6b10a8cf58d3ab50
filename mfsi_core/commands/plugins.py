"""`mfsi plugins`: prints what installed packages add, and whether it comes up."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = command("plugins", "list what other installed packages add, and try to import each", "mfsi plugins")
    parser.set_defaults(run=_run)


def _run(_args: argparse.Namespace) -> int:
    from lbj.errors import PluginError
    from lbj.exporting import WRITABLE
    from lbj.exporting.plugin import GROUP as EXPORTERS
    from lbj.importing.apart import call
    from lbj.importing.plugin import GROUP as IMPORTERS
    from lbj.plugins.found import OURS, as_suffix, installed

    from ..instruments.finding import GROUP as INSTRUMENTS
    from ..pipeline import plugins as analyses
    from ..registration import plugins as registrations

    wrong = 0
    for group in (IMPORTERS, EXPORTERS, registrations.GROUP, analyses.GROUP, INSTRUMENTS):
        found = installed(group)
        print(f"{group}: {'' if found else 'none'}".rstrip())
        for one in found:
            print(f"  {one.name:<16} {one.package} {one.version}")
            if group == EXPORTERS and as_suffix(one.name) in WRITABLE:
                print(f"  {'':<16} is never asked: lbj export writes such files itself")
            if one.package != OURS and any(other.name == one.name and other.package == OURS for other in found):
                print(f"  {'':<16} is never asked: {OURS} has one of this name itself")
            try:
                call(f"{__name__}:try_here", {"group": group, "name": one.name}, 0, str(one))
            except PluginError as error:
                wrong = 1
                print(f"  {'':<16} does not come up: {error}")
    return wrong


def try_here(group: str, name: str) -> None:
    """Import a plugin."""
    from lbj.plugins.found import installed

    for one in installed(group):
        if one.name == name:
            one.load()

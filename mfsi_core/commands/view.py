"""`mfsi view`: a journal in the browser."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Callable


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = command("view", "look at a journal in the browser", "mfsi view series.lbj")
    parser.add_argument(
        "file", nargs="?", help="a journal, also by URL; without one, the page takes what is dropped on it"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..viewer.server import PageServer, check_journal

    if args.file is not None:
        check_journal(args.file)
    with PageServer(args.file) as server:
        address = server.page()
        print(address, flush=True)
        if not args.no_browser and not webbrowser.open(address):
            print("no browser was found here: open the address above", file=sys.stderr)
        print("served to this machine until Ctrl-C", file=sys.stderr, flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0

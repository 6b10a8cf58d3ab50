"""`mfsi acquire`: the acquisition window in the browser."""

from __future__ import annotations

import argparse
import json
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbj import UsageError


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = command(
        "acquire",
        "record multi-frame series: the acquisition window, in the browser",
        "mfsi acquire --instrument simulated -o session\n"
        "  (again with the same session: it goes on, and finds a recorder that still works)",
    )
    parser.add_argument("--instrument", required=True, metavar="NAME", help="simulated, or one that a package provides")
    parser.add_argument("-o", "--output", default="session", metavar="SESSION", help="folder of the session")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the instrument; VALUE as JSON or text"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..window.link import Link
    from ..window.server import PAGE, WindowServer, served

    folder = Path(args.output).absolute()
    link = Link(folder, args.instrument, dict(_option(item) for item in args.option))
    shown = served(folder)
    if shown is not None:
        show(shown, browser=not args.no_browser)
        print("another program serves the window of this session, and goes on doing so", file=sys.stderr)
        return 0
    with WindowServer(link, folder) as server:
        open_page(server.page(PAGE), browser=not args.no_browser)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return _end(link, folder)
    return 0


def show(address: str, *, browser: bool) -> None:
    """Print an address, and open it."""
    print(address, flush=True)
    if browser and not webbrowser.open(address):
        print("no browser was found here: open the address above", file=sys.stderr)


def open_page(address: str, *, browser: bool) -> None:
    """Show a page that is served from now on."""
    show(address, browser=browser)
    print("served to this machine until Ctrl-C", file=sys.stderr, flush=True)


def _end(link: Callable[..., dict[str, Any]], folder: Path) -> int:
    """Close the recorder where it rests; frames that are being recorded are not cut short."""
    if link("state")["state"]["phase"] in ("recording", "stopping"):
        print(f"the recorder goes on; the same command, or -o {folder}, shows it again", file=sys.stderr)
    else:
        link("close")
    return 0


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--option takes NAME=VALUE, got {text!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value

"""`mfsi watch`: follow the files that a vendor's program saves into a folder."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbj import UsageError

if TYPE_CHECKING:
    from ..acquisition import Recorder

LOOK = 0.5  # s
MAPS = 20.0  # s that the last maps may take


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = command(
        "watch",
        "follow the numbered files that a vendor's program saves: journal, drift, dose and maps while they come",
        "mfsi watch D:/SI/today -o session --elements Ti,Ca,O --snr Ti_Ka:10\n"
        "  (again with the same session: it goes on where it stopped)",
    )
    parser.add_argument("folder", help="into which numbered files are saved")
    parser.add_argument(
        "-o", "--output", metavar="SESSION", help="where the journals go; default: FOLDER-mfsi beside it"
    )
    parser.add_argument("--elements", metavar="Ti,Ca,O", help="to be mapped; default: those that the files name")
    parser.add_argument("--image", default="", metavar="NAME", help="image to register; default HAADF or the first")
    parser.add_argument("--frames", type=int, metavar="N", help="end after so many")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when no frame came for so long")
    parser.add_argument("--snr", metavar="Ti_Ka:10,…", help="end when maps have these signal-to-noise ratios")
    parser.add_argument(
        "--settle", type=float, default=1.0, metavar="SECONDS", help="for which a whole file does not change; default 1"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..acquisition import Recorder, Settings
    from ..acquisition.session_folder import files_taken
    from ..acquisition.settings import MOST_FRAMES
    from ..host.calls import caller
    from ..instruments.folder import Folder
    from ..window.server import PAGE, window
    from .acquire import open_page

    folder = Path(args.folder)
    output = Path(args.output) if args.output else folder.absolute().with_name(f"{folder.absolute().name}-mfsi")
    settings = Settings(
        elements=[symbol.strip() for symbol in args.elements.split(",")] if args.elements else [],
        image=args.image, frames=MOST_FRAMES if args.frames is None else args.frames, snr=_ratios(args.snr),
    )  # fmt: skip
    instrument = Folder(path=folder, settle=args.settle, idle=args.idle, taken=files_taken(output))
    with Recorder(output, instrument, settings) as recorder, contextlib.ExitStack() as stack:
        print(f"watching {folder}; the journals are in {output}; end with Ctrl-C", flush=True)
        server = stack.enter_context(window(caller(recorder), output))
        open_page(server.page(PAGE), browser=not args.no_browser)
        return _follow(recorder)


def _follow(recorder: Recorder) -> int:
    """Record, and print what happens, until there is an end; a new region where other files come."""
    warned, seen = False, 0
    while True:
        recorder.acquire(wait=False)
        ended = False
        while not ended:
            try:
                ended = recorder.wait(LOOK)
            except KeyboardInterrupt:
                recorder.stop()
            events = recorder.events(seen)
            for event in events:
                seen = event["sequence"]
                warned = warned or event["level"] == "warning"
                if event["kind"] not in ("opened", "frame"):
                    print(event["text"], flush=True)
            if any(event["kind"] == "frame" for event in events):
                print(_line(recorder.state()), flush=True)
        outcome = recorder.state()["outcome"]
        if outcome["reason"] != "changed":
            if outcome["frames"]:
                print(_last(recorder), flush=True)
            return 1 if outcome["failed"] else 3 if warned else 0
        recorder.new_region()


def _last(recorder: Recorder) -> str:
    """Line on all frames, for which the maps are waited for some while."""
    end = time.monotonic() + MAPS
    while True:
        state = recorder.state()
        seen = state["analysis"]
        if seen["status"].get("mapped") == state["region"]["frames"] or time.monotonic() > end or not seen["running"]:
            return _line(state)
        time.sleep(LOOK)


def _line(state: dict[str, Any]) -> str:
    """One line on how far it is."""
    region, status = state["region"], state["analysis"]["status"]
    parts = [f"{region['frames']} frames"]
    if region["dose"]:
        parts.append(f"{region['dose']:.4g} e/Å²")
    drift = status.get("drift")
    if drift:
        size = drift["shift_nm"] or drift["shift_px"]
        parts.append(f"drift ({size[0]:.3g}, {size[1]:.3g}) {'nm' if drift['shift_nm'] else 'px'}")
    parts += [f"{name} {ratio:.3g}" for name, ratio in status.get("maps", {}).items() if ratio is not None]
    return "  ".join(parts)


def _ratios(text: str | None) -> dict[str, float]:
    out = {}
    for item in text.split(",") if text else []:
        name, colon, value = item.rpartition(":")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            colon = ""
        if not colon:
            raise UsageError(f"--snr takes the name of a map and a ratio, as Ti_Ka:10, got {item!r}")
    return out

"""The `mfsi` command: its list of subcommands (a file each in commands/) and its exit codes.

Exit codes: 0 done; 1 the answer is no or the input is unusable; 2 wrong usage; 3 done with loss.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from lbj import __version__
from lbj.command import run as run_command

COMMANDS = (
    "run",
    "demo",
    "register",
    "accumulate",
    "maps",
    "chart",
    "denoise",
    "quantify",
    "template",
    "scree",
    "plan",
    "host",
    "plugins",
    "view",
    "acquire",
    "watch",
)
EPILOG = """examples:
  mfsi demo -o demo
  mfsi run series.lbj -o report --elements Ti,Ca,O
  mfsi run series.emd -o report
  mfsi register series.lbj -o registration.csv
  mfsi accumulate series.lbj -o sum.h5 --upsampling 2 --region 0:100,0:100
  mfsi maps series.lbj -o maps --elements Ti,Ca,O
  mfsi denoise series.lbj -o denoised.lbj --components 6 --median
  mfsi quantify series.lbj -o chips --elements La,Fe,O --chips 15 --factors k.csv
  mfsi template series.lbj --at 48,52 --size 9,9 -o motif --upsampling 4 --elements Ti,Ca,O
  mfsi scree series.lbj -o scree
  mfsi plan --field 11.1nm --pixel 0.0555nm --current 17pA --dwell 1ms --frames 230
  mfsi host < requests.jsonl
  mfsi view series.lbj
  mfsi acquire --instrument simulated -o session
  mfsi watch FOLDER -o session --elements Ti,Ca,O

exit codes: 0 done, 1 the answer is no or the input is unusable, 2 wrong usage, 3 done with loss (frames were left out,
or something asked for could not be made; the notes say which)
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    _one_thread()
    # What other commands need is not imported: `mfsi view` is to show a page at once.
    return run_command(_parser(argv[:1] if argv and argv[0] in COMMANDS else COMMANDS), argv)


def _one_thread() -> None:
    """Have OpenBLAS use one thread: with the small matrices of fits others only wait, and keep a core busy each.

    It reads that when numpy is imported; in a program that has imported it, or where the user says otherwise, nothing
    is changed.
    """
    said = {"OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"} & set(os.environ)
    if "numpy" not in sys.modules and not said:
        os.environ["OPENBLAS_NUM_THREADS"] = "1"


def _parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mfsi",
        description="Align, accumulate and map multi-frame spectrum images.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mfsi {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, description=text, epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    for name in names:
        importlib.import_module(f".commands.{name}", __package__).add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`mfsi demo`: a small series is simulated and run."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lbj.outputs import new_folder


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command("demo", "simulate a small series and run it", "mfsi demo -o demo")
    parser.add_argument("-o", "--output", required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation; default 1")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..drawing import need_drawing
    from ..pipeline.run import run
    from ..simulation.edx import simulate

    need_drawing("jinja2")
    with new_folder(args.output, "mfsi demo", ("demo.lbj",)) as folder:
        series = simulate((96, 96), 12, 2048, args.seed, counts=30000, image_counts=20.0, jitter=(0.1, 0.15))
        series.save(folder / "demo.lbj")
    return told(run([str(Path(args.output) / "demo.lbj")], args.output), args.output)


def told(summary: dict[str, Any], output: str) -> int:
    """Print where the report is and what is to be said of it; return the exit code."""
    print(Path(output) / "report.html")
    for note in summary["notes"]:
        print(f"  note: {note}")
    lost = set(summary["registration"]["left_out"]).difference(summary.get("frames_without_counts", []))
    return 3 if lost or summary.get("not_made") else 0

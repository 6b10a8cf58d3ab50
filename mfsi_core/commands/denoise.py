"""`mfsi denoise`: spectra rebuilt from principal components."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from lbj.outputs import new_files


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command(
        "denoise",
        "rebuild spectra from principal components",
        "mfsi denoise series.lbj -o denoised.lbj --components 6 --median",
    )
    parser.add_argument("file", help="a journal")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT.lbj",
        help="a new journal, which says what was done; OUT.png draws it",
    )
    parser.add_argument("--components", type=int, required=True, metavar="N", help="how many to keep")
    parser.add_argument("--signal", default="EELS", metavar="NAME", help="dense spectra; default EELS")
    parser.add_argument("--median", action="store_true", help="first replace dead and hot channels and spikes")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..drawing import need_drawing
    from ..eels.denoising import denoise_journal

    need_drawing()
    plot = Path(args.output).with_suffix(".png")
    with new_files(plot, args.file) as part:
        notes = denoise_journal(args.file, args.output, args.components, args.signal, median=args.median, plot=part)
    print(args.output)
    print(plot)
    for note in notes:
        print(f"  note: {note}")
    return 0

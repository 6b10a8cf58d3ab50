"""`mfsi run`: from files to a report, everything that applies."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from . import quantify
from .arguments import add_elements, add_maps, add_registration, add_signals
from .demo import told


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command("run", "from files to a report", "mfsi run series.lbj -o report --elements Ti,Ca,O")
    parser.add_argument("input", nargs="+", help="a journal, vendor files, or one folder of numbered frames")
    parser.add_argument("-o", "--output", required=True, metavar="DIR")
    add_elements(parser)
    parser.add_argument("--factors", metavar="K.csv", help="k-factors: quantify in chips (see mfsi quantify)")
    parser.add_argument("--chips", **quantify.CHIPS)
    parser.add_argument("--stated", **quantify.STATED)
    parser.add_argument("--compare", **quantify.COMPARE)
    parser.add_argument("--scree", action="store_true", help="weigh the components against dose")
    parser.add_argument("--beam-energy", **quantify.BEAM)
    parser.add_argument(
        "--analysis", action="append", default=[], metavar="NAME", help="also one of another package's; repeatable"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="tcp://host:8786, of dask.distributed, whose workers do the work"
    )
    parser.add_argument("--region", type=int, metavar="N", help="only the frames of this area")
    add_maps(parser)
    add_registration(parser)
    add_signals(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from ..pipeline.run import run

    summary = run(
        args.input, args.output, elements=args.elements, image=args.image, signal=args.signal, region=args.region,
        beam_energy=args.beam_energy, align_edges=args.align_edges,
        factors=args.factors, chips=quantify.chips_of(args.chips),
        stated=quantify.numbers(args.stated, "stated", ":") if args.stated else None,
        compare=quantify.earlier_table(args.compare) if args.compare else None, scree=args.scree,
        maps=args.maps, method=args.registration, analyses=args.analysis, scheduler=args.scheduler,
    )  # fmt: skip
    return told(summary, args.output)

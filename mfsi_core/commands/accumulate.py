"""`mfsi accumulate`: the aligned sum of all frames, as HDF5 or Lispix ripple."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lbj import UsageError
from lbj.outputs import new_files

from .arguments import add_signals, span, tell


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command(
        "accumulate",
        "sum the frames, aligned",
        "mfsi accumulate series.lbj -o sum.h5 --upsampling 2 --region 0:100,0:100",
    )
    parser.add_argument("file", help="a journal")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.h5|hspy|rpl", help="HyperSpy's layout, or ripple")
    parser.add_argument("--upsampling", type=int, default=1, metavar="S", help="output pixels per frame pixel")
    parser.add_argument("--region", metavar="A:B,C:D", help="rows and columns of the output")
    parser.add_argument("--channels", metavar="A:B")
    parser.add_argument("--method", choices=["pull", "push"], default="pull")
    add_signals(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import lbj

    from ..pipeline.align import register_journal, with_spectra
    from ..pipeline.cube import write_cube

    if not args.output.endswith((".h5", ".hdf5", ".hspy", ".rpl")):
        raise UsageError(f"the sum is written as .h5, .hspy (HDF5) or .rpl (Lispix ripple), got -o {args.output!r}")
    rows, comma, columns = (args.region or "").partition(",")
    if args.region and not comma:
        raise UsageError(f"--region takes A:B,C:D, as 0:100,0:100, got {args.region!r}")
    region = (span(rows, "region"), span(columns, "region")) if args.region else None
    channels = span(args.channels, "channels") if args.channels else None
    with new_files(args.output, args.file) as part, lbj.open(args.file) as journal:
        view, results = register_journal(journal, [args.file], image=args.image, signal=args.signal)
        with with_spectra(view, results) as holding:
            write_cube(
                holding, results, part, upsampling=args.upsampling, region=region, channels=channels,
                method=args.method,
            )  # fmt: skip
    return tell(results, args.output)

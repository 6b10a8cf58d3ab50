"""The `mfsi` command.

Exit codes: 0 done; 1 the answer is no or the input is unusable; 2 wrong usage; 3 done with loss.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbj import UsageError, __version__
from lbj.command import run
from lbj.outputs import new_files, new_folder

from .commands import acquire, host, plan, plugins, quantify, scree, template, view, watch

if TYPE_CHECKING:
    from .report.results import Results

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
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
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

    def method(one: argparse.ArgumentParser) -> None:
        one.add_argument(
            "--maps", choices=["filter", "windows"], default="filter",
            help="X-ray maps: all lines told apart at once (default), or windows less a straight background",
        )  # fmt: skip

    def choices(one: argparse.ArgumentParser) -> None:
        one.add_argument("--image", metavar="NAME", help="image to register; default HAADF or the first")
        one.add_argument("--signal", metavar="NAME", help="spectra to sum; default EDX or the first")

    def registration(one: argparse.ArgumentParser) -> None:
        one.add_argument("--registration", metavar="NAME", help="register with another package's; see mfsi plugins")

    run = command("run", "from files to a report", "mfsi run series.lbj -o report --elements Ti,Ca,O")
    run.add_argument("input", nargs="+", help="a journal, vendor files, or one folder of numbered frames")
    run.add_argument("-o", "--output", required=True, metavar="DIR")
    run.add_argument("--elements", type=_symbols, metavar="Ti,Ca,O", help="default: those the series names")
    run.add_argument("--factors", metavar="K.csv", help="k-factors: quantify in chips (see mfsi quantify)")
    run.add_argument("--chips", **quantify.CHIPS)
    run.add_argument("--stated", **quantify.STATED)
    run.add_argument("--compare", **quantify.COMPARE)
    run.add_argument("--scree", action="store_true", help="weigh the components against dose")
    run.add_argument("--beam-energy", **quantify.BEAM)
    run.add_argument("--align-edges", action="store_true", help="EELS: move the axis to where edges begin")
    run.add_argument(
        "--analysis", action="append", default=[], metavar="NAME", help="also one of another package's; repeatable"
    )
    run.add_argument(
        "--scheduler", metavar="ADDRESS", help="tcp://host:8786, of dask.distributed, whose workers do the work"
    )
    run.add_argument("--region", type=int, metavar="N", help="only the frames of this area")
    method(run)
    registration(run)
    choices(run)
    run.set_defaults(run=_run)

    demo = command("demo", "simulate a small series and run it", "mfsi demo -o demo")
    demo.add_argument("-o", "--output", required=True, metavar="DIR")
    demo.add_argument("--seed", type=int, default=1, help="of the simulation; default 1")
    demo.set_defaults(run=_demo)

    register = command("register", "write the shift of every frame", "mfsi register series.lbj -o registration.csv")
    register.add_argument("file", help="a journal")
    register.add_argument("-o", "--output", required=True, metavar="OUT.csv|parquet")
    register.add_argument(
        "--append", action="store_true", help="also append the displacements to the journal, for later steps to use"
    )
    registration(register)
    choices(register)
    register.set_defaults(run=_register)

    accumulate = command(
        "accumulate",
        "sum the frames, aligned",
        "mfsi accumulate series.lbj -o sum.h5 --upsampling 2 --region 0:100,0:100",
    )
    accumulate.add_argument("file", help="a journal")
    accumulate.add_argument(
        "-o", "--output", required=True, metavar="OUT.h5|hspy|rpl", help="HyperSpy's layout, or ripple"
    )
    accumulate.add_argument("--upsampling", type=int, default=1, metavar="S", help="output pixels per frame pixel")
    accumulate.add_argument("--region", metavar="A:B,C:D", help="rows and columns of the output")
    accumulate.add_argument("--channels", metavar="A:B")
    accumulate.add_argument("--method", choices=["pull", "push"], default="pull")
    choices(accumulate)
    accumulate.set_defaults(run=_accumulate)

    maps = command("maps", "map elements", "mfsi maps series.lbj -o maps --elements Ti,Ca,O")
    maps.add_argument("file", help="a journal, or the sum that mfsi accumulate wrote")
    maps.add_argument("-o", "--output", required=True, metavar="DIR")
    maps.add_argument("--elements", type=_symbols, metavar="Ti,Ca,O", help="default: those the series names")
    method(maps)
    maps.add_argument("--beam-energy", **quantify.BEAM)
    maps.add_argument("--align-edges", action="store_true", help="EELS: move the axis to where edges begin")
    maps.add_argument("--tif", action="store_true", help="also TIFFs with pixel size, map and standard error")
    choices(maps)
    maps.set_defaults(run=_maps)

    chart = command(
        "chart",
        "pick a data-compression chart for EELS spectra",
        "mfsi chart series.lbj --elements Ti,Ca,O --plot chart.png",
    )
    chart.add_argument("file", help="a journal")
    chart.add_argument("--elements", type=_symbols, metavar="Ti,Ca,O", help="whose edges are to be kept")
    chart.add_argument("--edges", type=_energies, metavar="456,532", help="energies of edges to be kept, eV")
    chart.add_argument("--signal", metavar="NAME", default="EELS", help="the spectra; default EELS")
    chart.add_argument("--step", type=float, default=0.5, metavar="SIGMA", help="quantisation step; default 0.5")
    chart.add_argument(
        "--shifts",
        metavar="FILE.npy|NAME|0",
        help="energy shifts in eV, the low-loss signal to measure them on, or 0: the axis is steady",
    )
    chart.add_argument("--plot", metavar="OUT.png", help="draw the chart and what it leaves of a spectrum")
    chart.add_argument("--json", action="store_true", help="print all of it as JSON")
    chart.set_defaults(run=_chart)

    denoise = command(
        "denoise",
        "rebuild spectra from principal components",
        "mfsi denoise series.lbj -o denoised.lbj --components 6 --median",
    )
    denoise.add_argument("file", help="a journal")
    denoise.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT.lbj",
        help="a new journal, which says what was done; OUT.png draws it",
    )
    denoise.add_argument("--components", type=int, required=True, metavar="N", help="how many to keep")
    denoise.add_argument("--signal", default="EELS", metavar="NAME", help="dense spectra; default EELS")
    denoise.add_argument("--median", action="store_true", help="first replace dead and hot channels and spikes")
    denoise.set_defaults(run=_denoise)

    for step in (quantify, template, scree, plan, host, plugins, view, acquire, watch):
        step.add(command)
    return parser


def _symbols(text: str) -> list[str]:
    return [symbol.strip() for symbol in text.split(",") if symbol.strip()]


def _energies(text: str) -> list[float]:
    try:
        return [float(value) for value in _symbols(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"takes energies in eV, as 456,532, got {text!r}") from None


def _slice(text: str, name: str) -> slice:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise UsageError(f"--{name} takes A:B, as 0:100, got {text!r}") from None


def _run(args: argparse.Namespace) -> int:
    from .pipeline.run import run

    summary = run(
        args.input, args.output, elements=args.elements, image=args.image, signal=args.signal, region=args.region,
        beam_energy=args.beam_energy, align_edges=args.align_edges,
        factors=args.factors, chips=quantify.chips_of(args.chips),
        stated=quantify.numbers(args.stated, "stated", ":") if args.stated else None,
        compare=quantify.earlier_table(args.compare) if args.compare else None, scree=args.scree,
        maps=args.maps, method=args.registration, analyses=args.analysis, scheduler=args.scheduler,
    )  # fmt: skip
    return _report(summary, args.output)


def _report(summary: dict[str, Any], output: str) -> int:
    print(Path(output) / "report.html")
    for note in summary["notes"]:
        print(f"  note: {note}")
    return 3 if summary["registration"]["left_out"] or summary.get("not_made") else 0


def _demo(args: argparse.Namespace) -> int:
    from .pipeline.run import run
    from .simulation.edx import simulate

    with new_folder(args.output, "mfsi demo", ("demo.lbj",)) as folder:
        series = simulate((96, 96), 12, 2048, args.seed, counts=30000, image_counts=20.0, jitter=(0.1, 0.15))
        series.save(folder / "demo.lbj")
    return _report(run([str(Path(args.output) / "demo.lbj")], args.output), args.output)


def _register(args: argparse.Namespace) -> int:
    import lbj

    from .pipeline.align import register_journal
    from .report.page import registration_csv
    from .report.parquet import need_pyarrow, to_parquet

    if args.output.lower().endswith(".parquet"):
        need_pyarrow()
    with new_files(args.output, args.file) as part, lbj.open(args.file) as journal:
        _, results = register_journal(
            journal, [args.file], image=args.image, signal=args.signal, anew=True, method=args.registration
        )
        by_image = results.guide in journal.signals
        if part.suffix.lower() == ".parquet":
            registration_csv(results, part.with_suffix(".csv"))
            to_parquet(part.with_suffix(".csv"), part)
            part.with_suffix(".csv").unlink()
        else:
            registration_csv(results, part)
    if args.append:
        if results.registration is None or not by_image:
            raise UsageError("no image was registered: there are no displacements to append")
        results.registration.save(args.file, results.guide)
        results.notes.append(f"the displacements were appended to {args.file}")
    return _done(results, args.output)


def _accumulate(args: argparse.Namespace) -> int:
    import lbj

    from .pipeline.align import register_journal
    from .pipeline.cube import write_cube

    if not args.output.endswith((".h5", ".hdf5", ".hspy", ".rpl")):
        raise UsageError(f"the sum is written as .h5, .hspy (HDF5) or .rpl (Lispix ripple), got -o {args.output!r}")
    rows, comma, columns = (args.region or "").partition(",")
    if args.region and not comma:
        raise UsageError(f"--region takes A:B,C:D, as 0:100,0:100, got {args.region!r}")
    region = (_slice(rows, "region"), _slice(columns, "region")) if args.region else None
    channels = _slice(args.channels, "channels") if args.channels else None
    with new_files(args.output, args.file) as part, lbj.open(args.file) as journal:
        _, results = register_journal(journal, [args.file], image=args.image, signal=args.signal)
        write_cube(
            journal, results, part, upsampling=args.upsampling, region=region, channels=channels,
            method=args.method,
        )  # fmt: skip
    return _done(results, args.output)


def _maps(args: argparse.Namespace) -> int:
    from .commands.opening import opened
    from .pipeline.align import register_journal
    from .pipeline.maps import add_element_maps
    from .report.page import map_pictures, write_maps
    from .series.selection import spectra_signal

    with new_folder(args.output, "mfsi maps", inputs=[args.file]) as folder, opened(args.file) as journal:
        if spectra_signal(journal, args.signal) is None:
            raise UsageError(f"{args.file!r} holds no spectra to map")
        view, results = register_journal(
            journal, [args.file], image=args.image, signal=args.signal, beam_energy=args.beam_energy
        )
        add_element_maps(view, results, args.elements, maps=args.maps, align_edges=args.align_edges)
        write_maps(results, folder, tif=args.tif)
        for name, data in map_pictures(results).items():
            (folder / f"{name}.png").write_bytes(data)
            results.files.append(f"{name}.png")
    return _done(results, ", ".join(sorted(results.files)) or "no map")


def _denoise(args: argparse.Namespace) -> int:
    from .eels.denoising import denoise_journal

    plot = Path(args.output).with_suffix(".png")
    with new_files(plot, args.file) as part:
        notes = denoise_journal(args.file, args.output, args.components, args.signal, median=args.median, plot=part)
    print(args.output)
    print(plot)
    for note in notes:
        print(f"  note: {note}")
    return 0


def _chart(args: argparse.Namespace) -> int:
    from .commands.chart import report

    text = report(
        args.file, elements=args.elements, edges=args.edges, signal=args.signal, step=args.step, shifts=args.shifts,
        plot=args.plot, as_json=args.json,
    )  # fmt: skip
    print(text)
    return 0


def _done(results: Results, made: str) -> int:
    print(made)
    for note in results.notes:
        print(f"  note: {note}")
    assert results.registration is not None
    return 3 if results.registration.left_out.any() else 0


if __name__ == "__main__":
    sys.exit(main())

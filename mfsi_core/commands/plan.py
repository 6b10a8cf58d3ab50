"""`mfsi plan`: what a series will cost and show."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from lbj import UsageError


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = command(
        "plan",
        "plan a series: times, doses, bytes, and whether columns will be resolved",
        "mfsi plan --field 11.1nm --pixel 0.0555nm --current 17pA --dwell 1ms --frames 230\n"
        "  mfsi plan --field 11.1nm,5.6nm --pixel 0.555Å --current 17pA --dwell 100us --frames 230 --flyback 200us \\\n"
        "      --motifs 112 --elements Ag:0.3nm:7.5,Sn:0.62nm:5 --plot plan.png\n"
        "  mfsi plan … --journal trial.lbj --elements Ag:0.3nm,Sn:0.62nm",
    )
    parser.add_argument("--field", required=True, metavar="Y[,X]", help="field of view; it grows to whole pixels")
    parser.add_argument("--pixel", required=True, metavar="LENGTH", help="edge of a pixel: 0.0555nm, 0.555Å")
    parser.add_argument("--current", required=True, metavar="CURRENT", help="of the beam: 17pA")
    parser.add_argument("--dwell", required=True, metavar="TIME", help="per pixel: 1ms, 100us")
    parser.add_argument("--frames", required=True, type=int, metavar="N")
    parser.add_argument("--flyback", default="0s", metavar="TIME", help="lost after every line; default 0s")
    parser.add_argument("--write-overhead", default="0s", metavar="TIME", help="lost after every frame; default 0s")
    parser.add_argument("--comm-overhead", default="0s", metavar="TIME", help="lost after every frame; default 0s")
    parser.add_argument("--motifs", type=int, default=1, metavar="N", help="repeats that template matching sums")
    parser.add_argument("--journal", metavar="FILE", help="a trial: its counts, spectrum and image bits are taken")
    parser.add_argument(
        "--elements", metavar="Ag:0.3nm[:7.5],…", help="spacing of columns, counts/nm² of a frame (or by --journal)"
    )
    parser.add_argument("--channels", type=int, metavar="N", help="of the spectra; default 2048")
    parser.add_argument("--density", type=float, metavar="SHARE", help="counts per voxel of a frame; default 0.0004")
    parser.add_argument("--image-bits", type=float, metavar="BITS", help="stored bits per image pixel; default 8")
    parser.add_argument("--plot", metavar="OUT.png", help="draw spacing against counts, with the paper's points")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from lbj.outputs import new_files

    from ..drawing import need_drawing
    from ..planning import column_table, expected_spectrum, plan, resolvability_figure
    from ..planning.size import CHANNELS, DENSITY, ELEMENTS, IMAGE_BITS

    if args.plot and not args.plot.lower().endswith(".png"):
        raise UsageError(f"the picture is a PNG: --plot must end in .png, got {args.plot!r}")
    if args.plot:
        need_drawing()
    wanted = _elements(args.elements)
    bits = IMAGE_BITS
    if args.journal:
        if args.density is not None or args.channels is not None:
            raise UsageError("--density and --channels are measured in the journal: leave them or --journal out")
        wanted, spectrum, bits = _measured(args.journal, wanted)
    else:
        spectrum = expected_spectrum(
            list(wanted) or ELEMENTS,
            CHANNELS if args.channels is None else args.channels,
            DENSITY if args.density is None else args.density,
        )
    made = plan(
        args.field, args.pixel, args.current, args.dwell, args.frames, flyback=args.flyback,
        write_overhead=args.write_overhead, comm_overhead=args.comm_overhead, motifs=args.motifs, spectrum=spectrum,
        image_bits=bits if args.image_bits is None else args.image_bits,
    )  # fmt: skip
    lacking = [element for element, (_, counts) in wanted.items() if counts is None]
    if lacking:
        raise UsageError(f"no counts are known for {', '.join(lacking)}: name them, as Ag:0.3nm:7.5, or give --journal")
    columns = column_table(
        {e: (d, float(n)) for e, (d, n) in wanted.items() if n is not None}, made.frames, made.motifs
    )
    if args.plot:
        with new_files(args.plot, *([args.journal] if args.journal else [])) as part:
            part.write_bytes(resolvability_figure(columns))
    if args.json:
        print(json.dumps(asdict(made) | {"columns": [asdict(column) for column in columns]}, indent=2))
    else:
        _print(made, columns)
    return 0


def _elements(text: str | None) -> dict[str, tuple[float, float | None]]:
    """Spacing in nm and, where named, counts/nm² of one frame."""
    from ..planning import quantity
    from ..tables.lines import lines_of

    out: dict[str, tuple[float, float | None]] = {}
    for item in text.split(",") if text else []:
        element, *rest = (part.strip() for part in item.split(":"))
        if len(rest) not in {1, 2}:
            raise UsageError(f"--elements takes Ag:0.3nm or Ag:0.3nm:7.5 (counts/nm² of a frame), got {item!r}")
        lines_of(element)  # refuses what is no element
        if element in out:
            raise UsageError(f"--elements names {element} twice")
        spacing = quantity(rest[0], "length", f"spacing of {element}") * 1e9
        out[element] = (spacing, _counts(rest[1], element) if len(rest) == 2 else None)
    return out


def _counts(text: str, element: str) -> float:
    try:
        counts = float(text)
    except ValueError:
        counts = math.nan
    if not math.isfinite(counts) or counts <= 0:
        raise UsageError(f"the counts/nm² of {element} must be a number above zero, got {text!r}")
    return counts


def _measured(path: str, wanted: dict[str, tuple[float, float | None]]) -> tuple[dict[str, Any], Any, float]:
    import lbj

    from ..planning import counts_per_nm2, measured_size

    unknown = [element for element, (_, counts) in wanted.items() if counts is None]
    with lbj.open(path) as journal:
        found = counts_per_nm2(journal, unknown) if unknown else {}
        spectrum, bits = measured_size(journal)
    return {e: (d, found.get(e, n)) for e, (d, n) in wanted.items()}, spectrum, bits


def _print(made: Any, columns: list[Any]) -> None:
    from ..text import size

    high, wide = made.field_nm
    rows = [
        ("pixels (rows x columns)", f"{made.pixels[0]} x {made.pixels[1]}, {high:.6g} x {wide:.6g} nm"),
        ("frame time", _time(made.frame_time_s)),
        ("  with overheads", _time(made.frame_time_with_overheads_s)),
        (f"series of {made.frames} frames", _time(made.series_time_s)),
        ("charge per pixel and frame", f"{made.pixel_charge:.4g} electrons"),
        ("dose per frame", f"{made.dose_per_frame:.4g} e/Å2"),
        ("dose of the series", f"{made.total_dose:.4g} e/Å2"),
        ("  beam on during overheads", f"{made.total_dose_with_overheads:.4g} e/Å2"),
        ("dose rate of an exposure", f"{made.dose_rate:.4g} e/Å2/s"),
        ("dose rate of the series", f"{made.series_dose_rate:.4g} e/Å2/s"),
        ("  beam on during overheads", f"{made.series_dose_rate_with_overheads:.4g} e/Å2/s"),
        ("journal, estimate", size(made.file_bytes)),
    ]
    if made.motifs > 1:
        rows.insert(
            8, (f"effective dose, {made.motifs} motifs", f"{made.effective_dose:.4g} e/Å2 (no motif receives it)")
        )
    for name, value in rows:
        print(f"{name:<28}  {value}")
    if columns:
        print(f"\n{'columns':<8} {'spacing nm':>10}  {'':<8} {'counts/nm2':>11} {'SNR':>7}  resolved")
    for c in columns:
        print(
            f"{c.element:<8} {c.spacing_nm:>10.4g}  {c.stage:<8} {c.counts_per_nm2:>11.4g} {c.snr:>7.2f}  {c.verdict}"
        )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.4g} s"
    return (
        f"{seconds:,.1f} s ({seconds / 60:.1f} min)" if seconds < 7200 else f"{seconds:,.0f} s ({seconds / 3600:.2f} h)"
    )

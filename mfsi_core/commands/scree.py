"""`mfsi scree`: variance ratios and significant components against dose."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..report.parquet import PARQUET, need_pyarrow, parquet_beside


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = command("scree", "weigh the components of the spectra against dose", "mfsi scree series.lbj -o scree")
    parser.add_argument("file", help="a journal")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="for scree.csv and scree.png")
    parser.add_argument("--image", metavar="NAME", help="image to register; default HAADF or the first")
    parser.add_argument("--signal", metavar="NAME", help="spectra to sum; default EDX or the first")
    parser.add_argument("--parquet", **PARQUET)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import lbj
    from lbj.outputs import new_folder

    from ..components.figure import scree_figure
    from ..components.result import UNTESTED
    from ..components.scree import scree
    from ..drawing import need_drawing
    from ..pipeline.align import register_journal, with_spectra
    from ..series.selection import spectra_signal

    need_drawing()
    if args.parquet:
        need_pyarrow()
    with (
        new_folder(args.output, "mfsi scree", ("scree.csv", "scree.png"), [args.file]) as folder,
        lbj.open(args.file) as journal,
    ):
        if spectra_signal(journal, args.signal) is None:
            raise lbj.UsageError(f"{args.file!r} holds no spectra, whose components could be counted")
        view, results = register_journal(journal, [args.file], image=args.image, signal=args.signal)
        if results.signal is None:
            raise lbj.UsageError(f"no frame of {args.file!r} holds spectra, whose components could be counted")
        assert results.registration is not None
        with with_spectra(view, results) as holding:
            found = scree(holding, results.signal, registration=results.registration, quiet=False)
        found.write(folder / "scree.csv")
        (folder / "scree.png").write_bytes(scree_figure(found))
        tables = parquet_beside(folder) if args.parquet else []
    for name in ("scree.csv", *tables):
        print(Path(args.output) / name)
    print(Path(args.output) / "scree.png")
    for frames, dose, number in zip(found.frames, found.dose, found.significant, strict=True):
        count = "not tested" if number < 0 else f"{number} significant"
        print(f"  {frames} frames, {dose:.3g} {found.dose_unit}: {count}")
    for note in [*results.notes, *([] if found.tested else [UNTESTED])]:
        print(f"  note: {note}")
    return 3 if results.registration.left_out.any() else 0

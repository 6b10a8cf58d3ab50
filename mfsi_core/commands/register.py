"""`mfsi register`: the shift of every frame."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lbj import UsageError
from lbj.outputs import new_files

from .arguments import add_registration, add_signals, tell


def add(command: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = command("register", "write the shift of every frame", "mfsi register series.lbj -o registration.csv")
    parser.add_argument("file", help="a journal")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.csv|parquet")
    parser.add_argument(
        "--append", action="store_true", help="also append the displacements to the journal, for later steps to use"
    )
    add_registration(parser)
    add_signals(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import lbj

    from ..pipeline.align import register_journal
    from ..report.page import registration_csv
    from ..report.parquet import need_pyarrow, to_parquet

    if args.output.lower().endswith(".parquet"):
        need_pyarrow()
    with new_files(args.output, args.file) as part, lbj.open(args.file) as journal:
        _, results = register_journal(
            journal, [args.file], image=args.image, signal=args.signal, anew=True, method=args.registration
        )
        by_image = results.reference in journal.signals
        if part.suffix.lower() == ".parquet":
            registration_csv(results, part.with_suffix(".csv"))
            to_parquet(part.with_suffix(".csv"), part)
            part.with_suffix(".csv").unlink()
        else:
            registration_csv(results, part)
    if args.append:
        if results.registration is None or not by_image:
            raise UsageError("no image was registered: there are no displacements to append")
        results.registration.save(args.file, results.reference)
        results.notes.append(f"the displacements were appended to {args.file}")
    return tell(results, args.output)

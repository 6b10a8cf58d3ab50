"""The `lbj` command: info, convert, verify, recover, export and the rest, with their exit codes.

Exit codes: 0 done; 1 the answer is no or the input is unusable; 2 wrong usage; 3 done with loss.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from typing import Any

from .archive.commands import add_commands, add_settings, convert_folders, is_tree, journals_name, settings
from .command import run
from .errors import LbjError, UsageError
from .format.records import open_file
from .version import __version__

MOST_TOLD = 100  # findings of one clause, or losses, that are printed one by one
SUMS = (".rpl", ".msa", ".csv", ".nxs")  # exports in which spectra are summed
EPILOG = """examples:
  lbj info series.lbj
  lbj convert series.emd -o series.lbj
  lbj convert SI_*.dm3 HAADF_*.dm3 -o series.lbj --coding EDX=leb128
  lbj convert archive -o journals
  lbj verify series.lbj
  lbj recover broken.lbj -o whole.lbj
  lbj export series.lbj -o series.hspy --frames 0:10
  lbj amend series.lbj --set beam_energy=200keV --axis EDX.energy.offset=-10eV

exit codes: 0 done, 1 the answer is no or the input is unusable, 2 wrong usage, 3 done with loss (recover;
convert of what is cut short)
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["conformance"]:
        from lbj_conformance.__main__ import main as suite

        return suite(argv[1:])
    return run(_parser(), argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lbj",
        description="Journals of multi-frame spectrum images (.lbj).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lbj {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_info(commands)
    _add_convert(commands)
    _add_verify(commands)
    _add_recover(commands)
    _add_conformance(commands)
    _add_export(commands)
    add_commands(commands)
    return parser


def _add_info(commands: Any) -> None:
    info = commands.add_parser("info", help="what a journal holds")
    info.add_argument("file")
    info.add_argument("--json", action="store_true", help="one JSON object on standard output")
    info.set_defaults(run=_info)


def _add_convert(commands: Any) -> None:
    convert = commands.add_parser("convert", help="make a journal from vendor files, arrays or a journal")
    convert.add_argument("source", nargs="+", help="several are successive frames; a folder stands for its files")
    convert.add_argument(
        "-o", "--output", required=True, metavar="OUT.lbj", help="without .lbj: a folder, for a whole tree of folders"
    )
    convert.add_argument(
        "--coding",
        action="append",
        default=[],
        type=_coding,
        metavar="SIGNAL=CODING",
        help="for example EDX=leb128; repeatable",
    )
    add_settings(convert)
    convert.add_argument("--quiet", action="store_true", help="no progress, no summary")
    convert.set_defaults(run=_convert)


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify", help="check every digest and every cross-reference; exit 1 if anything is wrong"
    )
    verify.add_argument("file", nargs="+")
    verify.set_defaults(run=_verify)


def _add_recover(commands: Any) -> None:
    recover = commands.add_parser("recover", help="save every completed frame of a damaged journal")
    recover.add_argument("file")
    recover.add_argument("-o", "--output", required=True, metavar="OUT.lbj")
    recover.set_defaults(run=_recover)


def _add_conformance(commands: Any) -> None:
    commands.add_parser("conformance", help="test an implementation of the format: run -- COMMAND, or matrix")
    conform = commands.add_parser("conform", help="the conformance suite's adapter of this library")
    conform.description = "One call of the adapter protocol (conformance/protocol.md); prints one JSON object."
    conform.add_argument("call", choices=["describe", "decode", "recover", "encode"])
    conform.add_argument("path", nargs="*", help="decode PATH, recover PATH OUT, encode JSON PATH")
    conform.set_defaults(run=_conform)


def _add_export(commands: Any) -> None:
    export = commands.add_parser("export", help="write .hspy, .npz, .h5, .rpl, .tif, .zarr and others")
    export.description = (
        "The suffix of OUT names the format: .hspy, .zarr (Zarr 3) and .nxs (NeXus NXem) hold the frames as dense "
        "stacks, .npz, .h5 and .parquet the counts as lists, .rpl, .msa and .csv sums as recorded, .tif images. For "
        "an aligned sum see 'mfsi accumulate'."
    )
    export.add_argument("file")
    export.add_argument("-o", "--output", required=True, metavar="OUT")
    export.add_argument("--frames", type=_frames, metavar="A:B", help="frames A to B-1; all when absent")
    export.set_defaults(run=_export)


def _coding(text: str) -> tuple[str, str]:
    name, equals, coding = text.partition("=")
    if not (name and equals and coding):
        raise argparse.ArgumentTypeError(f"SIGNAL=CODING is expected, got {text!r}")
    return name, coding


def _frames(text: str) -> slice:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return slice(int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"A:B is expected, as 0:10, got {text!r}") from None


def _info(args: argparse.Namespace) -> int:
    # `format.contents` alone, without numpy, so that the answer comes at once.
    from .archive.history import history
    from .describe import calibrated, described
    from .format import amendments
    from .format.contents import Contents, read_header, read_index, scan
    from .format.records import Bytes

    with open_file(args.file) as file:
        source = Bytes(file)
        header, size = read_header(source), source.size()
        found = read_index(source, header, size) or scan(source, header, Contents(header.end), size)
        patches = amendments.patches(source, found.others, size)
        described_as, declared_signals = amendments.apply(header, patches)
    amended = history(header.json, [patch for _, patch in patches])
    signals: list[dict[str, Any]] = [
        {
            "name": signal.name,
            "kind": signal.kind,
            "shape": list(signal.shape),
            "dtype": signal.dtype,
            "coding": item.get("coding"),
            "events": events if signal.kind == "events" else None,
            "bytes": stored,
        }
        for signal, item, (events, stored) in zip(declared_signals, described_as["signals"], found.totals, strict=True)
    ]
    version = ".".join(map(str, header.version))
    lost = _losses(args.file, signals)
    if args.json:
        out = {"version": version, "complete": found.closed, "frames": len(found.frames), "bytes": size}
        print(json.dumps({**out, "signals": signals, **({"amended": amended} if amended else {})}, indent=1))
        return 0
    frames = len(found.frames)
    print(f"{args.file}: .lbj {version}, {frames} frame{'s' if frames != 1 else ''}, {size:,} bytes")
    for line in described(described_as.get("metadata", {})):
        print(f"  {line}")
    if found.tail is not None:
        print(f"  not closed: {found.tail.reason} at byte {found.tail.offset}; all frames before are whole")
    elif not found.closed:
        print("  no footer: still being written, or by a writer that did not close it; all frames are whole")
    for signal, item, declared in zip(signals, described_as["signals"], declared_signals, strict=True):
        shape = " x ".join(map(str, signal["shape"]))
        counts = "" if signal["events"] is None else f"  {signal['events']:>14,} counts"
        name, kind, coding = signal["name"], signal["kind"], signal["coding"] or "-"
        print(
            f"  {name:<12} {kind:<8} {shape:<18} {signal['dtype']:<8} {coding:<13} {signal['bytes']:>13,} bytes{counts}"
        )
        role = f"{declared.role}, stored once" if declared.static else declared.role or ""
        facts = "; ".join(fact for fact in (role, calibrated(item.get("axes") or [])) if fact)
        if facts:
            print(f"  {'':<12} {facts}")
    for name, loss in lost.items():
        print(f"  {loss.line(name)}")
    for line in amended:
        print(f"  amended: {line}")
    return 0


def _losses(path: str, signals: list[dict[str, Any]]) -> dict[str, Any]:
    """What lossy signals state of their error; the reader is imported only where there are any."""
    from .codings import LOSSY, split

    if not any(split(signal["coding"] or "")[0] in LOSSY for signal in signals):
        return {}
    from .loss import losses
    from .reader import open as open_journal

    with open_journal(path) as journal:
        found = losses(journal)
    for signal in signals:
        if signal["name"] in found:
            signal["loss"] = found[signal["name"]]._asdict()
    return found


def _convert(args: argparse.Namespace) -> int:
    if is_tree(args.source, args.output):
        return convert_folders(args)
    from .archive.convert import store
    from .importing.apart import open_apart
    from .importing.notes import FILE, LOST, table

    try:
        source = open_apart(args.source)
    except UsageError as error:
        raise LbjError(str(error)) from error
    journals_name(args.output)
    frames, notes = store(source, args.source, args.output, dict(args.coding), settings(args), quiet=args.quiet)
    if not args.quiet:
        size = os.path.getsize(args.output)
        print(f"{args.output}: {frames} frame{'s' if frames != 1 else ''}, {size:,} bytes")
        for note in notes:
            if getattr(note, "rank", None) != FILE:
                print(f"  note: {note}")
        _say_losses(args.output)
        for line in table(notes):
            print(f"  {line}")
    return 3 if any(getattr(note, "rank", None) == LOST for note in notes) else 0


def _say_losses(path: str) -> None:
    """One line for each signal that is stored with loss."""
    from .loss import losses
    from .reader import open as open_journal

    with open_journal(path) as journal:
        for name, loss in losses(journal).items():
            print(f"  note: {loss.line(name)}")


def _verify(args: argparse.Namespace) -> int:
    from .recovery.verify import verify

    worst = 0
    for path in args.file:
        with open_file(path) as file:
            fine = True
            found: Counter[str] = Counter()
            for finding in verify(file):
                fine &= finding.note
                found[finding.code] += 1
                if found[finding.code] <= MOST_TOLD:
                    at = "" if finding.offset is None else f" at byte {finding.offset}"
                    print(f"{path}: {'note ' if finding.note else ''}{finding.code}{at}: {finding.message}")
        for code, times in found.items():
            if times > MOST_TOLD:
                print(f"{path}: {code}: and {times - MOST_TOLD:,} more")
        if fine:
            print(f"{path}: conforms")
            _say_losses(path)
        else:
            worst = 1
    return worst


def _recover(args: argparse.Namespace) -> int:
    from .recovery.recover import MOST_NAMED, recover

    ahead = iter(range(MOST_TOLD))

    def tell(line: str) -> None:
        if next(ahead, None) is not None:
            print(f"lost: {line}")

    with open_file(args.file) as file:
        found = recover(file, args.output, tell)
    if found.losses > MOST_TOLD:
        print(f"lost: and {found.losses - MOST_TOLD:,} more; notes of the new journal name up to {MOST_NAMED:,}")
    frames = f"{len(found.kept)} frame{'s' if len(found.kept) != 1 else ''}"
    print(f"{args.output}: {frames} kept, {found.losses or 'nothing'} lost")
    _say_losses(args.output)
    return 3 if found.losses else 0


def _conform(args: argparse.Namespace) -> int:
    from . import conform

    wanted = {"describe": 0, "decode": 1, "recover": 2, "encode": 2}[args.call]
    if len(args.path) != wanted:
        raise UsageError(f"{args.call} takes {wanted} paths, got {len(args.path)}")
    print(json.dumps(getattr(conform, args.call)(*args.path)))
    return 0


def _export(args: argparse.Namespace) -> int:
    from .exporting import export
    from .exporting.rpl import as_recorded, not_scanned
    from .exporting.series import Series
    from .importing.child import size_of
    from .reader import open as open_journal

    with open_file(args.file) as file, open_journal(file) as journal:
        export(journal, args.output, args.frames, args.file)
        series = Series(journal, args.frames)
        notes = [*as_recorded(series), *not_scanned(series)] if args.output.lower().endswith(SUMS) else []
    print(f"{args.output}: {size_of([args.output]):,} bytes")
    for note in notes:
        print(f"  note: {note}")
    _say_losses(args.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())

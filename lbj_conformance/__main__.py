"""``lbj conformance``, or ``python -m lbj_conformance``: the command that proves an implementation, and what it prints.

Exit codes: 0 every vector passes (or needs what the command says it lacks), 1 one fails, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from . import matrix, suite
from .client import AdapterError
from .suite import Result

STATUSES = ("pass", "fail", "unsupported", "crash", "timeout")
BAD = ("fail", "crash", "timeout")
MOST_SHOWN = 20
EPILOG = """examples:
  lbj conformance run -- lbj conform                 the reference library
  lbj conformance run -- python my_adapter.py        yours; the calls are described in conformance/protocol.md
  lbj conformance run --only reject/json --json report.json -- ./my_adapter
  lbj conformance matrix "lbj conform" "./my_adapter"
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        code: int = args.do(args)
    except AdapterError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lbj conformance",
        description="Conformance suite of the listed-bin journal (.lbj).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="test one implementation on every vector")
    run.add_argument("--only", default="", metavar="ID", help="vectors whose id begins so, for example reject/json")
    run.add_argument("adapter", nargs="+", help="the command to test, after --")
    run.set_defaults(do=_run)
    table = commands.add_parser("matrix", help="let every implementation read what every other writes")
    table.add_argument("adapter", nargs="+", help="one quoted command each")
    table.set_defaults(do=_matrix)
    for one in (run, table):
        one.add_argument("--json", metavar="FILE", help="write a machine-readable report")
        one.add_argument("--timeout", type=float, default=60.0, metavar="S", help="per call, default 60")
    return parser


def _run(args: argparse.Namespace) -> int:
    about, results = suite.run(args.adapter, args.timeout, args.only)
    if not results:
        print(f"no vector's id begins with {args.only!r}", file=sys.stderr)
        return 2
    manifest = suite.manifest()
    vectors = {vector["id"]: vector for vector in manifest["vectors"]}
    print(f"{about['name']} {about['version']}, suite {manifest['version']}\n")
    print(_table(results))
    lacking = Counter(_lacking(vectors[one.id], about) for one in results if one.status == "unsupported")
    for reason, number in lacking.items():
        print(f"unsupported: {number} for want of {reason}")
    wrong = [result for result in results if result.status in BAD]
    for result in wrong[:MOST_SHOWN]:
        vector = vectors[result.id]
        print(f"\n{result.status}: {result.id} (clauses {', '.join(vector['clauses'])})")
        print(f"  provokes: {vector['provokes']}")
        call = [*args.adapter, vector["call"], str(suite.FOLDER / vector["file"])]
        role = ", as an indexed reader" if "expect_indexed" in vector and about.get("reader") == "indexed" else ""
        print(f"  call: {shlex.join(call)}{' OUT' if vector['call'] != 'decode' else ''}{role}")
        shown = 2 if result.differences[0].startswith("result:") else 5
        for line in result.differences[:shown]:
            print("  " + line.replace("\n", "\n  "))
    if len(wrong) > MOST_SHOWN:
        print(f"\n… and {len(wrong) - MOST_SHOWN} more; --only narrows them down, --json FILE lists all")
    if args.json:
        Path(args.json).write_text(json.dumps(_report(manifest["version"], about, results), indent=1), encoding="utf-8")
    return int(bool(wrong) or not any(result.status == "pass" for result in results))


def _lacking(vector: dict[str, Any], about: dict[str, Any]) -> str:
    """Why a vector is unsupported: the call or the codings that the command lacks."""
    if vector["call"] not in about["commands"]:
        return f"'{vector['call']}'"
    return ", ".join(sorted(suite.lacking(vector, about))) or "what the command says it has no means for"


def _table(results: list[Result]) -> str:
    groups: dict[str, Counter[str]] = {}
    for result in results:
        groups.setdefault(result.id.split("/")[0], Counter())[result.status] += 1
    groups["all"] = sum(groups.values(), Counter())
    lines = [f"{'vectors':<12}" + "".join(f"{status:>13}" for status in STATUSES)]
    lines += [f"{name:<12}" + "".join(f"{found[status]:>13}" for status in STATUSES) for name, found in groups.items()]
    return "\n".join(lines)


def _report(version: str, about: dict[str, Any], results: list[Result]) -> dict[str, Any]:
    return {
        "suite": version,
        "implementation": about,
        "totals": {status: sum(result.status == status for result in results) for status in STATUSES},
        "results": [{**result._asdict(), "seconds": round(result.seconds, 3)} for result in results],
    }


def _matrix(args: argparse.Namespace) -> int:
    cells = matrix.run([shlex.split(adapter) for adapter in args.adapter], args.timeout)
    print(matrix.table(cells))
    for cell in cells:
        for line in cell.differences:
            print(f"{cell.writer} → {cell.reader}: {line}")
    if args.json:
        Path(args.json).write_text(matrix.report(cells), encoding="utf-8")
    return int(not cells or any(cell.read < cell.written for cell in cells))


if __name__ == "__main__":
    sys.exit(main())

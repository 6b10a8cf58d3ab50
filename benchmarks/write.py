"""Runs a benchmark and keeps what it prints as a fragment of the documentation, headed by command, date and machine.

    python benchmarks/write.py [--as NAME] PROGRAM [ARGUMENTS]

PROGRAM is the name of a file or folder beside this one, `codec`; the fragment is docs/benchmarks/NAME.md, with the
program's name where none is given. Programs print Markdown (`helpers/tables.py`), and a fragment is only replaced by
one of a program that ended well.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent
FRAGMENTS = HERE.parent / "docs" / "benchmarks"


def machine() -> str:
    """Cores and kind of processor."""
    kind = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        kind = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), kind
        )
    return f"{os.cpu_count()} cores, {kind}, {platform.system()}"


def versions(program: Path) -> str:
    """Of this package, Python, and those of its requirements that the program's text names."""
    files = sorted(program.rglob("*.py")) if program.is_dir() else [program]
    words = set(re.findall(r"\w+", "\n".join(file.read_text() for file in files)))
    required = {re.split(r"[^\w.-]", line)[0].lower() for line in metadata.requires("mfsi") or ()}
    used = {"numpy", "numba"}
    for module, names in metadata.packages_distributions().items():
        if len(module) > 2 and module in words:
            used |= {name.lower() for name in names} & required
    sys.path.insert(0, str(HERE.parent))
    from lbj.version import __version__

    parts = [f"mfsi {__version__}", f"Python {platform.python_version()}"]
    return ", ".join(parts + [f"{name} {metadata.version(name)}" for name in sorted(used - {"mfsi"})])


def main() -> int:
    """Run, show and keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--as", dest="name", help="name of the fragment")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    program = next(path for path in (HERE / f"{args.program}.py", HERE / args.program) if path.exists())
    lines = []
    with subprocess.Popen([sys.executable, program, *args.arguments], stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if run.returncode:
        return run.returncode
    command = " ".join(["python", f"benchmarks/{program.name}", *args.arguments])
    today = datetime.datetime.now(datetime.timezone.utc).date()
    head = f"`{command}`, {today}, {machine()}: {versions(program)}.\n\n"
    (FRAGMENTS / f"{args.name or program.stem}.md").write_text(head + "".join(lines).strip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

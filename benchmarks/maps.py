"""CPU time of the element maps of a whole series, beside that of an earlier state of this package.

    python benchmarks/maps.py [--frames N] [--before FOLDER]

230 frames of 200 x 200 x 2048, 0.04 % of the voxels with a count, of the simulator that comes with the package, in one
journal. Each row is a process of its own that does the work twice and counts the second time: compiled code is warm.
FOLDER is a checkout of the earlier state (`git worktree add FOLDER COMMIT`), which reads the same journal.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers import tables

SHAPE, CHANNELS = (200, 200), 2048
ELEMENTS = ["Ca", "Ti", "O"]
WORK = {
    "maps of the elements named: mfsi maps": "main(['maps', path, '-o', out, '--elements', 'Ca,Ti,O'])",
    "the same, Ca not named": "main(['maps', path, '-o', out, '--elements', 'Ti,O'])",
    "compositions of every pixel, Ca not named": "mfsi_core.quantify(j, ['Ti', 'O'], 'pixels', rows, fit='linear')",
}
PROGRAM = """
import contextlib, io, shutil, time, warnings
import lbj, mfsi_core
from mfsi_core.cli import main
path, out = {path!r}, {out!r}
rows = [dict(element=e, family='K', k=1.0, basis='at', line_scope='family') for e in ('Ca', 'Ti', 'O')]
warnings.simplefilter('ignore')
for turn in range(2):
    shutil.rmtree(out, ignore_errors=True)
    with lbj.open(path) as j, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.process_time()
        {work}
        spent = time.process_time() - start
print(spent)
"""


def write(path: Path, frames: int) -> None:
    """Write the EDX signal of a simulated series."""
    import lbj
    from mfsi_core import simulate

    series = simulate(SHAPE, frames, CHANNELS, 1, elements=tuple(ELEMENTS))
    signal = next(one for one in series.signals if one.name == "EDX")
    with lbj.create(path, [signal], metadata={"beam_energy": 2e5}, sync=False) as writer:
        for data, _ in series:
            writer.append({"EDX": data["EDX"]})


def seconds(package: Path, path: Path, work: str) -> float:
    """CPU seconds of one kind of work, done by a checkout of the package."""
    program = PROGRAM.format(path=str(path), out=str(path.parent / "out"), work=work)
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=230)
    parser.add_argument("--before", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.lbj"
        write(path, args.frames)
        tables.head(f"{args.frames} frames, CPU s", "now", *(["before"] if args.before else []))
        for name, work in WORK.items():
            states = [here, *([args.before.resolve()] if args.before else [])]
            tables.row(name, *(f"{seconds(state, path, work):.2f}" for state in states))


if __name__ == "__main__":
    main()

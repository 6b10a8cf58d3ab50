"""Fuzz the Python library (atheris) and the C implementation (libFuzzer), the conformance vectors as corpus.

``python tests/fuzz/run.py --seconds 60`` gives each of the two that long and prints what was run; exit 1 on a finding.
A longer run: ``--seconds 3600 --corpus FOLDER`` keeps what was learnt in FOLDER. Needs clang, make and the extra ``fuzz``.

The bounds that are enforced for every input: 20 s, and 2 GB of memory of the whole process (inputs of up to 64 KiB,
dense arrays limited to 1 MiB); the C target runs under AddressSanitizer and UBSan, the Python one with bounds checks in
its compiled decoders.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
VECTORS = [str(path) for path in sorted((ROOT / "conformance" / "vectors").iterdir()) if path.name != "encode"]
BOUNDS = [
    "-timeout=20",
    "-report_slow_units=20",
    "-rss_limit_mb=2048",
    "-max_len=65536",
    "-print_final_stats=1",
    "-verbosity=1",
]


def fuzz(name, line, corpus, seconds, environment):
    """Run one target; returns a row of the table and whether nothing was found."""
    own = corpus / name
    own.mkdir(parents=True, exist_ok=True)
    found = corpus / f"{name}-findings"
    found.mkdir(exist_ok=True)
    options = [f"-artifact_prefix={found}/", f"-max_total_time={seconds}", *BOUNDS]
    done = subprocess.run(
        [*line, str(own), *VECTORS, *options], env=environment, stderr=subprocess.PIPE, text=True, check=False
    )
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    features = re.findall(r" ft: (\d+)", done.stderr)
    findings = sorted(path.name for path in found.iterdir())
    if done.returncode or findings:
        print(done.stderr[-4000:], file=sys.stderr)
    runs = int(stats.get("number_of_executed_units", 0))
    row = (
        f"{name:<8}{runs:>14,}{seconds:>10}{runs // max(seconds, 1):>10,}{features[-1] if features else '?':>12}"
        f"{stats.get('peak_rss_mb', '?'):>10}  {', '.join(findings) or 'none'}"
    )
    return row, not done.returncode and not findings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target, default 60")
    parser.add_argument("--corpus", type=Path, help="folder that keeps the inputs learnt; a temporary one if absent")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = (args.corpus or Path(folder)).resolve()
        subprocess.run(
            ["make", "-s", "-C", ROOT / "conformance" / "ports" / "c", f"BUILD={folder}", "fuzz"], check=True
        )
        checked = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": f"{folder}/numba"}
        rows = [
            fuzz("c", [f"{folder}/fuzz"], corpus, args.seconds, dict(os.environ)),
            fuzz("python", [sys.executable, str(HERE / "fuzz_lbj.py")], corpus, args.seconds, checked),
        ]
    print(f"{'target':<8}{'inputs':>14}{'seconds':>10}{'per s':>10}{'features':>12}{'peak MB':>10}  findings")
    print("\n".join(row for row, _ in rows))
    return int(not all(fine for _, fine in rows))


if __name__ == "__main__":
    sys.exit(main())

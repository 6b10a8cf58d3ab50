"""Mutate files of every importable format and import them, as programs do: in a process apart, into a journal.

    python tests/fuzz/imports.py --seconds 30
    python tests/fuzz/imports.py --seconds 3600 --samples FOLDER    # also vendors' files of at most 2 MB

Every input must end in a journal that `lbj verify` finds to conform, or in a named error of `lbj` within the limits of
`lbj.importing.child`; the input stays as it was, and nothing is left beside it. What does otherwise is kept with
--findings FOLDER. The same seed makes the same inputs.
"""

import argparse
import collections
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np

import lbj
from lbj.archive.convert import store
from lbj.errors import LibraryError
from lbj.exporting import export
from lbj.importing import apart
from lbj.recovery.verify import verify

LARGEST = 2_000_000  # bytes of a sample
SLACK = 30  # s beyond what an import may take
INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**62, 2**64 - 1]


def made(folder):
    """Small samples of the formats that need no vendor."""
    rng = np.random.default_rng(0)
    axes = [{"name": n, "offset": 0.0, "scale": 1e-10, "units": "m"} for n in "yx"]
    energy = {"name": "energy", "offset": 0.0, "scale": 20.0, "units": "eV"}
    signals = [
        lbj.Signal("EDX", "events", (4, 5, 64), axes=[*axes, energy]),
        lbj.Signal("HAADF", "image", (4, 5), axes=axes),
    ]
    with lbj.create(folder / "a.lbj", signals, {"beam_energy": 2e5, "elements": ["Ti"]}, sync=False) as writer:
        for _ in range(3):
            data = {"EDX": rng.poisson(0.3, (4, 5, 64)), "HAADF": rng.integers(0, 999, (4, 5)).astype(np.uint16)}
            writer.append(data, live_time={"EDX": 1.0}, dwell_time=1e-4)
    with lbj.open(folder / "a.lbj") as journal:
        for suffix in ("npz", "h5", "hspy", "tif"):
            export(journal, folder / f"b.{suffix}")
    np.savez(folder / "c.npz", EDX=rng.poisson(0.3, (4, 5, 64)).astype(np.uint8), HAADF=rng.random((4, 5)))
    with h5py.File(folder / "d.emd", "w") as file:
        file.attrs.update(version_major=0, version_minor=2)
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"] = rng.random((4, 5))
        for i, size in enumerate((4, 5)):
            group[f"dim{i + 1}"] = np.arange(size) * 0.1
    with zipfile.ZipFile(folder / "e.zip", "w") as archive:
        for name in ("x_1.npz", "x_2.npz"):
            buffer = io.BytesIO()
            np.savez(buffer, HAADF=rng.random((4, 5)))
            archive.writestr(name, buffer.getvalue())
    with zipfile.ZipFile(folder / "f.ndata", "w") as archive:
        buffer = io.BytesIO()
        np.save(buffer, rng.random((4, 5)).astype(np.float32))
        archive.writestr("data.npy", buffer.getvalue())
        archive.writestr("metadata.json", json.dumps({"spatial_calibrations": [{"scale": 0.1, "units": "nm"}] * 2}))
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def mutated(data, rng):
    """Bytes with one to eight changes of any kind."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 8])):
        if not data:
            break
        # Headers decide more than data do: half of the changes are among the first 4 kB.
        at = rng.randrange(min(len(data), 4096)) if rng.random() < 0.5 else rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + rng.choice([1, 4, 64])] = rng.randbytes(rng.choice([1, 4, 64]))
        elif kind == 2:
            size = rng.choice([1, 2, 4, 8])
            value = rng.choice(INTERESTING) % 2 ** (8 * size)
            data[at : at + size] = value.to_bytes(size, rng.choice(["little", "big"]))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + rng.choice([1, 8, 512])]
        elif kind == 5:
            start = rng.randrange(len(data))
            data[at:at] = data[start : start + rng.choice([1, 8, 512, 4096])]
        else:
            data[at : at + 256] = bytes(min(256, len(data) - at))
    return bytes(data)


def attempt(path, out):
    """Import one input; (what became of it, and what is wrong with that)."""
    before = path.read_bytes()
    seconds, _ = apart.child.allowed([str(path)])
    begin = time.monotonic()
    finding = ""
    try:
        source = apart.open_apart([path])
        store(source, [str(path)], out, quiet=True)
        result = "read"
        with out.open("rb") as file:
            wrong = [found for found in verify(file) if not found.note]
        finding = f"the journal breaks the standard: {wrong[0]}" if wrong else ""
    except LibraryError as error:
        result = "library ended" if "ended its process" in str(error) else "library failed"
    except lbj.LbjError as error:
        result = "given up" if "reading it takes more than" in str(error) else "refused"
        finding = "" if str(error).strip() else "an error without words"
    except Exception as error:  # noqa: BLE001 this is what is looked for
        result, finding = "traceback", repr(error)
    if time.monotonic() - begin > seconds * apart.WALL + SLACK:
        finding = f"took {time.monotonic() - begin:.0f} s"
    out.unlink(missing_ok=True)
    if path.read_bytes() != before:
        finding = "the input was changed"
    beside = sorted(os.listdir(path.parent))
    if beside != [path.name]:
        finding = f"left beside it: {beside}"
    return result, finding


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="in all, default 30")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=Path, help="folder with more samples, at any depth")
    parser.add_argument("--findings", type=Path, help="folder for inputs that did what they must not")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    table, findings, longest = collections.defaultdict(collections.Counter), [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        (own := Path(folder, "made")).mkdir()
        samples = made(own)
        more = sorted(args.samples.rglob("*")) if args.samples else []
        samples += [path for path in more if path.is_file() and path.suffix != ".md" and path.stat().st_size < LARGEST]
        (place := Path(folder, "in")).mkdir()
        end = time.monotonic() + args.seconds
        number = 0
        while time.monotonic() < end:
            sample = samples[number % len(samples)]
            name = f"x{sample.suffix}" if rng.random() < 0.9 else f"x{rng.choice(samples).suffix}"
            path = place / name
            path.write_bytes(mutated(sample.read_bytes(), rng) if number >= len(samples) else sample.read_bytes())
            begin = time.monotonic()
            result, finding = attempt(path, Path(folder, "out.lbj"))
            longest = max(longest, time.monotonic() - begin)
            table[sample.name][result] += 1
            if finding:
                findings.append(f"input {number} of {sample.name}: {finding}")
                print(findings[-1], file=sys.stderr)
                if args.findings:
                    args.findings.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, args.findings / f"{number}-{sample.stem}{path.suffix}")
            for left in place.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            number += 1
    results = ["read", "refused", "library failed", "library ended", "given up", "traceback"]
    print(f"{'sample':<48}" + "".join(f"{name:>15}" for name in results))
    for sample, row in sorted(table.items()):
        print(f"{sample:<48}" + "".join(f"{row[name]:>15,}" for name in results))
    total = collections.Counter()
    for row in table.values():
        total.update(row)
    print(f"{'all':<48}" + "".join(f"{total[name]:>15,}" for name in results))
    print(f"{number:,} inputs in {args.seconds:.0f} s, the longest {longest:.1f} s, {len(findings)} findings")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())

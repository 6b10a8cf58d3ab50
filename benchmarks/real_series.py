"""Registration of real series, whose truth nobody knows, and what speaks for it.

    python benchmarks/real_series.py [FOLDER]

FOLDER holds the collected real files (by default ../shared/data). A line a series: frames that were left out; how far
the frames lie apart (y, x), px; the error predicted, px rms; and three checks.

- not shared: what the mean of every second frame does not share with that of the others, 1 - r with their correlation
  r, as recorded, with frames shifted as a whole, and as registered. Frames laid wrong blur both means in different
  ways; what stands still in the frames of a drifting scene is shared, too, as recorded.
- half series: every second frame and the others, registered each for themselves; difference, px rms of one component,
  of the shifts of the one at the times of the other from these. Unsteady drift is in it.
- X-rays: difference, px rms of one component, of the frames' shifts from those found from the X-ray counts, by whole
  frames or sums of frames, and the error predicted of them; how far frames lie apart by X-rays and by images.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from helpers import tables

import lbj
from lbj.archive.convert import convert
from mfsi_core import Registration, register
from mfsi_core.accumulation.mean import aligned_mean
from mfsi_core.series.selection import image_signal

SERIES = {  # file, frames summed before X-ray counts are registered
    "jeol/64.pts": 5,
    "images/stem_abf_data_imagestack.hspy": 0,
    "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd": 1,
    "velox/fei_emd_si.emd": 0,
}


def quiet(images: Any) -> tuple[Registration, list[str]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = register(images)
    return found, [str(one.message) for one in told if one.category is UserWarning]


def halves(images: np.ndarray, field: np.ndarray, kept: np.ndarray) -> float:
    """1 - r of the two half series' means where both are seen by most frames."""
    means = []
    for part in (kept[::2], kept[1::2]):
        mean, seen = aligned_mean(images[part], Registration(field[part]))
        means.append(np.where(seen > len(part) / 2, mean, np.nan))
    both = np.isfinite(means).all(axis=0)
    return 1 - float(np.corrcoef(means[0][both], means[1][both])[0, 1])


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean((difference - difference.mean(axis=0)) ** 2)))


def apart(images: np.ndarray) -> float:
    """Difference of shifts, px rms, between half series that were registered each for itself."""
    times = [np.arange(len(images))[start::2] for start in range(2)]
    even, odd = (quiet(images[part])[0].shift for part in times)
    inner = times[1][times[1] < times[0][-1]]
    at = np.stack([np.interp(inner, times[0], even[:, axis]) for axis in range(2)], axis=1)
    return rms(odd[: len(inner)] - at)


def x_rays(journal: Any, shift: np.ndarray, group: int) -> str:
    """Shifts from the X-ray counts of groups of frames, beside those from the images."""
    counts = np.array([frame.events("EDX").image() for frame in journal], float)
    groups = np.array_split(np.arange(len(counts)), len(counts) // group)
    found, _ = quiet(np.array([counts[part].sum(axis=0) for part in groups]))
    if not np.isfinite(found.predicted_error):
        return "too few counts"
    images = np.array([shift[part].mean(axis=0) for part in groups])
    reach = " and ".join("({:.1f}, {:.1f})".format(*np.ptp(one, axis=0)) for one in (found.shift, images))
    return (
        f"{rms(found.shift - images):.2f} px of sums of {group} (predicted {found.predicted_error:.2f}); "
        f"apart by {reach} px"
    )


def tell(path: Path, group: int) -> list[str]:
    """Print the line of a series; what registration told."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        journal_path = Path(folder) / "series.lbj"
        convert([str(path)], journal_path, quiet=True)
        with lbj.open(journal_path) as journal:
            signal = image_signal(journal, None)
            images = np.array([frame.array(signal.name) for frame in journal], float)
            found, told = quiet(images)
            kept = np.flatnonzero(~found.left_out)
            rigid = np.broadcast_to(found.shift[:, :, None, None], found.displacement.shape).astype(np.float32)
            reach = np.ptp(found.shift[kept], axis=0) if kept.size else np.zeros(2)
            cells = [len(images), f"{images.shape[1]} x {images.shape[2]}", found.left_out.sum()]
            cells += [f"{reach[0]:.1f}, {reach[1]:.1f}", f"{found.predicted_error:.3f}", None, None, None]
            if kept.size > 3:
                fields = np.zeros_like(rigid), rigid, found.displacement
                cells[5] = ", ".join(f"{halves(images, field, kept):.2g}" for field in fields)
                cells[6] = f"{apart(images[kept]):.3f} px"
            if group and "EDX" in journal.signals and len(journal) >= 4 * group:
                cells[7] = x_rays(journal, found.shift, group)
    tables.row(path.name, *cells)
    return told


def main(folder: str = "../shared/data") -> None:
    checks = ("not shared: recorded, shifted, registered", "half series differ by", "X-rays differ by")
    tables.head("series", "frames", "pixels", "left out", "apart, px", "predicted error, px", *checks)
    told: dict[str, list[str]] = {}
    for name, group in SERIES.items():
        path = Path(folder) / name
        if path.exists():
            told[path.name] = tell(path, group)
        else:
            tables.row(f"{name}, absent", *[None] * 8)
    print()
    for name, lines in told.items():
        for line in lines:
            print(f"- {name}: {line}")


if __name__ == "__main__":
    main(*sys.argv[1:])

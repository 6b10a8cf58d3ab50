"""Export: chips with image patch, composition and raw spectrum, as a few-shot model takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

from .result import Quantification
from .summing import spectra_in

ENDINGS = (".npz", ".csv", ".parquet")


def chip_spectra(source: Any, result: Quantification, signal: Any = "EDX", registration: Any = None) -> Floats:
    """Raw spectrum of every chip: (N, C), all channels of the signal, counts."""
    spectra = spectra_in(source, signal, registration)
    channels = np.arange(spectra.axis.size, dtype=np.int32)
    return spectra.sums(result.chips.labels, result.chips.ids.size, channels, channels.size)


def image_patches(image: Any, result: Quantification) -> list[NDArray]:
    """Patch of an image over every chip.

    Parameters
    ----------
    image : (Y', X') array
        An image of the same field, of the field's pixels or a whole multiple of them.
    result : Quantification

    Raises
    ------
    UsageError
        If the image has another shape.
    """
    picture = np.asarray(image)
    rows, columns = result.chips.labels.shape
    if picture.ndim != 2 or picture.shape[0] % rows or picture.shape[1] % columns:
        raise UsageError(f"the image must have {rows} x {columns} pixels or a whole multiple, got {picture.shape}")
    high, wide = picture.shape[0] // rows, picture.shape[1] // columns
    return [picture[y0 * high : y1 * high, x0 * wide : x1 * wide] for y0, x0, y1, x1 in result.chips.boxes]


def export_chips(path: Any, result: Quantification, spectra: NDArray, image: Any = None, energy: Any = None) -> None:
    """Write one record a chip.

    Parameters
    ----------
    path : path
        ``.npz``: arrays ``chip_id, row, column, n_px, elements, at_pct, wt_pct, at_se, wt_se, spectrum, energy`` and
        ``image`` (N, y, x), patches of irregular chips padded with NaN. ``.csv`` and ``.parquet`` (needs pyarrow): a
        row a chip, ``chip_id, row, column, n_px``, ``at_pct_<element>``, ``wt_pct_<element>`` and their ``_se``, and
        ``image`` and ``spectrum`` as lists (JSON in CSV).
    result : Quantification
        Row and column are those of the grid of chips; of chips that form none, of their upper left corners.
    spectra : (N, C) array
        See `chip_spectra`.
    image : (Y', X') array, optional
        See `image_patches`.
    energy : (C,) array, optional
        eV.

    Raises
    ------
    UsageError
        If the ending is unknown, or arrays do not fit.
    """
    ending = Path(path).suffix
    if ending not in ENDINGS:
        raise UsageError(f"chips are exported as {', '.join(ENDINGS)}, got {str(path)!r}")
    chips, made = result.chips, result.composition
    if len(spectra) != chips.ids.size:
        raise UsageError(f"{chips.ids.size} chips need as many spectra, got {len(spectra)}")
    place = (
        chips.boxes[:, :2] if chips.grid is None else np.stack(np.divmod(np.arange(chips.ids.size), chips.grid[1]), 1)
    )
    patches = None if image is None else image_patches(image, result)
    head = {"chip_id": chips.ids, "row": place[:, 0], "column": place[:, 1], "n_px": chips.pixels}
    parts = {"at_pct": made.at, "at_se": made.at_se, "wt_pct": made.wt, "wt_se": made.wt_se}
    counts = np.asarray(spectra)
    if np.array_equal(counts, np.rint(counts)) and counts.max(initial=0) < 2**32:
        counts = counts.astype(np.uint32)
    if ending == ".npz":
        arrays: dict[str, Any] = {**head, "elements": np.array(result.elements), "spectrum": counts}
        arrays |= {name: 100 * values for name, values in parts.items()}
        if energy is not None:
            arrays["energy"] = np.asarray(energy)
        if patches is not None:
            arrays["image"] = _padded(patches)
        np.savez_compressed(path, **arrays)
        return
    import pandas as pd

    columns: dict[str, Any] = dict(head)
    for name, values in parts.items():
        columns |= {f"{name}_{element}": 100 * values[:, j] for j, element in enumerate(result.elements)}
    write = json.dumps if ending == ".csv" else list
    if patches is not None:
        columns["image"] = [write(patch.tolist()) for patch in patches]
    columns["spectrum"] = [write(row.tolist()) for row in counts]
    frame = pd.DataFrame(columns)
    if ending == ".csv":
        frame.to_csv(path, index=False)
        return
    try:
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install pyarrow, or export .npz or .csv") from error


def _padded(patches: list[NDArray]) -> NDArray:
    """Stack patches, smaller ones filled with NaN at the lower and right ends."""
    high, wide = (max(patch.shape[axis] for patch in patches) for axis in (0, 1))
    if all(patch.shape == (high, wide) for patch in patches):
        return np.stack(patches)
    out = np.full((len(patches), high, wide), np.nan)
    for stored, patch in zip(out, patches, strict=True):
        stored[: patch.shape[0], : patch.shape[1]] = patch
    return out

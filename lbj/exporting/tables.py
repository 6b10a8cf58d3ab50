"""Export of tables: sum spectra as ``.csv``, lists of counts as ``.parquet``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .numbers import axis_values
from .spectrum import sum_spectrum

if TYPE_CHECKING:
    from ..signal import Signal
    from .series import Series


def write_csv(series: Series, path: Path) -> None:
    """Write the sum spectrum of every signal: ``signal, channel, energy, unit, intensity``, a row a channel."""
    signals = [s for s in series.summed if s.kind != "image" and any(True for _ in series.frames(s.name))]
    if not signals:
        raise UsageError("the selected frames hold no spectra; images go to .tif or .npz")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["signal", "channel", "energy", "unit", "intensity"])
        for signal in signals:
            axis = signal.axes[-1]
            known = "scale" in axis or "values" in axis
            energies: list[Any] = axis_values(axis).tolist() if known else [""] * signal.channels
            spectrum = sum_spectrum(series, signal).tolist()
            for channel, (energy, value) in enumerate(zip(energies, spectrum, strict=True)):
                writer.writerow([signal.name, channel, energy, axis.get("units", ""), value])


def write_parquet(series: Series, path: Path) -> None:
    """Write the counts: ``signal, frame``, a column for each axis of space, ``channel, count``, a row a voxel.

    Frames follow one another, each signal of a frame in its own row group, voxels by channel and pixel.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UsageError(f"writing Parquet needs pyarrow ({error}): pip install 'mfsi[tables]'") from error
    signals = [s for s in series.stored if s.kind == "events" and not s.static]
    if not signals:
        raise UsageError("Parquet lists counts, and the journal has none; dense data go to .zarr, .npz or .hspy")
    space = [str(axis["name"]) for axis in signals[0].axes[:-1]]
    if any([str(axis["name"]) for axis in signal.axes[:-1]] != space for signal in signals):
        raise UsageError("the signals' axes of space have different names; export them to .npz or .zarr")
    names = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [("signal", names), ("frame", pa.uint32()), *((name, pa.uint32()) for name in space), ("channel", pa.uint32()),
         ("count", pa.uint32())],
        metadata={f"energy of {s.name}": _said(s) for s in signals},
    )  # fmt: skip
    if len(set(schema.names)) < len(schema.names):
        raise UsageError(f"axes named {', '.join(space)} cannot be columns beside frame, channel and count")
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for number in series.numbers:
            frame = series.journal[number]
            for signal in signals:
                if signal.name not in frame.names:
                    continue
                events = frame.events(signal.name)
                pixels = np.unravel_index(events.pixel, signal.shape[:-1])
                size = len(events)
                label = pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([signal.name]))
                columns = [label, np.full(size, number, np.uint32), *(part.astype(np.uint32) for part in pixels),
                           events.channel, events.count]  # fmt: skip
                writer.write_table(pa.table(columns, schema=schema))


def _said(signal: Signal) -> str:
    axis = signal.axes[-1]
    if "scale" in axis:
        return f"{axis['offset']!r} + {axis['scale']!r} * channel {axis.get('units', '')}".rstrip()
    return "a table" if "values" in axis else "unknown"

"""Cube file: the aligned spectrum image as HDF5 (HyperSpy) or ripple, with the metadata of the series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.exporting import hspy, rpl
from lbj.exporting.hdf5_file import new_hdf5
from lbj.exporting.series import Series
from lbj.frame import Recording
from lbj.importing.hspy_journal import LAYOUT
from lbj.importing.naming import members
from lbj.scanned import scanned_of

from ..accumulation.accumulate import accumulate
from ..accumulation.output import result_axes, result_shape
from ..report.results import Results
from ..series.axis import pixel_size
from ..series.dose import dose


def write_cube(
    journal: Recording,
    results: Results,
    path: Path,
    *,
    upsampling: int = 1,
    region: tuple[slice, slice] | None = None,
    channels: slice | None = None,
    method: str = "pull",
    client: Any = None,
) -> None:
    """Write the aligned sum of the spectra to an HDF5 file, or to Lispix ripple (``.rpl`` and ``.raw``).

    An HDF5 file is a HyperSpy file with one experiment, whose data are also the dataset of the signal's name: metadata
    of the series, live, real and dwell times summed over the frames that were summed (of detectors that were added,
    their mean), currents averaged, axes with the part and the upsampling chosen. `lbj convert` makes a journal of one
    frame of it, with the dose of the series where that is known; `mfsi` reads it as it reads a journal.

    Raises
    ------
    UsageError
        If there are no spectra, or the part asked for is empty or not there.
    """
    signal, registration = results.signal, results.registration
    if signal is None or registration is None:
        raise UsageError("the series holds no spectra to sum")
    sizes = (*(n * upsampling for n in signal.shape[:2]), signal.channels)
    for part, most, name in zip(
        (*(region or (None, None)), channels), sizes, ("rows", "columns", "channels"), strict=True
    ):
        if part is not None and part.stop is not None and part.stop > most:
            raise UsageError(f"there are {most} {name}, {part.start or 0}:{part.stop} was asked for")
    shape = result_shape(signal, upsampling, region, channels)
    if 0 in shape:
        raise UsageError(f"the part asked for is empty: {shape}")
    axes = result_axes(signal, upsampling, region, channels)
    summed = Series(journal, None)
    summed.numbers = [int(index) for index in np.flatnonzero(~registration.left_out)]
    sum_signal = Signal(
        signal.name, "spectra", shape, dtype="float32", axes=axes, metadata=summed.detector(signal.name)
    )

    def fill(data: Any) -> None:
        accumulate(journal, registration, signal.name, upsampling, region, channels, method, data, client=client)

    if path.suffix.lower() == ".rpl":
        with results.timed("accumulate"):
            rpl.write_filled(summed, sum_signal, path, fill)
        results.files += [path.name, path.with_suffix(".raw").name]
        return
    with results.timed("accumulate"), new_hdf5(path) as file:
        name, chunks = members([signal.name])[signal.name], (1, min(shape[1], 64), shape[2])
        data = file.create_dataset(name, shape, "f4", chunks=chunks, compression="lzf", shuffle=True)
        fill(data)
        data.attrs["axes"] = json.dumps(axes)
        data.attrs["upsampling"] = upsampling
        data.attrs["frames"] = len(summed.numbers)
        data.attrs["method"] = method
        experiment = hspy.begin(file).create_group(name)
        experiment["data"] = data
        told = _described(summed, sum_signal, signal, upsampling, method)
        hspy.describe(experiment, summed, sum_signal, [], told, summed=True)
    results.files.append(path.name)


def _described(summed: Series, declared: Signal, signal: Signal, upsampling: int, method: str) -> dict[str, Any]:
    """Description of a journal with one frame, the sum."""
    name = declared.name
    attributes: dict[str, Any] = {}
    for attribute in ("live_time", "real_time", "dwell_time"):
        total = summed.total(name, attribute)
        if total is not None and (attribute != "dwell_time" or upsampling == 1):
            attributes[attribute] = {name: total}
    for attribute in ("beam_current", "screen_current"):
        current = summed.mean(attribute)
        if current is not None:
            attributes[attribute] = current
    about = {"frames_summed": len(summed.numbers), "upsampling": upsampling, "method": method}
    current, mask = attributes.get("beam_current", attributes.get("screen_current")), scanned_of(summed.journal, signal)
    received = dose(current, summed.total(name, "dwell_time"), pixel_size(signal))
    if received is not None:
        about["dose_e_per_A2"] = received * (1.0 if mask is None else float(mask[summed.numbers].mean()))
    attributes["metadata"] = about
    told = {key: value for key, value in declared.to_json().items() if key != "coding"}
    frames = [{"frame": 0, "attributes": attributes}]
    metadata = dict(summed.journal.metadata)
    return {"layout": LAYOUT, "order": 0, "signal": told, "metadata": metadata, "frames": frames, "length": 1}

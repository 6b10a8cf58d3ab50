"""Files of many formats with known content: HyperSpy-like signals for rosettasciio's writers, and files by hand."""

from __future__ import annotations

import importlib
import json
import struct
import warnings
import zipfile

import h5py
import numpy as np

Y = ("y", "nm", 0.5, 1.0, True)
X = ("x", "nm", 0.25, 0.0, True)
ENERGY = ("Energy", "keV", 0.1, -0.2, False)
LOSS = ("Energy loss", "eV", 0.5, 400.0, False)
PLANE = [(*Y[:4], False), (*X[:4], False)]

TEM = {
    "beam_energy": 200.0,
    "convergence_angle": 25.0,
    "beam_current": 0.1,
    "Detector": {"EDS": {"live_time": 3.0, "elevation_angle": 20.0}, "EELS": {"collection_angle": 30.0}},
}


def signal(data, axes, kind="", **metadata):
    """A signal as rosettasciio's writers take it; axes: (name, units, scale, offset, navigate)."""
    keys = ("name", "units", "scale", "offset", "navigate")
    described = [
        dict(zip(keys, axis, strict=True), size=size, index_in_array=i, _type="UniformDataAxis", is_binned=False)
        for i, (axis, size) in enumerate(zip(axes, data.shape, strict=True))
    ]
    return {
        "data": data,
        "axes": described,
        "metadata": {
            "General": {"title": "a title", "date": "2020-01-02", "time": "03:04:05"},
            "Signal": {"signal_type": kind},
            **metadata,
        },
        "original_metadata": {},
        "tmp_parameters": {},
        "models": {},
        "package_info": {"package": "hyperspy", "package_version": "2.5"},
        "attributes": {"_lazy": False, "ragged": False},
        "learning_results": {},
    }


def write(module, path, item):
    """Write a signal with one of rosettasciio's writers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(f"rsciio.{module}").file_writer(str(path), item)


def ser_file(path, arrays, dimensions, *, spectra):
    """Write a series of FEI's TIA (version 0x0210): spectra or images, one after the other.

    Parameters
    ----------
    arrays : list of array
        (C,) or (Y, X), uint16.
    dimensions : list of (size, offset, delta, unit)
        The axes along which the arrays follow one another, the fastest first.
    """
    tag = 0x4142 if len(dimensions) == 2 else 0x4152  # time and position, or time alone
    dims = b""
    for size, offset, delta, unit in dimensions:
        dims += struct.pack("<IddI", size, offset, delta, 0) + struct.pack("<I", 8) + b"Position"
        dims += struct.pack("<I", len(unit)) + unit.encode()
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0210, 0x4120 if spectra else 0x4122, tag, len(arrays), len(arrays))
    table = len(head) + 8 + len(dims)
    body, offsets, tags = b"", [], []
    start = table + 8 * len(arrays)
    for array in arrays:
        offsets.append(start + len(body))
        if spectra:
            body += struct.pack("<ddIHI", -100.0, 10.0, 0, 2, array.size)
        else:
            body += struct.pack("<ddIddIHII", 0.0, 2e-9, 0, 0.0, 3e-9, 0, 2, array.shape[1], array.shape[0])
            array = array[::-1]  # rows from the bottom up  # noqa: PLW2901
        body += np.ascontiguousarray(array, "<u2").tobytes()
        tags.append(start + len(body))
        body += struct.pack("<HHI", tag, 0, 1_500_000_000)
        if tag == 0x4142:
            at = len(tags) - 1
            body += struct.pack("<dd", (at % dimensions[0][0]) * 1e-9, (at // dimensions[0][0]) * 1e-9)
    path.write_bytes(
        head
        + struct.pack("<II", table, len(dimensions))
        + dims
        + struct.pack(f"<{2 * len(arrays)}I", *offsets, *tags)
        + body
    )


def nion_zip(path, data, properties):
    """Write a data item of Nion Swift as ``.ndata`` or ``.ndata1``."""
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("data.npy", "w") as file:
            np.save(file, data)
        archive.writestr("metadata.json", json.dumps(properties))


def nion_hdf5(path, data, properties):
    """Write a data item of Nion Swift as ``.h5``."""
    with h5py.File(path, "w") as file:
        file["data"] = data
        file["data"].attrs["properties"] = json.dumps(properties)


def nion_properties(shape, calibrations, *, sequence=False, collection=0, datum=2, **metadata):
    """Properties of a data item; calibrations: (offset, scale, units) of each dimension."""
    return {
        "type": "data-item",
        "title": "an item",
        "created": "2021-02-03T04:05:06.789",
        "is_sequence": sequence,
        "collection_dimension_count": collection,
        "datum_dimension_count": datum,
        "data_shape": list(shape),
        "dimensional_calibrations": [dict(zip(("offset", "scale", "units"), c, strict=True)) for c in calibrations],
        "intensity_calibration": {"offset": 0.0, "scale": 1.0, "units": "counts"},
        "metadata": metadata,
        "version": 13,
    }

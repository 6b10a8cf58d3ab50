"""Small vendor files with known content, written from the formats' description."""

from __future__ import annotations

import json
import struct

import h5py
import numpy as np

# Ends a script that is run as a process of its own: prints its peak memory in kB. The kernel hands getrusage's maximum
# on from the process that started it, so that VmHWM is asked for where there is one.
PEAK = """
import resource
try:
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
except OSError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def random_counts(rng, frames, ny, nx, channels, mean=2.0):
    """Dense truth: (frames, ny, nx, channels) counts, `mean` per pixel."""
    cube = np.zeros((frames, ny, nx, channels), np.uint16)
    for pixel in np.ndindex(frames, ny, nx):
        np.add.at(cube[pixel], rng.integers(0, channels, rng.poisson(mean)), 1)
    return cube


def velox_words(cube, *, pixels=None, tail=()):
    """The stream of one detector: the channels of each pixel's counts, then 65535; `pixels` cuts it short."""
    words = []
    for spectrum in cube.reshape(-1, cube.shape[-1])[:pixels]:
        words += [*np.repeat(np.arange(spectrum.size), spectrum), 65535]
    return np.array([*words, *tail], np.uint16)


def velox_meta(name, *, live=0.9, real=1.0, **changes):
    meta = {
        "Core": {"UserId": "A. N. Operator"},
        "Instrument": {"Manufacturer": "FEI Company", "InstrumentClass": "Talos", "ComputerName": "SECRET-PC"},
        "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1700000000"}, "SourceType": "XFEG"},
        "Optics": {"AccelerationVoltage": "200000", "LastMeasuredScreenCurrent": "5e-010"},
        "Scan": {"DwellTime": "0.01", "ScanRotation": "0.5", "LineIntegrationCount": "1"},
        "Detectors": {
            "Detector-0": {"DetectorName": "HAADF", "DetectorType": "ScanningDetector"},
            **{
                f"Detector-{i}": {
                    "DetectorName": f"SuperXG2{i}",
                    "DetectorType": "AnalyticalDetector",
                    "ElevationAngle": "0.38",
                    "AzimuthAngle": str(0.5 * i),
                    "CollectionAngle": "0.2",
                    "Dispersion": "10",
                    "OffsetEnergy": "-250",
                    "LiveTime": str(live),
                    "RealTime": str(real),
                }
                for i in (1, 2, 3, 4)
            },
        },
        "BinaryResult": {
            "Detector": name,
            "PixelSize": {"width": "2e-9", "height": "3e-9"},
            "Offset": {"x": "0", "y": "0"},
            "PixelUnitX": "m",
            "PixelUnitY": "m",
        },
    }
    for key, value in changes.items():
        meta[key].update(value)
    return meta


def velox_columns(metas, size=8000):
    """JSON objects as the columns of a data set."""
    out = np.zeros((size, len(metas)), np.uint8)
    for i, meta in enumerate(metas):
        raw = json.dumps(meta).encode()
        out[: len(raw), i] = np.frombuffer(raw, np.uint8)
    return out


def velox_file(path, streams, images=None, *, channels=64, metas=None, scan=None):
    """Write a Velox file.

    Parameters
    ----------
    streams : dict
        Detector -> words.
    images : dict
        Detector -> (frames, Y, X) array.
    metas : list of dict
        Metadata of each image frame.
    scan : dict
        Changes to the streams' Scan metadata.
    """
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([b'{"version": "11", "format": "Velox"}'], object).astype(h5py.string_dtype())
        for i, (name, words) in enumerate(streams.items()):
            group = file.create_group(f"Data/SpectrumStream/{i:032x}")
            group.create_dataset(
                "Data", data=np.asarray(words, np.uint16)[:, None], chunks=(8192, 1), maxshape=(None, 1)
            )
            settings = json.dumps({"bincount": str(channels), "StreamEncoding": "uint16"})
            group["AcquisitionSettings"] = np.array([settings], object).astype(h5py.string_dtype())
            group["Metadata"] = velox_columns([velox_meta(name, Scan=scan or {})])
        for i, (name, stack) in enumerate((images or {}).items()):
            group = file.create_group(f"Data/Image/{i:032x}")
            group["Data"] = np.moveaxis(np.asarray(stack), 0, -1)
            group["Metadata"] = velox_columns(metas or [velox_meta(name) for _ in stack])


def pts_file(
    path, sweeps, shape, *, images=None, cut=None, ticks=None, live=None, foreign=(), magnification=1000, area=None
):
    """Write a JEOL file.

    Parameters
    ----------
    sweeps : list of (pixel, channel) arrays
        Counts of each sweep, in any order.
    images : list of (Y, X) arrays
        The image of each sweep; none when absent.
    cut : int
        Number of pixels of the last sweep that were scanned.
    ticks : list of (real, live)
        Clock ticks per sweep.
    """
    ny, nx = shape
    words = []
    for i, sweep in enumerate(sweeps):
        order = np.argsort(sweep[0], kind="stable")
        pixel, channel = (np.asarray(part)[order] for part in sweep)
        last = cut if cut is not None and i == len(sweeps) - 1 else ny * nx
        for y in range(ny):
            if y * nx >= last:
                break
            words.append(0x9000 | y * (4096 // ny))
            begin, end = np.searchsorted(pixel, [y * nx, min((y + 1) * nx, last)])
            there = range(y * nx, min((y + 1) * nx, last)) if images is not None else np.unique(pixel[begin:end])
            for p in there:
                words.append(0x8000 | (p % nx) * (4096 // nx))
                a, b = np.searchsorted(pixel[begin:end], [p, p + 1]) + begin
                words += (0xB000 | channel[a:b].astype(np.int64)).tolist()
                if images is not None:
                    words.append(0xA000 | int(images[i].ravel()[p]))
        if ticks is not None:
            words += [0x6000] * ticks[i][0] + [0x7000] * ticks[i][1]
    words += list(foreign)
    pts_words(path, np.array(words, "<u2"), shape, len(sweeps), live=live, magnification=magnification, area=area)


def pts_words(path, words, shape, sweeps, *, live=None, magnification=1000, area=None):
    """Write a JEOL file from its event words."""
    ny, nx = shape
    dwell = 2.0
    real = sweeps * ny * nx * dwell / 1e3
    header = {
        "PTTD Param": {
            "Params": {
                "PARAMPAGE1": ("EDXRF", {"Tpl": {"T4": {"DigZ": np.uint16(96)}}}),
                "PARAMPAGE0": (
                    "SEM",
                    {"ScanSize": 198.0, "ElevAng": 21.5, "DirAng": 90.0, "DetT": "DET", "MnKaRES": 133.0},
                ),
            }
        },
        "PTTD Data": {
            "AnalyzableMap MeasData": {
                "Doc": {
                    "LiveTime": real * 0.9 if live is None else live,
                    "RealTime": real,
                    "DwellTime(msec)": dwell,
                    "Sweep": np.uint16(sweeps),
                    "CoefA": 0.01,
                    "CoefB": -0.001,
                },
                "Meas Cond": {
                    "Tpl": "T4",
                    "Pixels": f"{nx}x{ny}",
                    "Aim Area": np.array(area or [0, 0, nx - 1, ny - 1], "<i4"),
                },
                "MeasCond": {"AccKV": 200.0, "Mag": np.int32(magnification)},
            }
        },
    }
    tree = b"".join(_node(name, value) for name, value in header.items()) + b"\xff"
    start = 317 + len(tree)
    end = start + 2 * len(words)
    fixed = struct.pack("<I8sII4I", 304, b"PTTDFILE", 0x20000, 1, 305, len(tree), start, end)
    fixed = fixed.ljust(296, b"\0") + struct.pack("<d", 44287.5)
    with open(path, "wb") as file:
        file.write(fixed.ljust(317, b"\0") + tree)
        file.write(np.asarray(words, "<u2").tobytes())


def _node(name, value):
    kind, raw, children = 0, b"", {}
    if isinstance(value, tuple):
        value, children = value
    if isinstance(value, dict):
        children = value
    elif isinstance(value, str):
        kind, raw = 12, value.encode() + b"\0"
    elif isinstance(value, float):
        kind, raw = 5, struct.pack("<d", value)
    elif isinstance(value, np.ndarray):
        kind, raw = 8, value.tobytes()
    else:
        kind, raw = {2: 2, 4: 3}[value.itemsize], value.tobytes()
    head = b"\x01" + struct.pack("<i", len(name) + 1) + name.encode() + b"\0" + struct.pack("<ii", kind, len(raw)) + raw
    return head + b"".join(_node(key, item) for key, item in children.items()) + b"\xff"

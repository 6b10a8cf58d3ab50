"""Export to OME-TIFF ``.tif``: every image signal as a stack of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ..signal import Signal
    from .series import Series


def write(series: Series, path: Path) -> None:
    """Write one series of pages per image signal."""
    tifffile = _tifffile()
    images = [
        s for s in series.summed if s.kind == "image" and len(s.shape) == 2 and any(True for _ in series.frames(s.name))
    ]
    if not images:
        raise UsageError("the selected frames hold no image; spectra go to .npz, .h5, .hspy or .rpl")
    wide = [signal.name for signal in images if signal.dtype in ("int64", "uint64")]
    if wide:
        raise UsageError(f"image {wide[0]!r} has 64-bit integers, which OME-TIFF lacks; export it to .npz or .h5")
    size = sum(signal.pixels * 8 for signal in images) * len(series.numbers)
    with tifffile.TiffWriter(path, bigtiff=size > 2**31, ome=True) as file:
        for signal in images:
            depth = sum(1 for _ in series.frames(signal.name))
            file.write(
                (value for value in series.data(signal)),
                shape=(depth, *signal.shape),
                dtype=signal.dtype,
                photometric="minisblack",
                **_resolution(signal),
                metadata={"axes": "TYX", "Name": signal.name, **_pixel_size(signal)},
            )


def write_map(path: Path, values: Any, error: Any, pixel: tuple[float, float] | None) -> None:
    """Write a map and its standard error as the two channels of a TIFF that ImageJ shows with its scale.

    Parameters
    ----------
    values, error : (Y, X) arrays
        Written as float32.
    pixel : (float, float) or None
        Edges of a pixel along y and x, m.

    Raises
    ------
    UsageError
        If tifffile is not installed.
    """
    known: dict[str, Any] = {} if pixel is None else {"resolution": (1e-6 / pixel[1], 1e-6 / pixel[0])}
    _tifffile().imwrite(
        path,
        np.stack([values, error]).astype(np.float32),
        imagej=True,
        metadata={"axes": "CYX", "Labels": ["counts", "standard error"], **({"unit": "micron"} if pixel else {})},
        **known,
    )


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise UsageError("writing TIFF needs tifffile: pip install 'mfsi[vendor]'") from error
    return tifffile


def _resolution(signal: Signal) -> dict[str, Any]:
    """Return the pixels per centimetre along x and y, for programs that do not read OME's metadata."""
    steps = [axis["scale"] for axis in signal.axes if axis.get("units") == "m" and axis.get("scale", 0) > 0]
    if len(steps) < 2:
        return {}
    return {"resolution": (1e-2 / steps[1], 1e-2 / steps[0]), "resolutionunit": "CENTIMETER"}


def _pixel_size(signal: Signal) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, axis in zip("YX", signal.axes, strict=True):
        if axis.get("units") == "m" and axis.get("scale", 0) > 0:
            out |= {f"PhysicalSize{key}": axis["scale"] * 1e9, f"PhysicalSize{key}Unit": "nm"}
    return out

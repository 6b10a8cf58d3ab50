"""Export to OME-TIFF: every image signal as a stack of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ..signal import Signal
    from .series import Series


def write(series: Series, path: Path) -> None:
    """Write one series of pages per image signal."""
    try:
        import tifffile
    except ImportError as error:
        raise UsageError("writing TIFF needs tifffile: pip install mfsi[vendor]") from error
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
                metadata={"axes": "TYX", "Name": signal.name, **_pixel_size(signal)},
            )


def _pixel_size(signal: Signal) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, axis in zip("YX", signal.axes, strict=True):
        if axis.get("units") == "m" and axis.get("scale", 0) > 0:
            out |= {f"PhysicalSize{key}": axis["scale"] * 1e9, f"PhysicalSize{key}Unit": "nm"}
    return out

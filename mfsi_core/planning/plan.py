"""Plan: dose, dose rate and time of a series, by the definitions of Jones et al. (2018)."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbj import UsageError

from ..series.dose import ELECTRON, square_angstroms
from .size import IMAGE_BITS, expected_spectrum, journal_bytes
from .units import quantity

MOST_PIXELS = 2**32 - 1  # of a signal, clause 5.1.5 of the standard
MOST_FRAMES = 2**53 - 1
ROUNDING = 1e-9  # of the number of pixels: 11.1 nm / 0.0555 nm is 200, whatever floats say


@dataclass(frozen=True)
class Plan:
    """What a series costs.

    Attributes
    ----------
    pixels : (int, int)
        Rows and columns.
    field_nm : (float, float)
        Field scanned (y, x), nm: `pixels` times the pixel's edge, a little more than was asked for.
    frames, motifs : int
    pixel_nm, current_A, dwell_s : float
    frame_time_s : float
        Pixels times dwell time.
    frame_time_with_overheads_s : float
        And fly-back after every line, writing and communication after every frame.
    series_time_s : float
        Of all frames, with overheads.
    pixel_charge : float
        Electrons into one pixel of one frame: current * dwell / e.
    dose_per_frame : float
        e/Å²: `pixel_charge` over the pixel's area.
    total_dose : float
        e/Å²: `dose_per_frame` times frames, the beam being blanked during all overheads.
    total_dose_with_overheads : float
        e/Å²: the beam being never blanked, all charge of the series over the field: current * series_time / (e * area).
    effective_dose : float
        e/Å²: `total_dose` times motifs. Template matching sums as many motifs as if one had received it; none has.
    dose_rate : float
        e/Å²/s during an exposure, that is while the beam dwells on a pixel: `dose_per_frame` / dwell. Overheads do not
        change it.
    series_dose_rate : float
        e/Å²/s, mean over the whole series: `total_dose` / `series_time_s`.
    series_dose_rate_with_overheads : float
        The same of a beam that is never blanked: `total_dose_with_overheads` / `series_time_s`, current / (e * area).
    file_bytes : int
        Estimate of the journal's size, see `journal_bytes`.
    """

    pixels: tuple[int, int]
    field_nm: tuple[float, float]
    frames: int
    motifs: int
    pixel_nm: float
    current_A: float  # noqa: N815
    dwell_s: float
    frame_time_s: float
    frame_time_with_overheads_s: float
    series_time_s: float
    pixel_charge: float
    dose_per_frame: float
    total_dose: float
    total_dose_with_overheads: float
    effective_dose: float
    dose_rate: float
    series_dose_rate: float
    series_dose_rate_with_overheads: float
    file_bytes: int


def plan(
    field: str | float | Sequence[float],
    pixel: str | float,
    current: str | float,
    dwell: str | float,
    frames: int,
    *,
    flyback: str | float = 0.0,
    write_overhead: str | float = 0.0,
    comm_overhead: str | float = 0.0,
    motifs: int = 1,
    spectrum: Any = None,
    image_bits: float = IMAGE_BITS,
) -> Plan:
    """Plan a series: pixels, times, doses and bytes.

    Definitions of L. Jones et al., *Managing dose-, damage- and data-rates in multi-frame spectrum-imaging*, Microscopy
    67 (2018); where the paper leaves one open, `Plan` says which was taken.

    Parameters
    ----------
    field : str, float or two floats
        Field of view: one length, or two, rows first: ``"11.1nm"``, ``"11.1nm,5nm"``. It grows to whole pixels.
    pixel, current, dwell : str or float
        Edge of a pixel, beam current, dwell time. Text has a unit, floats are in m, A, s.
    frames : int
    flyback, write_overhead, comm_overhead : str or float
        Time lost after every line; and after every frame, for writing and for communication.
    motifs : int
        Repeats of the motif in the field that template matching sums.
    spectrum : (C,) array, optional
        Mean X-ray counts per pixel, frame and channel, for the size of the file; default `expected_spectrum`.
    image_bits : float
        Bits per pixel of the image beside it, as stored; 0: no image.

    Raises
    ------
    UsageError
        Naming the quantity that is zero, negative, of another unit or without one; a field smaller than a pixel or of
        more than 4,294,967,295 pixels, which no journal declares; more than 2^53 - 1 frames or motifs.
    """
    edge = quantity(pixel, "length", "pixel")
    lengths = _field(field)
    ampere, exposure = quantity(current, "current", "current"), quantity(dwell, "time", "dwell")
    frames, motifs = _count(frames, "frames"), _count(motifs, "motifs")
    line, write, communication = (
        quantity(value, "time", name, zero=True)
        for value, name in ((flyback, "flyback"), (write_overhead, "write-overhead"), (comm_overhead, "comm-overhead"))
    )
    if min(lengths) < edge * (1 - ROUNDING):
        raise UsageError(f"the field, {min(lengths) * 1e9:g} nm, is smaller than a pixel, {edge * 1e9:g} nm")
    rows, columns = (math.ceil(length / edge * (1 - ROUNDING)) for length in lengths)
    if rows * columns > MOST_PIXELS:
        raise UsageError(f"the field is {rows:.6g} x {columns:.6g} pixels; a signal has at most {MOST_PIXELS:,}")
    frame_time = rows * columns * exposure
    with_overheads = frame_time + rows * line + write + communication
    series_time = frames * with_overheads
    charge = ampere * exposure / ELECTRON
    area = square_angstroms((edge, edge))
    dose = charge / area
    beam_on = ampere * series_time / ELECTRON / (rows * columns * area)
    spectrum = expected_spectrum() if spectrum is None else spectrum
    return Plan(
        pixels=(rows, columns),
        field_nm=(rows * edge * 1e9, columns * edge * 1e9),
        frames=frames,
        motifs=motifs,
        pixel_nm=edge * 1e9,
        current_A=ampere,
        dwell_s=exposure,
        frame_time_s=frame_time,
        frame_time_with_overheads_s=with_overheads,
        series_time_s=series_time,
        pixel_charge=charge,
        dose_per_frame=dose,
        total_dose=frames * dose,
        total_dose_with_overheads=beam_on,
        effective_dose=frames * dose * motifs,
        dose_rate=dose / exposure,
        series_dose_rate=frames * dose / series_time,
        series_dose_rate_with_overheads=beam_on / series_time,
        file_bytes=journal_bytes((rows, columns), frames, spectrum, image_bits),
    )


def _field(field: str | float | Sequence[float]) -> tuple[float, float]:
    parts = field.split(",") if isinstance(field, str) else [field] if isinstance(field, (int, float)) else list(field)
    if len(parts) not in {1, 2}:
        raise UsageError(f"field takes one length or two (rows, columns), got {field!r}")
    lengths = [quantity(part, "length", "field") for part in parts]
    return lengths[0], lengths[-1]


def _count(value: int, name: str) -> int:
    try:
        count = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} takes a whole number, got {value!r}") from None
    if not 1 <= count <= MOST_FRAMES:
        raise UsageError(f"{name} must be at least 1 and below 2^53, got {count}")
    return count

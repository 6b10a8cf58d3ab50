"""Displacements: where the pixels of each frame sampled the scene, as the journal stores it (spec/lbj.md 7.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..array_types import Floats, Singles
from ..errors import DamagedError, UsageError
from ..signal import Signal
from . import layout
from .records import Record, fields

MOST_TERMS = 16
LARGEST = 2.0**32


@dataclass(frozen=True)
class Displacement:
    """Displacements of the first frames of a journal, as they are stored.

    Attributes
    ----------
    signal : str
        The signal in whose pixels they are.
    shape : tuple of int
        Rows and columns of a frame (Y, X).
    terms : int
        Number K of Legendre polynomials a row; 0 where the whole field is stored.
    values : (N, rows, K, 2) or (N, 2, Y, X) float32 array
        Coefficients (uy, ux), px, of P_0 to P_{K-1} of (2x + 1) / X - 1, one row holding for all; or the field.
    error : (N,) float32 array
        Error of one component, px rms; NaN unknown, infinite for frames that could not be registered.
    left_out : (N,) bool array
        Frames that are not to be used.
    modulo_lattice : bool
        Whether frames of different areas were laid on one another by whole lattice periods.
    """

    signal: str
    shape: tuple[int, int]
    terms: int
    values: Singles
    error: Singles
    left_out: NDArray[np.bool_]
    modulo_lattice: bool
    max_bytes: int

    def field(self) -> Singles:
        """Displacement (uy, ux) of every pixel, px: frame pixel q sampled the scene at q + u(q).

        Returns
        -------
        (N, 2, Y, X) float32 array

        Raises
        ------
        UsageError
            If it is larger than the journal's `max_bytes`.
        """
        if not self.terms:
            return self.values
        frames, (height, width) = len(self.values), self.shape
        need = 8 * width * (frames * height + 2 * height + 2 * self.terms)
        if need > self.max_bytes:
            raise UsageError(
                f"the displacements of {frames} frames of {self.shape} need {need} bytes, more than "
                f"max_bytes={self.max_bytes}; open the journal with a larger max_bytes if the file is to be trusted"
            )
        out = np.empty((frames, 2, height, width), np.float32)
        basis = _basis(width, self.terms)
        for index, rows in enumerate(self.values):
            out[index] = np.einsum("yki,xk->iyx", rows.astype(float), basis)
        return out


def by_rows(field: Singles, within: float = 1e-4, most: int = 4) -> Singles | None:
    """Coefficients of the row form with the fewest terms that gives every value of `field` within `within` px.

    Parameters
    ----------
    field : (N, 2, Y, X) array
    within : float
        Largest deviation, px.
    most : int
        Most terms that are tried.

    Returns
    -------
    (N, rows, K, 2) float32 array, or None
        One row where every frame moved as a whole; None where no row form does.
    """
    frames, _, height, width = field.shape
    rigid = field.mean(axis=(2, 3), dtype=float).astype(np.float32)
    if all(np.abs(u - shift[:, None, None]).max() <= within for u, shift in zip(field, rigid, strict=True)):
        return np.reshape(rigid, (frames, 1, 1, 2))
    for terms in range(1, min(most, width) + 1):
        basis = _basis(width, terms)
        solve = np.linalg.pinv(basis)
        out = np.empty((frames, height, terms, 2), np.float32)
        for index, u in enumerate(field):
            out[index] = np.einsum("kx,iyx->yki", solve, u.astype(float))
            if np.abs(np.einsum("yki,xk->iyx", out[index].astype(float), basis) - u).max() > within:
                break
        else:
            return out
    return None


def build(signals: Sequence[Signal], number: int, frames: int, values: dict[str, Any]) -> bytes:
    """Payload of dISP for signal `number` of a journal of `frames` frames; see `Writer.put_displacement`."""
    signal = signals[number]
    given = [name for name in ("field", "coefficients") if values[name] is not None]
    if len(given) != 1:
        raise UsageError(
            f"a displacement is given by either field or coefficients, got {' and '.join(given) or 'none'}"
        )
    u, rows = np.asarray(values[given[0]]), given[0] == "coefficients"
    expected = "(N, rows, K, 2) with 1 <= K <= 16" if rows else "(N, 2, Y, X)"
    right = u.ndim == 4 and u.shape[3 if rows else 1] == 2 and (not rows or 1 <= u.shape[2] <= MOST_TERMS)
    if not right or u.dtype.kind not in "iuf":
        raise UsageError(f"{given[0]} must be numbers of shape {expected}, got {u.dtype} {u.shape}")
    n = len(u)
    error = np.full(n, np.nan) if values["error"] is None else np.asarray(values["error"], float)
    left_out = np.zeros(n, bool) if values["left_out"] is None else np.asarray(values["left_out"], bool)
    for name, one in (("error", error), ("left_out", left_out)):
        if one.shape != (n,):
            raise UsageError(f"{name} must have one entry for each of the {n} frames, got shape {one.shape}")
    terms = u.shape[2] if rows else 0
    height, width = (u.shape[1], _grid(signal)[1]) if rows else u.shape[2:]
    flags = layout.MODULO_LATTICE if values["modulo_lattice"] else 0
    fixed = {"frames": n, "signal": number, "terms": terms, "rows": height, "columns": width, "flags": flags}
    with np.errstate(over="ignore"):
        arrays = (error.astype("<f4"), u.astype("<f4"), left_out.astype("u1"))
    payload = b"".join([layout.disp.build(fixed), *(array.tobytes() for array in arrays)])
    try:
        parse(payload, Record(0, layout.DISP, 0, len(payload), 0), signals, frames)
    except DamagedError as fault:
        raise UsageError(f"displacement of signal {signal.name!r}: {fault.reason}") from fault
    return payload


def parse(payload: bytes, record: Record, signals: Sequence[Signal], frames: int, max_bytes: int = 0) -> Displacement:
    """Read a payload of dISP that stands after `frames` completed frames.

    Raises
    ------
    DamagedError
        If it breaks clause 7.5.
    """

    def require(right: Any, reason: str) -> None:
        if not right:
            raise DamagedError(reason, offset=record.offset, clause="7.5.2")

    fixed = fields(layout.disp, payload, record)
    n, terms, rows, columns = fixed.frames, fixed.terms, fixed.rows, fixed.columns
    require(1 <= n <= frames, f"it holds {n} frames where {frames} are completed")
    require(fixed.signal < len(signals), f"it names signal {fixed.signal}, which is not declared")
    signal = signals[fixed.signal]
    require(terms <= MOST_TERMS, f"{terms} terms are more than {MOST_TERMS}")
    require(not fixed.flags & ~layout.MODULO_LATTICE, f"reserved flags {fixed.flags:#x}")
    height, width = _grid(signal)
    require(width and not signal.static, f"signal {signal.name!r} has no frames of two navigation axes")
    fits = columns == width and (rows == height or (terms and rows == 1))
    require(fits, f"{rows} rows of {columns} columns, of signal {signal.name!r} {height} of {width}")
    size = rows * (terms or columns) * 2
    expected = layout.DISP_SIZE + n * (5 + 4 * size)
    require(len(payload) == expected, f"{len(payload)} bytes where {expected} are expected")
    error = np.frombuffer(payload, "<f4", n, layout.DISP_SIZE).astype(np.float32)
    error[np.isnan(error)] = np.nan  # a signalling one would warn when it is used
    values = np.frombuffer(payload, "<f4", n * size, layout.DISP_SIZE + 4 * n).astype(np.float32)
    left_out = np.frombuffer(payload, np.uint8, n, expected - n)
    require((np.abs(values) <= LARGEST).all(), "a displacement is not finite or above 2^32")
    require((np.isnan(error) | (error >= 0)).all(), "an error is negative")
    require((left_out <= layout.LEFT_OUT).all(), "reserved bits of a frame")
    return Displacement(
        signal.name,
        (height, width),
        terms,
        values.reshape((n, rows, terms, 2) if terms else (n, 2, rows, columns)),
        error,
        left_out.astype(bool),
        bool(fixed.flags),
        max_bytes,
    )


def _grid(signal: Signal) -> tuple[int, int]:
    """Rows and columns of a signal of two navigation axes; (0, 0) for others."""
    axes = signal.shape if signal.kind == "image" else signal.shape[:-1]
    return (axes[0], axes[1]) if len(axes) == 2 else (0, 0)


def _basis(columns: int, terms: int) -> Floats:
    """Legendre polynomials (columns, terms) at the columns' middles."""
    return np.asarray(np.polynomial.legendre.legvander((2 * np.arange(columns) + 1) / columns - 1, terms - 1), float)

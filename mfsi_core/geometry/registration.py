"""Registration: the result of registering: displacement of every pixel of every frame, errors, frames left out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Journal, Signal, UsageError, append
from lbj.array_types import Floats, Singles
from lbj.format.displacements import by_rows
from lbj.scanned import scanned_of

Affine = Floats


class Registration:
    """Displacement of every pixel of every frame.

    Parameters
    ----------
    displacement : (N, 2, Y, X) array
        (uy, ux), px: frame pixel q sampled the scene at q + u(q).
    predicted_error : float, optional
        Error of one component of the displacement that the noise lets expect, px rms; NaN (unknown) by default.
    frame_error : (N,) array, optional
        The same, frame by frame, along the directions that can be seen.
    frame_covariance : (N, 2, 2) array, optional
        Of each frame's displacement (y, x), px²; infinite along directions that cannot be seen. Default: `frame_error`
        in both.
    left_out : (N,) array of bool, optional
        Frames that could not be registered; they are neither accumulated nor counted in the coverage.
    to_field : 2x3 array, optional
        `Signal.to_field` of the images registered; identity when absent.
    region : (N,) array of int, optional
        Area that each frame shows; zero by default.
    modulo_lattice : bool
        Frames of different areas lie on one another by whole lattice periods: the sum shows their lattice, not an area.
    flags : list of N lists of str, optional
        What is to be said of each frame: parts left out, lattice vectors that would fit as well.
    recorded : (N, Y, X) array of bool, optional
        Pixels that were, of frames whose scan was aborted; what lies between others is neither accumulated nor counted
        in the coverage. All by default.

    Attributes
    ----------
    displacement : (N, 2, Y, X) float32
    shift : (N, 2) float64
        Mean displacement of each frame (y, x), px.

    Raises
    ------
    UsageError
        If the displacement is not (N, 2, Y, X) or not finite.
    """

    def __init__(
        self,
        displacement: Any,
        *,
        predicted_error: float = float("nan"),
        frame_error: Any = None,
        left_out: Any = None,
        to_field: Any = None,
        region: Any = None,
        modulo_lattice: bool = False,
        frame_covariance: Any = None,
        flags: Any = None,
        recorded: Any = None,
    ) -> None:
        field = np.asarray(displacement)
        if field.ndim != 4 or field.shape[1] != 2 or 0 in field.shape or field.dtype.kind not in "iuf":
            raise UsageError(f"displacement must be numbers of shape (N, 2, Y, X), got {field.dtype} {field.shape}")
        stored = _stored(field)
        if not np.isfinite(stored).all():
            raise UsageError("displacement must be finite; mark frames that could not be registered in left_out")
        self.displacement: Singles = field.astype(np.float32, copy=False)
        self.shift: Floats = stored.mean(axis=(2, 3), dtype=np.float64)
        self.predicted_error = float(predicted_error)
        frames = len(field)
        self.frame_error = np.full(frames, np.nan) if frame_error is None else np.asarray(frame_error, float)
        self.left_out = np.zeros(frames, bool) if left_out is None else np.asarray(left_out, bool)
        self.region = np.zeros(frames, int) if region is None else np.asarray(region, int)
        self.modulo_lattice = bool(modulo_lattice)
        if frame_covariance is None:
            frame_covariance = np.zeros((frames, 2, 2))
            frame_covariance[:, (0, 1), (0, 1)] = np.square(self.frame_error)[:, None]
        self.frame_covariance = np.asarray(frame_covariance, float)
        self.flags: list[list[str]] = [[] for _ in field] if flags is None else [list(one) for one in flags]
        if self.frame_covariance.shape != (frames, 2, 2) or len(self.flags) != frames:
            raise UsageError(f"frame_covariance must be ({frames}, 2, 2) and flags one list for each frame")
        if not self.frame_error.shape == self.left_out.shape == self.region.shape == (frames,):
            raise UsageError(f"frame_error, left_out and region must have one entry for each of the {frames} frames")
        self.to_field = None if to_field is None else np.asarray(to_field, float)
        self.recorded: NDArray[np.bool_] | None = None if recorded is None else np.asarray(recorded, bool)
        if self.recorded is not None and self.recorded.shape != (frames, *self.shape):
            raise UsageError(f"recorded must be of shape {(frames, *self.shape)}, got {self.recorded.shape}")

    @classmethod
    def rigid(cls, shift: Any, shape: tuple[int, int], **options: Any) -> Registration:
        """Registration of frames that moved as a whole: shift (N, 2), px, frames of the shape (Y, X)."""
        shift = np.asarray(shift, np.float32)
        return cls(np.broadcast_to(shift[:, :, None, None], (*shift.shape, *shape)), **options)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return (self.displacement.shape[2], self.displacement.shape[3])

    @property
    def seen_error(self) -> float:
        """Error expected along the directions that can be seen, px rms over the frames kept."""
        kept = self.frame_error[~self.left_out & ~np.isnan(self.frame_error)]
        return float(np.sqrt(np.mean(kept**2))) if kept.size else self.predicted_error

    def __len__(self) -> int:
        return len(self.displacement)

    def on(self, signal: Signal) -> Registration:
        """Return the registration in the pixels of another signal of the same scan.

        Both signals' `to_field` lead from their pixels to the field's coordinates; displacements between the
        registered image's pixels are interpolated linearly.

        Raises
        ------
        UsageError
            If the signal has other sizes and neither signal says how its pixels lie in the field.
        """
        shape = signal.shape[:2]
        if shape == self.shape and signal.to_field is None and self.to_field is None:
            return self
        if signal.to_field is None and self.to_field is None:
            raise UsageError(
                f"displacements of {self.shape} pixels do not fit signal {signal.name!r} of {shape}; "
                "declare to_field for the finer of the two signals"
            )
        from scipy.ndimage import map_coordinates

        mine, other = affine(self.to_field), affine(signal.to_field)
        grid = np.indices(shape, float)
        field = np.tensordot(other[:, :2], grid, 1) + other[:, 2, None, None]
        inverse = np.linalg.inv(mine[:, :2])
        pixel = np.tensordot(inverse, field - mine[:, 2, None, None], 1)
        turn = np.linalg.inv(other[:, :2]) @ mine[:, :2]
        out = np.empty((len(self), 2, *shape), np.float32)
        for index, (uy, ux) in enumerate(self.displacement):
            moved = np.stack([map_coordinates(u, pixel, order=1, mode="nearest", output=float) for u in (uy, ux)])
            out[index] = np.tensordot(turn, moved, 1)
        scale = float(np.sqrt(np.abs(np.linalg.det(turn))))
        recorded = self.recorded
        if recorded is not None:
            recorded = np.stack([map_coordinates(one, pixel, order=0, mode="nearest") for one in recorded])
        return Registration(
            out,
            recorded=recorded,
            predicted_error=self.predicted_error * scale,
            frame_error=self.frame_error * scale,
            frame_covariance=_turned(self.frame_covariance, turn),
            flags=self.flags,
            left_out=self.left_out,
            to_field=signal.to_field,
            region=self.region,
            modulo_lattice=self.modulo_lattice,
        )

    def subset(self, frames: Any) -> Registration:
        """Return the registration of some of the frames, an index array or slice."""
        some = _stored(self.displacement)[frames]
        return Registration(
            np.broadcast_to(some, (len(some), 2, *self.shape)),
            recorded=None if self.recorded is None else self.recorded[frames],
            predicted_error=self.predicted_error,
            frame_error=self.frame_error[frames],
            frame_covariance=self.frame_covariance[frames],
            flags=[self.flags[n] for n in np.arange(len(self))[frames]],
            left_out=self.left_out[frames],
            to_field=self.to_field,
            region=self.region[frames],
            modulo_lattice=self.modulo_lattice,
        )

    def save(self, path: str | os.PathLike[str], signal: str) -> None:
        """Append the displacements to a closed journal, in pixels of its signal or group.

        They are stored as Legendre polynomials along the rows where four or fewer give every value within 1e-4 px, else
        pixel by pixel. Where the error of a frame is not known the predicted one is stored for it.

        Raises
        ------
        UsageError
            If the journal has no such signal, its frames have another shape or are fewer, or it is being written.
        """
        rows = by_rows(self.displacement)
        with append(path) as writer:
            writer.put_displacement(
                signal,
                self.displacement if rows is None else None,
                coefficients=rows,
                error=np.where(np.isnan(self.frame_error), self.predicted_error, self.frame_error),
                left_out=self.left_out,
                modulo_lattice=self.modulo_lattice,
            )

    @classmethod
    def load(cls, journal: Journal, signal: str | None = None) -> Registration:
        """Return the registration last stored in a journal, in pixels of a signal or group, or of any.

        The frames' areas and what was scanned of them are those that the journal states; the predicted error is the
        rms of the frames' errors.

        Raises
        ------
        UsageError
            If there is none.
        """
        found = journal.displacement(signal)
        if found is None:
            which = "" if signal is None else f" of signal {signal!r}"
            raise UsageError(f"the journal holds no displacements{which}; register it and save the registration")
        known = found.error[np.isfinite(found.error)].astype(float)
        recorded = scanned_of(journal, journal.signals[found.signal])
        recorded = None if recorded is None else recorded[: len(found.error)]
        return cls(
            found.field(),
            predicted_error=float(np.sqrt(np.mean(known**2))) if known.size else float("nan"),
            frame_error=found.error,
            left_out=found.left_out,
            to_field=journal.signals[found.signal].to_field,
            region=[journal[n].region for n in range(len(found.error))],
            modulo_lattice=found.modulo_lattice,
            recorded=recorded,
        )

    def __repr__(self) -> str:
        return (
            f"<Registration of {len(self)} frames of {self.shape}, predicted error {self.predicted_error:.3g} px rms>"
        )


def _turned(covariance: Floats, turn: Affine) -> Floats:
    """Covariance (N, 2, 2) in other pixels; infinite where an infinite part enters."""
    finite = np.where(np.isfinite(covariance), covariance, 0)
    out = turn @ finite @ turn.T
    blind = np.isinf(covariance).astype(float) * np.sign(np.where(np.isinf(covariance), covariance, 0))
    reached = turn @ blind @ turn.T
    return np.where(np.abs(reached) > 1e-9, np.copysign(np.inf, reached), out)


def affine(matrix: Any) -> Affine:
    """Matrix (2, 3) of a map of coordinates; the identity where there is none."""
    return np.eye(2, 3) if matrix is None else np.asarray(matrix, float)


def _stored(field: NDArray[Any]) -> NDArray[Any]:
    """The numbers that a field (N, 2, Y, X) holds: one a frame and direction where frames moved as a whole."""
    return field[:, :, :1, :1] if field.strides[2:] == (0, 0) else field

"""Registrar: registration of a series that is still being recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from .registering import assemble, register_area, usable_frames
from .registration import Registration
from .rowlocked.field import Field

Floats = NDArray[np.float64]

FEWEST = 4  # frames of an area whose registration is refined and not made anew


class Registrar:
    """Registers frames as they come; every frame pushed refines the displacements of all frames of its area.

    Parameters
    ----------
    across : bool
        As for `register`.
    to_field : 2x3 array, optional
        `Signal.to_field` of the images.
    """

    def __init__(self, *, across: bool = False, to_field: Any = None) -> None:
        self.across, self.to_field = across, to_field
        self._images: list[Floats] = []
        self._regions: list[int] = []
        self._fields: dict[int, tuple[int, NDArray[np.float32], Floats, Field | None]] = {}
        self._registration: Registration | None = None

    def __len__(self) -> int:
        return len(self._images)

    def push(self, image: Any, region: int = 0) -> None:
        """Add the next frame's image, (Y, X) real numbers, and the area that it shows.

        Raises
        ------
        UsageError
            If it is no image, or its shape is not that of the frames before.
        """
        image = np.asarray(image)
        if image.ndim != 2 or 0 in image.shape or image.dtype.kind not in "biuf":
            raise UsageError(f"an image must be real numbers of shape (Y, X), got {image.dtype} {image.shape}")
        if self._images and image.shape != self._images[0].shape:
            raise UsageError(f"frame {len(self)} is of {image.shape}, the frames before of {self._images[0].shape}")
        self._images.append(image.astype(np.float64))
        self._regions.append(region)
        self._registration = None

    @property
    def registration(self) -> Registration:
        """Displacements of all frames so far, as `register` returns them.

        Raises
        ------
        UsageError
            If no frame was pushed.
        """
        if not self._images:
            raise UsageError("push a frame first; there is nothing to register")
        if self._registration is None:
            stack, area = np.array(self._images), np.array(self._regions)
            usable = usable_frames(stack)
            field, error = np.zeros((len(stack), 2, *stack.shape[1:]), np.float32), np.full(len(stack), np.nan)
            for name in np.unique(area):
                chosen = np.flatnonzero(usable & (area == name))
                if chosen.size:
                    field[chosen], error[chosen] = self._area(int(name), stack[chosen])
            self._registration = assemble(stack, area, usable, field, error, across=self.across, to_field=self.to_field)
        return self._registration

    def _area(self, name: int, stack: Floats) -> tuple[NDArray[np.float32], Floats]:
        count, field, error, fitted = self._fields.get(name, (0, None, None, None))
        if count != len(stack):
            before = fitted if count >= FEWEST else None
            field, error, fitted = register_area(stack, before)
            self._fields[name] = len(stack), field, error, fitted
        assert field is not None
        assert error is not None
        return field, error

"""Incremental: row registration of all frames so far, while a series is being recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats, Singles

from ..geometry.registration import Registration
from .area import Area, register_area
from .register import assemble, prepared, usable_frames

FEWEST = 4  # frames of an area from which on its registration is refined with new frames instead of made anew


class IncrementalRegistration:
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
        self._areas: dict[int, tuple[int, Area]] = {}
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
            area = np.array(self._regions)
            stack, said = prepared(np.array(self._images))
            usable = usable_frames(stack)
            parts = {}
            for name in np.unique(area):
                chosen = np.flatnonzero(usable & (area == name))
                if chosen.size:
                    parts[int(name)] = self._area(int(name), stack[chosen])
            self._registration = assemble(stack, area, usable, parts, said, across=self.across, to_field=self.to_field)
        return self._registration

    def _area(self, name: int, stack: Singles) -> Area:
        count, found = self._areas.get(name, (0, None))
        if found is None or count != len(stack):
            found = register_area(stack, found.fitted if found is not None and count >= FEWEST else None)
            self._areas[name] = len(stack), found
        return found


Registrar = IncrementalRegistration

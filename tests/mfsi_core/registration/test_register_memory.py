"""Registration holds few copies of the images, however many frames there are."""

from __future__ import annotations

import tracemalloc

import numpy as np
from scipy import ndimage

from mfsi_core.registration.area import register_area
from mfsi_core.registration.register import prepared

ALLOWED = 12  # bytes a pixel, by which the peak of memory may grow with each frame; 10 were measured
SIDE = 144


def _moving(frames: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    scene = ndimage.gaussian_filter(rng.standard_normal((SIDE + 8, SIDE + 8)), 2.5)
    scene = 40 + 8 * scene / scene.std()
    corner = rng.integers(0, 8, (frames, 2))
    return np.array([rng.poisson(scene[y : y + SIDE, x : x + SIDE]) for y, x in corner], np.uint16)


def _peak(images: np.ndarray) -> int:
    stack = prepared(images)[0]
    tracemalloc.start()
    try:
        register_area(stack.copy())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_by_no_more_than_allowed() -> None:
    images = _moving(32)
    few, many = _peak(images[:16]), _peak(images)
    assert many - few < ALLOWED * 16 * SIDE**2

"""A long series takes as much work per frame as a short one, and is registered as well."""

from __future__ import annotations

import numpy as np
import pytest

from mfsi_core import register, simulate
from mfsi_core.registration.rigid.pairs import NEAR, compared


@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_every_pair_of_a_short_series_is_compared(frames: int) -> None:
    assert np.array_equal(compared(frames), np.triu_indices(frames, 1))


@pytest.mark.parametrize("frames", [41, 300, 3000])
def test_pairs_of_a_long_series_grow_as_its_frames(frames: int) -> None:
    first, second = compared(frames)
    assert first.size < 30 * frames
    assert ((second > first) & (second < frames)).all()
    assert (np.diff(first * frames + second) > 0).all()
    near = np.bincount((second - first)[second - first <= NEAR])[1:]
    assert np.array_equal(near, frames - np.arange(1, NEAR + 1))
    assert (second - first).max() > frames / 2


def test_long_series_that_wanders_off_and_comes_back() -> None:
    series = simulate((40, 48), 90, 1, 5, image_counts=60.0, jitter=(0.2, 0.3), walk=0.5, drift=(0.0, 0.0))
    found = register(series.images)
    truth = series.displacement.mean(axis=(2, 3))
    off = found.shift - truth
    assert not found.left_out.any()
    assert np.abs(off - off.mean(axis=0)).max() < 0.2

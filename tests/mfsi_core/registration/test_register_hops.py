"""Which lattice period is meant, where the rows' own displacement speaks for another one."""

import numpy as np
import pytest

from mfsi_core import simulate
from mfsi_core.registration.rigid.align import align
from mfsi_core.simulation.scan import Hum, Jitter, Serpentine

RMS = (0.35, 0.5)

SCANS = {
    "hum": {"distortions": [Hum(RMS)]},
    "half hum": {"distortions": [Hum((0.25, 0.35)), Jitter((0.25, 0.35), memory=0.7)]},
    "slow jitter": {"distortions": [Jitter(RMS, memory=0.95)]},
    "drift of half a period a frame": {"drift": (4.5, 0.0), "jitter": RMS},
    "serpentine": {"distortions": [Serpentine(0.7)], "jitter": RMS},
    "short period": {"spacing": 6.0, "jitter": (0.2, 0.3)},
}


@pytest.mark.parametrize("scan", SCANS)
def test_no_frame_hops_a_lattice_period(scan):
    """A shift that brings the rows of two frames into step is no shift of the scene."""
    for seed in range(2):
        series = simulate((96, 96), 8, 1, 400 + seed, image_counts=40.0, walk=0.3, **SCANS[scan])
        error = align(series.images.astype(float))[0] - series.displacement.mean(axis=(2, 3))
        assert np.hypot(*(error - np.median(error, axis=0)).T).max() < 1.5

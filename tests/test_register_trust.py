"""What cannot be seen, what was not recorded and what is of another place is told, and the good part of a frame used."""

import numpy as np
import pytest

from mfsi_core import register, simulate
from mfsi_core.simulation_image import Missing, Wrapped

SHAPE, FRAMES = (64, 64), 8


def series(**options):
    return simulate(SHAPE, FRAMES, 1, 12, image_counts=60.0, walk=0.3, **options)


def worst(found, truth, rows=slice(None)):
    """Largest error of a frame's mean over some rows, px."""
    error = (found.displacement - truth)[:, :, rows].mean(axis=(2, 3))
    return np.abs(error - np.median(error, axis=0)).max()


def test_fringes_are_seen_across_alone():
    fringes = simulate(SHAPE, FRAMES, 1, 5, image_counts=200.0, walk=0.3, scene="fringes")
    with pytest.warns(UserWarning, match="looks the same when moved along"):
        found = register(fringes.images)
    across, along = found.frame_covariance[:, 0, 0], found.frame_covariance[:, 1, 1]
    assert np.isinf(along).all()
    assert np.isfinite(across).all()
    assert np.isinf(found.predicted_error)
    error = (found.displacement - fringes.displacement).mean(axis=(2, 3))[:, 0]
    # the fringes lie 7 degrees off the rows: unseen drift along them enters by its sine
    assert np.abs(error - error.mean()).max() < 0.1 + 0.15 * np.ptp(fringes.displacement[:, 1].mean(axis=(1, 2)))


def test_rows_that_were_not_recorded_are_told_and_the_rest_is_used():
    cut = series(disturbances=[Missing(7, 30, 63)])
    with pytest.warns(UserWarning, match="frame 7: rows 30-63 not recorded"):
        found = register(cut.images)
    assert not found.left_out.any()
    assert worst(found, cut.displacement, slice(0, 26)) < 0.1
    assert found.flags[7]
    assert not any(found.flags[:7])


def test_a_wrapped_frame_is_told_by_its_number():
    wrapped = series(disturbances=[Wrapped(3, 20)])
    with pytest.warns(UserWarning, match="frame 3|: 3"):
        found = register(wrapped.images)
    assert found.flags[3]
    rest = [0, 1, 2, 4, 5, 6, 7]
    error = (found.shift - wrapped.displacement.mean(axis=(2, 3)))[rest]
    assert np.abs(error - np.median(error, axis=0)).max() < 0.1


def test_missing_pixels_in_every_frame_leave_none_out():
    whole = series()
    images = whole.images.astype(float)
    images[:, 20, 30] = np.nan
    with pytest.warns(UserWarning, match="parts of 8 frames"):
        found = register(images)
    assert not found.left_out.any()
    assert worst(found, whole.displacement) < 0.05


def test_values_however_large():
    whole = series()
    plain, huge = register(whole.images), register(whole.images * 1e200)
    np.testing.assert_allclose(huge.displacement, plain.displacement, atol=1e-5)
    spoilt = whole.images.astype(float)
    spoilt[2, 5, 6] = 1e200
    with pytest.warns(UserWarning, match="frame 2: 1 pixels? of absurd value"):
        found = register(spoilt)
    assert worst(found, whole.displacement) < 0.05

"""Simulated series hold what they claim: displacements, counts, spectra."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

import lbj
from mfsi_core import simulate

ATOMIC_NUMBER = {"O": 8, "Ca": 20, "Ti": 22, "Sr": 38}


def density(scene, y, x):
    """The scene's Gaussians summed one by one over the whole lattice."""
    out = {}
    for element, fraction, occupation in scene.sites:
        total = out.setdefault(element, np.zeros(y.shape))
        for i, j in np.ndindex(occupation.shape):
            cy, cx = (np.array([i, j]) + scene.first + fraction) @ scene.vectors
            if -60 < cy < 90 and -60 < cx < 90:
                total += occupation[i, j] * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * scene.width**2))
    return out


def chi_square(observed, expected):
    return float(((observed - expected) ** 2 / expected).sum())


def test_a_frame_pixel_q_sampled_the_scene_at_q_plus_u():
    series = simulate((20, 23), 4, 256, 5, counts=2e5, image_counts=500, walk=1.5, jitter=(0.5, 0.5))
    y, x = np.indices((20, 23))
    bound = stats.chi2(20 * 23).isf(1e-6)
    for n in range(4):
        uy, ux = series.displacement[n]
        assert np.abs(uy).max() > 0.3
        for sign in (1, -1):
            there = density(series.scene, y + sign * uy, x + sign * ux)
            image = sum((ATOMIC_NUMBER[e] / 20) ** 1.7 * there[e] for e in there)
            image = image + 0.05 * np.mean([(ATOMIC_NUMBER[e] / 20) ** 1.7 for e in there])
            rate = series.scale * (
                0.15 * sum(there.values()) + 0.85 * sum(there[e] * series.spectra[e].sum() for e in there)
            )
            good = [
                chi_square(series.images[n], series.image_counts * image) < bound,
                chi_square(series.events[n].image(), rate) < bound,
            ]
            assert good == [sign == 1] * 2


def test_total_counts_are_those_asked_for():
    for counts, elements in ((5e4, ("Ca", "Ti", "O")), (800.0, ("Sr",))):
        series = simulate((25, 30), 6, 2048, 2, elements=elements, counts=counts, drift=(0, 0), walk=0.0)
        total = sum(events.total for events in series.events)
        assert abs(total - 6 * counts) < 5 * np.sqrt(6 * counts)
    default = simulate((32, 32), 5, 2048, 7, drift=(0, 0), walk=0.0)
    expected = 5 * 4e-4 * 32 * 32 * 2048
    assert abs(sum(events.total for events in default.events) - expected) < 5 * np.sqrt(expected)
    images = simulate((40, 40), 3, 16, 8, image_counts=12.0, drift=(0, 0), walk=0.0).images
    assert abs(images.sum() - 12 * images.size) < 5 * np.sqrt(12 * images.size)


def test_maps_and_spectra_say_what_to_expect():
    series = simulate((20, 20), 8, 512, 4, elements=("Ca", "Ti"), counts=2e5, drift=(0, 0), walk=0.0)
    expected = np.outer(series.background, series.spectra["background"])
    for element in ("Ca", "Ti"):
        spectrum = series.spectra[element]
        assert series.maps[element].sum() > 0
        expected += np.outer(series.maps[element], spectrum / spectrum.sum())
    total = sum(events.dense().reshape(-1, 512).astype(float) for events in series.events)
    pulls = (total.sum(0) - 8 * expected.sum(0))[:-1] / np.sqrt(8 * expected.sum(0))[:-1]
    assert (pulls**2).sum() < stats.chi2(pulls.size).isf(1e-6)
    assert chi_square(total.sum(1), 8 * expected.sum(1)) < stats.chi2(400).isf(1e-6)
    energy = series.signals[0].axes[-1]["offset"] + 40.0 * np.arange(512)
    assert abs(energy[np.argmax(series.spectra["Ti"] * (energy > 1000))] - 4509) < 40


def test_displacements_average_to_zero_and_hold_the_drift():
    series = simulate((9, 11), 20, 8, 1, drift=(0.4, -0.25), walk=0.0)
    assert series.displacement.shape == (20, 2, 9, 11)
    np.testing.assert_allclose(series.displacement.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    steps = np.diff(series.displacement, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(np.reshape([0.4, -0.25], (2, 1, 1)), steps.shape), atol=1e-12)


def test_walk_and_jitter_have_the_deviation_asked_for():
    walk = simulate((2, 2), 1500, 4, 1, drift=(0, 0), walk=0.6).displacement[:, :, 0, 0]
    low, high = np.sqrt(stats.chi2(2998).ppf([1e-6, 1 - 1e-6]) / 2998)
    assert low < np.diff(walk, axis=0).std() / 0.6 < high
    field = simulate((60, 3), 60, 4, 1, drift=(0, 0), walk=0.0, jitter=(0.2, 0.5)).displacement
    assert (field == field[..., :1]).all()  # a row moves as a whole
    low, high = np.sqrt(stats.chi2(59 * 60).ppf([1e-6, 1 - 1e-6]) / (59 * 60))
    for axis, sigma in ((0, 0.2), (1, 0.5)):
        assert low < np.sqrt((field[:, axis, :, 0] ** 2).sum() / (59 * 60)) / sigma < high


def test_one_seed_gives_one_series():
    first, again, other = (simulate((12, 13), 3, 64, seed, jitter=(0.2, 0.2)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.displacement, again.displacement)
    assert again.events[2] == first.events[2]  # whichever frame is asked for first
    assert first.frame(1)[0]["EDX"] == again.frame(1)[0]["EDX"] == first.events[1]
    np.testing.assert_array_equal(first.images, again.images)
    assert first.events[0] != first.events[1]
    assert first.events[0] != other.events[0]
    assert not np.array_equal(first.displacement, other.displacement)


def test_no_frame_is_ever_dense():
    dense = 64 * 64 * 4096 * 4
    series = simulate((64, 64), 1000, 4096, 1, counts=5000)
    series.frame(0)
    tracemalloc.start()
    series.frame(1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < dense / 10


def test_a_series_saves_as_a_journal(tmp_path):
    series = simulate((10, 12), 3, 128, 9)
    series.save(tmp_path / "a.lbj")
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 3
        assert journal.metadata["elements"] == ["Ca", "Ti", "O"]
        axis = journal.signals["EDX"].axes[-1]
        assert axis["offset"] + axis["scale"] * 127.5 == pytest.approx(20480)  # channels end there
        for n, frame in enumerate(journal):
            assert frame.events("EDX") == series.events[n]
            np.testing.assert_array_equal(frame.array("HAADF"), series.images[n])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_small_series(shape):
    series = simulate(shape, 1, 1, 3, counts=500.0)
    np.testing.assert_allclose(series.displacement.mean(axis=(2, 3)), 0, atol=1e-12)  # one frame: zero mean
    assert series.images.shape == (1, *shape)
    assert series.events[0].shape == (*shape, 1)
    assert series.events[0].total > 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": 0}, "at least one frame"),
        ({"channels": 0}, "at least one frame, channel"),
        ({"shape": (0, 5)}, "pixel"),
        ({"elements": ()}, "one to three elements"),
        ({"elements": ("O", "Ti", "Ca", "Sr")}, "one to three elements"),
        ({"elements": ("Xx",)}, "'Xx'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(lbj.UsageError, match=message):
        simulate(**{"shape": (4, 5), "frames": 2, "channels": 64, **arguments})

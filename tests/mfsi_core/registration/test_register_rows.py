"""Rows' displacements where the jitter is not white, the drift is steady, or the image stands on a pedestal."""

import dataclasses

import numpy as np
import pytest
from cells import more
from scipy import ndimage

from mfsi_core import register, simulate
from mfsi_core.registration.area import Rows
from mfsi_core.registration.register import prepared
from mfsi_core.registration.rows.field import register_rows
from mfsi_core.simulation.scan import Hum, Jitter


def jittered(counts, rows, seed, shape=(72, 72)):
    """A series whose frames stand still and whose rows jitter by `rows` (N, 2, Y) px, its images and rates."""
    still = simulate(shape, len(rows), 1, seed, image_counts=counts, drift=(0.0, 0.0), walk=0.0)
    series = dataclasses.replace(still, displacement=still.displacement + (rows - rows.mean(axis=0))[..., None])
    return series, series.images


def bound(series, covariance, waves=None):
    """Bayesian Cramér-Rao bound, px rms: scene, noise and the covariances (2, Y, Y) known, each frame's shift free.

    `waves` (N, 2Y, K): displacements, y of the rows and then x, of which all frames share the unknown amplitudes.
    """
    y = series.shape[0]
    prior = np.zeros((2 * y, 2 * y))
    prior[:y, :y], prior[y:, y:] = (1e4 + c + 1e-9 * np.eye(y) for c in covariance)
    inverse, each, h = np.linalg.inv(prior), [], 1e-3

    def rate(a, b):
        return series.image_counts * series.scene.haadf(series.scene.densities(a, b))

    some = range(0, len(series), 3 if waves is None else 1)  # the bound hardly differs from frame to frame
    for n in some:
        p, q = series.positions(n)
        slopes = (rate(p + h, q) - rate(p - h, q)) / (2 * h), (rate(p, q + h) - rate(p, q - h)) / (2 * h)
        fisher = np.block([[np.diag((a * b / rate(p, q)).sum(axis=1)) for b in slopes] for a in slopes])
        each.append((fisher, np.linalg.inv(fisher + inverse)))
    total = sum(np.trace(own) for _, own in each) * (1 - 1 / len(series)) * len(series) / len(some)
    if waves is not None:
        told = sum(w.T @ (fisher - fisher @ own @ fisher) @ w for w, (fisher, own) in zip(waves, each, strict=True))
        left = np.array([own @ inverse @ w for w, (_, own) in zip(waves, each, strict=True)])
        left -= left.mean(axis=0)
        total += np.einsum("nik,kl,nil->", left, np.linalg.inv(told), left)
    return np.sqrt(total / len(series) / (2 * y))


def fitted(images, shift):
    return register_rows(prepared(images)[0], shift)


def field_of(found, columns):
    return np.stack(list(Rows(found.modes, columns)))


def error_of(found, truth):
    error = found - truth
    return np.sqrt(np.mean((error - error.mean(axis=0)) ** 2))


@pytest.mark.parametrize(("memory", "counts"), [more(0.7, 8.0), (0.95, 8.0), more(0.95, 60.0)])
def test_jitter_that_remembers_is_found_to_the_bound(memory, counts):
    """The jitter is a first-order autoregression from row to row."""
    rng, frames, rows = np.random.default_rng(3), 8, 72
    apart = np.abs(np.subtract.outer(np.arange(rows), np.arange(rows)))
    root = np.linalg.cholesky(memory**apart)
    jitter = (rng.normal(size=(frames, 2, rows)) @ root.T) * np.array([0.35, 0.5])[:, None]
    series, images = jittered(counts, jitter, 5)
    found = fitted(images.astype(float), series.displacement.mean(axis=(2, 3)))
    error = error_of(field_of(found, rows), series.displacement)
    assert error < 1.25 * bound(series, [0.35**2 * memory**apart, 0.5**2 * memory**apart])
    assert 0.7 < error / np.sqrt(np.mean(found.error**2)) < 1.4


@pytest.mark.parametrize("period", [9.7, more(31.3)])
def test_a_hum_is_found_to_the_bound(period):
    """A hum that continues through all frames; the bound takes only its covariance within a frame to be known."""
    rows, frames = 72, 8
    time = np.arange(frames)[:, None] * 1.013 * rows + np.arange(rows)
    wave = np.sqrt(2) * np.stack([0.3 * np.sin(2 * np.pi * time / period), 0.4 * np.cos(2 * np.pi * time / period)], 1)
    series, images = jittered(20.0, wave, 8)
    found = fitted(images.astype(float), series.displacement.mean(axis=(2, 3)))
    alike = np.cos(2 * np.pi * np.subtract.outer(np.arange(rows), np.arange(rows)) / period)
    error = error_of(field_of(found, rows), series.displacement)
    assert error < 1.5 * bound(series, [0.3**2 * alike, 0.4**2 * alike])
    assert error < 2 * np.sqrt(np.mean(found.error**2))


@pytest.mark.parametrize("rms", [more((0.35, 0.5)), (0.2, 0.3)])
def test_a_hum_nearly_in_step_with_the_frames_is_not_left_in_the_scene(rms):
    """The hum's phase advances by only a quarter of a cycle in the series; frames are shifted by part of its period."""
    hum = Hum(rms, flyback=6.0)  # 8.04 periods from frame to frame
    series = simulate((72, 72), 8, 1, 5, image_counts=40.0, jitter=(0.1, 0.1), walk=0.6, distortions=[hum])
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    error = error_of(field_of(found, 72), series.displacement)
    assert error < 1.25 * bound(series, hum.covariance(72) + 0.1**2 * np.eye(72))
    assert error < 1.5 * np.sqrt(np.mean(found.error**2))


@pytest.mark.parametrize(("scene", "frames"), [("crystal", 2), more("amorphous", 2), ("particle", 6)])
def test_predicted_errors_are_true_of_few_frames_and_of_scenes_with_vacuum(scene, frames):
    series = simulate((80, 80), frames, 1, 7, image_counts=60.0, jitter=(0.3, 0.4), walk=0.3, scene=scene)
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    error = error_of(field_of(found, 80), series.displacement)
    assert 0.83 < error / np.sqrt(np.mean(found.error**2)) < 2.0


@pytest.mark.parametrize("pedestal", [more(1e3), 1e7])
def test_a_pedestal_below_the_image_changes_nothing(pedestal):
    rng = np.random.default_rng(2)
    series, images = jittered(30.0, rng.normal(size=(6, 2, 72)) * 0.4, 6)
    shift = series.displacement.mean(axis=(2, 3))
    plain, raised = (field_of(fitted(i.astype(float), shift), 72) for i in (images, images + pedestal))
    assert error_of(raised, series.displacement) < 1.05 * error_of(plain, series.displacement)


def test_steady_drift_shears_frames_at_scene_positions():
    """The drift goes on within frames: they agree once each is sheared about its own position in the scene."""
    rng, size, frames, drift = np.random.default_rng(1), 64, 6, np.array([6.0, 4.0])
    scene = np.zeros((150, 150))
    scene[tuple(rng.integers(0, 150, (2, 260)))] = rng.uniform(10, 40, 260)
    knots = ndimage.spline_filter(ndimage.gaussian_filter(scene, 1.7, mode="wrap"))
    y, x = np.indices((size, size), float)
    time = np.arange(frames)[:, None, None] + (y * size + x) / size**2
    truth = drift[:, None, None] * time[:, None]
    rate = [ndimage.map_coordinates(knots, [y + u[0] + 20, x + u[1] + 20], prefilter=False) for u in truth]
    found = register(rng.poisson(500 * np.clip(rate, 0, None)))
    error = found.displacement - truth
    assert np.abs(np.diff(error.mean(axis=3), axis=2)).mean(axis=(0, 2)).max() < 0.02
    assert np.ptp(error.mean(axis=(2, 3)), axis=0).max() < 0.15


def test_rows_without_information_follow_their_frame():
    """Half of the frame is empty; its rows take the shift of the frame, which drifts."""
    rng, size = np.random.default_rng(4), 64
    y, x = np.indices((2 * size, 2 * size), float)
    scene = ndimage.gaussian_filter(rng.normal(size=(2 * size, 2 * size)), 2.0)
    scene = np.where(y > size, 1 + 4 * scene / scene.std(), 0) * 4 + 4
    knots = ndimage.spline_filter(scene)
    shift = np.outer(np.arange(6) - 2.5, [0.0, 2.0])
    y, x = np.indices((size, size), float)
    rate = [ndimage.map_coordinates(knots, [y + u[0] + 32, x + u[1] + 32], prefilter=False) for u in shift]
    found = fitted(rng.poisson(np.clip(rate, 0, None)).astype(float), shift)
    error = field_of(found, size) - shift[:, :, None, None]
    error -= error.mean(axis=(0, 2, 3), keepdims=True)
    assert np.abs(error[:, :, : size // 2 - 4].mean(axis=(2, 3))).max() < 0.3


def crystal(counts, seed, size=72, frames=8):
    """A series with white jitter; expected counts (N, Y, X)."""
    series = simulate((size, size), frames, 1, seed, image_counts=counts, jitter=(0.3, 0.4), walk=0.2)
    scene = series.scene
    rate = [counts * scene.haadf(scene.densities(*series.positions(n))) for n in range(frames)]
    return series, np.array(rate) * (counts / np.mean(rate))


def spoil(kind, rate, rng):
    """Counts as drawn from the rates, and what a scan may add to them."""
    frames, rows, columns = rate.shape
    if kind == "mains in the beam current":
        rate = rate * (1 + 0.2 * np.sin(2 * np.pi * np.arange(frames * rows) / 9.7).reshape(frames, rows, 1))
    image = rng.poisson(rate).astype(float)
    if kind == "offsets of rows":
        image += 0.3 * rate.mean() * rng.normal(size=(frames, rows, 1))
    if kind == "charging":
        y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
        image += (
            0.3 * rate.mean() * np.einsum("nk,kyx->nyx", rng.normal(size=(frames, 3)), [y, x, np.exp(-y * y - x * x)])
        )
    if kind == "cosmics":
        image[rng.random(image.shape) < 2e-3] += 40 * rate.mean()
    if kind == "hot pixels":
        image[:, rng.random((rows, columns)) < 3e-3] += 20 * rate.mean()
    if kind == "missing pixels":
        image[:, 5, 7], image[rng.random(image.shape) < 0.02] = np.nan, np.nan
    if kind == "1e200":
        image[2, 3, 4], image[1, 9, 9] = 1e200, -1e300
    return image


KINDS = ["mains in the beam current", "offsets of rows", "charging", "cosmics", "hot pixels", "missing pixels", "1e200"]


@pytest.fixture(scope="module")
def clean():
    """A series with white jitter, its expected counts, and the error of what is found where nothing is added."""
    series, rate = crystal(40.0, 3)
    found = fitted(spoil("", rate, np.random.default_rng(1)), series.displacement.mean(axis=(2, 3)))
    return series, rate, error_of(field_of(found, 72), series.displacement)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_scan_adds_costs_little(kind, clean):
    series, rate, least = clean
    spoiled = fitted(spoil(kind, rate, np.random.default_rng(1)), series.displacement.mean(axis=(2, 3)))
    error = error_of(field_of(spoiled, 72), series.displacement)
    assert error < 1.3 * least
    assert 0.7 < error / np.sqrt(np.mean(spoiled.error**2)) < 1.4


def test_rows_that_fit_nowhere_are_told_and_stay_with_their_frame():
    series, rate = crystal(100.0, 4)
    image = np.random.default_rng(2).poisson(rate).astype(float)
    image[3, 20:26] = np.random.default_rng(3).permuted(image[3, 20:26], axis=1)
    found = fitted(image, series.displacement.mean(axis=(2, 3)))
    strange = np.zeros((8, 72), bool)
    strange[3, 20:26] = True
    assert ((found.trust < 0.5) == strange).all()
    assert np.abs(found.modes[3, 20:26, 0] - found.modes[3, :, 0].mean(axis=0)).max() < 1.5


def test_results_do_not_depend_on_threads(monkeypatch):
    _, rate = crystal(40.0, 5, 40, 9)
    image = np.random.default_rng(2).poisson(rate)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr("mfsi_core.registration.threads.os.cpu_count", lambda threads=threads: threads)
        found.append(fitted(image, np.zeros((9, 2))).modes)
    assert (found[0] == found[1]).all()


def test_at_thousands_of_counts_rows_are_right_to_a_hundredth_of_a_pixel():
    series, images = jittered(5000.0, np.random.default_rng(7).normal(size=(6, 2, 64)) * 0.4, 9, (64, 64))
    found = fitted(images, series.displacement.mean(axis=(2, 3)))
    assert error_of(field_of(found, 64), series.displacement) < 0.01
    assert (found.trust == 1).all()


def test_a_hum_of_less_than_two_cycles_a_frame_is_not_left_in_the_scene():
    hum = Hum((1.0, 1.4), period=33.0)
    options = {"image_counts": 1000.0, "walk": 0.3, "scene": "amorphous", "spacing": 8.0}
    series = simulate((64, 64), 7, 1, 3, distortions=[hum], **options)
    found = register(series.images)
    error = found.displacement - series.displacement
    true = np.sqrt(np.mean((error - error.mean(axis=0)) ** 2))
    assert true < 0.05
    assert 0.5 < true / found.predicted_error < 2


def test_half_hum_at_high_dose_is_found_to_the_bound():
    """The jitter that all frames share by chance is not left in the scene because there is a hum besides."""
    rms = (0.25, 0.35)
    hum = Hum(rms)
    series = simulate((112, 112), 10, 1, 9500, image_counts=200.0, jitter=rms, walk=0.3, distortions=[hum])
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    covariance = hum.covariance(112) + np.square(rms)[:, None, None] * np.eye(112)
    assert error_of(field_of(found, 112), series.displacement) < 1.25 * bound(series, covariance)


def test_at_few_counts_no_jitter_is_seen_besides_a_hum():
    hum = Hum((0.3, 0.4), period=7.3)
    series = simulate((96, 96), 10, 1, 3, image_counts=8.0, walk=0.3, distortions=[hum])
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    assert error_of(field_of(found, 96), series.displacement) < 1.25 * bound(series, hum.covariance(96))


@pytest.mark.parametrize(
    ("period", "counts", "shape", "seed"),
    [(7.3, 20.0, (96, 80), 4), more(17.9, 10.0, (80, 96), 4), more(9.7, 200.0, (112, 112), 9100)],
)
def test_a_hum_is_found_through_all_frames(period, counts, shape, seed):
    """The bound knows the hum's frequency; its amplitudes and phases along y and x are free, the same in all frames."""
    rows, frames = shape[0], 10
    hum = Hum((0.3, 0.4), period=period)
    series = simulate(shape, frames, 1, seed, image_counts=counts, walk=0.3, distortions=[hum])
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    turn = 2 * np.pi * np.arange(frames * rows).reshape(frames, rows) / period
    waves = np.zeros((frames, 2 * rows, 4))
    waves[:, :rows, 0], waves[:, :rows, 1] = np.cos(turn), np.sin(turn)
    waves[:, rows:, 2:] = waves[:, :rows, :2]
    least = bound(series, np.zeros((2, rows, rows)), waves)
    assert error_of(field_of(found, shape[1]), series.displacement) < 1.3 * least


@pytest.mark.parametrize(("counts", "most"), [(100.0, 1.6), more(200.0, 1.9)])
def test_on_an_amorphous_film_little_of_the_jitter_is_left_in_the_scene(counts, most):
    """The bound knows the scene, which is why it is missed; scene and rows fitted in turns have 1.8 and 2.3 times it."""
    jitter = Jitter((0.35, 0.5), memory=0.7)
    options = {"image_counts": counts, "walk": 0.3, "scene": "amorphous", "spacing": 8.0}
    series = simulate((96, 80), 9, 1, 6, distortions=[jitter], **options)
    found = fitted(series.images.astype(float), series.displacement.mean(axis=(2, 3)))
    error = error_of(field_of(found, 80), series.displacement)
    assert error < most * bound(series, jitter.covariance(96))
    assert 0.7 < error / np.sqrt(np.mean(found.error**2)) < 1.4

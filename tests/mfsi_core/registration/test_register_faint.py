"""Faint scenes: frames of few counts, whose structure each Fourier component hides in its noise, and spikes on them."""

import numpy as np
import pytest
from cells import more
from scipy import fft, ndimage

from mfsi_core import register
from mfsi_core.registration.register import prepared
from mfsi_core.registration.rigid.align import align
from mfsi_core.registration.rigid.noise import noise_floor, scene_power


def power_of(rng, shape, averaged, amplitude=lambda radius: 0 * radius):
    """Mean of so many power spectra of white noise, of power 1, with a film's: `amplitude` at each radius, cycles/px."""
    spectra = [fft.rfft2(rng.normal(size=shape)) for _ in range(averaged)]
    rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])
    film = fft.rfft2(rng.normal(size=shape)) * amplitude(np.hypot(rows, columns))
    return np.mean([np.abs(one + film) ** 2 for one in spectra], axis=0) / np.prod(shape)


@pytest.mark.parametrize("shape", [(1, 200), (40, 3), (64, 64), (97, 250)])
@pytest.mark.parametrize("averaged", [1, 30])
def test_noise_alone_is_no_scene(shape, averaged):
    found = [scene_power(power_of(np.random.default_rng(seed), shape, averaged), averaged) for seed in range(20)]
    assert np.mean([(one > 0).mean() for one in found]) < 3e-3


@pytest.mark.parametrize("averaged", [1, 3, 200])
def test_the_floor_is_the_power_of_the_noise(averaged):
    power = power_of(np.random.default_rng(averaged), (128, 96), averaged)
    assert 5.0 * noise_floor(power, averaged) == pytest.approx(noise_floor(5.0 * power, averaged))
    assert noise_floor(power, averaged) == pytest.approx(1, abs=4 / np.sqrt(0.25 * power.size * averaged) + 0.01)


def test_a_film_lost_in_the_noise_of_each_component_is_found_and_a_lattice_stays_sharp():
    rng = np.random.default_rng(4)
    low = np.hypot(fft.fftfreq(128)[:, None], fft.rfftfreq(128)) < 0.15
    found = scene_power(power_of(rng, (128, 128), 1, lambda radius: np.sqrt(0.8 * (radius < 0.15))), 1)
    assert found[low].mean() == pytest.approx(0.8, abs=0.25)
    assert found[~low].mean() < 0.05
    y, x = np.mgrid[:128, :128]
    lattice = 40 * np.cos(2 * np.pi * (16 * y + 8 * x) / 128)
    found = scene_power(np.abs(fft.rfft2(rng.normal(size=(128, 128)) + lattice)) ** 2 / 128**2, 1)
    assert found[16, 8] > 1e6
    assert np.count_nonzero(found > 1) < 4


def film(rng, size, slope, deviation):
    """Amorphous film, mean 1: amplitudes fall as frequency to the power -`slope`, nothing finer than about 3 px."""
    radius = np.hypot(fft.fftfreq(size)[:, None], fft.rfftfreq(size))
    radius[0, 0] = 1
    image = fft.irfft2(fft.rfft2(rng.normal(size=(size, size))) * radius**-slope * np.exp(-((radius / 0.25) ** 2)))
    image -= image.mean()
    return 1 + deviation * image / image.std()


def recorded(scene, shifts, rng, counts, size):
    """Frames (N, size, size), in counts, of a larger scene, displaced by `shifts` (N, 2)."""
    margin = (len(scene) - size) // 2
    y, x = np.mgrid[:size, :size].astype(float) + margin
    knots = ndimage.spline_filter(scene)
    clean = [ndimage.map_coordinates(knots, [y + uy, x + ux], prefilter=False) for uy, ux in shifts]
    return np.array([rng.poisson(counts * one.clip(0)) for one in clean]).astype(float)


def bound(scene, counts, size):
    """Cramér-Rao bound of a frame's shift, px rms of one component, the scene known."""
    margin = (len(scene) - size) // 2
    part = scene[margin : margin + size, margin : margin + size]
    slopes = np.array(np.gradient(part)).reshape(2, -1)
    information = counts * (slopes / part.ravel()) @ slopes.T
    return float(np.sqrt(np.trace(np.linalg.inv(information)) / 2))


@pytest.mark.parametrize(("slope", "deviation", "counts"), [(1.0, 0.12, 8.0), more(1.5, 0.14, 10.0), (0.9, 0.2, 3.0)])
def test_frames_of_a_faint_film_are_placed_to_about_what_the_counts_allow(slope, deviation, counts):
    errors, expected, bounds = [], [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        scene, shifts = film(rng, 144, slope, deviation), rng.normal(size=(10, 2)) * 2
        images = recorded(scene, shifts, rng, counts, 104)
        found, error = align(prepared(images)[0])
        off = found - shifts
        errors.append(np.mean((off - off.mean(axis=0)) ** 2))
        expected.append(np.mean(error**2))
        bounds.append(bound(scene, counts, 104) ** 2)
    true, expected, least = (np.sqrt(np.mean(one)) for one in (errors, expected, bounds))
    assert true < 2.2 * least  # the bound knows the scene, the program does not
    assert 0.5 < true / expected < 2.2


@pytest.mark.filterwarnings("ignore:parts of")
@pytest.mark.parametrize("seed", [1, more(4), more(6)])
def test_cosmics_do_not_hide_a_faint_film(seed):
    rng = np.random.default_rng(seed)
    scene, shifts = film(rng, 136, 1.0, 0.12), np.cumsum(rng.normal(size=(8, 2)), axis=0)
    images = recorded(scene, shifts, rng, 20.0, 104)
    images[rng.random(images.shape) < 0.002] += 800
    found = register(images)
    off = found.shift - shifts
    true = np.sqrt(np.mean((off - off.mean(axis=0)) ** 2))
    assert true < 1.4 * bound(scene, 20.0, 104)
    assert true < 2 * found.predicted_error

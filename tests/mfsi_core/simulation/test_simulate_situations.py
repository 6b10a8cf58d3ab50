"""Simulated situations have the properties that they are asked for."""

import numpy as np
import pytest

from mfsi_core import simulate
from mfsi_core.simulation.image import Inverted, Missing, Stripes
from mfsi_core.simulation.scan import Hum, Jitter, Step

STILL = {"drift": (0.0, 0.0), "walk": 0.0}


def field(frames=40, rows=64, **options):
    return simulate((rows, 2), frames, 1, 3, **STILL, **options).displacement[..., 0]


def test_jitter_has_its_deviation_and_memory():
    for memory in (0.0, 0.9):
        rows = field(distortions=[Jitter((0.35, 0.5), memory=memory)])
        assert np.allclose(rows.std(axis=(0, 2)), (0.35, 0.5), rtol=0.15)
        neighbours = (rows[..., 1:] * rows[..., :-1]).mean(axis=(0, 2)) / (rows**2).mean(axis=(0, 2))
        assert np.allclose(neighbours, memory, atol=0.06)


def test_pink_jitter_falls_as_one_over_f():
    rows = field(frames=400, distortions=[Jitter((1.0, 1.0), slope=1.0)])
    power = (np.abs(np.fft.rfft(rows * np.hanning(64))) ** 2).mean(axis=(0, 1))
    assert power[4] / power[16] == pytest.approx(4, rel=0.3)


def test_hum_runs_through_the_frames():
    rows = field(distortions=[Hum((0.35, 0.5), period=9.7)])[:, 1].ravel()
    time = np.arange(rows.size)
    wave = np.stack([np.cos(2 * np.pi * time / 9.7), np.sin(2 * np.pi * time / 9.7)])
    assert np.hypot(*(wave @ rows * 2 / rows.size)) == pytest.approx(0.5 * np.sqrt(2), rel=0.02)


def test_the_phase_of_a_hum_that_wanders_walks_from_frame_to_frame():
    hum = Hum((0.4, 0.4), period=8.0, wander=0.03)
    turn = np.angle(field(frames=800, distortions=[hum])[:, 1] @ np.exp(-2j * np.pi * np.arange(64) / 8)) / (2 * np.pi)
    step = (np.diff(turn) + 0.5) % 1 - 0.5
    steps_of_a_mean = 0.03 * np.sqrt(2 / 3)  # means of a random walk over two stretches that follow one another
    assert step.std() == pytest.approx(steps_of_a_mean, rel=0.1)


def test_a_step_moves_what_is_scanned_after_it():
    rows = field(frames=4, distortions=[Step(2, 10, (3.0, -5.0))])
    assert np.allclose(np.diff(rows.transpose(1, 0, 2).reshape(2, -1))[:, 2 * 64 + 9], (3.0, -5.0))
    assert np.count_nonzero(np.diff(rows.transpose(1, 0, 2).reshape(2, -1))) == 2


def test_fringes_are_blind_along_one_direction_and_amorphous_scenes_have_no_lattice():
    fringes = simulate((64, 64), 1, 1, 5, scene="fringes", **STILL)
    slopes = np.stack(np.gradient(sum(fringes.scene.densities(*np.indices((64, 64), float)).values())))
    least, most = np.linalg.eigvalsh(np.einsum("ayx,byx->ab", slopes, slopes))
    assert least < 0.05 * most
    peaks = [
        np.sort(np.abs(np.fft.fft2(image - image.mean())).ravel() ** 2)[-6:].sum() / image.size / image.var()
        for image in (
            simulate((64, 64), 1, 1, 5, scene=name, image_counts=1e4).images[0] for name in ("crystal", "amorphous")
        )
    ]
    assert peaks[0] > 3 * peaks[1]


def test_disturbances_change_the_image_alone():
    plain = simulate((32, 32), 3, 16, 6)
    other = simulate((32, 32), 3, 16, 6, disturbances=[Stripes(offset=0.2), Missing(1, 20, 31), Inverted(2)])
    assert (other.displacement == plain.displacement).all()
    assert other.events[1] == plain.events[1]
    assert (other.images[1, 20:] == 0).all()
    rows = (other.images[0].astype(float) - plain.images[0]).mean(axis=1)
    assert rows.std() == pytest.approx(0.2 * plain.images[0].mean(), rel=0.4)
    assert np.corrcoef(other.images[2].ravel(), plain.images[2].ravel())[0, 1] < -0.8

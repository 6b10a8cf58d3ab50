"""Images made of the spectra themselves, by which frames are registered where there are no others."""

import numpy as np
import pytest

import lbj
from mfsi_core.series.selection import reference_images


@pytest.mark.parametrize(("kind", "dtype"), [("events", "uint16"), ("spectra", "float32")])
def test_the_zero_strobe_does_not_show(tmp_path, kind, dtype):
    rng = np.random.default_rng(1)
    cube = rng.poisson(3, (4, 5, 60)).astype(dtype)
    lines = cube[..., 15:].sum(axis=2)  # from 150 eV on
    cube[..., :12] += rng.poisson(500, (4, 5, 12)).astype(dtype)
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 10.0, "units": "eV"}]
    signal = lbj.Signal("EDX", kind, (4, 5, 60), axes=axes, **({} if kind == "events" else {"dtype": dtype}))
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        writer.append({"EDX": cube})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert np.array_equal(reference_images(journal, None, journal.signals["EDX"])[0], lines)


def test_a_dead_channel_hides_no_pixel(tmp_path):
    cube = np.random.default_rng(2).poisson(90, (4, 5, 60)).astype(np.float32)
    seen = np.delete(cube, 7, axis=2).sum(axis=2)
    cube[..., 7] = np.nan
    cube[1, 2, 20] = np.inf
    signal = lbj.Signal("EELS", "spectra", (4, 5, 60), dtype="float32")
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        writer.append({"EELS": cube})
    with lbj.open(tmp_path / "a.lbj") as journal:
        image = reference_images(journal, None, journal.signals["EELS"])[0]
    assert np.isinf(image[1, 2])
    image[1, 2] = seen[1, 2]
    assert np.allclose(image, seen)

"""Models remembered from frame to frame: coding a series of small frames costs few fits and hardly any bytes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import lbj
from lbj.codings import lossless_int
from lbj.codings.shared import integers as _integers


def lattice(n=24):
    y, x = np.mgrid[:n, :n]
    return np.exp(-((x % 8 - 4) ** 2 + (y % 9 - 4) ** 2) / 6)


def series(kind):
    rng = np.random.default_rng(2)
    scene = lattice()
    levels = {
        "steady": [40.0] * 64,
        "growing": np.linspace(10, 200, 64),
        "alternating": [5.0, 200.0] * 32,
        "dark first": [0.0] * 8 + [100.0] * 56,
    }[kind]
    return [rng.poisson(level * (0.2 + scene)).astype(np.uint16) for level in levels]


@pytest.mark.parametrize("kind", ["steady", "growing", "alternating", "dark first"])
def test_hardly_longer_than_frame_by_frame(kind):
    frames = series(kind)
    memory = lossless_int.Remembered()
    together = [lossless_int.encode_array(frame, memory) for frame in frames]
    apart = [lossless_int.encode_array(frame) for frame in frames]
    assert sum(map(len, together)) < 1.01 * sum(map(len, apart))
    for data, frame in zip(together, frames, strict=True):
        np.testing.assert_array_equal(lossless_int.decode_array(memoryview(data), frame.shape, frame.dtype), frame)


def test_a_journal_of_like_frames_is_fitted_a_few_times(tmp_path, monkeypatch):
    fits = []
    real = _integers.choose
    monkeypatch.setattr(_integers, "choose", lambda *args: fits.append(args) or real(*args))
    rng = np.random.default_rng(3)
    frames = [rng.poisson(40 * (0.2 + lattice(48))).astype(np.uint16) for _ in range(64)]
    path = tmp_path / "a.lbj"
    with lbj.create(path, [lbj.Signal("HAADF", "image", (48, 48))], sync=False) as writer:
        for frame in frames:
            writer.append({"HAADF": frame})
    assert 0 < len(fits) <= 24  # of 64; the 1st, 2nd, 4th … 64th at least
    with lbj.open(path) as journal:
        for frame, expected in zip(journal, frames, strict=True):
            np.testing.assert_array_equal(frame.array("HAADF"), expected)


@pytest.mark.parametrize("kind", ["steady", "growing", "alternating", "dark first"])
def test_what_is_learned_beside_makes_no_frame_wait(kind, monkeypatch):
    frames, caller, waited = series(kind), threading.get_ident(), []
    real = _integers.choose

    def choose(q, *args):
        if threading.get_ident() == caller:
            waited.append(q.size)
        return real(q, *args)

    monkeypatch.setattr(_integers, "choose", choose)
    memory = lossless_int.Remembered(steady=True)
    together = []
    for frame in frames:
        together.append(lossless_int.encode_array(frame, memory))
        for one in (memory, *memory._parts.values()):
            if one._fitting is not None:
                one._fitting.join()
    assert all(size <= _integers.ROUGH**2 for size in waited)
    apart = [lossless_int.encode_array(frame) for frame in frames]
    # what was learned serves the next frame, which where they alternate is unlike the one it was learned from
    assert sum(map(len, together)) < (1.15 if kind == "alternating" else 1.03) * sum(map(len, apart))
    for data, frame in zip(together, frames, strict=True):
        np.testing.assert_array_equal(lossless_int.decode_array(memoryview(data), frame.shape, frame.dtype), frame)

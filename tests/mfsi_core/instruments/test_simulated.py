"""The simulated microscope: its drift, damage, dead time and drift tube are those that it was told."""

import threading

import numpy as np
import pytest

import lbj
import mfsi_core
from lbj import UsageError
from mfsi_core.acquisition import Recorder, Settings
from mfsi_core.instruments import Exposure, Request, find

STILL = {"drift": (0.0, 0.0), "hum": 0.0, "jitter": 0.0}
FIELD = Exposure((24, 20), 1e-10, (3e-9, 5e-9), 1e-3, 0.0, 17e-12, [])


def frames(count, exposure=FIELD, **options):
    one = find("simulated", **options)
    one.prepare(exposure, threading.Event())
    return [one.acquire(Request(n, 0.0, threading.Event())) for n in range(count)]


def test_a_series_is_what_its_seed_says():
    first, second = frames(2, seed=3), frames(2, seed=3)
    for a, b in zip(first, second, strict=True):
        assert a.data["EDX"] == b.data["EDX"]
        assert np.array_equal(a.data["HAADF"], b.data["HAADF"])
    assert not np.array_equal(first[0].data["HAADF"], frames(1, seed=4)[0].data["HAADF"])


def test_the_drift_is_seen():
    options = {**STILL, "drift": (5e-12, -1e-11)}  # a frame takes 1.6 s: (0.16, -0.32) px each
    fine = Exposure((40, 40), 5e-11, (3e-9, 5e-9), 1e-3, 0.0, 17e-12, [])
    images = [frame.data["HAADF"] for frame in frames(8, fine, **options)]
    found = mfsi_core.register(np.array(images)).shift
    assert np.allclose(np.polyfit(range(8), found, 1)[0], [0.16, -0.32], atol=0.02)


def test_damage_goes_with_the_dose_and_faster_with_the_charge_of_a_pixel():
    dose = 17e-12 * 1e-3 / 1.602176634e-19  # e/Å2 of a frame of pixels of 1 Å

    def left(**options):
        found = frames(2, seed=1, **STILL, elements=("Ti",), **options)
        before, after = (frame.data["EDX"].total for frame in found)
        return after / before

    assert left(critical_dose=1e30) == pytest.approx(1, abs=0.05)
    assert left(critical_dose=dose, critical_charge=1e30) == pytest.approx(np.exp(-1), rel=0.25)
    assert left(critical_dose=dose, critical_charge=1e5) < left(critical_dose=dose, critical_charge=1e30) - 0.1


def test_the_dead_time_takes_counts_and_live_time():
    free = frames(1, **STILL, dead_time=0.0)[0]
    dead = frames(1, **STILL, dead_time=1e-3)[0]
    share = dead.attributes["live_time"]["EDX"] / free.attributes["live_time"]["EDX"]
    assert 0.4 < share < 0.7  # about one count a millisecond
    assert dead.data["EDX"].total / free.data["EDX"].total == pytest.approx(share, rel=0.2)


def test_a_region_beyond_its_reach_is_refused(tmp_path):
    settings = Settings(field="2nm", corner="19nm", pixel="0.1nm", frames=1)
    with Recorder(tmp_path, "simulated", settings, analysis=False) as recorder:
        assert "leaves what the microscope reaches, 20 nm" in recorder.acquire()["text"]
    with pytest.raises(UsageError, match="too low"):
        find("simulated", critical_dose=0)


def test_energies_are_stepped_stored_and_averaged(tmp_path):
    settings = Settings(
        field="1nm", corner="3nm", pixel="0.1nm", current="200pA", frames=6, signals=["EELS", "HAADF"],
        energy_steps=[0.0, 7.0, 15.0],
    )  # fmt: skip
    with Recorder(tmp_path, "simulated", settings, analysis=False) as recorder:
        assert recorder.acquire()["total"] == 6
        pattern = recorder._guarded.instrument.pattern
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        shifts = [frame.energy_shift["EELS"] for frame in journal]
        assert shifts == [0, 7, 15, 0, 7, 15]
        found = mfsi_core.gain_average(journal, shifts, "EELS")
    relative = pattern / pattern.mean()
    seen = np.isfinite(found.pattern)
    assert np.corrcoef(found.pattern[seen], relative[seen])[0, 1] > 0.9

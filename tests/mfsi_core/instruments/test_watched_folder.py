"""A folder into which some program saves numbered files: each becomes a frame once, when it is whole."""

import io
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest

import lbj
from mfsi_core.acquisition import Recorder, Settings
from mfsi_core.acquisition.session_folder import files_taken
from mfsi_core.cli import main
from mfsi_core.instruments import arrivals
from mfsi_core.instruments.folder import Folder

SHAPE = (6, 7)
PATIENCE = 300.0
SETTLE = 0.05


def image(number, shape=SHAPE):
    return np.random.default_rng(number).integers(0, 999, shape).astype(np.uint16)


def packed(number, shape=SHAPE, name="HAADF"):
    out = io.BytesIO()
    np.savez(out, **{name: image(number, shape)})
    return out.getvalue()


@pytest.fixture
def watch(tmp_path):
    """Recorder of a folder, and what is in it; a file is whole after a twentieth of a second."""
    place = tmp_path / "in"
    place.mkdir()
    opened = []

    def watch(**options):
        one = Folder(path=place, settle=SETTLE, **{"patience": 0.3, "idle": 1.0, **options})
        opened.append(Recorder(tmp_path / "out", one, Settings(frames=1000), analysis=False))
        return place, opened[-1]

    yield watch
    for one in opened:
        one.close()


def recorded(tmp_path, region=1):
    with lbj.open(tmp_path / "out" / f"region-{region:03d}" / "series.lbj") as journal:
        return [frame.array("HAADF").copy() for frame in journal]


def same(found, numbers):
    return len(found) == len(numbers) and all(np.array_equal(a, image(n)) for a, n in zip(found, numbers, strict=True))


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)


def taken(recorder):
    return recorder.state()["series"]["frames"]


def stopped(recorder):
    recorder.stop()
    assert recorder.wait(PATIENCE)
    return recorder.outcome["reason"] == "stopped"


def told(recorder):
    return " | ".join(event["text"] for event in recorder.events() if event["level"] == "warning")


def test_files_are_frames_in_the_order_of_their_numbers(watch, tmp_path):
    place, recorder = watch()
    for number in (10, 2, 1, 3, 9, 4, 5, 6, 8, 7):
        (place / f"scan_{number}.npz").write_bytes(packed(number))
    (place / ".hidden_11.npz").write_bytes(packed(11))
    (place / "scan_11.npz.part").write_bytes(b"begun")
    (place / "scan_1.png").write_bytes(b"a preview")
    (place / "notes.txt").write_text("12")
    outcome = recorder.acquire()
    assert (outcome["reason"], outcome["frames"], told(recorder)) == ("ended", 10, "")
    assert same(recorded(tmp_path), range(1, 11))
    with lbj.open(tmp_path / "out" / "region-001" / "series.lbj") as journal:
        assert journal[1].attributes["metadata"]["files"] == ["scan_2.npz"]


def test_a_file_is_taken_when_it_is_whole(watch, tmp_path, monkeypatch):
    place, recorder = watch(idle=None)
    data = packed(1)
    (place / "scan_0.npz").write_bytes(packed(0))
    recorder.acquire(wait=False)
    until(lambda: taken(recorder) == 1)
    now = time.monotonic()
    monkeypatch.setattr(arrivals, "time", SimpleNamespace(monotonic=lambda: now))
    for end in range(100, len(data), 100):  # a program that writes slowly, but faster than a file settles
        (place / "scan_1.npz").write_bytes(data[:end])
        time.sleep(0.01)
        now += 0.9 * SETTLE
    (place / "scan_1.npz").write_bytes(data)
    assert taken(recorder) == 1
    monkeypatch.undo()
    until(lambda: taken(recorder) == 2)
    assert stopped(recorder)
    assert same(recorded(tmp_path), [0, 1])


def test_a_file_that_stays_torn_is_told_and_left_out(watch, tmp_path):
    place, recorder = watch()
    for number in (0, 1, 2):
        (place / f"scan_{number}.npz").write_bytes(packed(number) if number != 1 else packed(1)[:200])
    assert recorder.acquire()["frames"] == 2
    assert "scan_1.npz: left out" in told(recorder)
    assert same(recorded(tmp_path), [0, 2])


def test_numbers_that_are_missing_come_late_or_never_are_told(watch, tmp_path):
    place, recorder = watch(idle=None)
    for number in (0, 1, 3):
        (place / f"scan_{number}.npz").write_bytes(packed(number))
    recorder.acquire(wait=False)
    until(lambda: taken(recorder) == 3)
    (place / "scan_2.npz").write_bytes(packed(2))
    until(lambda: taken(recorder) == 4)
    assert stopped(recorder)
    assert "no file came with the number between 1 and 3: 1 frame is missing" in told(recorder)
    assert "scan_2.npz came late" in told(recorder)
    assert same(recorded(tmp_path), [0, 1, 3, 2])


def test_a_partner_that_comes_after_the_first_image_was_taken_belongs_to_every_frame(watch, tmp_path):
    place, recorder = watch(idle=None)
    (place / "view_1.npz").write_bytes(packed(1))
    recorder.acquire(wait=False)
    until(lambda: taken(recorder) == 1)
    for number in (1, 2):
        (place / f"map_{number}.npz").write_bytes(packed(number + 10, name="BF"))
    (place / "view_2.npz").write_bytes(packed(2))
    assert recorder.wait(PATIENCE)
    assert recorder.outcome["reason"] == "changed"
    assert "map_1.npz" in told(recorder)
    assert "taken together from here on" in told(recorder)
    recorder.new_region()
    assert recorder.acquire(2)["frames"] == 2
    assert same(recorded(tmp_path, 2), [1, 2])
    with lbj.open(tmp_path / "out" / "region-002" / "series.lbj") as journal:
        assert np.array_equal(journal[1].array("BF"), image(12))


def test_files_that_are_replaced_or_deleted_are_told(watch, tmp_path, monkeypatch):
    place, recorder = watch(idle=None)
    for number in (0, 1):
        (place / f"scan_{number}.npz").write_bytes(packed(number))
    recorder.acquire(wait=False)
    until(lambda: taken(recorder) == 2)
    (place / "scan_0.npz").write_bytes(packed(70))
    until(lambda: "scan_0.npz: replaced after it was taken" in told(recorder))
    gone, seen, now = place / "scan_2.npz", [], time.monotonic()
    stamp = arrivals._stamp
    monkeypatch.setattr(arrivals, "time", SimpleNamespace(monotonic=lambda: now))  # it never settles
    monkeypatch.setattr(arrivals, "_stamp", lambda path: (seen.append(path), stamp(path))[1])
    gone.write_bytes(os.urandom(50))
    until(lambda: seen.count(gone) > 1)
    gone.unlink()
    monkeypatch.undo()
    until(lambda: "scan_2.npz: deleted before it was taken" in told(recorder))
    (place / "scan_3.npz").write_bytes(packed(3))
    until(lambda: taken(recorder) == 3)
    assert stopped(recorder)
    assert same(recorded(tmp_path), [0, 1, 3])


def test_images_and_spectra_of_one_number_are_one_frame(watch, tmp_path):
    place, recorder = watch()
    (place / "BF_5.npz").write_bytes(packed(5))
    for number in range(5):
        (place / f"HAADF_{number}.npz").write_bytes(packed(number))
        if number not in (2, 4):
            np.savez(place / f"SI_{number}.npz", EDX=np.full((*SHAPE, 5), number + 1, np.uint8))
    assert recorder.acquire()["frames"] == 3
    assert "HAADF_2.npz: left out: no 'SI_#.npz' came with it" in told(recorder)
    assert "HAADF_4.npz: not taken: no 'SI_#.npz' came with it" in told(recorder)
    assert "BF_5.npz: not taken: no 'HAADF_#.npz' came with it" in told(recorder)
    assert same(recorded(tmp_path), [0, 1, 3])
    with lbj.open(tmp_path / "out" / "region-001" / "series.lbj") as journal:
        assert [frame.events("EDX").total for frame in journal] == [210 * n for n in (1, 2, 4)]


def test_what_was_taken_is_not_taken_again(watch, tmp_path):
    place, recorder = watch()
    for number in range(3):
        (place / f"scan_{number}.npz").write_bytes(packed(number))
    recorder.acquire()
    recorder.close()
    (place / "scan_3.npz").write_bytes(packed(3))
    assert files_taken(tmp_path / "out") == {f"scan_{n}.npz" for n in range(3)}
    _, again = watch(taken=files_taken(tmp_path / "out"))
    assert again.acquire()["frames"] == 1
    assert same(recorded(tmp_path), range(4))


def test_energies_that_begin_elsewhere_are_shifted(watch, tmp_path):
    place, recorder = watch()
    axis = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 300.0, "scale": 0.5, "units": "eV"}]
    for number in range(3):
        axis[2]["offset"] = 300.0 + 2 * number
        signal = lbj.Signal("EELS", "spectra", (2, 3, 8), dtype="uint16", axes=axis)
        with lbj.create(place / f"si_{number}.lbj", [signal], sync=False) as writer:
            writer.append({"EELS": np.full((2, 3, 8), number + 1, np.uint16)})
    assert recorder.acquire()["frames"] == 3
    with lbj.open(tmp_path / "out" / "region-001" / "series.lbj") as journal:
        shifts = [(frame.energy_shift or {"EELS": 0.0})["EELS"] for frame in journal]
    assert shifts == [0.0, 2.0, 4.0]


def test_the_command_follows_into_a_new_region_where_the_files_change(tmp_path, capsys):
    place = tmp_path / "in"
    place.mkdir()
    for number in range(5):
        shape = SHAPE if number < 3 else (9, 8)
        (place / f"scan_{number}.npz").write_bytes(packed(number, shape))
    given = ["watch", str(place), "-o", str(tmp_path / "out"), "--settle", "0.05", "--idle", "1", "--no-browser"]
    assert main(given) == 0
    out = capsys.readouterr().out
    assert "region 2 is begun" in out
    assert [len(recorded(tmp_path, region)) for region in (1, 2)] == [3, 2]
    (place / "scan_5.npz").write_bytes(packed(5, (9, 8)))
    assert main(given) == 0
    assert [len(recorded(tmp_path, region)) for region in (1, 2)] == [3, 3]


def test_what_cannot_be_watched_is_said(tmp_path, capsys):
    assert main(["watch", str(tmp_path / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main(["watch", str(tmp_path), "--snr", "Ti"]) == 2
    assert "as Ti_Ka:10" in capsys.readouterr().err
    for option in ("--settle", "--idle"):
        for seconds in ("-1", "nan"):
            assert main(["watch", str(tmp_path), "-o", str(tmp_path / "s"), option, seconds]) == 2
            assert f"{option[2:]} takes seconds, not below zero" in capsys.readouterr().err


def test_it_is_stopped_while_it_waits_for_the_first_file(watch):
    _, recorder = watch(idle=None)
    recorder.acquire(wait=False)
    recorder.stop()
    assert recorder.wait(PATIENCE)
    assert recorder.outcome["reason"] == "stopped"
    assert recorder.state()["region"] is None

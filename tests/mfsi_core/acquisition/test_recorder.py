"""The recorder, with instruments that do what microscopes do: work, fail, hang, repeat, skip."""

import errno
import io
import json
import os
import signal
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import lbj
from lbj import Signal, UsageError
from mfsi_core.acquisition import Recorder, Settings, state
from mfsi_core.acquisition.session_folder import read_json
from mfsi_core.instruments import Abilities, Changed, Frame, Picture
from mfsi_core.instruments.simulated import Simulated

PIXEL = 1e-10
ELECTRON = 1.602176634e-19
SMALL = Settings(field="0.8nm", pixel=PIXEL, current="17pA", dwell="1ms", frames=3)
DOSE = 17e-12 * 1e-3 / ELECTRON  # e/Å2 of a frame of pixels of 1 Å


class Fake:
    """Instrument whose frame n is made by the n-th of its deeds, then by the last."""

    def __init__(self, *deeds, exposes=True):
        self.deeds, self.exposes = list(deeds), exposes
        self.asked, self.closed, self.blanked, self.serial = [], 0, 0, 0
        self.rng = np.random.default_rng(1)

    def abilities(self):
        return Abilities("Fake", ["HAADF"], survey=True, exposes=self.exposes, energy=True, blank=True)

    def survey(self):
        return Picture(np.arange(300, dtype=np.uint16).reshape(15, 20), 2 * PIXEL, (1e-9, 2e-9))

    def prepare(self, exposure, _stop):
        shape = exposure.pixels if exposure else (8, 8)
        pixel = exposure.pixel if exposure else PIXEL
        axes = [{"name": name, "scale": pixel, "units": "m"} for name in "yx"]
        return [Signal("HAADF", "image", shape, axes=axes)], {"beam_energy": 2e5}

    def acquire(self, request):
        deed = self.deeds[min(len(self.asked), len(self.deeds) - 1)] if self.deeds else None
        self.asked.append(request)
        return deed(self, request) if deed else self.frame()

    def frame(self, step=1, shape=(8, 8)):
        self.serial += step
        return Frame({"HAADF": self.rng.integers(1, 1000, shape).astype(np.uint16)}, {}, self.serial)

    def blank(self):
        self.blanked += 1

    def close(self):
        self.closed += 1


def fails(_fake, _request):
    raise RuntimeError("the shutter is stuck")


def recorder(path, fake, settings=SMALL, **more):
    return Recorder(path, fake, settings, analysis=False, **more)


def kinds(recorder):
    return [event["kind"] for event in recorder.events()]


def frames_in(path, region=1):
    with lbj.open(path / f"region-{region:03d}" / "series.lbj") as journal:
        for frame in journal:
            frame.array("HAADF")
        return len(journal)


def test_a_frame_is_durable_and_out_of_memory_before_the_next_is_asked_for(tmp_path):
    alive, seen = [], []

    def look(fake, request):
        if request.number:
            seen.append((frames_in(tmp_path), alive[-1]() is None))
        frame = fake.frame()
        alive.append(weakref.ref(frame.data["HAADF"]))
        return frame

    with recorder(tmp_path, Fake(look)) as one:
        outcome = one.acquire()
    assert seen == [(1, True), (2, True)]
    assert (outcome["reason"], outcome["frames"], outcome["failed"]) == ("frames", 3, False)


def test_acquire_again_extends_the_journal_and_regions_are_numbered(tmp_path):
    fake = Fake()
    with recorder(tmp_path, fake) as one:
        one.acquire()
        assert one.acquire(2)["total"] == 5
        assert one.new_region() == 2
        assert one.state()["next_region"] == 2
        assert one.acquire()["region"] == 2
        state = one.state()
        assert json.loads(json.dumps(state, allow_nan=False)) == state
        written = read_json(tmp_path / "state.json")
        assert {**written, "disk": state["disk"]} == state
        assert (state["regions"], state["next_region"], state["region"]["frames"]) == ([1, 2], None, 2)
        assert state["region"]["dose"] == pytest.approx(2 * DOSE)
    assert (frames_in(tmp_path, 1), frames_in(tmp_path, 2), fake.closed) == (5, 2, 1)
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        assert journal.complete
        assert [frame.region for frame in journal] == [1] * 5
        assert [frame.beam_current for frame in journal] == [17e-12] * 5
        offsets = [frame.time_offset for frame in journal]
        assert offsets == sorted(offsets)
        assert journal.metadata["acquisition"]["dwell"] == 1e-3
    with recorder(tmp_path, Fake()) as again:
        assert again.acquire()["total"] == 5
    assert [event["sequence"] for event in again.events()] == list(range(1, len(again.events()) + 1))


def test_the_papers_settings_give_its_numbers(tmp_path):
    with recorder(tmp_path, Fake()) as one:
        plan = one.change(current="17pA", pixel="0.555Å", field="11.1nm", dwell="1ms", frames=230)
        assert plan["pixels"] == [200, 200]
        assert plan["dose_per_frame"] == pytest.approx(3.44e5, rel=2e-3)
        assert plan["frame_time_s"] == pytest.approx(40)
        assert one.change(flyback="1ms", write_overhead="0.5s")["frame_time_with_overheads_s"] == pytest.approx(40.7)
        assert one.change(field="11.12nm")["pixels"] == [201, 201]  # the region grows
        assert one.change(max_dose=1e6)["frames_expected"] == 2
        assert one.change(max_dose=None, max_time="100s")["frames_by_time"] == 3
        assert "smaller than a pixel" in one.change(field="0.01nm")["error"]
        with pytest.raises(UsageError, match="smaller than a pixel"):
            one.acquire()
    assert not list(tmp_path.glob("region-*"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pixle": 1}, "no control 'pixle'"),
        ({"current": "17pm"}, "no unit of current"),
        ({"current": True}, "takes a number or text"),
        ({"dwell": -1.0}, "above zero"),
        ({"frames": 0}, "frames takes a whole number"),
        ({"frames": 2.5}, "frames takes a whole number"),
        ({"field": [1e-9, 1e-9, 1e-9]}, "one length or two"),
        ({"corner": [float("nan"), 0]}, "corner must be finite"),
        ({"energy_steps": ["1"]}, "list of numbers"),
        ({"compression": {"HAADF": 3}}, "compression of 'HAADF'"),
        ({"snr": {"Ti_Ka": None}}, "snr of Ti_Ka"),
        ({"snr": {"Ti_Qa": 5.0}}, "snr: there is no map 'Ti_Qa'; .* of Ti Ti_Ka, Ti_La, .*Ti_L3"),
        ({"snr": {"titanium": 5.0}}, "no map 'titanium'"),
        ({"snr": {"Ti_Ka": 5.0}, "elements": ["O"]}, "Ti_Ka will not be mapped, the elements are O"),
        ({"max_dose": 0}, "above zero"),
        ({"on_completion": ["rm -rf"]}, "begins with one of"),
        ({"elements": "Ti"}, "list of text"),
        ({"elements": ["Ti", "Xx"]}, "no X-ray lines are known for 'Xx'"),
        ({"dwell": "1e9 s"}, "dwell_time of 1e\\+09 s per pixel is impossible"),
        ({"current": "17 A"}, "beam_current of 17 A is impossible"),
    ],
)
def test_a_control_that_is_wrong_is_named_and_changes_nothing(tmp_path, changes, said):
    with recorder(tmp_path, Fake()) as one:
        before = one.state()["settings"]
        with pytest.raises(UsageError, match=said):
            one.change(**changes)
        assert one.state()["settings"] == before


def test_the_survey_and_the_region_on_it_are_kept_with_their_place(tmp_path):
    with recorder(tmp_path, Fake(), SMALL.changed({"corner": [1.8e-9, 3.0e-9]})) as one:
        picture = one.survey()
        assert np.array_equal(one.picture("survey"), picture.image)
        one.acquire(1)
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        assert np.array_equal(journal.static("Survey"), picture.image)
        outline = journal.static("Region")
        place = np.array(journal.signals["Survey"].to_field)
        assert journal.signals["Survey"].role == "survey"
        assert mfsi_reads(journal) == "HAADF"
    # survey pixels are 2 Å and begin at (1, 2) nm; the region is 0.8 nm and begins at (1.8, 3) nm: 4 x 4 pixels from (4, 5)
    assert {tuple(at) for at in np.argwhere(outline)} == {(y, x) for y in range(4, 8) for x in range(5, 9)}
    # the outer corner of survey pixel (4, 5) is that of the region's first pixel, and its middle between pixels 0 and 1
    assert np.allclose(place @ [4, 5, 1], [0.5, 0.5])
    assert np.allclose(place[:, :2], 2 * np.eye(2))
    with recorder(tmp_path, Fake()) as again:
        assert again.state()["survey"] == {"shape": [15, 20], "pixel": 2e-10, "corner": [1e-9, 2e-9]}


def test_a_region_off_the_survey_is_refused_when_it_is_set(tmp_path):
    with recorder(tmp_path, Fake()) as one:  # whose surveys show 3 x 4 nm from (1, 2) nm on
        one.change(corner="9nm")  # before there is one
        one.survey()
        with pytest.raises(UsageError, match=r"from \(3.6, 2\) to \(4.4, 2.8\) nm .* shows \(1, 2\) to \(4, 6\) nm"):
            one.change(corner="3.6nm, 2nm", field="0.8nm")
        one.change(corner="3.2nm, 5.2nm", field="0.8nm", frames=1)
        assert one.acquire()["frames"] == 1


def mfsi_reads(journal):
    from mfsi_core.series.selection import image_signal

    return image_signal(journal, None).name


def test_a_dose_is_never_exceeded(tmp_path):
    with recorder(tmp_path, Fake(), SMALL.changed({"max_dose": 2.5 * DOSE, "frames": 9})) as one:
        outcome = one.acquire()
        assert (outcome["reason"], outcome["frames"]) == ("dose", 2)
        again = one.acquire()  # the specimen has had it, and another series cannot take it back
        assert (again["reason"], again["frames"]) == ("dose", 0)


def test_it_ends_after_a_time_or_when_told(tmp_path):
    def slow(fake, _request):
        time.sleep(0.3)
        return fake.frame()

    with recorder(tmp_path, Fake(slow), SMALL.changed({"max_time": 0.5, "frames": 1000})) as one:
        outcome = one.acquire()
        assert outcome["reason"] == "time"
        assert 1 <= outcome["frames"] <= 2  # of 0.3 s at least
        one.change(max_time=None)
        one.acquire(wait=False)
        with pytest.raises(UsageError, match="stop first"):
            one.acquire()
        with pytest.raises(UsageError, match="stop first"):
            one.new_region()
        one.stop()
        assert one.wait(30)
        assert one.outcome["reason"] == "stopped"


@pytest.mark.parametrize("wrong", ["raises", "exits", "shape", "signal", "nothing", "attributes"])
def test_a_frame_that_cannot_be_costs_none_and_acquire_goes_on(tmp_path, wrong):
    deed = {
        "raises": fails,
        "exits": lambda *_: sys.exit(3),
        "shape": lambda fake, _: fake.frame(shape=(8, 9)),
        "signal": lambda fake, _: Frame({"DF4": fake.frame().data["HAADF"]}, {}, 99),
        "nothing": lambda *_: "no frame",
        "attributes": lambda fake, _: fake.frame()._replace(attributes={"dwell_time": "long"}),
    }[wrong]
    with recorder(tmp_path, Fake(None, deed, None), SMALL) as one:
        outcome = one.acquire()
        assert (outcome["reason"], outcome["failed"], outcome["total"]) == ("failed", True, 1)
        assert one.state()["phase"] == "failed"
        assert one.events()[-1]["level"] == "error"
        assert one.events()[-1]["text"] == outcome["text"]
        assert frames_in(tmp_path) == 1
        assert one.acquire()["total"] == 4
        assert one.state()["phase"] == "idle"
    assert frames_in(tmp_path) == 4


def test_an_instrument_that_does_not_answer_is_given_up(tmp_path):
    free = threading.Event()

    def hangs(fake, _request):
        free.wait(30)
        return fake.frame()

    with recorder(tmp_path, Fake(None, hangs, None), SMALL.changed({"time_out": 1.0})) as one:
        outcome = one.acquire()
        assert "did not answer within 1 s" in outcome["text"]
        assert (outcome["failed"], outcome["total"]) == (True, 1)
        assert "has not come back" in one.acquire()["text"]
        free.set()
        while "has not come back" in one.acquire()["text"]:
            time.sleep(0.01)
        assert frames_in(tmp_path) == 4
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        # the frame that came too late, the instrument's second, is thrown away
        assert [frame.attributes["metadata"]["serial"] for frame in journal] == [1, 3, 4, 5]


def test_repeated_frames_are_stored_once_and_skipped_ones_told(tmp_path):
    def again(fake, _request):
        return fake.frame(step=0)

    with recorder(tmp_path, Fake(None, again, lambda fake, _: fake.frame(step=3), None), SMALL) as one:
        assert one.acquire()["total"] == 3
        told = {event["kind"]: event["text"] for event in one.events()}
        assert "its frame 1 again" in told["repeated"]
        assert "left out 2 frames before its frame 4" in told["skipped"]
    with recorder(tmp_path, Fake(None, again), SMALL) as one:
        outcome = one.acquire()
        assert outcome["failed"]
        assert "5 times one after the other" in outcome["text"]


def test_data_that_come_again_without_a_number_are_noticed_unless_they_are_blank(tmp_path):
    data = {"HAADF": np.arange(64, dtype=np.uint16).reshape(8, 8)}
    blank = {"HAADF": np.zeros((8, 8), np.uint16)}
    deeds = [lambda *_, d=d: Frame(dict(d), {}) for d in (data, data, blank, blank)]
    with recorder(tmp_path, Fake(*deeds), SMALL) as one:
        assert one.acquire()["total"] == 3
        assert kinds(one).count("repeated") == 1


def test_a_full_disk_costs_the_frame_at_most(tmp_path, monkeypatch):
    with recorder(tmp_path, Fake(), SMALL) as one:
        one.acquire(2)
        full = os.fsync

        def refuse(number):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", refuse)
        outcome = one.acquire()
        assert outcome["failed"]
        assert "No space left" in outcome["text"]
        monkeypatch.setattr(os, "fsync", full)
        assert frames_in(tmp_path) == 2
        assert one.acquire(1)["total"] == 3
    assert frames_in(tmp_path) == 3


def test_other_pixels_need_a_new_region(tmp_path):
    with recorder(tmp_path, Fake()) as one:
        one.acquire()
        for changes in ({"field": "0.9nm"}, {"pixel": 2e-10, "field": "1.6nm"}):
            one.change(**changes)
            outcome = one.acquire()
            assert outcome["failed"]
            assert "begin a new region" in outcome["text"]
        one.new_region()
        assert one.acquire(1)["region"] == 2
    assert frames_in(tmp_path) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"snr": {"Fe_Ka": 5.0}}, "Fe_Ka will not be mapped, the elements are Ca, Ti, O"),
        ({"snr": {"Ti_L3": 5.0}}, "maps are named of X-rays by lines"),
        ({"snr": {"Ti_Ka": 5.0}, "signals": ["EELS"]}, "maps are named of losses by edges"),
        ({"snr": {"Ti_Ka": 5.0}, "signals": ["HAADF"]}, "no spectra are recorded"),
    ],
)
def test_a_map_that_will_not_be_made_is_refused_before_anything_is_exposed(tmp_path, changes, said):
    with Recorder(tmp_path, Simulated(), Settings(field="1nm", corner="3nm", **changes), analysis=False) as one:
        outcome = one.acquire(1)
    assert (outcome["reason"], outcome["frames"]) == ("failed", 0)
    assert said in outcome["text"]
    assert not list(tmp_path.glob("region-*"))


def test_an_instrument_that_ends_or_changes_says_so(tmp_path):
    def change(_fake, _request):
        raise Changed("the next files are larger")

    with recorder(tmp_path, Fake(None, lambda *_: None, change, exposes=False), SMALL) as one:
        assert one.acquire()["reason"] == "ended"
        outcome = one.acquire()
        assert (outcome["reason"], outcome["text"]) == ("changed", "the next files are larger")
        assert one.state()["plan"] == {"error": "the exposure is set in the microscope's own program"}


def test_what_is_to_be_done_at_the_end_is_done(tmp_path):
    called, fake = [], Fake(None, None, None, fails)
    out = tmp_path / "told.json"
    settings = SMALL.changed(
        {
            "on_completion": ["blank", "command: false", f"command: tee {out}", "python: json:loads"],
            "on_failure": ["blank"],
        }
    )
    with recorder(
        tmp_path / "s",
        fake,
        settings,
        completed=[lambda *given: called.append(given)],
        failed=[lambda _, outcome: called.append(outcome)],
    ) as one:
        outcome = one.acquire()
        assert json.loads(out.read_text()) == outcome
        assert called == [(fake, outcome)]
        assert fake.blanked == 1
        ends = [event for event in one.events() if event["kind"] == "completion"]
        assert [event["level"] for event in ends] == ["info", "error", "info", "error", "info"]
        assert one.acquire()["failed"]
        assert fake.blanked == 2
        assert called[-1]["text"] == "RuntimeError: the shutter is stuck"


def test_signals_are_stored_compressed_or_not(tmp_path):
    with recorder(tmp_path, Fake(), SMALL.changed({"compression": {"HAADF": False}})) as one:
        one.acquire()
        one.change(compression={"EDX": True})
        one.new_region()
        assert "compression names 'EDX'; recorded are HAADF" in one.acquire()["text"]
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        assert journal.signals["HAADF"].coding == "raw"
        assert journal.totals("HAADF")[1] > 3 * 8 * 8 * 2


def test_one_recorder_works_in_a_folder(tmp_path):
    with recorder(tmp_path, Fake()), pytest.raises(UsageError, match="another recorder works"):
        recorder(tmp_path, Fake())
    one = recorder(tmp_path, Fake())
    one.close()
    one.close()
    with pytest.raises(UsageError, match="closed"):
        one.acquire()


def test_torn_lines_and_states_do_not_keep_a_session_from_going_on(tmp_path):
    with recorder(tmp_path, Fake()) as one:
        one.acquire()
        number = one.events()[-1]["sequence"]
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"sequence": 99, "te')
    (tmp_path / "state.json").write_text('{"phase": "recording", "settings": {"frames": "many"}}')
    with Recorder(tmp_path, Fake(), analysis=False) as again:
        assert again.settings == Settings()
        news = again.events(number)
        assert "holds 3 frames, all whole" in " ".join(event["text"] for event in news)
        assert [event["sequence"] for event in news] == list(range(number + 1, number + 1 + len(news)))
    with recorder(tmp_path, Fake()) as third:
        assert third.acquire()["total"] == 6
        assert len(third.events()) == third.state()["sequence"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"on_completion": ["command: no-such-program x"]}, "not found: no-such-program"),
        ({"on_failure": ["command: "]}, "it is empty"),
        ({"on_completion": ["command: 'x"]}, "cannot be taken apart"),
        ({"on_completion": ["python: no.such:thing"]}, "cannot be imported"),
        ({"on_completion": ["python: os:sep"]}, "is no function"),
        ({"on_completion": ["blank"]}, "does not blank"),
        ({"energy_steps": [1.0]}, "does not step the energy"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_exposed(tmp_path, changes, said):
    class Poor(Fake):
        def abilities(self):
            return Abilities("Poor")

    fake = Poor()
    with recorder(tmp_path, fake, SMALL.changed(changes)) as one:
        with pytest.raises(UsageError, match=said):
            one.acquire()
        assert (one.state()["phase"], fake.asked) == ("idle", [])
        one.change(on_completion=[], on_failure=[], energy_steps=[], signals=["HAADF", "DF4"])
        assert "does not record DF4; it records HAADF" in one.acquire()["text"]
    with recorder(tmp_path / "told", Fake(), SMALL.changed({"signals": ["DF4"]})) as one:
        with pytest.raises(UsageError, match="Fake does not record DF4; it records HAADF"):
            one.acquire()
        one.change(signals=[], image="BF")
        with pytest.raises(UsageError, match="no 'BF' to align by; what is recorded is HAADF"):
            one.acquire()
        one.change(image="", time_out="1e12 s")  # longer than a computer can wait
        assert one.acquire()["reason"] == "frames"
        assert one.wait(1e30)


def test_a_series_is_made_longer_or_shorter_while_it_runs(tmp_path):
    held = []

    def longer(fake, request):
        if request.number == 2:
            held[0].change(frames=5)
        if request.number == 3:
            held[0].change(max_dose=4.5 * DOSE, dwell=2e-3)  # the dwell time is that of the next series
        return fake.frame()

    with recorder(tmp_path, Fake(longer)) as one:
        held.append(one)
        outcome = one.acquire()
        assert (outcome["reason"], outcome["frames"]) == ("dose", 4)
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        assert {frame.dwell_time for frame in journal} == {1e-3}


@pytest.mark.parametrize(
    "picture",
    [None, Picture(np.zeros(4), 1e-9), Picture(np.zeros((4, 4)), -1.0), Picture(np.zeros((4, 4), bool), 1e-9)],
)
def test_a_survey_that_is_no_picture_is_refused_and_costs_nothing(tmp_path, picture):
    fake = Fake()
    fake.survey = lambda: picture
    with recorder(tmp_path, fake) as one:
        with pytest.raises(UsageError, match="the survey must be"):
            one.survey()
        assert (one.state()["phase"], one.state()["survey"], one.events()[-1]["level"]) == ("idle", None, "error")
        assert one.acquire()["frames"] == 3


def test_while_a_survey_is_taken_the_state_is_told(tmp_path):
    fake, begun, free = Fake(), threading.Event(), threading.Event()
    picture = fake.survey()

    def survey():
        begun.set()
        free.wait(30)
        return picture

    fake.survey = survey
    with recorder(tmp_path, fake) as one:
        thread = threading.Thread(target=one.survey)
        thread.start()
        assert begun.wait(30)
        assert one.state()["phase"] == "surveying"
        with pytest.raises(UsageError, match="a survey is being taken"):
            one.acquire()
        free.set()
        thread.join()
        assert one.acquire()["frames"] == 3


def test_frames_that_do_not_tell_their_dose_are_noted_where_it_is_limited(tmp_path):
    with recorder(tmp_path, Fake(exposes=False), SMALL.changed({"max_dose": 1.0})) as one:
        assert one.acquire()["reason"] == "frames"
        assert "no limit to it kept" in " ".join(e["text"] for e in one.events() if e["level"] == "warning")
        assert one.state()["region"]["dose"] is None


def test_events_that_a_full_disk_lost_keep_their_numbers(tmp_path):
    with recorder(tmp_path, Fake()) as one:
        one.acquire()
        last = one.state()["sequence"]
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    (tmp_path / "events.jsonl").write_text("\n".join(lines[:2]) + "\n")
    with recorder(tmp_path, Fake()) as again:
        assert again.events(last)[0]["kind"] == "opened"


def test_a_first_frame_that_fails_has_its_region_all_the_same(tmp_path):
    with recorder(tmp_path, Fake(fails, None)) as one:
        outcome = one.acquire()
        assert (outcome["failed"], outcome["region"], outcome["total"]) == (True, 1, 0)
        assert one.history() == []
        assert one.acquire()["region"] == 1


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs the signals of POSIX")
def test_ctrl_c_while_one_waits_does_not_make_it_look_at_rest(tmp_path):
    asked, go_on = threading.Event(), threading.Event()

    def slow(fake, _request):
        asked.set()
        assert go_on.wait(30)
        return fake.frame()

    def interrupt():
        asked.wait(30)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with recorder(tmp_path, Fake(slow)) as one:
            one.acquire(wait=False)
            threading.Thread(target=interrupt).start()
            with pytest.raises(KeyboardInterrupt):
                one.wait()
            assert not one.wait(0.01)
            with pytest.raises(UsageError, match="stop first"):
                one.new_region()
            one.stop()
            go_on.set()
            assert one.wait(30)
            assert (one.outcome["reason"], one.outcome["total"]) == ("stopped", 1)
    finally:
        go_on.set()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("line", [120, 40000])
def test_the_history_is_read_from_its_end(tmp_path, monkeypatch, line):
    """Each question reads no more of the file than the lines asked for and some dozens before them."""
    lines = [json.dumps({"frame": n, "more": "x" * line}) for n in range(60_000 // line * 10 + 3)]
    lines.insert(2, '{"frame": 1, "mo')  # torn
    path = tmp_path / "region-001" / "live" / "history.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")
    read = []

    class Counting(io.FileIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    monkeypatch.setattr(type(path), "open", lambda path, mode: Counting(path, "rb"))
    count = len(lines) - 1
    for since in (0, 1, 3, count - 1, count, count + 5):
        assert [item["frame"] for item in state.history(tmp_path, 1, since)] == list(range(since, count))
    read.clear()
    state.history(tmp_path, 1, count)
    assert sum(read) <= max(2**14, 20 * line)
    assert state.history(tmp_path, 2, 0) == []


@pytest.mark.parametrize("signals", [["EDX", "HAADF"], ["EELS", "HAADF"], ["EELS"]])
@pytest.mark.parametrize("compressed", [True, False])
def test_the_size_told_before_anything_is_exposed_is_that_of_the_journal(tmp_path, signals, compressed):
    settings = Settings(
        field="1.6nm", corner="3nm", pixel="0.1nm", frames=4, signals=signals,
        compression=dict.fromkeys(signals, compressed),
    )  # fmt: skip
    with Recorder(tmp_path, Simulated(dead_time=0), settings, analysis=False) as one:
        told = one.plan()["file_bytes"]
        one.acquire()
        again = one.plan()["file_bytes"]
    size = (tmp_path / "region-001" / "series.lbj").stat().st_size
    assert size / 1.5 < told < 1.5 * size
    assert again == pytest.approx(size, rel=0.1)


def test_the_size_of_signals_that_nothing_is_known_of_is_told_from_the_first_frame_on(tmp_path):
    with recorder(tmp_path, Fake()) as one:
        assert one.plan()["file_bytes"] is None
        assert one.state()["disk"]["frames_left"] is None
        one.acquire()
        size = (tmp_path / "region-001" / "series.lbj").stat().st_size
        assert one.plan()["file_bytes"] == pytest.approx(size, rel=0.3)

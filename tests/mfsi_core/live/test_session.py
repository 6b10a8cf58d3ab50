"""`Session`: frames pushed while the microscope runs; its status, maps and notes against simulated truth."""

import json
import math

import numpy as np
import pytest

import lbj
import mfsi_core
from lbj import Events, Signal, UsageError
from mfsi_core import simulate
from mfsi_core.live import mapping, status
from mfsi_core.live import tracking as following
from mfsi_core.live.session import Session
from mfsi_core.pipeline.align import register_journal, with_spectra
from mfsi_core.pipeline.maps import add_element_maps

SERIES = simulate((28, 32), 8, 512, 1, counts=2e4, image_counts=100, drift=(0.4, -0.2))
PATH = SERIES.displacement.mean(axis=(2, 3))
ENERGY = {"name": "energy", "offset": 5.0, "scale": 10.0, "units": "eV"}


def filled(path, frames=5, change=lambda n, data: data, **wanted):
    """Session of the simulated series; `change` has the last word on a frame's data."""
    session = Session(path, SERIES.signals, SERIES.metadata, **wanted)
    for n in range(frames):
        data, attributes = SERIES.frame(n)
        session.push(change(n, data), **attributes)
    return session


def plane(shape, **more):
    return [{"name": name, "size": size, **more} for name, size in zip("yx", shape, strict=True)]


def checked(session):
    """Status, which must survive JSON."""
    found = session.status()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_every_frame_is_in_the_journal_when_push_returns(tmp_path):
    path = tmp_path / "a.lbj"
    with Session(path, SERIES.signals, SERIES.metadata) as session, lbj.open(path) as reader:
        for n in range(3):
            data, attributes = SERIES.frame(n)
            assert session.push(data, **attributes) == n
            assert reader.refresh() == 1
            assert reader[n].events("EDX") == data["EDX"]
            assert np.array_equal(reader[n].array("HAADF"), data["HAADF"])
            assert reader[n].beam_current == attributes["beam_current"]
            assert checked(session)["journal_bytes"] == path.stat().st_size
        assert len(session) == len(session.journal) == 3
    with lbj.open(path) as journal:
        assert journal.complete
        assert journal.metadata == SERIES.metadata


def test_status_tells_the_true_drift_dose_and_counts(tmp_path):
    counts = 0
    with Session(tmp_path / "a.lbj", SERIES.signals, SERIES.metadata) as session:
        for n in range(8):
            data, attributes = SERIES.frame(n)
            counts += data["EDX"].total
            session.push(data, **attributes)
            if n in (2, 3, 5, 6):
                continue
            found = checked(session)
            assert (found["frames"], found["counts"]) == (n + 1, counts)
            assert (found["left_out"], found["flagged"]) == ([], [])
            if n:
                drift = found["drift"]
                assert drift["frame"] == n
                assert np.allclose(drift["shift_px"], PATH[n] - PATH[0], atol=0.1)
                true_rate = [np.polynomial.polynomial.Polynomial.fit(range(n + 1), PATH[: n + 1, i], 1) for i in (0, 1)]
                assert np.allclose(drift["rate_px"], [line.convert().coef[1] for line in true_rate], atol=0.1)
                nanometres = 3.9e-10 / 9 * 1e9
                for name in ("shift", "rate"):
                    assert np.allclose(drift[f"{name}_nm"], np.multiply(drift[f"{name}_px"], nanometres))
                assert 0 < found["predicted_error_px"] < 0.2
            else:
                assert (found["drift"], found["predicted_error_px"]) == (None, None)
    frame = 17e-12 * 1e-4 / 1.602176634e-19 / (3.9 / 9) ** 2
    assert found["dose_per_frame"] == pytest.approx(frame)
    assert found["total_dose"] == pytest.approx(8 * frame)


@pytest.mark.parametrize("without", [(), (0, 3, 5)], ids=["all", "some without spectra"])
def test_the_maps_are_those_of_a_run(tmp_path, without):
    def some(n, data):
        return {"HAADF": data["HAADF"]} if n in without else data

    path = tmp_path / "a.lbj"
    with filled(path, 6, some) as session:
        found, maps = checked(session), session.maps
    assert [(one["frame"], one["reason"]) for one in found["flagged"]] == [(n, "no spectra") for n in without]
    with lbj.open(path) as journal:
        view, results = register_journal(journal, [str(path)], quiet=True)
        with with_spectra(view, results) as holding:
            add_element_maps(holding, results, None, quiet=True)
    assert set(found["maps"]) == set(maps) == {"Ca_Ka", "Ti_Ka", "O_Ka"}
    for name, ratio in found["maps"].items():
        assert ratio == pytest.approx(results.snr[f"map-{name}"], rel=1e-6)
        assert np.allclose(maps[name].values, results.maps[f"map-{name}"].values, atol=1e-3)
    assert found["predicted_error_px"] == pytest.approx(results.registration.predicted_error, rel=1e-3)


def test_elements_are_those_asked_for(tmp_path):
    """And the oxygen of the specimen, which nobody named, where it shows beside Ti L."""
    with filled(tmp_path / "a.lbj", 2, elements=["Ti"]) as session:
        assert set(checked(session)["maps"]) == {"Ti_Ka", "0.52keV"}


def test_windows_hold_the_counts_put_into_them(tmp_path):
    signal = Signal("X", "events", (2, 3, 100), axes=[*plane((2, 3)), ENERGY])
    rng = np.random.default_rng(0)
    windows = {"A": {"window": [200, 300]}, "B": {"window": (600, 700), "background": ((400, 450), (800, 850))}}
    total = np.zeros((2, 3, 100), int)
    with Session(tmp_path / "a.lbj", [signal], {"elements": ["C"]}, windows=windows) as session:
        for _ in range(3):
            cube = np.zeros((2, 3, 100), np.uint32)
            cube[:, :, 20:30], cube[:, :, 60:70] = rng.integers(0, 9, (2, 2, 3, 10))
            cube[:, :, 40:45] = 1
            total += cube
            session.push({"X": cube})
        maps = session.maps
        assert set(checked(session)["maps"]) == {"A", "B"}
    assert np.array_equal(maps["A"].values, total[:, :, 20:30].sum(axis=2))
    # 3 frames of 1 count a channel below and none above: the line falls from 3 at 425 eV to 0 at 825 eV
    under = sum(3 * (825 - (605 + 10 * i)) / 400 for i in range(10))
    assert np.allclose(maps["B"].values, total[:, :, 60:70].sum(axis=2) - under)


def test_edges_are_mapped_above_their_power_law(tmp_path):
    axis = {"name": "energy", "offset": 300.0, "scale": 1.0, "units": "eV"}
    signals = [Signal("EELS", "spectra", (3, 4, 300), axes=[*plane((3, 4)), axis]), Signal("HAADF", "image", (3, 4))]
    blank = np.zeros((3, 4), np.uint16)
    energy = 300.0 + np.arange(300)
    height = np.arange(12.0).reshape(3, 4, 1)
    rng = np.random.default_rng(5)
    first, second = rng.poisson(1e4 * (energy / 300) ** -3 + 20 * height * (energy >= 456), (2, 3, 4, 300))
    windows = {"edge": {"window": (460, 500), "fit_window": (380, 450)}}
    with Session(tmp_path / "a.lbj", signals, windows=windows) as session:
        session.push({"EELS": first.astype(np.float32), "HAADF": blank})
        session.push({"EELS": second.astype(np.float32), "HAADF": blank})
        found = session.maps["edge"]
        assert (np.abs(found.values - 2 * 40 * 20 * height[..., 0]) < 5 * np.sqrt(found.variance)).all()
        assert checked(session)["counts"] is None
        assert checked(session)["maps"]["edge"] > 3
        assert any("summed as they are" in note for note in checked(session)["notes"])
    with Session(tmp_path / "b.lbj", signals, elements=["Ti"]) as session:
        session.push({"EELS": first.astype(np.float32)})
        assert checked(session)["maps"] == {"Ti_L3": None}


def test_without_an_image_the_counts_are_registered(tmp_path):
    strong = simulate((32, 32), 4, 128, 2, counts=1e6, drift=(0.7, 0.3))
    true = strong.displacement.mean(axis=(2, 3))
    with Session(tmp_path / "a.lbj", strong.signals[:1], strong.metadata) as session:
        for events in strong.events:
            session.push({"EDX": events})
        found = checked(session)
    assert np.allclose(found["drift"]["shift_px"], true[-1] - true[0], atol=0.1)
    assert (found["dose_per_frame"], found["total_dose"]) == (None, None)


def test_a_finer_image_guides_the_spectra(tmp_path):
    fine = Signal("HAADF", "image", (28, 32), axes=SERIES.signals[1].axes, to_field=[[0.5, 0, -0.25], [0, 0.5, -0.25]])
    coarse = Signal("EDX", "events", (14, 16, 512), axes=[*plane((14, 16)), SERIES.signals[0].axes[2]])
    with Session(tmp_path / "a.lbj", [coarse, fine], SERIES.metadata) as session:
        for n in range(4):
            data, _ = SERIES.frame(n)
            cube = data["EDX"].dense().reshape(14, 2, 16, 2, 512).sum(axis=(1, 3))
            session.push({"EDX": cube, "HAADF": data["HAADF"]})
        found = checked(session)
    assert np.allclose(found["drift"]["shift_px"], PATH[3] - PATH[0], atol=0.1)
    assert set(found["maps"]) == {"Ca_Ka", "Ti_Ka", "O_Ka"}
    assert found["notes"] == []


def broken(n, data):
    image = data["HAADF"].astype(np.float32)
    if n == 1:
        image[:] = 7
    if n == 2:
        image[3, 4] = np.nan
    if n == 3:
        image[:5] = 4095
    if n == 4:
        return {"EDX": data["EDX"]}
    return {"HAADF": image} if n == 5 else {"EDX": data["EDX"], "HAADF": image}


def test_bad_frames_are_kept_and_flagged(tmp_path):
    path, signals = tmp_path / "a.lbj", [SERIES.signals[0], Signal("HAADF", "image", (28, 32), dtype="float32")]
    with Session(path, signals, SERIES.metadata) as session:
        for n in range(8):
            session.push(broken(n, SERIES.frame(n)[0]))
        found = checked(session)
    reasons = {1: "blank", 2: "not finite", 3: "saturated", 4: "no image", 5: "no spectra"}
    assert {item["frame"]: item["reason"] for item in found["flagged"]} == reasons
    assert {1, 4} <= set(found["left_out"]) <= {1, 3, 4}  # the missing pixel of frame 2 leaves the rest
    assert found["drift"]["frame"] == 7
    assert np.allclose(found["drift"]["shift_px"], PATH[7] - PATH[0], atol=0.1)
    assert all(ratio > 3 for ratio in found["maps"].values())
    with lbj.open(path) as journal:
        assert len(journal) == 8
        assert np.isnan(journal[2].array("HAADF")[3, 4])


def test_an_ordinary_image_is_not_saturated(tmp_path):
    def bright(n, data):
        image = data["HAADF"].copy()
        image[0, 0] = 4095  # one hot pixel
        return {**data, "HAADF": image}

    with filled(tmp_path / "a.lbj", 2, bright) as session:
        assert checked(session)["flagged"] == []


def test_a_frame_that_does_not_fit_is_refused_and_the_next_one_taken(tmp_path):
    with filled(tmp_path / "a.lbj", 2) as session:
        data, _ = SERIES.frame(2)
        for wrong in ({"HAADF": data["HAADF"][1:]}, {"BF": data["HAADF"]}, {"EDX": data["HAADF"]}):
            with pytest.raises(UsageError):
                session.push(wrong)
        with pytest.raises(UsageError, match="live_tme"):
            session.push(data, live_tme=1.0)
        assert session.push(data) == 2
        found = checked(session)
    assert (found["frames"], found["flagged"]) == (3, [])
    assert found["total_dose"] is None
    assert any("1 of 3 frames" in note and "dose" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"elements": ["Xx"]}, "Xx"),
        ({"image": "BF"}, "BF"),
        ({"image": "EDX"}, "no image"),
        ({"signal": "HAADF"}, "is an image"),
        ({"windows": {"Ti": {"window": (4000, 1e6)}}}, "'Ti'.*leaves the axis"),
        ({"windows": {"Ti": {"window": (4600, 4500)}}}, "'Ti'.*low to high"),
        ({"windows": {"Ti": {"window": 4500}}}, "'Ti'.*pair"),
        ({"windows": {"Ti": {"window": ("4500", 4600)}}}, "'Ti'.*number"),
        ({"windows": {"Ti": {"window": (4500, 4600), "background": 3}}}, "'Ti'.*two pairs"),
        ({"windows": {"Ti": {"window": (4500, 4600), "background": ((4500, 4550), (4700, 4750))}}}, "'Ti'.*overlap"),
        ({"windows": {"Ti": {"window": (500, 600), "fit_window": (450, 550)}}}, "'Ti'.*overlap"),
        ({"windows": {"Ti": {"band": (4500, 4600)}}}, "'Ti'.*'window'"),
        ({"signals": [*SERIES.signals, SERIES.signals[0]]}, "two signals"),
        ({"signals": SERIES.signals[1:], "windows": {"Ti": {"window": (1, 2)}}}, "no signal holds"),
        ({"signals": [Signal("HAADF", "image", (2, 3, 4))], "image": "HAADF"}, "rows and columns"),
        ({"signals": None}, "no journal"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(tmp_path, wanted, said):
    path = tmp_path / "a.lbj"
    with pytest.raises(UsageError, match=said):
        Session(path, **{"signals": SERIES.signals, **wanted})
    assert not path.exists()


def test_an_existing_journal_is_continued_and_never_overwritten(tmp_path):
    path = tmp_path / "a.lbj"
    with filled(path, 3) as session:
        before = checked(session)
    size = path.stat().st_size
    with pytest.raises(UsageError, match="exists"):
        Session(path, SERIES.signals)
    with pytest.raises(UsageError, match="amend"):
        Session(path, metadata={"title": "other"})
    with pytest.raises(UsageError, match="Xx"):
        Session(path, elements=["Xx"])
    assert path.stat().st_size == size
    with Session(path) as session:
        assert {**checked(session), "journal_bytes": 0} == {**before, "journal_bytes": 0}
        with pytest.raises(UsageError, match="another process"):
            Session(path)
        data, attributes = SERIES.frame(3)
        assert session.push(data, **attributes) == 3
        found = checked(session)
    assert found["frames"] == 4
    assert np.allclose(found["drift"]["shift_px"], PATH[3] - PATH[0], atol=0.1)


def test_a_closed_session_says_so(tmp_path):
    session = filled(tmp_path / "a.lbj", 1)
    session.close()
    session.close()
    for call in (lambda: session.push({}), session.status, lambda: session.maps, lambda: session.registration):
        with pytest.raises(UsageError, match="closed"):
            call()


def test_an_error_leaves_the_session_closed_and_the_frames_safe(tmp_path):
    with pytest.raises(KeyError), filled(tmp_path / "a.lbj", 2):
        raise KeyError
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert (len(journal), journal.complete) == (2, True)


def failing(*_, **__):
    raise MemoryError("no room")


def failing_at(call, number):
    """`call` that fails from the given call on."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        return failing() if len(calls) > number else call(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (following.IncrementalRegistration, "push"),
        (following.IncrementalRegistration, "registration"),
        (following, "reference_image"),
        (following, "pixel_size"),
        (mapping, "add_element_maps"),
        (lbj.Frame, "array"),
        (lbj.Frame, "events"),
        (lbj.Journal, "refresh"),
    ],
)
def test_no_frame_is_lost_when_the_analysis_fails(tmp_path, monkeypatch, where, name):
    path = tmp_path / "a.lbj"
    with filled(path, 2) as session:
        broken = property(failing) if name == "registration" else failing
        monkeypatch.setattr(where, name, broken)
        for n in range(2, 5):
            data, attributes = SERIES.frame(n)
            assert session.push(data, **attributes) == n
        found = checked(session)
        assert found["frames"] == 5
        assert any("MemoryError: no room" in note for note in found["notes"])
        monkeypatch.undo()
    with lbj.open(path) as journal:
        assert len(journal) == 5
        assert journal[4].events("EDX") == SERIES.frame(4)[0]["EDX"]


def test_a_window_that_fails_does_not_take_the_others_along(tmp_path, monkeypatch):
    monkeypatch.setattr(mapping, "line_map", failing_at(mapping.line_map, 2))  # the two halves of the first window
    windows = {"A": {"window": (3500, 3800)}, "B": {"window": (4400, 4600)}}
    with filled(tmp_path / "a.lbj", 2, elements=["O"], windows=windows) as session:
        found = checked(session)
    assert set(found["maps"]) == {"O_Ka", "A"}
    assert any("B" in note and "no room" in note for note in found["notes"])


@pytest.mark.parametrize("components", [1, 2])
def test_components_are_those_that_are_there(tmp_path, components):
    rng, channel = np.random.default_rng(4), np.arange(64)
    spectra = [np.exp(-(((channel - at) / 3.0) ** 2)) for at in (20, 40)]
    rate = np.zeros((12, 16, 64))
    rate[:, :8], rate[:, 8:] = spectra[0], spectra[components - 1]
    with Session(
        tmp_path / "a.lbj", [Signal("EDX", "events", rate.shape), Signal("HAADF", "image", (12, 16))]
    ) as session:
        for n in range(4):
            data = {"HAADF": np.zeros((12, 16), np.uint16)}
            session.push(data if n == 2 else {**data, "EDX": rng.poisson(rate)})
        assert checked(session)["components"] == components


def test_frames_of_several_areas_drift_apart(tmp_path):
    with Session(tmp_path / "a.lbj", SERIES.signals, SERIES.metadata) as session:
        for n in range(6):
            session.push(SERIES.frame(n)[0], region=n // 3)
        found = checked(session)
    assert np.allclose(found["drift"]["shift_px"], PATH[5] - PATH[3], atol=0.1)
    assert any("2 areas" in note for note in found["notes"])


@pytest.mark.parametrize(
    "signals",
    [
        [Signal("EDX", "events", (1, 1, 1))],
        [Signal("EDX", "events", (1, 5, 7)), Signal("HAADF", "image", (1, 5))],
        [Signal("HAADF", "image", (3, 2))],
        [Signal("EELS", "spectra", (5, 40))],
        [Signal("survey", "image", (3, 3), role="survey")],
    ],
)
def test_tiny_and_odd_series_have_a_status(tmp_path, signals):
    with Session(tmp_path / "a.lbj", signals) as session:
        assert checked(session)["frames"] == 0
        for n in range(3):
            session.push({one.name: np.full(one.shape, n, one.dtype) for one in signals if not one.static})
            found = checked(session)
            assert (found["frames"], found["total_dose"]) == (n + 1, None)
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 3


def test_the_status_is_computed_once_for_every_push_and_belongs_to_the_caller(tmp_path, monkeypatch):
    calls = []

    def counted(*args):
        calls.append(args)
        return mapping.map_frames(*args)

    monkeypatch.setattr(status, "map_frames", counted)
    with filled(tmp_path / "a.lbj", 3) as session:
        assert not calls
        session.status()["maps"].clear()
        assert set(session.status()["maps"]) == {"Ca_Ka", "Ti_Ka", "O_Ka"}
        assert math.isfinite(session.maps["Ti_Ka"].values.sum())
        assert len(calls) == 1
        session.push(SERIES.frame(3)[0])
        assert session.status()["frames"] == 4
        assert len(calls) == 2


def test_the_registration_can_be_used_further(tmp_path):
    with filled(tmp_path / "a.lbj", 3) as session:
        cube = mfsi_core.accumulate(session.journal, session.registration)
        assert cube.shape == (28, 32, 512)
        assert np.allclose(session.registration.shift - session.registration.shift[0], PATH[:3] - PATH[0], atol=0.1)
    with Session(tmp_path / "b.lbj", SERIES.signals) as session:
        with pytest.raises(UsageError, match="push a frame"):
            _ = session.registration
        assert session.maps == {}


def test_events_may_come_in_any_order(tmp_path):
    events = Events.from_list([5, 0, 5], [1, 2, 1], (2, 3, 4))
    with Session(tmp_path / "a.lbj", [Signal("EDX", "events", (2, 3, 4))]) as session:
        session.push({"EDX": events})
        assert checked(session)["counts"] == 3

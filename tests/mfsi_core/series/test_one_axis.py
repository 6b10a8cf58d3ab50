"""Stored energy shifts are obeyed wherever spectra are read.

Counts are laid on a true axis, then recorded on axes that differ from frame to frame or from pixel to pixel; the journal
says by how much. Every analysis must find what it finds in a journal that was recorded on the true axis.
"""

import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core.motifs.finding import Motifs
from mfsi_core.pipeline.align import register_journal
from mfsi_core.pipeline.maps import add_element_maps
from mfsi_core.series.moving import SharedEvents, move
from mfsi_core.series.selection import image_signal
from mfsi_core.series.series import as_series

FRAMES, SHAPE, SCALE = 3, (6, 7, 700), 10.0
LINES = {1740.0: 40.0, 4509.0: 30.0, 4932.0: 4.0}  # Si and Ti, counts a pixel and frame
FACTORS = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in ("Si", "Ti")]


def axes(scale=SCALE):
    return [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 0.0, "scale": scale, "units": "eV"}]


def spectra(rng):
    """Counts on the true axis: none near the ends, so that none leave it."""
    energy = SCALE * np.arange(SHAPE[2])
    mean = np.where((energy > 500) & (energy < 6000), 0.02, 0.0)
    for line, counts in LINES.items():
        sigma = np.sqrt(130.0**2 + 2.5 * (line - 5895)) / 2.3548
        mean += counts * SCALE / sigma / 2.5066 * np.exp(-0.5 * ((energy - line) / sigma) ** 2)
    mean[(energy < 500) | (energy > 6000)] = 0
    strength = np.linspace(0.3, 1.7, SHAPE[1])[None, :, None]
    return rng.poisson(np.broadcast_to(mean * strength, (FRAMES, *SHAPE))).astype(np.uint16)


def recorded(cubes, channels):
    """Spectra as they were recorded: `channels` (N, Y, X) below where they belong."""
    out = np.zeros_like(cubes)
    for place in np.ndindex(cubes.shape[:3]):
        out[place] = np.roll(cubes[place], -channels[place])
    return out


def write(path, cubes, kind, channels=None, planes=None, scale=SCALE):
    name = "EDX" if kind == "events" else "EELS"
    signals = [
        lbj.Signal(name, kind, SHAPE, dtype="uint16", axes=axes(scale)),
        lbj.Signal("HAADF", "image", SHAPE[:2], dtype="uint16"),
    ]
    if planes is not None:
        signals.insert(0, lbj.Signal("shift", "image", SHAPE[:2], dtype="float32", role="energy_shift", of=name))
    image = np.random.default_rng(5).poisson(100, SHAPE[:2]).astype(np.uint16)
    with lbj.create(path, signals, metadata={"beam_energy": 200e3, "elements": ["Si", "Ti"]}) as writer:
        for n, cube in enumerate(cubes):
            data = {name: cube, "HAADF": image}
            told = {} if channels is None else {"energy_shift": {name: float(scale * channels[n])}}
            if planes is not None:
                data["shift"] = (scale * planes[n]).astype(np.float32)
            writer.append(data, **told)
    return path


MOVES = {
    "frames": np.broadcast_to(np.array([0, 20, -7])[:, None, None], (FRAMES, *SHAPE[:2])),
    "pixels": np.random.default_rng(2).integers(-9, 10, (FRAMES, *SHAPE[:2])),
}


@pytest.fixture(params=[(kind, move) for kind in ("events", "spectra") for move in MOVES], ids="-".join)
def pair(request, tmp_path):
    """A journal on the true axis, and one of shifted frames or pixels."""
    kind, name = request.param
    cubes = spectra(np.random.default_rng(1))
    channels = MOVES[name]
    true = write(tmp_path / "true.lbj", cubes, kind)
    told = {"channels": channels[:, 0, 0]} if name == "frames" else {"planes": channels}
    moved = write(tmp_path / "moved.lbj", recorded(cubes, channels), kind, **told)
    with lbj.open(true) as one, lbj.open(moved) as other:
        yield one, other, ("EDX" if kind == "events" else "EELS")


STILL = mfsi_core.Registration.rigid(np.zeros((FRAMES, 2)), SHAPE[:2])


def test_a_series_hands_out_frames_on_one_axis(pair):
    true, moved, name = pair
    for right, found in zip(as_series(true, name), as_series(moved, name), strict=True):
        if name == "EDX":
            assert found == right
            assert found.count.dtype == np.uint32
        else:
            np.testing.assert_array_equal(found, right)
            assert found.dtype == right.dtype


def test_maps_and_sums(pair):
    true, moved, name = pair
    for registration in (None, STILL):
        right, found = (
            mfsi_core.line_map(one, (4400, 4620), signal=name, registration=registration) for one in pair[:2]
        )
        np.testing.assert_array_equal(found.values, right.values)
        assert found.values.sum() > 0.8 * 30 * FRAMES * SHAPE[0] * SHAPE[1]
        right, found = (mfsi_core.edge_map(one, (4400, 4620), (3000, 4000), name, registration) for one in pair[:2])
        np.testing.assert_allclose(found.values, right.values)
    right, found = (mfsi_core.accumulate(one, STILL, name) for one in (true, moved))
    np.testing.assert_array_equal(found, right)


def test_quantities(pair):
    true, moved, name = pair
    right, found = (mfsi_core.quantify(one, ["Si", "Ti"], 3, FACTORS, signal=name) for one in (true, moved))
    np.testing.assert_allclose(found["counts"], right["counts"])
    np.testing.assert_allclose(found["at_pct"], right["at_pct"])
    frames = mfsi_core.quantify([moved[0], moved[1]], ["Si", "Ti"], 3, FACTORS, signal=name)
    np.testing.assert_allclose(
        frames["counts"], mfsi_core.quantify([true[0], true[1]], ["Si", "Ti"], 3, FACTORS, signal=name)["counts"]
    )


def test_components(pair):
    true, moved, name = pair
    right, found = (mfsi_core.scree(one, name) for one in (true, moved))
    np.testing.assert_allclose(found.variance_ratio, right.variance_ratio, atol=1e-12)
    np.testing.assert_array_equal(found.significant, right.significant)


def test_averages_of_a_motif(pair):
    true, moved, name = pair
    motifs = Motifs(
        np.array([[2.0, 2.0], [3.0, 4.0]]), np.ones(2), np.array(["1", "1"]), (3, 3), np.ones((3, 3)),
        {"1": np.eye(2)}, 1.0,
    )  # fmt: skip
    right, found = (mfsi_core.average_motif(one, STILL, motifs, name) for one in (true, moved))
    np.testing.assert_array_equal(found.values, right.values)


def test_runs(pair):
    made = []
    for journal in pair[:2]:
        view, results = register_journal(journal, ["x"], quiet=True)
        add_element_maps(view, results, None, quiet=True)
        made.append(results)
    right, found = made
    np.testing.assert_array_equal(found.spectrum, right.spectrum)
    assert found.image_name == "HAADF"
    assert found.maps.keys() == right.maps.keys()
    for key, one in right.maps.items():
        np.testing.assert_allclose(found.maps[key].values, one.values)


def test_a_session(tmp_path):
    cubes = spectra(np.random.default_rng(1))
    channels = MOVES["frames"][:, 0, 0]
    signals = [lbj.Signal("EDX", "events", SHAPE, dtype="uint16", axes=axes())]
    told = {}
    for name, shifted in (("true", 0 * channels), ("moved", channels)):
        moved = recorded(cubes, np.broadcast_to(shifted[:, None, None], MOVES["frames"].shape))
        with mfsi_core.Session(tmp_path / f"{name}.lbj", signals, {"beam_energy": 2e5}, elements=["Ti"]) as session:
            for cube, shift in zip(moved, shifted, strict=True):
                session.push({"EDX": cube}, energy_shift=float(SCALE * shift))
            told[name] = session.maps["Ti_Ka"].values
    np.testing.assert_allclose(told["moved"], told["true"])


def test_fractions_of_a_channel_keep_sums_and_places():
    """Shared out to two channels: sums stay, the centroid moves by exactly the shift."""
    rng = np.random.default_rng(4)
    cube = np.zeros((3, 4, 50), np.uint16)
    cube[..., 15:30] = rng.poisson(3.0, (3, 4, 15))
    channel = np.arange(50)
    by = rng.uniform(-9, 9, 12)
    for data in (cube, lbj.Events.from_dense(cube)):
        for move_by in (by, np.array([2.375]), np.array([-0.25])):
            found = move(data, move_by)
            if isinstance(data, lbj.Events):
                assert isinstance(found, SharedEvents)
                assert found.total == pytest.approx(cube.sum())
                np.testing.assert_allclose(found.image(), cube.sum(axis=2))
                np.testing.assert_allclose(found.spectrum(), found.dense().sum(axis=(0, 1)))
                found = found.dense()
            spread = (found * channel).sum(axis=2) - (cube * channel).sum(axis=2)
            np.testing.assert_allclose(spread.ravel(), move_by * cube.sum(axis=2).ravel(), atol=1e-9)


def test_what_leaves_the_axis_is_dropped():
    cube = np.ones((1, 1, 4), np.uint8)
    for by, expected in ((1.0, [0, 1, 1, 1]), (-3.0, [1, 0, 0, 0]), (4.0, [0, 0, 0, 0]), (-0.5, [1, 1, 1, 0.5])):
        for data in (cube, lbj.Events.from_dense(cube)):
            found = move(data, np.array([by]))
            found = found.dense() if isinstance(found, lbj.Events) else found
            np.testing.assert_array_equal(found[0, 0], expected)


def test_counts_stay_counts_for_the_test_of_components(tmp_path):
    """Shifts of a third of a channel: counts move by whole channels there, so that significance can be tested."""
    cubes = spectra(np.random.default_rng(3))
    path = write(tmp_path / "a.lbj", cubes, "events", np.array([0.0, 0.33, -0.4]))
    with lbj.open(path) as journal:
        assert not float(as_series(journal, "EDX").data[1].count[0]).is_integer()
        assert as_series(journal, "EDX").nearest(1) == journal[1].events("EDX")
        assert (mfsi_core.scree(journal).significant >= 1).all()


def test_a_chart_takes_the_shifts_that_are_stored(tmp_path):
    rng = np.random.default_rng(8)
    energy = 400 + 0.5 * np.arange(SHAPE[2])
    mean = 4e8 * energy**-2.4 + (energy > 532) * 90 * np.exp(-(energy - 532) / 80)
    cubes = rng.poisson(np.broadcast_to(mean, (FRAMES, *SHAPE))).astype(np.uint16)
    channels = np.array([0, 3, -5])
    signal = lbj.Signal(
        "EELS", "spectra", SHAPE, dtype="uint16",
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 400.0, "scale": 0.5, "units": "eV"}],
    )  # fmt: skip
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        for cube, by in zip(cubes, channels, strict=True):
            writer.append({"EELS": np.roll(cube, -by, axis=-1)}, energy_shift=0.5 * by)
    with lbj.open(tmp_path / "a.lbj") as journal:
        stored = mfsi_core.pick_chart(journal, ["O"])
        given = mfsi_core.pick_chart(journal, ["O"], shifts=0.5 * channels)
    assert str(stored.coding) == str(given.coding)


def test_the_command_line_maps_a_drift_tube_series(tmp_path):
    """Edges 20 eV apart in three frames: the map holds what was laid there."""
    from mfsi_core.cli import main

    rng = np.random.default_rng(0)
    signal = lbj.Signal(
        "EELS", "spectra", (8, 9, 700), dtype="float32",
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 600.0, "scale": 0.5, "units": "eV"}],
    )  # fmt: skip
    energy = 600 + 0.5 * np.arange(700)
    with lbj.create(tmp_path / "a.lbj", [signal], metadata={"elements": ["Fe"]}) as writer:
        for shift in (0.0, 10.0, -10.0):
            true = energy + shift
            edge = (true > 708) * 60 * np.exp(-(true - 708) / 60)
            cube = rng.poisson(np.broadcast_to(4e8 * true**-2.4 + edge, (8, 9, 700))).astype(np.float32)
            writer.append({"EELS": cube}, energy_shift=shift)
    assert main(["maps", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "m")]) == 0
    assert [path.name for path in (tmp_path / "m").glob("*.npy")] == ["map-Fe_L3.npy"]
    with lbj.open(tmp_path / "a.lbj") as journal:
        found = mfsi_core.edge_map(journal, (708, 758), (660, 700)).values.mean()
    inside = energy[(energy > 708) & (energy < 758)]
    assert found == pytest.approx(3 * (60 * np.exp(-(inside - 708) / 60)).sum(), rel=0.05)


@pytest.mark.parametrize("role", ["energy_shift", "live_time", "dwell_time", "mask"])
def test_an_image_with_a_role_is_never_registered_by(tmp_path, role):
    signals = [
        lbj.Signal("HAADF", "image", (4, 5), dtype="float32", role=role),
        lbj.Signal("BF", "image", (4, 5), dtype="float32"),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"HAADF": np.ones((4, 5), np.float32), "BF": np.ones((4, 5), np.float32)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert image_signal(journal, None).name == "BF"
        with pytest.raises(lbj.UsageError, match=f"HAADF.*{role}"):
            image_signal(journal, "HAADF")


def test_an_uneven_axis_cannot_be_shifted(tmp_path):
    signal = lbj.Signal(
        "EDX",
        "events",
        (2, 2, 3),
        axes=[{"name": "y"}, {"name": "x"}, {"name": "e", "values": [1, 2, 5], "units": "eV"}],
    )
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        writer.append({"EDX": np.ones((2, 2, 3), np.uint8)}, energy_shift=1.0)
    with lbj.open(tmp_path / "a.lbj") as journal, pytest.raises(lbj.UsageError, match=r"even.*energy_shift=0"):
        mfsi_core.line_map(journal, (1.5, 2.5))


def test_edges_are_mapped_where_every_frame_has_energies(tmp_path):
    """Of frames that begin at 500, 507 and 495 eV nothing below 507 eV is in all; there O K (532 eV) has its background."""
    rng, energy = np.random.default_rng(0), 500 + 0.5 * np.arange(500)
    axes = [
        *({"name": n, "scale": 1e-9, "units": "m"} for n in "yx"),
        {"name": "energy", "offset": 500, "scale": 0.5, "units": "eV"},
    ]
    signal = lbj.Signal("EELS", "spectra", (6, 6, 500), dtype="float32", axes=axes)
    with lbj.create(tmp_path / "a.lbj", [signal], {"elements": ["O"]}) as writer:
        for shift in (0.0, 7.0, -5.0):
            loss = energy + shift
            mean = 3e3 * (loss / 500) ** -3.0 + 40 * (loss > 532) * np.exp(-(loss - 532) / 90)
            writer.append({"EELS": rng.poisson(mean, (6, 6, 500)).astype(np.float32)}, energy_shift=shift)
    with lbj.open(tmp_path / "a.lbj") as journal:
        view, results = register_journal(journal, ["a.lbj"], quiet=True)
        add_element_maps(view, results, None, quiet=True)
    found = results.maps["map-O_K"]
    low, high = found.window
    within = (energy > 532) & (energy < high)
    assert found.background[0][0] >= 506
    assert low < 532
    assert found.values.mean() == pytest.approx(3 * float((40 * np.exp(-(energy[within] - 532) / 90)).sum()), rel=0.15)

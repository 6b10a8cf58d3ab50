"""Frames whose scan was aborted: what was not scanned enters neither sums nor coverage, means and doses."""

import numpy as np
import pytest

import lbj
import lbj.archive.convert
import mfsi_core
from mfsi_core import Registration, accumulate, coverage, scree
from mfsi_core.accumulation.output import registration_on
from mfsi_core.geometry.points import Frames
from mfsi_core.live.session import Session
from mfsi_core.pipeline.align import register_journal
from mfsi_core.pipeline.cube import write_cube
from mfsi_core.pipeline.maps import add_element_maps
from mfsi_core.pipeline.sections import add_counts_section
from mfsi_core.planning import counts_per_nm2, measured_size
from mfsi_core.series.series import as_series

SERIES = mfsi_core.simulate((40, 44), 5, 512, 1, counts=3e4, image_counts=100, drift=(0.4, -0.2))
ROWS, BEYOND = 25, 18  # whole rows of the last frame, and pixels of the next
SCANNED = ROWS * 44 + BEYOND


def mask(order):
    out = np.zeros((40, 44), bool)
    out[:ROWS] = True
    out[ROWS, slice(44 - BEYOND, None) if order == "serpentine" else slice(BEYOND)] = True
    return out


def pushed(writer, order, stale):
    """Write the series, its last frame aborted; its image holds `stale` where it was not scanned."""
    for n in range(5):
        data, attributes = SERIES.frame(n)
        if n == 4:
            seen = mask(order)
            image = np.where(seen, data["HAADF"], stale).astype(data["HAADF"].dtype)
            counts = np.where(seen[..., None], data["EDX"].dense(), 0)
            data = {"HAADF": image, "EDX": counts}
            attributes |= {"scanned_pixels": SCANNED, "scan": {"order": order}}
        writer(data, **attributes)


@pytest.fixture(params=["raster", "serpentine"])
def aborted(request, tmp_path):
    with lbj.create(tmp_path / "a.lbj", SERIES.signals, metadata=SERIES.metadata) as writer:
        pushed(writer.append, request.param, 0)
    with lbj.open(tmp_path / "a.lbj") as journal:
        yield journal, request.param


@pytest.mark.parametrize("upsampling", [1, 2])
@pytest.mark.parametrize("bent", [0.0, 0.3])
def test_constant_frames_have_a_constant_mean(upsampling, bent):
    """Of frames of one value, sum over coverage is that value, whatever was left where nothing was scanned."""
    shift = np.array([[0, 0], [0.4, -0.7], [1.0, 0.25]])
    field = np.broadcast_to(shift[:, :, None, None], (3, 2, 9, 11)) + bent * np.sin(np.arange(9))[:, None]
    recorded = np.ones((3, 9, 11), bool)
    recorded[1, 5, 4:], recorded[1, 6:], recorded[2, 0, 0] = False, False, False
    images = np.where(recorded, 7.0, 1e6)
    found = Registration(field, recorded=recorded)
    seen = coverage(found, upsampling)
    np.testing.assert_allclose(accumulate(images, found, upsampling=upsampling), 7.0 * seen, rtol=1e-6)
    whole = coverage(Registration(field), upsampling)
    assert (seen[: 4 * upsampling, 2 * upsampling :] == whole[: 4 * upsampling, 2 * upsampling :]).all()
    lower = slice(7 * upsampling, None)
    alone = coverage(Registration(field[[0, 2]]), upsampling)
    assert (seen[lower] == alone[lower]).all()
    events = lbj.Events.from_dense(np.where(recorded, 7, 0)[1].astype(np.uint16)[..., None])
    one = found.subset(slice(1, 2))
    np.testing.assert_allclose(
        accumulate([events], one, upsampling=upsampling)[..., 0], 7.0 * coverage(one, upsampling), rtol=1e-6
    )


def test_single_positions_are_seen_as_the_grid_is():
    recorded = np.ones((1, 5, 6), bool)
    recorded[0, 3, 2:], recorded[0, 4:] = False, False
    field = np.broadcast_to(np.float32([[[[0.5]], [[0.0]]]]), (1, 2, 5, 6))
    grid = np.indices((5, 6)).reshape(2, -1).T.astype(float)
    found = Frames(field, recorded).corners(0, grid)
    seen = (found.iy >= 0) & (found.ix >= 0)
    assert (seen.reshape(5, 6) == (coverage(Registration(field, recorded=recorded)) > 0)).all()
    assert seen.sum() == 2 * 6 + 2  # scene rows 1 and 2, and of row 3 what lies between rows 2 and 3


def test_coverage_and_mean_images_of_a_journal(aborted):
    journal, order = aborted
    with pytest.warns(UserWarning, match="not recorded"):
        found = mfsi_core.register(journal)
    assert (found.recorded[4] == mask(order)).all()
    assert found.recorded[:4].all()
    assert (coverage(found)[30:36, 4:-4] == 4).all()
    assert (coverage(found)[4:20, 4:-4] == 5).all()
    view, results = register_journal(journal, ["a.lbj"], quiet=True)
    whole = np.mean([SERIES.frame(n)[0]["HAADF"] for n in range(4)], axis=0)
    np.testing.assert_allclose(results.before[30:], whole[30:])
    for rows in (slice(4, 20), slice(28, 36)):  # the frames moved by a pixel or two, which the mean hardly feels
        assert results.after[rows, 4:-4].mean() == pytest.approx(whole[rows, 4:-4].mean(), rel=0.05)
    one = registration_on(as_series(view, "EDX"), results.registration)
    assert (one.recorded[4] == mask(order)).all()


def test_doses_count_what_was_scanned(aborted, tmp_path):
    journal, _ = aborted
    dose = scree(journal, "EDX").dose
    assert dose[-1] == pytest.approx(dose[0] * (4 + SCANNED / (40 * 44)))
    write_cube(journal, register_journal(journal, ["a.lbj"], quiet=True)[1], tmp_path / "sum.h5")
    lbj.archive.convert.convert([tmp_path / "sum.h5"], tmp_path / "sum.lbj", quiet=True)
    with lbj.open(tmp_path / "sum.lbj") as summed:
        assert summed[0].attributes["metadata"]["dose_e_per_A2"] == pytest.approx(dose[-1])


def test_stored_displacements_know_what_was_scanned(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, SERIES.signals, metadata=SERIES.metadata) as writer:
        pushed(writer.append, "raster", 0)
    Registration.rigid(np.zeros((5, 2)), (40, 44)).save(path, "HAADF")
    with lbj.open(path) as journal:
        assert (Registration.load(journal).recorded.sum(axis=(1, 2)) == [1760] * 4 + [SCANNED]).all()


@pytest.mark.parametrize("stale", [0, 65535])
def test_a_session_goes_on(tmp_path, stale):
    with Session(tmp_path / "a.lbj", SERIES.signals, SERIES.metadata) as session:
        pushed(session.push, "serpentine", stale)
        status = session.status()
        assert status["flagged"] == []
        assert status["left_out"] == []
        assert any("aborted" in note and "frame 4 (64%)" in note for note in status["notes"])
        share = SCANNED / (40 * 44)
        assert status["total_dose"] == pytest.approx(status["dose_per_frame"] * (4 + share) / share)
        assert (session.registration.recorded[4] == mask("serpentine")).all()
        true = SERIES.displacement.mean(axis=(2, 3))
        off = session.registration.shift - true
        assert np.abs(off - off.mean(axis=0)).max() < 0.4


@pytest.mark.parametrize("kind", ["events", "spectra"])
@pytest.mark.parametrize("method", ["pull", "push"])
def test_what_stands_where_nothing_was_scanned_is_left_out(tmp_path, kind, method):
    """Of an aborted frame that holds stale values, all sums are those of the frame without them, and it is told."""
    dense = np.random.default_rng(5).poisson(0.6, (2, 6, 7, 40)).astype(np.uint16)
    signals = [lbj.Signal("EDX", kind, (6, 7, 40), dtype="uint16"), lbj.Signal("HAADF", "image", (6, 7))]
    image = np.arange(42, dtype=np.uint16).reshape(6, 7)
    seen = np.zeros((6, 7), bool)
    seen[:3] = True
    seen[3, 3:] = True
    truth = dense * np.stack([np.ones((6, 7), bool), seen])[..., None]
    scan = {"scanned_pixels": 25, "scan": {"order": "serpentine"}}
    with Session(tmp_path / "a.lbj", signals) as session:
        session.push({"EDX": dense[0], "HAADF": image})
        session.push({"EDX": dense[1], "HAADF": image}, **scan)
        status = session.status()
    left = int(dense[1][~seen].sum())
    assert any(f"{left} " in note and "not scanned" in note for note in status["notes"])
    assert status["counts"] == (truth.sum() if kind == "events" else None)
    still = Registration(np.zeros((2, 2, 6, 7)))
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert accumulate(journal, still, method=method) == pytest.approx(truth.sum(axis=0))
        found = mfsi_core.line_map(journal, (5, 15), ((0, 4), (20, 30)), registration=None)
        again = mfsi_core.line_map(truth, (5, 15), ((0, 4), (20, 30)))
        np.testing.assert_allclose(found.values, again.values)
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert any(f"{left} " in note and "left out" in note for note in summary["notes"])
    if kind == "events":
        assert summary["counts"] == truth.sum()


def test_counts_moved_by_part_of_a_channel_keep_what_was_scanned(tmp_path):
    """10 counts in channel 5 of each of 12 pixels; 8 were scanned, and their energies move by 0.4 of a channel."""
    counts = np.zeros((3, 4, 12), np.uint32)
    counts[..., 5] = 10
    energy = {"name": "energy", "scale": 10.0, "offset": 0.0, "units": "eV"}
    axes = [{"name": "y"}, {"name": "x"}, energy]
    with lbj.create(tmp_path / "s.lbj", [lbj.Signal("EDX", "events", counts.shape, axes=axes)]) as writer:
        writer.append({"EDX": counts}, energy_shift=4.0, scanned_pixels=8)
    with lbj.open(tmp_path / "s.lbj") as journal:
        (frame,) = as_series(journal, "EDX")
        spectrum = frame.spectrum()
    np.testing.assert_allclose(spectrum[4:8], [0, 48, 32, 0])


def test_counts_per_area_and_pixel_are_those_of_what_was_scanned(aborted, tmp_path):
    journal, _ = aborted
    scanned, pixels = 4 + SCANNED / (40 * 44), 40 * 44
    counts = sum(float(journal[n].events("EDX").count.sum()) for n in range(5))
    assert measured_size(journal)[0].sum() == pytest.approx(counts / (pixels * scanned))
    view, results = register_journal(journal, [str(tmp_path / "a.lbj")], quiet=True)
    add_element_maps(view, results, ["Ti"], quiet=True)
    add_counts_section(view, results)
    assert results.numbers["counts_per_voxel"] == pytest.approx(counts / (pixels * 512 * scanned))
    row = results.sections[0].rows[0]
    assert row["counts/nm², one frame"] == pytest.approx(row["all frames"] / scanned)


@pytest.mark.parametrize("frames", [1, 3])
def test_of_frames_that_were_not_scanned_at_all_nothing_is_measured(tmp_path, frames):
    """Whatever they hold; it is told, and no plan is made of it."""
    counts = np.ones((3, 4, 60), np.uint32)
    axes = [*({"name": n, "scale": 1e-10, "units": "m"} for n in "yx"), {"name": "E", "scale": 10.0, "units": "eV"}]
    with lbj.create(tmp_path / "s.lbj", [lbj.Signal("EDX", "events", counts.shape, axes=axes)]) as writer:
        for _ in range(frames):
            writer.append({"EDX": counts}, scanned_pixels=0)
    with lbj.open(tmp_path / "s.lbj") as journal:
        for measure in (lambda: counts_per_nm2(journal, ["O"]), lambda: measured_size(journal)):
            with pytest.raises(lbj.UsageError, match="no pixel of any frame of 'EDX' was scanned"):
                measure()

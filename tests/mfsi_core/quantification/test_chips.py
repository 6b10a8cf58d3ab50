"""Chips (grids, labels, polygons), the table of compositions, and the export of chips."""

import json

import eds_phantom as phantom
import numpy as np
import pytest

import lbj
from lbj import UsageError
from mfsi_core.pipeline.sections import composition_section
from mfsi_core.quantification.chips import make_chips, polygon_labels
from mfsi_core.quantification.compare import against_stoichiometry, difference, phase_composition
from mfsi_core.quantification.export import chip_spectra, export_chips
from mfsi_core.quantification.figures import at_map, difference_map
from mfsi_core.quantification.quantify import analyse, quantify

pytest.importorskip("xraylib", reason="the phantom takes its lines from xraylib")
pd = pytest.importorskip("pandas", reason="the table is a pandas table")


@pytest.mark.parametrize(
    ("shape", "size", "grid"),
    [
        ((512, 512), 64, (8, 8)),
        ((512, 512), 50, (10, 10)),
        ((512, 512), 40, (12, 12)),
        ((512, 512), 30, (17, 17)),
        ((512, 512), 20, (25, 25)),
        ((500, 500), 15, (33, 33)),
        ((512, 512), 10, (51, 51)),
        ((7, 20), 3, (2, 6)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_a_grid_crops_the_remainder(shape, size, grid):
    chips = make_chips(size, shape)
    assert chips.grid == grid
    assert chips.ids.size == grid[0] * grid[1]
    assert (chips.pixels == size**2).all()
    assert (np.bincount(chips.labels[chips.labels >= 0]) == size**2).all()
    assert (chips.labels[grid[0] * size :] == -1).all()
    assert (chips.labels[:, grid[1] * size :] == -1).all()
    for number in (0, chips.ids.size - 1):
        y0, x0, y1, x1 = chips.boxes[number]
        assert (chips.labels[y0:y1, x0:x1] == number).all()


def test_a_region_moves_the_grid():
    chips = make_chips(4, (20, 20), (slice(3, 13), slice(-9, None)))
    assert chips.grid == (2, 2)
    assert tuple(chips.boxes[0]) == (3, 11, 7, 15)


def test_labels_keep_their_numbers():
    labels = np.full((6, 8), -1)
    labels[1:3, 2:5], labels[4, 7] = 70, 12
    chips = make_chips(labels, (6, 8))
    assert chips.ids.tolist() == [12, 70]
    assert chips.pixels.tolist() == [1, 6]
    assert chips.boxes.tolist() == [[4, 7, 5, 8], [1, 2, 3, 5]]
    assert chips.grid is None


def test_a_polygon_holds_the_pixels_inside_it():
    labels = polygon_labels(
        (10, 10), [[(-0.5, -0.5), (-0.5, 4.5), (4.5, -0.5)], [(5.5, 5.5), (5.5, 8.5), (8.5, 8.5), (8.5, 5.5)]]
    )
    y, x = np.indices((10, 10))
    assert ((labels == 0) == (x + y < 4)).all()
    assert ((labels == 1) == ((x >= 6) & (x <= 8) & (y >= 6) & (y <= 8))).all()


@pytest.mark.parametrize(
    ("chips", "words"),
    [
        (0, "do not fit"),
        (21, "do not fit"),
        (2.5, "whole number"),
        ("chips", "'pixels'"),
        (np.zeros((20, 19), int), "20, 19"),
        (np.zeros((20, 20)), "integers"),
        (np.full((20, 20), -1), "no pixel"),
        ([[(0, 0), (1, 1)]], "three corners"),
    ],
)
def test_wrong_chips_are_named(chips, words):
    with pytest.raises(UsageError, match=words):
        make_chips(chips, (20, 20))


@pytest.fixture(scope="module")
def field():
    """Two phases side by side, 24 x 36 px of 200 counts, on 2048 channels."""
    edges = phantom.axis(2048, 10.0)
    spectra = [phantom.phase_spectrum(phase, edges)[0] for phase in phantom.PHASES]
    phase_of = np.zeros((24, 36), int)
    phase_of[:, 18:] = 1
    return phantom.draw(spectra, phase_of, 200.0, 3), phantom.signal((24, 36), edges)


@pytest.fixture(scope="module")
def result(field):
    return analyse(field[0], ["La", "Fe", "O", "Sr", "Ti"], 6, phantom.factors(rel_sd=0.02), signal=field[1])


def test_the_table_is_tidy(result):
    table = result.table
    names = "chip_id y0 x0 y1 x1 n_px element family counts counts_se k k_basis at_pct at_se wt_pct wt_se deviance_dof flags"
    assert " ".join(table.columns) == names
    assert len(table) == 24 * 5
    assert table["element"].tolist()[:6] == ["La", "Fe", "O", "Sr", "Ti", "La"]
    sums = table.groupby("chip_id")[["at_pct", "wt_pct"]].sum().to_numpy()
    np.testing.assert_allclose(sums, 100, atol=1e-9)


def test_chip_spectra_hold_every_count(field, result):
    events, signal = field
    spectra = chip_spectra(events, result, signal)
    dense = events.dense()
    for number in (0, 7, 23):
        y0, x0, y1, x1 = result.chips.boxes[number]
        assert (spectra[number] == dense[y0:y1, x0:x1].sum(axis=(0, 1))).all()


def test_every_kind_of_source_gives_the_same_table(field, tmp_path):
    events, signal = field
    elements, factors = ["La", "Fe", "O", "Sr", "Ti"], phantom.factors()
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        half = events.count.astype(int) // 2
        for count in (half, events.count - half):
            kept = count > 0
            part = lbj.Events(events.pixel[kept], events.channel[kept], count[kept], events.shape)
            writer.append({"EDX": part})
    wanted = quantify(events, elements, 12, factors, signal=signal)
    with lbj.open(tmp_path / "a.lbj") as journal:
        pd.testing.assert_frame_equal(quantify(journal[0:2], elements, 12, factors), wanted)
        half = quantify(journal[1], elements, 12, factors)
    assert half["counts"].sum() < wanted["counts"].sum()
    pd.testing.assert_frame_equal(quantify(events.dense(), elements, 12, factors, signal=signal), wanted)


@pytest.mark.filterwarnings("ignore:The fit misses")  # the same counts twice scatter as no counts do
def test_a_registration_moves_the_counts(field):
    from mfsi_core import Registration

    events, signal = field
    dense = np.zeros((24, 36, 2048), np.uint32)
    dense[:, 2:] = events.dense()[:, :-2]
    moved = lbj.Events.from_dense(dense)
    shifts = np.array([[0.0, 1.0], [0.0, -1.0]])
    labels = np.full((24, 36), -1)
    labels[:, 4:14] = 0
    labels[:, 22:32] = 1
    elements, factors = ["La", "Fe", "O", "Sr", "Ti"], phantom.factors()
    registration = Registration.rigid(shifts, (24, 36))
    found = quantify([events, moved], elements, labels, factors, signal=signal, registration=registration)
    # Frame pixel q shows the scene at q + u: of the first frame column x + 1 lies at x, of the second x - 1.
    straight = np.roll(events.dense(), 1, axis=1).astype(int) + np.roll(moved.dense(), -1, axis=1)
    wanted = quantify(straight, elements, labels, factors, signal=signal)
    np.testing.assert_allclose(found["at_pct"], wanted["at_pct"], atol=1e-3)


def test_npz_csv_and_parquet_hold_the_same(field, result, tmp_path):
    events, signal = field
    spectra = chip_spectra(events, result, signal)
    image = np.arange(48 * 72.0).reshape(48, 72)
    paths = [tmp_path / "chips.npz", tmp_path / "chips.csv"]
    for path in paths:
        export_chips(path, result, spectra, image)
    with np.load(paths[0]) as archive:
        stored = dict(archive)
    frame = pd.read_csv(paths[1])
    assert stored["row"].tolist() == [number // 6 for number in range(24)] == frame["row"].tolist()
    assert stored["column"].tolist() == [number % 6 for number in range(24)] == frame["column"].tolist()
    assert stored["image"].shape == (24, 12, 12)
    assert (stored["image"][7] == image[12:24, 12:24]).all()
    assert json.loads(frame["image"][7]) == stored["image"][7].tolist()
    assert (stored["spectrum"] == spectra).all()
    assert json.loads(frame["spectrum"][7]) == spectra[7].tolist()
    np.testing.assert_allclose(frame["at_pct_Fe"], stored["at_pct"][:, 1])
    assert stored["elements"].tolist() == ["La", "Fe", "O", "Sr", "Ti"]
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    export_chips(tmp_path / "chips.parquet", result, spectra, image)
    back = pd.read_parquet(tmp_path / "chips.parquet")
    assert (np.stack(back["spectrum"]) == spectra).all()
    np.testing.assert_allclose(back["wt_pct_O"], stored["wt_pct"][:, 2])


def test_exports_say_what_does_not_fit(result, tmp_path):
    spectra = np.zeros((24, 2048))
    with pytest.raises(UsageError, match="npz"):
        export_chips(tmp_path / "chips.txt", result, spectra)
    with pytest.raises(UsageError, match="whole multiple"):
        export_chips(tmp_path / "chips.npz", result, spectra, np.zeros((25, 36)))
    with pytest.raises(UsageError, match="24 chips"):
        export_chips(tmp_path / "chips.npz", result, spectra[:3])


@pytest.mark.parametrize(
    ("stated", "sums", "normalised", "errors"),
    [
        ({"Sr": 1, "Ti": 1, "O": 3}, (21.15, 24.12, 45.60), (23.27, 26.55, 50.18), (16.35, 32.73, 16.36)),
        ({"La": 1, "Fe": 1, "O": 3}, (8.40, 19.33, 49.72), (10.85, 24.96, 64.19), (45.77, 24.81, 6.99)),
    ],
)
def test_the_reports_tables(stated, sums, normalised, errors):
    """Printed from sums with more digits than printed: half a unit of 21.15 is 0.03 % of an error."""
    found = against_stoichiometry(dict(zip(stated, sums, strict=True)) | {"C": 5.0}, stated)
    np.testing.assert_allclose(list(found.normalised.values()), normalised, atol=0.011)
    np.testing.assert_allclose(list(found.percent_error.values()), errors, atol=0.03)
    assert "C" not in found.summed


def test_a_stoichiometry_that_does_not_fit_is_named():
    with pytest.raises(UsageError, match="Ti"):
        against_stoichiometry({"Sr": 1.0}, {"Sr": 1, "Ti": 1})
    with pytest.raises(UsageError, match="normalise"):
        against_stoichiometry({"Sr": 0.0}, {"Sr": 1})
    with pytest.raises(UsageError, match="above zero"):
        against_stoichiometry({"Sr": 1.0}, {})


@pytest.mark.filterwarnings("ignore:The energy axis is not certain")
def test_phases_and_differences(field, result):
    table = result.table
    left = result.chips.ids[result.chips.boxes[:, 3] <= 18]
    means = phase_composition(table, left)
    direct = 100 * result.composition.at[result.chips.boxes[:, 3] <= 18].mean(axis=0)
    np.testing.assert_allclose(list(means.values()), direct)
    events, signal = field
    other = quantify(events, ["La", "Fe", "O", "Sr", "Ti"], 6, phantom.factors(), fit="linear", signal=signal)
    found = difference(table, other)
    assert len(found) == len(table)
    np.testing.assert_allclose(found["difference"], other["at_pct"] - table["at_pct"])
    np.testing.assert_allclose(found["difference_se"], np.hypot(other["at_se"], table["at_se"]))
    fewer = quantify(events, ["La", "Fe", "O"], 8, phantom.factors(), signal=signal)
    first = phase_composition(fewer, fewer["chip_id"][fewer["x1"] <= 18].unique())
    assert first == pytest.approx({"La": 20, "Fe": 20, "O": 60}, abs=1.0)  # beside Sr and Ti, which nobody names
    with pytest.raises(UsageError, match="differ in their chips"):
        difference(table, fewer)
    with pytest.raises(UsageError, match="column"):
        difference(table, other, "k")


def test_figures_are_pictures(field, result):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    section = composition_section(result, (1e-9, 1e-9))
    assert set(section.pictures) == {"fitted_spectrum", "at_La", "at_Fe", "at_O", "at_Sr", "at_Ti"}
    assert len(section.rows) == 5
    assert (result.spectrum == field[0].spectrum()[-result.energy.size :]).all()
    for data in (*section.pictures.values(), difference_map(result, difference(result.table, result.table), "O")):
        assert data.startswith(b"\x89PNG")
    labels = np.where(np.indices((24, 36))[1] < 18, 0, 4)
    irregular = analyse(field[0], ["La", "Fe", "O", "Sr", "Ti"], labels, phantom.factors(), signal=field[1])
    assert irregular.grid(irregular.composition.at[:, 0]).shape == (24, 36)
    assert at_map(irregular, "La").startswith(b"\x89PNG")

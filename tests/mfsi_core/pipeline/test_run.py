"""`mfsi run` and `mfsi demo`: report, summary, maps and cube, from every kind of input."""

import base64
import csv
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import h5py
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import lbj
import mfsi_core
from lbj.outputs import MANIFEST
from mfsi_core import Registration, accumulate, register, simulate
from mfsi_core.cli import main

SERIES = simulate((40, 44), 6, 512, 1, counts=3e4, image_counts=100, drift=(0.4, -0.2))


def write(path, frames=6, blank=(), missing=(), image=True, metadata=None):
    signals = SERIES.signals if image else SERIES.signals[:1]
    with lbj.create(path, signals, metadata=SERIES.metadata if metadata is None else metadata) as writer:
        for n in range(frames):
            data, attributes = SERIES.frame(n)
            if n in blank:
                data["HAADF"] = np.zeros((40, 44), np.uint16)
            if n in missing or not image:
                del data["HAADF"]
            writer.append(data, **attributes)
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def reported(capsys, folder, *arguments, code=0):
    """Run, check what every run promises, and return the summary."""
    got, out, err = run(capsys, "run", *arguments, "-o", folder)
    assert (got, err) == (code, "")
    assert out.splitlines()[0] == str(folder / "report.html")
    summary = json.loads((folder / "summary.json").read_text())
    assert [line.removeprefix("  note: ") for line in out.splitlines()[1:]] == summary["notes"]
    check_files(folder, summary)
    return summary


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.links, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        if "src" in values:
            self.sources.append(values["src"])
        self.links += [values[name] for name in ("href", "srcset", "poster", "data", "action") if name in values]

    def handle_data(self, data):
        self.text += data


def check_files(folder, summary):
    """What the contract promises of a run's folder."""
    made = {path.name for path in folder.iterdir()} - {"series.lbj", "demo.lbj"}
    assert made == set(summary["files"]) >= {"report.html", "summary.json", "registration.csv"}
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"https?:|file:|url\(|@import", text)
    assert page.links == []
    pictures = []
    for source in page.sources:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        pictures.append(base64.b64decode(data, validate=True))
    drawn = [path.read_bytes() for path in folder.glob("*.png")]
    assert all(data.startswith(b"\x89PNG\r\n\x1a\n") for data in drawn)
    assert sorted(pictures) == sorted(drawn)
    rows = table(folder / "registration.csv")
    assert [int(row["frame"]) for row in rows] == list(range(summary["frames"]))
    assert [n for n, row in enumerate(rows) if row["left_out"] == "1"] == summary["registration"]["left_out"]
    for name, one in summary["maps"].items():
        values = np.load(folder / f"{name}.npy")
        assert f"{name}.png" in made
        assert values.sum() == pytest.approx(one["net_counts"], abs=1e-6)
        assert f"{one['net_counts']:,.0f}" in page.text
    assert {name for name in made if name.startswith("map-")} == {
        f"{m}{e}" for m in summary["maps"] for e in (".png", ".npy")
    }


def table(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def shifts(path):
    return np.array([[float(row["uy_px"]), float(row["ux_px"])] for row in table(path)])


def found_in(path, **options):
    with lbj.open(path) as journal, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return register(journal, **options)


def aligned(cubes, displacement):
    """Sum of dense frames, each sampled at the q that solves q + u(q) = p."""
    p = np.indices(cubes.shape[1:3], float)
    total = 0
    for cube, field in zip(cubes, displacement, strict=True):
        q = p
        for _ in range(30):
            q = p - np.stack([map_coordinates(u.astype(float), q, order=1, mode="nearest") for u in field])
        total = total + np.stack(
            [map_coordinates(c.astype(float), q, order=1) for c in np.moveaxis(cube, 2, 0)], axis=-1
        )
    return total


@pytest.mark.drawn
def test_a_run_writes_what_it_found(tmp_path, capsys):
    summary = reported(capsys, tmp_path / "out", write(tmp_path / "a.lbj"))
    total = sum(events.total for events in SERIES.events)
    assert summary["frames"] == 6
    assert summary["pixels"] == [40, 44]
    assert summary["counts"] == total
    assert summary["counts_per_voxel"] == pytest.approx(total / (6 * 40 * 44 * 512))
    # 17 pA for 0.1 ms on a pixel of a ninth of 3.9 Å, charge of the electron 1.602e-19 C.
    assert summary["dose_per_frame"] == pytest.approx(17e-12 * 1e-4 / 1.602177e-19 / (3.9 / 9) ** 2, rel=1e-5)
    assert summary["total_dose"] == pytest.approx(6 * summary["dose_per_frame"])
    assert summary["journal_bytes"] == (tmp_path / "a.lbj").stat().st_size
    assert {one["line"] for one in summary["maps"].values()} == {"Ca_Ka", "Ti_Ka", "O_Ka"}
    assert summary["registration"]["guide"] == "HAADF"
    truth = SERIES.displacement.mean(axis=(2, 3))
    np.testing.assert_allclose(shifts(tmp_path / "out" / "registration.csv"), truth, atol=0.1)
    np.testing.assert_allclose(summary["registration"]["range_px"], np.ptp(truth, axis=0), atol=0.15)


def test_maps_and_cube_agree_with_sums_of_dense_frames(tmp_path, capsys):
    folder = tmp_path / "out"
    summary = reported(capsys, folder, write(tmp_path / "a.lbj"), "--elements", "Ti, Ca", "--maps", "windows")
    assert {one["line"] for one in summary["maps"].values()} == {"Ca_Ka", "Ti_Ka"}
    dense = np.stack([events.dense() for events in SERIES.events])
    energy = 20.0 + 40.0 * np.arange(512)
    shift = found_in(tmp_path / "a.lbj").displacement
    for name, one in summary["maps"].items():
        inside = [(energy >= low) & (energy < high) for low, high in (one["window_eV"], *one["background_eV"])]
        windows = aligned(np.stack([dense[..., part].sum(axis=-1) for part in inside], axis=-1), shift)
        middle, size = [energy[part].mean() for part in inside], [part.sum() for part in inside]
        toward = (middle[0] - middle[1]) / (middle[2] - middle[1])
        net = windows[..., 0] - size[0] * (
            (1 - toward) * windows[..., 1] / size[1] + toward * windows[..., 2] / size[2]
        )
        np.testing.assert_allclose(np.load(folder / f"{name}.npy"), net, atol=1e-3 * net.max())
        assert one["net_counts"] == pytest.approx(net.sum(), rel=1e-4)
    with h5py.File(folder / "accumulated.h5") as file:
        part = aligned(dense[..., 90:120], shift)
        np.testing.assert_allclose(file["EDX"][..., 90:120], part, atol=1e-3 * part.max())
        assert file["EDX"].shape == (40, 44, 512)
        assert file["EDX"].attrs["frames"] == 6


@pytest.mark.drawn
def test_the_demo(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr()
    assert (out.out, out.err) == (f"{tmp_path / 'demo' / 'report.html'}\n", "")
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    check_files(tmp_path / "demo", summary)
    assert {one["line"] for one in summary["maps"].values()} == {"Ca_Ka", "Ti_Ka", "O_Ka"}
    assert summary["notes"] == []
    assert all(one["snr"] > 1 for one in summary["maps"].values())


def test_the_command_says_nothing_more_when_piped(tmp_path):
    path = write(tmp_path / "a.lbj", 2)
    command = [sys.executable, "-m", "mfsi_core.cli", "run", path, "-o", tmp_path / "out", "--elements"]
    done = subprocess.run([*command, "Ti,Ca,O"], check=False, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'out' / 'report.html'}\n", "")
    wrong = subprocess.run([*command, "Ti,Xx"], check=False, capture_output=True, text=True, timeout=300)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("mfsi run: ")
    assert "Xx" in wrong.stderr


def test_one_frame(tmp_path, capsys):
    summary = reported(capsys, tmp_path / "out", write(tmp_path / "a.lbj", 1))
    assert summary["notes"] == ["One frame: there is nothing to register."]
    assert summary["registration"]["guide"] is None
    np.testing.assert_array_equal(shifts(tmp_path / "out" / "registration.csv"), [[0, 0]])
    with h5py.File(tmp_path / "out" / "accumulated.h5") as file:
        np.testing.assert_array_equal(file["EDX"][:], SERIES.events[0].dense())


def test_without_an_image_the_counts_are_registered(tmp_path, capsys):
    summary = reported(capsys, tmp_path / "out", write(tmp_path / "a.lbj", image=False))
    assert summary["registration"]["guide"] == "X-ray counts"
    np.testing.assert_allclose(
        shifts(tmp_path / "out" / "registration.csv"), SERIES.displacement.mean(axis=(2, 3)), atol=0.25
    )


def summed_as_they_are(tmp_path, capsys, series):
    with lbj.create(tmp_path / "poor.lbj", series.signals[:1]) as writer:
        for events in series.events:
            writer.append({"EDX": events})
    summary = reported(capsys, tmp_path / "poor", tmp_path / "poor.lbj")
    assert summary["registration"]["guide"] is None
    assert summary["registration"]["left_out"] == []
    assert "summed as they are" in summary["notes"][0]
    with h5py.File(tmp_path / "poor" / "accumulated.h5") as file:
        np.testing.assert_array_equal(file["EDX"][:], sum(events.dense() for events in series.events))


def test_counts_too_few_to_register_are_summed_as_they_are(tmp_path, capsys):
    """A dozen counts per frame: any shift that fits them is noise."""
    summed_as_they_are(tmp_path, capsys, simulate((16, 16), 3, 64, 1, counts=12))


def test_counts_that_would_register_badly_are_summed_as_they_are(tmp_path, capsys, monkeypatch):
    shape = (16, 16)
    poor = Registration.rigid([[3, 1], [-3, -1], [0, 0]], shape, predicted_error=0.8)
    monkeypatch.setattr("mfsi_core.pipeline.align.register", lambda *_, **__: poor)
    summed_as_they_are(tmp_path, capsys, simulate(shape, 3, 64, 1, counts=500))


@pytest.mark.parametrize("command", ["run", "register"])
@pytest.mark.parametrize("empty", [(0,), (1, 4)])
def test_frames_without_a_count_are_told_and_no_loss(tmp_path, capsys, empty, command):
    with lbj.create(tmp_path / "a.lbj", SERIES.signals[:1], metadata=SERIES.metadata) as writer:
        for n in range(6):
            none = lbj.Events([], [], [], (40, 44, 512))
            writer.append({"EDX": none if n in empty else SERIES.events[n]})
    told = f"left out: {', '.join(map(str, empty))}."
    if command == "register":
        code, out, _ = run(capsys, "register", tmp_path / "a.lbj", "-o", tmp_path / "r.csv")
        assert code == 0
        assert told in out
        return
    summary = reported(capsys, tmp_path / "out", tmp_path / "a.lbj")
    assert summary["registration"]["left_out"] == summary["frames_without_counts"] == list(empty)
    assert any(note.endswith(told) for note in summary["notes"])
    assert summary["counts"] == sum(SERIES.events[n].total for n in range(6) if n not in empty)


@pytest.mark.parametrize("fault", ["blank", "missing"])
def test_a_frame_without_a_usable_image_is_left_out_and_said_so(tmp_path, capsys, fault):
    path = write(tmp_path / "a.lbj", **{fault: [2]})
    summary = reported(capsys, tmp_path / "out", path, code=3)
    assert summary["registration"]["left_out"] == [2]
    assert any(re.search(r"1 of 6 frames .*left out: 2", note) for note in summary["notes"])
    kept = [0, 1, 3, 4, 5]
    expected = accumulate([SERIES.events[n] for n in kept], found_in(path).subset(kept))
    with h5py.File(tmp_path / "out" / "accumulated.h5") as file:
        assert file["EDX"].attrs["frames"] == 5
        np.testing.assert_allclose(file["EDX"][:], expected, atol=1e-3 * expected.max())


@pytest.mark.parametrize("fault", ["blank", "missing"])
@pytest.mark.parametrize("frames", [1, 3])
def test_frames_are_summed_as_they_are_where_no_image_is_usable(tmp_path, capsys, fault, frames):
    path = write(tmp_path / "a.lbj", frames, **{fault: range(frames)})
    summary = reported(capsys, tmp_path / "out", path)
    assert summary["registration"]["left_out"] == []
    assert summary["registration"]["guide"] is None
    assert len(summary["notes"]) == 1
    with h5py.File(tmp_path / "out" / "accumulated.h5") as file:
        np.testing.assert_array_equal(file["EDX"][:], sum(events.dense() for events in SERIES.events[:frames]))


def test_a_journal_cut_short_is_used_as_far_as_it_goes_and_said_so(tmp_path, capsys):
    raw = write(tmp_path / "a.lbj", 4).read_bytes()
    (tmp_path / "cut.lbj").write_bytes(raw[: len(raw) * 2 // 3])
    summary = reported(capsys, tmp_path / "out", tmp_path / "cut.lbj")
    assert 1 < summary["frames"] < 4
    assert "cut short" in summary["notes"][0]


def test_a_journal_that_was_not_closed_is_told(tmp_path, capsys):
    raw = write(tmp_path / "a.lbj", 4).read_bytes()
    with lbj.open(tmp_path / "a.lbj") as journal:
        last = journal.source.header(journal.contents.frames[2].done, len(raw)).end
    (tmp_path / "b.lbj").write_bytes(raw[:last])
    summary = reported(capsys, tmp_path / "out", tmp_path / "b.lbj")
    assert summary["frames"] == 3
    assert "not closed" in summary["notes"][0]


def test_series_without_events_spectra_or_energies(tmp_path, capsys):
    rng = np.random.default_rng(0)
    image = lbj.Signal("HAADF", "image", (12, 13))
    signals = {
        "no counts": (
            lbj.Signal("EDX", "events", (12, 13, 20)),
            lbj.Events([], [], [], (12, 13, 20)),
            "not calibrated",
        ),
        "spectra": (lbj.Signal("EELS", "spectra", (12, 13, 20)), np.ones((12, 13, 20), np.float32), "EELS"),
        "one channel": (lbj.Signal("EDX", "events", (12, 13, 1)), np.ones((12, 13, 1), np.uint32), "not calibrated"),
        "none": (None, None, "no spectra"),
    }
    for name, (signal, data, note) in signals.items():
        with lbj.create(tmp_path / f"{name}.lbj", [image, *([signal] if signal else [])]) as writer:
            for _ in range(2):
                frame = {"HAADF": rng.poisson(50, (12, 13)).astype(np.uint16)}
                writer.append(frame | ({signal.name: data} if signal else {}))
        summary = reported(capsys, tmp_path / name, tmp_path / f"{name}.lbj")
        assert any(note in line for line in summary["notes"])
        assert summary["maps"] == {}


def test_a_title_cannot_break_the_page(tmp_path, capsys):
    title = '<script>alert("1 & 2")</script> µ'
    reported(capsys, tmp_path / "out", write(tmp_path / "a.lbj", 1, metadata={"title": title}))
    assert title in Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text


def test_unnamed_peaks_are_mapped_with_a_guess(tmp_path, capsys):
    path = write(tmp_path / "a.lbj", metadata={"beam_energy": 200e3})
    summary = reported(capsys, tmp_path / "out", path)
    assert any("No elements were named" in note for note in summary["notes"])
    middle = [np.mean(one["window_eV"]) for one in summary["maps"].values()]
    for energy in (525, 3691, 4509):  # O, Ca, Ti
        assert min(abs(np.array(middle) - energy)) < 40
    assert all(one["line"] is None for one in summary["maps"].values())


def test_several_journals_are_one_series(tmp_path, capsys):
    first, second = write(tmp_path / "a.lbj", 2), write(tmp_path / "b.lbj", 3)
    summary = reported(capsys, tmp_path / "out", first, second)
    assert summary["frames"] == 5
    assert summary["counts"] == sum(SERIES.events[n].total for n in (0, 1, 0, 1, 2))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.lbj", "--elements", "Ti,Xx"], 2, "Xx"),
        (["a.lbj", "--image", "ADF"], 2, "'ADF'.*EDX, HAADF"),
        (["a.lbj", "--image", "EDX"], 2, "'EDX' is no image"),
        (["a.lbj", "--signal", "EDS"], 2, "'EDS'.*EDX, HAADF"),
        (["a.lbj", "--signal", "HAADF"], 2, "'HAADF' is an image"),
        (["a.lbj", "--region", "3"], 2, "region 3"),
        (["none.lbj"], 1, "none.lbj"),
        (["junk.lbj"], 1, "not an .lbj journal"),
        (["empty.lbj"], 2, "no frame"),
    ],
)
def test_unusable_input_is_named(tmp_path, capsys, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    write("a.lbj", 1)
    write("empty.lbj", 0)
    (tmp_path / "junk.lbj").write_bytes(b"hello")
    got, out, err = run(capsys, "run", *arguments, "-o", "out")
    assert (got, out) == (code, "")
    assert re.fullmatch(rf"mfsi run: .*{message}.*\n", err)


def test_wrong_usage_is_2(capsys):
    for arguments in ([], ["run"], ["run", "a.lbj"], ["rum"], ["run", "a.lbj", "-o", "x", "--region", "one"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "usage: mfsi" in capsys.readouterr().err


def test_single_steps(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("a.lbj", 3)
    assert run(capsys, "register", "a.lbj", "-o", "shifts.csv") == (0, "shifts.csv\n", "")
    assert shifts(tmp_path / "shifts.csv").shape == (3, 2)
    registration = found_in("a.lbj")
    for method in ("pull", "push"):
        part = ["--upsampling", "2", "--region", "4:20,10:", "--channels", "90:120", "--method", method]
        assert run(capsys, "accumulate", "a.lbj", "-o", "sum.h5", *part) == (0, "sum.h5\n", "")
        with h5py.File(tmp_path / "sum.h5") as file:
            expected = accumulate(SERIES.events[:3], registration, upsampling=2, method=method)
            got = file["EDX"][:]
            np.testing.assert_allclose(got, expected[4:20, 10:, 90:120], atol=1e-3 * expected.max())
    assert run(capsys, "maps", "a.lbj", "-o", "maps", "--elements", "Ti")[0] == 0
    names = "Ti_Ka", "0.52keV"  # which is the oxygen beside Ti L
    assert {f"map-{name}.{kind}" for name in names for kind in ("npy", "png")} == set(os.listdir("maps")) - {MANIFEST}
    for wrong, message in (
        (["--region", "4,5"], "A:B"),
        (["--upsampling", "0"], "upsampling"),
        (["--channels", "5"], "A:B"),
    ):
        code, _, err = run(capsys, "accumulate", "a.lbj", "-o", "sum.h5", *wrong)
        assert code == 2
        assert message in err


@pytest.mark.drawn
def test_a_velox_file(shared_data, tmp_path, capsys):
    path = shared_data / "velox" / "fei_SI_SuperX-HAADF_10frames_10x50.emd"
    summary = reported(capsys, tmp_path / "out", path)
    assert (summary["frames"], summary["pixels"]) == (10, [50, 10])
    assert summary["counts"] == 764_005  # shared/data/README.md
    assert summary["counts_above_0.15_keV"] <= 136_788  # there, those below -0.15 keV too
    assert summary["counts_above_0.15_keV"] > 136_700
    assert summary["registration"]["guide"] == "HAADF"
    middle = np.array([np.mean(one["window_eV"]) for one in summary["maps"].values()])
    assert min(abs(middle - 7478)) < 60  # nickel


def test_a_jeol_file(shared_data, tmp_path, capsys):
    summary = reported(capsys, tmp_path / "out", shared_data / "jeol" / "64.pts")
    assert (summary["frames"], summary["pixels"]) == (50, [64, 64])
    assert summary["counts"] == 1_436_255  # shared/data/README.md
    assert summary["pixel_m"] == pytest.approx(5.16e-9, rel=0.01)
    middle = np.array([np.mean(one["window_eV"]) for one in summary["maps"].values()])
    for energy in (277, 525, 1487, 1740, 8040):  # C, O, Al, Si, Cu
        assert min(abs(middle - energy)) < 40


def test_no_module_hides_a_public_name():
    for module in pkgutil.iter_modules(mfsi_core.__path__, "mfsi_core."):
        if not module.name.startswith("mfsi_core.make_"):
            importlib.import_module(module.name)
    for name in mfsi_core.__all__:
        assert not inspect.ismodule(getattr(mfsi_core, name)), name


def section(folder, title):
    """Table of a section of the report: a dict a row."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    _, found, rest = text.partition(f"<h2>{title}</h2>")
    assert found
    rows = re.findall(r"<tr>(.*?)</tr>", rest.partition("<h2>")[0], re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]


@pytest.mark.drawn
def test_report_of_counts_composition_comparison_and_components(tmp_path, capsys):
    path = write(tmp_path / "a.lbj")
    (tmp_path / "k.csv").write_text(
        "element,family,k,basis,line_scope\nCa,K,1,wt,alpha\nTi,K,1.1,wt,alpha\nO,K,2,wt,alpha\n"
    )
    given = [path, "--elements", "Ca,Ti,O", "--factors", tmp_path / "k.csv"]
    summary = reported(capsys, tmp_path / "one", *given, "--chips", 10)
    pixel = summary["pixel_m"] * 1e9
    for row in section(tmp_path / "one", "Counts per area"):
        name = {"Ca Kα": "map-Ca_Ka", "Ti Kα": "map-Ti_Ka", "O Kα": "map-O_Ka"}[row["map"]]
        counts = summary["maps"][name]["net_counts"] / (40 * 44 * pixel**2)
        assert float(row["all frames"].replace(",", "")) == pytest.approx(counts, rel=6e-3)
        assert float(row["counts/nm², one frame"].replace(",", "")) == pytest.approx(counts / 6, rel=6e-3)
    chips = table(tmp_path / "one" / "quantification.csv")
    assert len(chips) == 16 * 3
    earlier = [row | {"at_pct": float(row["at_pct"]) + (1.5 if row["element"] == "Ca" else 0.0)} for row in chips]
    with (tmp_path / "earlier.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(chips[0]))
        writer.writeheader()
        writer.writerows(earlier)
    more = ["--chips", 10, "--stated", "Ca:1,Ti:1,O:3", "--compare", tmp_path / "earlier.csv", "--scree"]
    reported(capsys, tmp_path / "two", *given, *more)
    rows = {row["element"]: row for row in section(tmp_path / "two", "Comparison")}
    means = {e: np.mean([float(row["at_pct"]) for row in chips if row["element"] == e]) for e in ("Ca", "Ti", "O")}
    for element, atoms in (("Ca", 1), ("Ti", 1), ("O", 3)):
        share = 100 * means[element] / sum(means.values())
        assert float(rows[element]["normalised"]) == pytest.approx(share, rel=6e-3)
        assert float(rows[element]["error, %"]) == pytest.approx(100 * abs(share / (20 * atoms) - 1), rel=6e-3, abs=0.1)
        change = re.sub(r"(.*) × 10⁻.*", "0", rows[element]["change, at%"])  # of another rounding
        assert float(change) == pytest.approx(-1.5 if element == "Ca" else 0.0, abs=1e-3)
    assert [row["frames"] for row in section(tmp_path / "two", "Components against dose")] == ["1", "4", "6"]
    (tmp_path / "chips.json").write_text("[[[1, 1], [1, 20], [20, 20]], [[25, 25], [38, 25], [38, 40], [25, 40]]]")
    reported(capsys, tmp_path / "two", *given, "--chips", tmp_path / "chips.json")
    assert {row["chip_id"] for row in table(tmp_path / "two" / "quantification.csv")} == {"0", "1"}
    assert not (tmp_path / "two" / "difference_Ca.png").exists()


@pytest.mark.parametrize("more", [["--stated", "Ca:1"], ["--factors", "k.csv", "--chips", "none.json"]])
def test_comparison_and_polygons_used_wrongly(tmp_path, capsys, more):
    code, _, err = run(capsys, "run", write(tmp_path / "a.lbj", 2), "-o", tmp_path / "out", *more)
    assert code == 2
    assert "give factors too" in err or "none.json" in err


def test_spectra_without_an_image_are_named_for_what_they_are(tmp_path, capsys):
    from mfsi_core.simulation.eels import simulate_eels

    series = simulate_eels((12, 14), 3, seed=2)
    with lbj.create(tmp_path / "a.lbj", [s for s in series.signals if s.kind == "spectra"]) as writer:
        for n in range(3):
            writer.append({"EELS": series.frame(n)[0]["EELS"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(["run", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "out"), "--elements", "Ti"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "X-ray" not in page


def test_inputs_and_journals_are_never_overwritten(tmp_path, capsys):
    path = write(tmp_path / "a.lbj", 3)
    before = path.read_bytes()
    for command in (["register", path, "-o", path], ["accumulate", path, "-o", tmp_path / "a.h5"]):
        if command[0] == "accumulate":
            (tmp_path / "a.h5").write_bytes(before)
        code, _, err = run(capsys, *command)
        assert code == 2
        assert ("has not made it" if command[0] == "accumulate" else "never overwritten") in err
    assert path.read_bytes() == before == (tmp_path / "a.h5").read_bytes()
    (tmp_path / "series.lbj").write_bytes(before)
    np.savez(tmp_path / "b.npz", EDX=np.ones((2, 4, 4, 20), np.uint8))
    code, _, err = run(capsys, "run", tmp_path / "b.npz", "-o", tmp_path)
    assert code == 2
    assert "series.lbj" in err
    assert (tmp_path / "series.lbj").read_bytes() == before
    for _ in range(2):
        assert run(capsys, "run", tmp_path / "b.npz", "-o", tmp_path / "out")[0] == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["converted"] == "series.lbj"


def test_units_and_energies_that_are_meant_otherwise_are_told(tmp_path, capsys):
    axes = [{"name": name, "offset": 0.0, "scale": 0.5, "units": "nm"} for name in "yx"]
    axes.append({"name": "energy", "offset": 0.0, "scale": 0.01, "units": "keV"})
    signal = lbj.Signal("EDX", "events", (6, 6, 300), axes=axes)
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": 200}) as writer:
        writer.append({"EDX": np.ones((6, 6, 300), np.uint8)})
    notes = " ".join(reported(capsys, tmp_path / "out", tmp_path / "a.lbj", "--elements", "Ti")["notes"])
    assert "is in 'nm'" in notes
    assert "is in 'keV', not in eV" in notes
    assert "200 eV; if keV were meant" in notes


@pytest.mark.parametrize("text", ["[1, 2]", '{"files": 7}', '{"files": [3]}', "no JSON"])
def test_a_summary_that_no_run_wrote_is_not_replaced(tmp_path, capsys, text):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text(text)
    code, _, err = run(capsys, "run", write(tmp_path / "a.lbj", 2), "-o", tmp_path / "out")
    assert code == 2
    assert "summary.json" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.json"]
    assert (tmp_path / "out" / "summary.json").read_text() == text


@pytest.mark.parametrize(
    "arguments",
    [
        "run a.lbj -o out", "demo -o out", "maps a.lbj -o out", "scree a.lbj -o out", "denoise a.lbj -o out.lbj --components 3",
        "quantify a.lbj -o out --factors k.csv", "template a.lbj -o out", "chart a.lbj --elements Ti --plot out.png",
        "plan --field 10nm --pixel 1nm --current 17pA --dwell 1ms --frames 9 --journal a.lbj --plot out.png",
    ],
)  # fmt: skip
def test_what_pictures_need_is_said_before_anything_is_read(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run(capsys, *arguments.split())  # of a journal that does not exist
    assert code == 2
    assert "need matplotlib: pip install 'mfsi[report]'" in err
    assert list(tmp_path.iterdir()) == []

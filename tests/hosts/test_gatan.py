"""The script for Gatan Microscopy Suite, with a stand-in of the few calls that it makes there."""

import ast
import importlib.util
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import lbj
from lbj.recovery.verify import verify

FOLDER = Path(__file__).parents[2] / "hosts" / "gatan"
SCRIPT = FOLDER / "mfsi_series.py"


class Image:
    """Numbers in the program's order of dimensions, x first, which NumPy sees turned round."""

    def __init__(self, array, calibrations=()):
        self.array, self.calibrations = array, calibrations

    def GetNumArray(self):
        return self.array

    def GetID(self):
        return id(self)

    def SetName(self, name):
        self.name = name

    def GetDimensionCalibration(self, number, _style):
        return (*self.calibrations[number], 0)


class Program(types.ModuleType):
    """DigitalMicrograph with DigiScan: detector 0 counts upwards, frame by frame."""

    def __init__(self, *, yes=True, front=None):
        super().__init__("DigitalMicrograph")
        self.yes, self.front, self.asked, self.failed, self.scans, self.open = yes, front, [], [], 0, 0
        self.images = {}

    def OkCancelDialog(self, text):
        self.asked.append(text)
        return self.yes

    def OkDialog(self, text):
        self.failed.append(text)

    def CreateImage(self, array):
        image = Image(array)
        self.images[image.GetID()] = image
        return image

    def GetFrontImage(self):
        return self.front

    def DS_CreateParameters(self, width, height, rotation, pixel_time, line_sync):
        self.open += 1
        self.parameters = {"width": width, "height": height, "us": pixel_time, "signals": {}}
        return self.parameters

    def DS_SetParametersSignal(self, scan, number, size, selected, image):
        assert size == 4
        assert selected
        scan["signals"][number] = self.images[image]

    def DS_StartAcquisition(self, scan, continuous, wait):
        assert wait
        assert not continuous
        if self.scans == getattr(self, "fails_at", None):
            raise RuntimeError("the scan was interrupted")
        for number, image in scan["signals"].items():
            assert image.array.shape == (scan["height"], scan["width"])
            image.array[:] = np.arange(image.array.size).reshape(image.array.shape) + 1000 * self.scans + number
        self.scans += 1

    def DS_DeleteParameters(self, scan):
        self.open -= 1


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the script as the program does, with some of its values changed."""

    def run_(program, **values):
        text = SCRIPT.read_text(encoding="utf-8")
        for name, value in {"JOURNAL": str(tmp_path / "a.lbj"), "ROWS": 5, "COLUMNS": 7, "FRAMES": 3, **values}.items():
            (line,) = [one for one in text.splitlines() if one.startswith(f"{name} = ")]
            text = text.replace(line, f"{name} = {value!r}")
        path = tmp_path / "script.py"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setitem(sys.modules, "DigitalMicrograph", program)
        runpy.run_path(str(path), run_name="__main__")
        return tmp_path / "a.lbj"

    return run_


def test_a_series_is_extended_by_the_same_script(run):
    program = Program()
    path = run(program, SIGNALS={0: "HAADF", 1: "BF"})
    run(program, SIGNALS={0: "HAADF", 1: "BF"})
    assert program.open == 0
    assert "It is written to" in program.asked[0]
    assert "It extends" in program.asked[1]
    with path.open("rb") as file:
        assert [finding for finding in verify(file) if not finding.note] == []
    with lbj.open(path) as journal:
        assert len(journal) == 6
        assert journal.metadata["beam_energy"] == 200e3
        assert [axis["scale"] for axis in journal.signals["HAADF"].axes] == [0.0555e-9] * 2
        for n, frame in enumerate(journal):
            expected = np.arange(35).reshape(5, 7) + 1000 * n
            np.testing.assert_array_equal(frame.array("HAADF"), expected)
            np.testing.assert_array_equal(frame.array("BF"), expected + 1)


def test_times_and_doses_are_those_of_the_paper_and_of_the_planner():
    spec = importlib.util.spec_from_file_location("mfsi_series", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    table = script.dose_table(230, 200, 200, 0.0555e-9, 1e-3, 17e-12)
    assert table["dose_per_frame"] == pytest.approx(3.44e5, rel=2e-3)  # Jones et al. 2018, 17 pA, 0.555 Å, 1 ms
    from mfsi_core.planning import plan

    made = plan("11.1nm", "0.0555nm", "17pA", "10us", 7, flyback="1ms", write_overhead="0.3s")
    table = script.dose_table(7, 200, 200, 0.0555e-9, 10e-6, 17e-12, 1e-3, 0.3)
    assert table == pytest.approx({name: getattr(made, name) for name in table})


def test_nothing_is_exposed_without_a_yes(run):
    program = Program(yes=False)
    assert not run(program).exists()
    assert program.scans == 0
    assert "3.445e+05 e/A2" not in program.asked[0]  # 10 us, not 1 ms
    assert "3445 e/A2" in program.asked[0]


def test_a_scan_that_fails_leaves_the_frames_before(run, tmp_path):
    program = Program()
    program.fails_at = 2
    with pytest.raises(RuntimeError, match="interrupted"):
        run(program)
    assert program.failed == ["RuntimeError: the scan was interrupted"]
    assert program.open == 0
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 2


@pytest.mark.parametrize(("name", "kind"), [("EDX", "events"), ("EELS", "spectra")])
def test_the_spectrum_image_in_front_becomes_a_frame(run, name, kind):
    cube = np.random.default_rng(3).poisson(0.4, (4, 3, 11)).astype(np.int32)  # y, x, energy
    front = Image(np.moveaxis(cube, -1, 0), [(0.0, 0.05, "nm"), (0.0, 0.06, "nm"), (0.1, 0.01, "keV")])
    path = run(Program(front=front), SPECTRUM_IMAGE=name)
    with lbj.open(path) as journal:
        signal = journal.signals[name]
        assert (signal.kind, tuple(signal.shape)) == (kind, (4, 3, 11))
        assert [axis["scale"] for axis in signal.axes] == pytest.approx([0.06e-9, 0.05e-9, 10.0])
        assert signal.axes[2]["offset"] == pytest.approx(100.0)
        found = journal[0].events(name).dense() if kind == "events" else journal[0].array(name)
        np.testing.assert_array_equal(found, cube)


def test_an_image_in_front_that_is_none_is_named(run, tmp_path):
    program = Program(front=Image(np.zeros((5, 5))))
    with pytest.raises(ValueError, match="has 2 dimensions"):
        run(program, SPECTRUM_IMAGE="EELS")
    assert not (tmp_path / "a.lbj").exists()


def test_the_script_holds_the_writer_as_it_is_in_the_syntax_of_its_python():
    spec = importlib.util.spec_from_file_location("make_series", FOLDER / "make_series.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    text = SCRIPT.read_text(encoding="utf-8")
    assert maker.with_writer(text) == text
    tree = ast.parse(text, feature_version=(3, 7))
    defined = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    defined += [
        one.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for one in node.targets
        if isinstance(one, ast.Name)
    ]
    assert len(defined) == len(set(defined))  # of both parts
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported - {"numpy", "DigitalMicrograph"} <= sys.stdlib_module_names

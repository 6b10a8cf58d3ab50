"""The real vendor files: as journals, in HyperSpy, saved again, and straight from rosettasciio's readers."""

import itertools
import warnings

import numpy as np
import pytest

import lbj
import mfsi_core.hyperspy  # noqa: F401  adds the format where the package is not installed
from lbj.archive.convert import write_source
from lbj.format.attributes import PER_SIGNAL
from lbj.importing import open_source

hs = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
pytest.importorskip("exspy", reason="eXSpy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of rosettasciio and its libraries

FRAMES = 2  # of each file
FILES = [
    "bruker/4on3.bcf", "bruker/L2083-K-4-1_tilt0.bcf", "bruker/P45_12bit_packed_8bit_compressed.bcf",
    "bruker/bcf-edx-ebsd.bcf", "bruker/test_TEM.bcf", "eds/88_ES-LP_G8_selection2_cropped2.hspy",
    "eds/bare_core.hdf5", "eds/core_shell.hdf5", "eels/1D_test-EDS_spectrum.dm3",
    "eels/2D_test-MonarcCL_spectrum-SI.dm4", "eels/CuZn_EELS_mapping_tutorial.hspy", "eels/CuZn_HAADF.hspy",
    "eels/DMReader_SpectrumImage_SI-EELS.dm3", "eels/EELS_STO.dm3", "eels/LSMO_linescan.hspy",
    "eels/LSMO_linescan_low_loss.hspy", "eels/SI-HAADF.dm3", "images/stem_abf_data_imagestack.hspy", "jeol/64.pts",
    "jeol/DigiLine_View000_0000003.pts", "other/EDAX_EDS_files.zip", "other/FEI-Helios-Ebeam-16bits.tif",
    "other/LowMag.ndata", "other/emd_type1_stringDims.h5", "velox/EDS-STO.emd", "velox/example_velox_EELS_EDS.emd",
    "velox/fei_SI_EDS-HAADF-4detectors_2frames.emd", "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd",
    "velox/fei_emd_si.emd", "velox/fei_example_tem_stack.emd", "velox/velox_v11_SI_16x16_2frames.emd",
]  # fmt: skip
SMALL = [name for name in FILES if name.endswith((".hspy", ".hdf5", ".dm3", ".dm4", ".tif"))]


@pytest.mark.parametrize("name", FILES)
def test_a_journal_goes_through_hyperspy_unchanged(shared_data, tmp_path, name):
    """Every signal of the first frames, read lazily and saved: counts, values, axes, times and metadata."""
    path = tmp_path / "a.lbj"
    try:
        source = open_source([shared_data / name])
    except lbj.UsageError as error:
        pytest.skip(f"not readable here: {error}")
    source.frames = itertools.islice(source.frames, FRAMES)
    write_source(source, path, {"name": name, "files": []})
    with lbj.open(path) as journal:
        loaded = hs.load(path, lazy=True, sum_frames=False, detectors="each")
        loaded = loaded if isinstance(loaded, list) else [loaded]
        for signal, one in zip(journal.signals.values(), loaded, strict=True):
            copy = tmp_path / f"{signal.name}.lbj"
            one.save(copy)
            with lbj.open(copy) as again:
                same_signal(journal, again, signal)
        summed = hs.load(path, lazy=True, sum_frames=True)
        for one in summed if isinstance(summed, list) else [summed]:
            title = one.metadata.General.title
            if one.metadata.Signal.signal_type.startswith("EDS") and title in journal.signals:
                assert int(one.data.sum().compute()) == sum(frame.events(title).total for frame in journal)


def same_signal(journal, again, signal):
    """The signal in the copy is declared, described and filled as in the journal."""
    copied = again.signals[signal.name]
    for part in ("kind", "shape", "dtype", "axes", "role", "to_field"):
        assert getattr(copied, part) == getattr(signal, part), part
    assert {key: value for key, value in copied.metadata.items() if key != "hyperspy"} == signal.metadata
    assert again.metadata == journal.metadata
    if signal.static:
        np.testing.assert_array_equal(again.static(signal.name), journal.static(signal.name))
        return
    frames = [frame for frame in journal if signal.name in frame.names]
    for frame, other in zip(frames, again, strict=True):
        if signal.kind == "events":
            assert other.events(signal.name) == frame.events(signal.name)
        else:
            np.testing.assert_array_equal(other.array(signal.name), frame.array(signal.name))
        stated = {
            key: {signal.name: value[signal.name]} if isinstance(value, dict) and signal.name in value else value
            for key, value in frame.attributes.items()
            if not (isinstance(value, dict) and key in PER_SIGNAL and signal.name not in value)
        }
        assert other.attributes == stated


@pytest.mark.parametrize("name", SMALL)
def test_what_rosettasciio_reads_comes_back(shared_data, tmp_path, name):
    """Data, axes, metadata and the vendor's own tags of a signal saved as a journal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = hs.load(shared_data / name, file_format="HSPY" if name.endswith((".hspy", ".hdf5")) else None)
    for one in loaded if isinstance(loaded, list) else [loaded]:
        one.save(tmp_path / "a.lbj", overwrite=True)
        back = hs.load(tmp_path / "a.lbj")
        assert type(back) is type(one)
        np.testing.assert_array_equal(back.data, one.data)
        assert back.data.dtype.name == one.data.dtype.name
        for mine, other in zip(one.axes_manager._axes, back.axes_manager._axes, strict=True):
            np.testing.assert_equal(other.get_axis_dictionary(), mine.get_axis_dictionary())
        for tree in ("metadata", "original_metadata"):
            mine, other = (getattr(signal, tree).as_dictionary() for signal in (one, back))
            for each in (mine, other):
                each.pop("lbj", None)
                each.get("General", {}).pop("FileIO", None)
            np.testing.assert_equal(other, mine)

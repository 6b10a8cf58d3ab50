"""Formats beyond the own readers. Truth is the generator of the file, or what a real file states of itself."""

from __future__ import annotations

import json
import math
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import signal_files as sf

import lbj
from lbj.archive.convert import convert
from lbj.exporting import export
from lbj.importing import open_source
from lbj.importing.notes import grouped


def read(*paths):
    source = open_source(list(paths))
    frames = list(source.frames)
    assert source.n_frames in (None, len(frames))
    return source, frames


def stacked(source, frames, index=0):
    name = source.signals[index].name
    return np.stack([np.asarray(f[name].dense() if isinstance(f[name], lbj.Events) else f[name]) for f, _ in frames])


def counts(*shape):
    return np.random.default_rng(sum(shape)).poisson(3, shape).astype(np.uint16)


WRITERS = {
    "ripple": "rpl", "nexus": "nxs", "emd": "emd", "pantarhei": "prz", "tiff": "tif", "hspy": "hspy", "zspy": "zspy",
}  # fmt: skip
KNOWS_KIND = ("ripple", "nexus", "emd", "hspy", "zspy", "tiff")


def check_axes(axes, space, channels=()):
    for axis, (offset, scale) in zip(axes, space, strict=False):
        assert axis["units"] == "m"
        assert (axis["offset"], axis["scale"]) == pytest.approx((offset, scale))
    if channels:
        assert axes[-1]["name"] == "energy"
        assert axes[-1]["units"] == "eV"
        assert (axes[-1]["offset"], axes[-1]["scale"]) == pytest.approx(channels)


@pytest.mark.parametrize("module", WRITERS)
def test_spectrum_images_of_every_writer(tmp_path, module):
    for name, kind, energy, channels in (
        ("EDX", "EDS_TEM", sf.ENERGY, (-200, 100)),
        ("EELS", "EELS", sf.LOSS, (400, 0.5)),
    ):
        data = counts(5, 6, 32)
        path = tmp_path / f"{name}.{WRITERS[module]}"
        instrument = {"Acquisition_instrument": {"TEM": sf.TEM}}
        sf.write(module, path, sf.signal(data, [sf.Y, sf.X, energy], kind, **instrument))
        source, frames = read(path)
        signal = source.signals[0]
        assert signal.shape == data.shape
        np.testing.assert_array_equal(stacked(source, frames)[0], data)
        check_axes(signal.axes, [(1e-9, 0.5e-9), (0, 0.25e-9)], channels)
        if module in KNOWS_KIND:
            assert signal.name == name
            assert signal.kind == ("events" if name == "EDX" else "spectra")
        if module not in ("emd", "tiff"):
            assert source.metadata["beam_energy"] == pytest.approx(200e3)
        if module in ("hspy", "zspy", "nexus"):
            assert source.metadata["convergence_angle"] == pytest.approx(0.025)
            assert frames[0][1]["beam_current"] == pytest.approx(0.1e-9)


@pytest.mark.parametrize("module", ["nexus", "emd", "hspy", "zspy", "pantarhei"])
def test_four_dimensions_stay_in_one_frame(tmp_path, module):
    data = counts(2, 3, 5, 6)
    k = [("ky", "1/nm", 0.1, 0.0, False), ("kx", "1/nm", 0.1, 0.0, False)]
    path = tmp_path / f"a.{WRITERS[module]}"
    sf.write(module, path, sf.signal(data, [sf.Y, sf.X, *k]))
    source, frames = read(path)
    assert (source.signals[0].kind, source.signals[0].shape, len(frames)) == ("image", data.shape, 1)
    np.testing.assert_array_equal(stacked(source, frames)[0], data)
    assert source.signals[0].axes[-1]["units"] == "1/nm"
    assert source.signals[0].axes[-1]["scale"] == pytest.approx(0.1)
    assert any("4 axes" in note for note in source.notes)


@pytest.mark.parametrize("module", ["ripple", "nexus", "emd", "hspy", "zspy"])
def test_stacks_in_time(tmp_path, module):
    data = counts(3, 5, 6)
    path = tmp_path / f"BF.{WRITERS[module]}"
    sf.write(module, path, sf.signal(data, [("t", "s", 2.0, 0.0, True), *sf.PLANE]))
    source, frames = read(path)
    assert source.signals[0].shape == (5, 6)
    np.testing.assert_array_equal(stacked(source, frames), data)
    assert [attributes["time_offset"] for _, attributes in frames] == [0, 2, 4]
    assert not any("successive frames" in note for note in source.notes)


def test_msa(tmp_path):
    data = counts(64)
    sf.write("msa", tmp_path / "a.msa", sf.signal(data, [sf.ENERGY], "EDS_TEM", Acquisition_instrument={"TEM": sf.TEM}))
    (tmp_path / "a.txt").write_bytes((tmp_path / "a.msa").read_bytes())
    for name in ("a.msa", "a.txt"):
        source, frames = read(tmp_path / name)
        assert (source.signals[0].name, source.signals[0].shape) == ("EDX", (1, 1, 64))
        np.testing.assert_array_equal(stacked(source, frames)[0, 0, 0], data)
        assert frames[0][1]["live_time"] == {"EDX": 3.0}
        assert source.signals[0].metadata["elevation"] == pytest.approx(math.radians(20))


def test_tia_series(tmp_path):
    spectra = counts(12, 16)
    dimensions = [(4, 0.0, 1e-9, "meters"), (3, 0.0, 2e-9, "meters")]
    sf.ser_file(tmp_path / "map_1.ser", list(spectra), dimensions, spectra=True)
    images = counts(3, 5, 6)
    sf.ser_file(tmp_path / "movie_BF_1.ser", list(images), [(3, 0.0, 0.5, "s")], spectra=False)
    sf.ser_file(tmp_path / "movie_BF_1.dat", list(images), [(3, 0.0, 0.5, "s")], spectra=False)
    source, frames = read(tmp_path / "map_1.ser")
    assert (source.signals[0].kind, source.signals[0].shape, len(frames)) == ("spectra", (3, 4, 16), 1)
    np.testing.assert_array_equal(stacked(source, frames)[0].reshape(12, 16), spectra)
    assert source.signals[0].axes[-1]["scale"] == pytest.approx(10)
    for name in ("movie_BF_1.ser", "movie_BF_1.dat"):
        source, frames = read(tmp_path / name)
        assert (source.signals[0].name, source.signals[0].shape) == ("BF", (5, 6))
        np.testing.assert_array_equal(stacked(source, frames), images)


@pytest.mark.parametrize("container", ["zip", "hdf5"])
@pytest.mark.parametrize(
    ("shape", "dims", "expected", "kind"),
    [
        ((5, 6), {}, (1, 5, 6), "image"),
        ((3, 5, 6), {"sequence": True}, (3, 5, 6), "image"),
        ((5, 6, 32), {"collection": 2, "datum": 1}, (1, 5, 6, 32), "spectra"),
        ((3, 5, 6, 32), {"sequence": True, "collection": 2, "datum": 1}, (3, 5, 6, 32), "spectra"),
        ((6, 32), {"collection": 1, "datum": 1}, (1, 1, 6, 32), "spectra"),
        ((4, 32), {"sequence": True, "datum": 1}, (4, 1, 1, 32), "spectra"),
        ((2, 3, 5, 6), {"collection": 2}, (1, 2, 3, 5, 6), "image"),
        ((32,), {"datum": 1}, (1, 1, 1, 32), "spectra"),
    ],
)
def test_nion(tmp_path, container, shape, dims, expected, kind):
    data = counts(*shape).astype(np.float32)
    calibrations = [(1.0, 0.5, "nm")] * len(shape)
    if dims.get("datum") == 1:
        calibrations[-1] = (400.0, 0.5, "eV")
    hardware = {"hardware_source": {"channel_name": "MAADF", "exposure": 0.25, "autostem": {"high_tension": 60000}}}
    properties = sf.nion_properties(shape, calibrations, **dims, **hardware, scan={"pixel_time_us": 4})
    if container == "zip":
        path = tmp_path / "a.ndata1"
        sf.nion_zip(path, data, properties)
    else:
        path = tmp_path / "a.h5"
        sf.nion_hdf5(path, data, properties)
    source, frames = read(path)
    signal = source.signals[0]
    assert (signal.kind, len(frames), *signal.shape) == (kind, *expected)
    assert signal.name == ("MAADF" if kind == "image" else "EELS")
    np.testing.assert_array_equal(stacked(source, frames).reshape(shape), data)
    assert source.metadata["beam_energy"] == 60e3
    assert source.metadata["title"] == "an item"
    assert source.metadata["local_start_time"] == "2021-02-03T04:05:06"
    assert frames[0][1]["exposure"] == {signal.name: 0.25}
    assert frames[0][1]["dwell_time"] == {signal.name: pytest.approx(4e-6)}
    if kind == "spectra":
        assert signal.axes[-1] == {"name": "energy", "size": 32, "offset": 400.0, "scale": 0.5, "units": "eV"}
    else:
        assert signal.axes[-1]["scale"] == pytest.approx(0.5e-9)


def test_nion_whose_properties_lie(tmp_path):
    data = counts(5, 6, 7)
    for properties in ({}, sf.nion_properties((5,), [], collection=4), {"dimensional_calibrations": "none"}):
        sf.nion_zip(tmp_path / "a.ndata", data, properties)
        source, frames = read(tmp_path / "a.ndata")
        np.testing.assert_array_equal(stacked(source, frames).reshape(data.shape), data)
        (tmp_path / "a.ndata").unlink()


def test_a_zip_of_arrays_is_no_npz_by_its_name_alone(tmp_path):
    np.savez(tmp_path / "a.npz", EELS=counts(2, 3, 4))
    (tmp_path / "a.npz").rename(tmp_path / "a.zip")
    assert read(tmp_path / "a.zip")[0].signals[0].name == "EELS"
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("readme.bin", b"nothing")
    with pytest.raises(lbj.UsageError, match="no importer"):
        read(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("../../a/evil_1.npz", (tmp_path / "a.zip").read_bytes())
    assert read(tmp_path / "c.zip")[0].signals[0].name == "EELS"
    assert not (tmp_path.parent / "a").exists()


# What real files state of themselves


def test_edax(shared_data):
    source, frames = read(shared_data / "other/EDAX_EDS_files.zip")
    signal = source.signals[0]
    assert (signal.name, signal.kind, signal.shape) == ("EDX", "events", (231, 256, 2000))
    with zipfile.ZipFile(shared_data / "other/EDAX_EDS_files.zip") as archive, archive.open("SEM_EDS_map.spd") as file:
        raw = file.read()
    total = int(np.frombuffer(raw[-231 * 256 * 2000 * 2 :], "<u2").sum(dtype=np.int64))
    assert frames[0][0]["EDX"].total == total == 442_301
    assert signal.axes[-1]["scale"] == pytest.approx(5)
    assert source.metadata["elements"] == ["Al", "C", "Fe", "N", "Na", "O", "Si"]
    assert signal.axes[0]["scale"] == pytest.approx(22.83e-9, rel=1e-3)


def test_cathodoluminescence_stays_a_spectrum_image(shared_data):
    path = shared_data / "eels/2D_test-MonarcCL_spectrum-SI.dm4"
    source, frames = read(path)
    signal = source.signals[0]
    assert (signal.name, signal.kind, signal.shape, signal.dtype) == ("CL", "spectra", (3, 3, 670), "float32")
    assert signal.axes[-1]["name"] == "Wavelength"
    assert signal.axes[-1]["units"] == "m"
    assert signal.axes[-1]["scale"] == pytest.approx(0.14667e-9, rel=1e-4)
    assert signal.axes[-1]["offset"] == pytest.approx(315.863e-9, rel=1e-5)
    assert signal.axes[0]["scale"] == pytest.approx(15.0586e-9, rel=1e-5)
    assert frames[0][1]["exposure"] == {"CL": pytest.approx(0.05)}
    assert source.metadata["local_start_time"] == "2021-09-16T12:06:09"
    raw = path.read_bytes()
    assert stacked(source, frames)[0].transpose(2, 0, 1).astype("<f4").tobytes() in raw


def test_gatan_spectra_stay_spectra_without_a_calibration(shared_data, tmp_path):
    """The unit's letters are blanked: the tags still say that these are spectra."""
    raw = (shared_data / "eels/DMReader_SpectrumImage_SI-EELS.dm3").read_bytes()
    (tmp_path / "a.dm3").write_bytes(raw.replace("eV".encode("utf-16-le"), "  ".encode("utf-16-le")))
    source, frames = read(tmp_path / "a.dm3")
    signal = source.signals[0]
    assert (signal.name, signal.kind, signal.shape) == ("EELS", "spectra", (49, 6, 1024))
    assert "units" not in signal.axes[-1]
    assert any("not calibrated in energy" in note for note in source.notes)
    np.testing.assert_array_equal(
        stacked(source, frames), stacked(*read(shared_data / "eels/DMReader_SpectrumImage_SI-EELS.dm3"))
    )
    raw = raw.replace("EELS".encode("utf-16-le"), "XPS ".encode("utf-16-le"))
    (tmp_path / "b.dm3").write_bytes(raw.replace("eV".encode("utf-16-le"), "nm".encode("utf-16-le")))
    signal = read(tmp_path / "b.dm3")[0].signals[0]
    assert (signal.kind, signal.shape) == ("spectra", (49, 6, 1024))
    assert signal.axes[-1]["units"] == "m"


def test_gatan_x_ray_spectrum(shared_data):
    source, frames = read(shared_data / "eels/1D_test-EDS_spectrum.dm3")
    signal = source.signals[0]
    assert (signal.kind, signal.shape) == ("events", (1, 1, 4096))
    events, attributes = frames[0]
    assert events["EDX"].total == 17_051
    assert attributes == {"live_time": {"EDX": 3.806}, "real_time": {"EDX": 4.233}}
    assert signal.metadata["elevation"] == pytest.approx(math.radians(18))
    assert signal.metadata["azimuth"] == pytest.approx(math.radians(45))
    assert signal.metadata["solid_angle"] == 0.7
    assert source.metadata["microscope"] == "FEI Titan"
    assert source.metadata["magnification"] == 320e3
    assert source.metadata["camera_length"] == pytest.approx(0.135)
    assert source.metadata["local_start_time"] == "2016-08-08T21:46:19"
    assert source.metadata["stage_position"] == pytest.approx([-480.393e-6, 57.116e-6, 28.4493e-6])


def test_gatan_exposure_is_that_of_the_whole_spectrum(shared_data):
    source, frames = read(shared_data / "eels/EELS_STO.dm3")
    assert source.signals[0].shape == (1, 1, 2048)
    assert frames[0][1]["exposure"] == {"EELS": 20.0}
    assert source.signals[0].metadata["reads"] == 10
    assert source.signals[0].metadata["spectrometer"] == "Enfinium ER NION"


def test_nion_file(shared_data):
    source, frames = read(shared_data / "other/LowMag.ndata")
    assert (source.signals[0].kind, source.signals[0].shape, source.signals[0].dtype) == (
        "image",
        (520, 696),
        "float32",
    )
    assert source.signals[0].axes[1] == {"name": "x", "size": 696, "offset": 0.0, "scale": 1e-9, "units": "m"}
    with zipfile.ZipFile(shared_data / "other/LowMag.ndata") as archive, archive.open("data.npy") as file:
        np.testing.assert_array_equal(stacked(source, frames)[0], np.load(file))


def test_ncem_under_another_suffix(shared_data):
    path = shared_data / "other/emd_type1_stringDims.h5"
    source, frames = read(path)
    assert source.signals[0].shape == (3, 4, 5, 6)
    assert [axis["name"] for axis in source.signals[0].axes] == ["dim1", "dim2", "dim3", "dim4"]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(stacked(source, frames)[0], file["exper/emd_data/data"][:])


def test_scale_of_a_vendors_tiff(shared_data):
    source, frames = read(shared_data / "other/FEI-Helios-Ebeam-16bits.tif")
    assert [axis["scale"] for axis in source.signals[0].axes] == pytest.approx([3.3724e-6] * 2)
    assert source.signals[0].name == "ETD"
    assert source.metadata["beam_energy"] == 5000
    assert frames[0][1]["dwell_time"] == {"ETD": pytest.approx(1e-5)}
    assert frames[0][1]["beam_current"] == pytest.approx(6.25e-12)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("eels/CuZn_EELS_mapping_tutorial.hspy", (50, 40, 162)),
        ("eels/LSMO_linescan.hspy", (1, 40, 586)),
        ("eels/LSMO_linescan_low_loss.hspy", (1, 40, 1024)),
        ("eels/CuZn_HAADF.hspy", (50, 40)),
        ("eels/SI-HAADF.dm3", (1568, 192)),
    ],
)
def test_rows_of_the_first_set(shared_data, name, shape):
    source, frames = read(shared_data / name)
    assert (source.signals[0].shape, len(frames)) == (shape, 1)
    if name.startswith("eels/CuZn_EELS"):
        assert source.metadata["convergence_angle"] == pytest.approx(0.029)
        assert source.metadata["collection_angle"] == pytest.approx(0.036)
    if name.startswith("eels/LSMO"):
        assert source.metadata["convergence_angle"] == pytest.approx(0.02742)
        assert source.metadata["collection_angle"] == pytest.approx(0.03319)


# Readers are chosen by content


def test_content_decides_and_the_suffix_helps(shared_data, tmp_path):
    for name in (
        "eels/EELS_STO.dm3",
        "other/FEI-Helios-Ebeam-16bits.tif",
        "other/LowMag.ndata",
        "eels/CuZn_HAADF.hspy",
    ):
        right = read(shared_data / name)
        for suffix in (".tif", ".h5", ".bin"):
            path = tmp_path / f"other{suffix}"
            path.write_bytes((shared_data / name).read_bytes())
            source, frames = read(path)
            np.testing.assert_array_equal(stacked(source, frames), stacked(*right))


@pytest.mark.parametrize("suffix", [".emd", ".tif", ".npz", ".hspy", ".ndata"])
def test_a_suffix_that_promises_another_content(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"no such thing " * 40)
    with pytest.raises(lbj.DamagedError, match="its name promises"):
        read(path)


def test_a_library_that_fails_is_quoted(tmp_path):
    path = tmp_path / "a.mib"
    path.write_bytes(b"MQ1,000001,00384,01,0256,0256,U16" * 40)
    with pytest.raises(
        lbj.LbjError, match=r"rosettasciio's reader 'quantumdetector' failed .*hs\.load\('a\.mib'\)"
    ) as caught:
        read(path)
    assert not isinstance(caught.value, lbj.DamagedError)


def test_what_may_run_programs_is_refused(tmp_path):
    for name in ("a.pkl", "a.npy"):
        (tmp_path / name).write_bytes(b"\x80\x04\x95")
        with pytest.raises(lbj.UsageError, match="savez"):
            read(tmp_path / name)


def test_heater_log(tmp_path):
    """DENSsolutions: temperatures at even times."""
    columns = "sample\ttime\tTset[C]\tTmeas[C]\tRheat[ohm]\tVheat[V]\tIheat[mA]\tPheat [mW]\tc"
    head = f"01/02/'20 10:20\tDigiheater 3.1\nR0=1\ta=1\tb=2\tc=3\ndelta\n{columns}\n"
    rows = "".join(f"{i}\t00:00:0{i}.0\t20\t{20.5 + i}\t1\t1\t1\t1\t1\n" for i in range(4))
    (tmp_path / "a.dens").write_text(head + rows)
    source, frames = read(tmp_path / "a.dens")
    signal = source.signals[0]
    assert (signal.kind, signal.shape, signal.axes[-1]["name"], signal.axes[-1]["units"]) == (
        "spectra",
        (1, 1, 4),
        "Time",
        "s",
    )
    np.testing.assert_allclose(stacked(source, frames).ravel(), [20.5, 21.5, 22.5, 23.5])
    assert signal.metadata["quantity"] == "Temperature (Celsius)"


# HyperSpy


def hspy(path, data, axes, kind="EDS_TEM", **metadata):
    sf.write("hspy", path, sf.signal(data, axes, kind, **metadata))


def test_old_hspy(tmp_path):
    """Version 1.0 as HyperSpy 0.7 wrote it: other names, times beside the detector, no side of the axes."""
    data = counts(4, 5, 16)
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.attrs["file_format"] = "Hyperspy"
        file.attrs["file_format_version"] = "1.0"
        group = file.create_group("Experiments/old")
        group["data"] = data  # contiguous
        for i, (name, scale, units) in enumerate((("y", 2.0, "nm"), ("x", 2.0, "nm"), ("Energy", 10.0, "eV"))):
            axis = group.create_group(f"axis-{i}")
            axis.attrs.update({"name": name, "scale": scale, "offset": 0.0, "units": units, "size": data.shape[i]})
        parameters = group.create_group("mapped_parameters")
        parameters.attrs.update({"name": "an old map", "signal": "EDS_TEM", "record_by": "spectrum"})
        parameters.create_group("TEM").attrs.update({"beam_energy": 100.0, "tilt_stage": 5.0})
        parameters.create_group("TEM/EDS").attrs.update({"live_time": 7.0, "elevation_angle": 30.0})
        group.create_group("original_parameters")
        group.create_group("mva_results").attrs["mva_algorithm"] = "svd"
    source, frames = read(tmp_path / "a.hdf5")
    np.testing.assert_array_equal(stacked(source, frames)[0], data)
    assert source.metadata["beam_energy"] == 100e3
    assert source.metadata["title"] == "an old map"
    assert source.metadata["stage_tilt"] == [pytest.approx(math.radians(5))]
    assert frames[0][1] == {"live_time": {"EDX": 7.0}}
    assert any("decomposition" in note for note in source.notes)


def test_markers_and_ragged_arrays_beside_the_data(tmp_path):
    data = counts(4, 5, 16)
    hspy(tmp_path / "a.hspy", data, [sf.Y, sf.X, sf.ENERGY])
    with h5py.File(tmp_path / "a.hspy", "r+") as file:
        markers = file.create_group("Experiments/a title/metadata/Markers/points/kwargs")
        markers.create_dataset("offsets", (4, 5), h5py.vlen_dtype(np.float64))
        markers.create_dataset("_ragged_shapes_offsets", (4, 5), h5py.vlen_dtype(np.int64))
        ragged = file.create_group("Experiments/peaks")
        ragged.create_dataset("data", (4, 5), h5py.vlen_dtype(np.float64))
    source, frames = read(tmp_path / "a.hspy")
    np.testing.assert_array_equal(stacked(source, frames)[0], data)
    assert any("peaks" in note and "ragged" in note for note in source.notes)


def test_hspy_that_lost_an_array(tmp_path):
    hspy(tmp_path / "a.hspy", counts(4, 5, 16), [sf.Y, sf.X, sf.ENERGY])
    with h5py.File(tmp_path / "a.hspy", "r+") as file:
        file["Experiments"].copy("a title", "second")
        del file["Experiments/second/data"]
    source, _ = read(tmp_path / "a.hspy")
    assert any("'second' left out" in note for note in source.notes)
    with h5py.File(tmp_path / "a.hspy", "r+") as file:
        del file["Experiments/a title/data"]
    with pytest.raises(lbj.UsageError, match=r"neither spectra nor images.*'a title' left out"):
        read(tmp_path / "a.hspy")


# Axes


@pytest.mark.parametrize(
    ("text", "unit", "factor"),
    [
        ("micron", "m", 1e-6), ("microns", "m", 1e-6), ("µm", "m", 1e-6), ("μm", "m", 1e-6), ("um", "m", 1e-6),
        ("Angstrom", "m", 1e-10), ("Å", "m", 1e-10), ("\u212b", "m", 1e-10), ("nanometer", "m", 1e-9),
        ("nanometres", "m", 1e-9), ("[n_m]", "m", 1e-9), ("Meters", "m", 1.0), ("1/nm", "1/nm", 1.0),
        ("furlong", "furlong", 1.0), ("degrees", "rad", math.pi / 180), ("mrad", "rad", 1e-3),
    ],
)  # fmt: skip
def test_units_of_space(tmp_path, text, unit, factor):
    hspy(tmp_path / "a.hspy", counts(4, 5, 16), [sf.Y, ("x", text, 0.5, 2.0, True), sf.ENERGY])
    axis = read(tmp_path / "a.hspy")[0].signals[0].axes[1]
    assert axis["units"] == unit
    assert (axis["offset"], axis["scale"]) == pytest.approx((2 * factor, 0.5 * factor))


@pytest.mark.parametrize(
    ("text", "factor"), [("KeV", 1e3), ("kV", 1e3), ("ev", 1), ("eV", 1), (" keV", 1e3), ("MeV", 1e6)]
)
def test_units_of_energy(tmp_path, text, factor):
    hspy(tmp_path / "a.hspy", counts(4, 5, 16), [sf.Y, sf.X, ("E", text, 0.5, 2.0, False)])
    axis = read(tmp_path / "a.hspy")[0].signals[0].axes[-1]
    assert axis == {"name": "energy", "size": 16, "offset": 2 * factor, "scale": 0.5 * factor, "units": "eV"}


def test_falling_channels_are_turned_round(tmp_path):
    data = counts(4, 5, 16)
    hspy(tmp_path / "a.hspy", data, [sf.Y, sf.X, ("Energy", "eV", -10.0, 500.0, False)])
    source, frames = read(tmp_path / "a.hspy")
    np.testing.assert_array_equal(stacked(source, frames)[0], data[..., ::-1])
    axis = source.signals[0].axes[-1]
    assert (axis["offset"], axis["scale"]) == (350, 10)
    assert any("from high to low" in note for note in source.notes)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (("z", "nm", 20.0, 0.0, True), True), (("tilt", "degrees", 10.0, -30.0, True), True),
        (("time", "s", 2.0, 0.0, True), False), (("", "", 1.0, 0.0, True), False),
    ],
)  # fmt: skip
def test_what_the_first_axis_means_is_said(tmp_path, lead, said):
    data = counts(3, 4, 5, 16)
    hspy(tmp_path / "a.hspy", data, [lead, sf.Y, sf.X, sf.ENERGY])
    source, frames = read(tmp_path / "a.hspy")
    np.testing.assert_array_equal(stacked(source, frames), data)
    assert any("successive frames" in note and lead[0] in note for note in source.notes) == said
    if lead[1]:
        assert source.metadata["frame_axis"]["name"] == lead[0]


def test_a_line_seen_again_and_again_is_no_map(tmp_path):
    data = counts(6, 30, 16)
    hspy(tmp_path / "a.hspy", data, [("time", "s", 2.0, 0.0, True), sf.X, sf.ENERGY])
    source, frames = read(tmp_path / "a.hspy")
    assert (source.signals[0].shape, len(frames)) == ((1, 30, 16), 6)
    np.testing.assert_array_equal(stacked(source, frames)[:, 0], data)


def test_energy_anywhere_among_the_axes(tmp_path):
    data = counts(16, 4, 5)
    hspy(tmp_path / "a.hspy", data, [("Energy", "keV", 0.1, 0.0, True), *sf.PLANE])
    source, frames = read(tmp_path / "a.hspy")
    np.testing.assert_array_equal(stacked(source, frames)[0], np.moveaxis(data, 0, -1))


def test_channels_of_a_tiff_are_images_of_their_own(tmp_path):
    import tifffile

    data = counts(3, 9, 8)
    tifffile.imwrite(tmp_path / "c.tif", data, imagej=True, metadata={"axes": "CYX"})
    source, frames = read(tmp_path / "c.tif")
    assert [signal.name for signal in source.signals] == ["image-1", "image-2", "image-3"]
    np.testing.assert_array_equal([frames[0][0][s.name] for s in source.signals], data)


def gatan_tiff(path, data, calibration, software=None):
    """A TIFF as Digital Micrograph saves it; calibration: (unit, origin, scale) of x, y, z."""
    import tifffile

    tags = []
    for i, (unit, origin, scale) in enumerate(calibration):
        tags += [(65003 + i, "s", 0, unit, True), (65006 + i, "d", 1, origin, True), (65009 + i, "d", 1, scale, True)]
    tifffile.imwrite(path, data, extratags=tags, photometric="minisblack", software=software)


def test_spectrum_image_as_a_tiff_of_digital_micrograph(tmp_path):
    data = counts(40, 4, 5)
    calibration = [("nm", 0.0, 1.2), ("nm", 0.0, 1.3), ("eV", -100.0, 0.5)]
    gatan_tiff(tmp_path / "a.tif", data, calibration)
    source, frames = read(tmp_path / "a.tif")
    signal = source.signals[0]
    assert (signal.name, signal.kind, signal.shape) == ("EELS", "spectra", (4, 5, 40))
    np.testing.assert_array_equal(stacked(source, frames)[0], np.moveaxis(data, 0, -1))
    assert (signal.axes[-1]["offset"], signal.axes[-1]["scale"]) == (50, 0.5)
    assert [axis["scale"] for axis in signal.axes[:2]] == pytest.approx([1.3e-9, 1.2e-9])
    gatan_tiff(tmp_path / "b_BF.tif", data, [("nm", 0.0, 1.2), ("nm", 0.0, 1.3), ("s", 0.0, 0.5)])
    source, frames = read(tmp_path / "b_BF.tif")
    assert (source.signals[0].name, source.signals[0].kind, len(frames)) == ("BF", "image", 40)


# Notes


def test_notes_are_grouped_and_ranked():
    from lbj.importing.notes import aside, left_out

    notes = [aside("tags left out"), "EDX-1: dead time unknown", "EDX-2: dead time unknown", left_out("survey left out"),
             "EDX-3: dead time unknown", "EDX-4: dead time unknown", "EDX-5: dead time unknown", left_out("survey left out")]  # fmt: skip
    assert grouped(notes) == ["survey left out", "EDX-1, EDX-2, EDX-3 and 2 more: dead time unknown", "tags left out"]


def test_descriptions_that_do_not_come_along_are_named(tmp_path):
    more = {
        "Sample": {"elements": ["Ti"], "xray_lines": ["Ti_Ka"]},
        "Acquisition_instrument": {"TEM": {"Stage": {"x": 1.5}}},
    }
    item = sf.signal(counts(4, 5, 16), [sf.Y, sf.X, sf.ENERGY], "EDS_TEM", **more)
    item["original_metadata"] = {"Vendor": {"a": 1, "b": {"c": "x"}}, "empty": ""}
    sf.write("hspy", tmp_path / "a.hspy", item)
    text = " ".join(read(tmp_path / "a.hspy")[0].notes)
    assert "Sample.xray_lines" in text
    assert "Stage.x" in text
    assert "Sample.elements" not in text
    assert "tags left out that have no name in a journal: a, c" in text


def test_a_folder_of_mixed_files_ends_with_a_table(tmp_path, capsys):
    from lbj.cli import main

    folder = tmp_path / "mixed"
    folder.mkdir()
    for i in range(20):
        np.savez(folder / f"SI_{i:02d}.npz", EELS=counts(2, 3, 4))
    hspy(folder / "map.hspy", counts(4, 5, 16), [sf.Y, sf.X, sf.ENERGY])
    sf.nion_zip(folder / "low mag 3.ndata", counts(5, 6), sf.nion_properties((5, 6), [(0, 1, "nm")] * 2))
    for i in range(20):
        (folder / f"log_{i}.xyz").write_bytes(b"a log")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "more").mkdir()
    out = str(tmp_path / "o.lbj")
    assert main(["convert", str(folder), "-o", out]) == 1
    said = capsys.readouterr().err
    for path in folder.iterdir():
        assert path.name in said
    assert "5 x 6" in said
    assert "a picture" in said
    (folder / "low mag 3.ndata").unlink()
    assert main(["convert", str(folder), "-o", out]) == 0
    said = capsys.readouterr().out
    assert "20 frames" in said
    assert "SI_00.npz … SI_19.npz  read, 20 files" in said
    for path in folder.iterdir():
        assert path.suffix == ".npz" or path.name in said
    assert "not one of the folder's numbered data files" in said
    with lbj.open(out) as journal:
        assert len(journal) == 20
        assert len(json.dumps(journal.header["source"]["notes"])) < 3000


def same_frames(a, b):
    for frame, back in zip(a, b, strict=False):
        assert frame.attributes == back.attributes
        assert frame.names == back.names
        for name in frame.names:
            if a.signals[name].kind == "events":
                assert frame.events(name) == back.events(name)
            else:
                np.testing.assert_array_equal(frame.array(name), back.array(name))


@pytest.mark.parametrize("kind", ["eels", "eds", "other", "images", "bruker", "jeol", "velox"])
def test_exports_come_back_the_same(shared_data, tmp_path, kind):
    """Every shared file: journal, .hspy of its first two frames, journal."""
    for path in sorted((shared_data / kind).iterdir()):
        folder = tmp_path / path.name
        folder.mkdir()
        convert([str(path)], folder / "a.lbj", quiet=True)
        with lbj.open(folder / "a.lbj") as a:
            export(a, folder / "a.hspy", slice(0, 2))
            convert([str(folder / "a.hspy")], folder / "b.lbj", quiet=True)
            with lbj.open(folder / "b.lbj") as b:
                assert {n: s.to_json() for n, s in a.signals.items()} == {n: s.to_json() for n, s in b.signals.items()}
                assert a.metadata == b.metadata
                assert len(b) == min(2, len(a))
                same_frames(a, b)
                for name, declared in a.signals.items():
                    if declared.static:
                        np.testing.assert_array_equal(a.static(name), b.static(name))
        for made in folder.iterdir():
            made.unlink()


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


def oina_file(path, cube, image, **header):
    """A file of AZtec 6.2; header: what the EDS header holds beside the sizes."""
    ny, nx, channels = cube.shape
    with h5py.File(path, "w") as file:
        file["Format Version"] = [b"7.0"]
        file["Manufacturer"] = [b"Oxford Instruments"]
        file["Index"] = [b"1"]
        common = {"X Cells": [nx], "Y Cells": [ny], "X Step": [0.5], "Y Step": [0.25], "Beam Voltage": [15.0]}
        more = {
            "Start Channel": [-200.0],
            "Channel Width": [10.0],
            "Detector Elevation": [0.6],
            "Detector Azimuth": [1.0],
        }
        for key, value in {**common, **more, **header}.items():
            file[f"1/EDS/Header/{key}"] = value
        file["1/EDS/Data/Spectrum"] = cube.reshape(-1, channels).astype(np.int32)
        file["1/EDS/Data/Live Time"] = np.full((ny * nx, 1), 0.01, np.float32)
        file["1/EDS/Data/Window Integral/Fe Ka1"] = np.zeros((ny * nx, 1), np.float32)
        sizes = {"X Cells": [image.shape[1]], "Y Cells": [image.shape[0]], "X Step": [0.1], "Y Step": [0.1]}
        for key, value in sizes.items():
            file[f"1/Electron Image/Header/{key}"] = value
        file["1/Electron Image/Data/SE/Electron Image 1"] = image.reshape(-1, 1)


def test_oxford(tmp_path):
    cube, image = counts(4, 5, 32), counts(8, 10)
    part = {"Relative Offset": [[0.5, 0.0]], "Relative Size": [[0.5, 1.0]]}
    oina_file(tmp_path / "a.h5oina", cube, image, **{"Acquisition Date": [b"2024-05-06T07:08:09"]}, **part)
    source, frames = read(tmp_path / "a.h5oina")
    assert {s.name: (s.kind, s.role) for s in source.signals} == {"EDX": ("events", None), "SE": ("image", "survey")}
    np.testing.assert_array_equal(stacked(source, frames)[0], cube)
    np.testing.assert_array_equal(source.static["SE"], image)
    edx, survey = source.signals
    check_axes(edx.axes, [(0, 0.25e-6), (0, 0.5e-6)], (-200, 10))
    assert edx.metadata == {"elevation": pytest.approx(0.6), "azimuth": pytest.approx(1.0)}
    assert source.metadata["beam_energy"] == 15e3
    assert source.metadata["local_start_time"] == "2024-05-06T07:08:09"
    assert frames[0][1]["live_time"] == {"EDX": pytest.approx(0.2)}
    # the right half of the image is the map: its left upper corner, in the middle of the image, is the map's corner
    matrix = np.array(survey.to_field)
    np.testing.assert_allclose(matrix[:, :2] @ [-0.5, 4.5] + matrix[:, 2], [-0.5, -0.5])
    np.testing.assert_allclose(matrix[:, :2] @ [7.5, 9.5] + matrix[:, 2], [3.5, 4.5])
    assert any("Window Integral" in note for note in source.notes)
    with h5py.File(tmp_path / "a.h5oina", "r+") as file:
        file["1/EDS/Header/X Cells"][0] = 6
    with pytest.raises(lbj.DamagedError, match="4 x 6 pixels"):
        read(tmp_path / "a.h5oina")
    with h5py.File(tmp_path / "a.h5oina", "r+") as file:
        del file["1/EDS/Data/Spectrum"]
    source, _ = read(tmp_path / "a.h5oina")
    assert any("holds no spectra" in note for note in source.notes)

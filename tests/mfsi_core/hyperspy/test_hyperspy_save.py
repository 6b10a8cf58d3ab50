"""``signal.save("x.lbj")``: what a journal can hold comes back as it was; the rest is refused in words, nothing half written."""

import threading

import numpy as np
import pytest
import small_series

import lbj
import mfsi_core.hyperspy  # noqa: F401  adds the format where the package is not installed

hs = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
exspy = pytest.importorskip("exspy", reason="eXSpy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::hyperspy.exceptions.VisibleDeprecationWarning")

RNG = np.random.default_rng(8)


def axis(name, size, scale=1.0, offset=0.0, units="nm", navigate=False, **more):
    return {"name": name, "size": size, "scale": scale, "offset": offset, "units": units, "navigate": navigate, **more}


def energies(size, units="keV"):
    return axis("Energy", size, 0.01, -0.2, units, is_binned=True)


MAP = [axis("y", 4, 0.5, 1.0, navigate=True), axis("x", 5, 0.25, navigate=True)]
COUNTS = RNG.poisson(1.0, (4, 5, 16))
SIGNALS = {
    "spectrum": lambda: hs.signals.Signal1D(RNG.normal(size=16)),
    "one EDX spectrum": lambda: exspy.signals.EDSTEMSpectrum(COUNTS[0, 0].astype("u2"), axes=[energies(16)]),
    "EDX line": lambda: exspy.signals.EDSSEMSpectrum(COUNTS[0].astype("u1"), axes=[MAP[1], energies(16)]),
    "EDX map": lambda: exspy.signals.EDSTEMSpectrum(COUNTS.astype("u4"), axes=[*MAP, energies(16)]),
    "EDX map of int64": lambda: exspy.signals.EDSTEMSpectrum(COUNTS, axes=[*MAP, energies(16)]),
    "EDX map of whole floats": lambda: exspy.signals.EDSTEMSpectrum(COUNTS.astype("f4"), axes=[*MAP, energies(16)]),
    "EDX map less background": lambda: exspy.signals.EDSTEMSpectrum(COUNTS - 0.5, axes=[*MAP, energies(16)]),
    "EDX map of negative counts": lambda: exspy.signals.EDSTEMSpectrum(COUNTS - 1, axes=[*MAP, energies(16)]),
    "EDX frames": lambda: exspy.signals.EDSTEMSpectrum(
        np.stack([COUNTS] * 3).astype("u2"), axes=[axis("frame", 3, units="", navigate=True), *MAP, energies(16)]
    ),
    "frames of one": lambda: exspy.signals.EDSTEMSpectrum(
        COUNTS[None].astype("u2"), axes=[axis("frame", 1, units="", navigate=True), *MAP, energies(16)]
    ),
    "tilt series of maps": lambda: exspy.signals.EDSTEMSpectrum(
        np.stack([COUNTS] * 6).reshape(2, 3, 4, 5, 16),
        axes=[axis("tilt", 2, 5, -10, "°", True), axis("z", 3, navigate=True), *MAP, energies(16)],
    ),
    "EELS map": lambda: exspy.signals.EELSSpectrum(
        RNG.normal(size=(4, 5, 16)).astype("f4"), axes=[*MAP, axis("Energy loss", 16, 0.5, 400, "eV", is_binned=True)]
    ),
    "time series": lambda: hs.signals.Signal1D(
        RNG.normal(size=(6, 16)), axes=[axis("time", 6, 0.1, 2.0, "s", True), axis("a", 16)]
    ),
    "falling axis": lambda: hs.signals.Signal1D(
        RNG.normal(size=(4, 16)), axes=[MAP[0], axis("w", 16, -2.0, 900, "nm")]
    ),
    "table of wavelengths": lambda: hs.signals.Signal1D(
        RNG.normal(size=(4, 16)),
        axes=[MAP[0], {"axis": np.arange(16.0) ** 2, "name": "Wavelength", "units": "nm", "navigate": False}],
    ),
    "table of positions": lambda: hs.signals.Signal1D(
        RNG.normal(size=(4, 16)),
        axes=[{"axis": np.array([0.0, 1, 5, 7]), "name": "y", "units": "µm", "navigate": True}, energies(16)],
    ),
    "a function of an axis": lambda: hs.signals.Signal1D(
        RNG.normal(size=9),
        axes=[{"expression": "1240 / x", "x": axis("e", 9, 0.1, 1.0, "eV"), "name": "w", "units": "nm"}],
    ),
    "image": lambda: hs.signals.Signal2D(RNG.integers(0, 999, (6, 7)).astype("u2")),
    "movie": lambda: hs.signals.Signal2D(RNG.normal(size=(3, 6, 7)).astype("f4")),
    "diffraction map": lambda: hs.signals.Signal2D(RNG.integers(0, 9, (2, 3, 6, 7)).astype("u1")),
    "mask": lambda: hs.signals.Signal2D(RNG.integers(0, 2, (6, 7)).astype(bool)),
    "half floats": lambda: hs.signals.Signal2D(RNG.normal(size=(6, 7)).astype("f2")),
    "big-endian": lambda: hs.signals.Signal2D(RNG.integers(0, 9, (6, 7)).astype(">u2")),
    "not finite": lambda: hs.signals.Signal2D(np.array([[np.nan, np.inf], [-np.inf, -0.0]])),
    "map without signal axis": lambda: hs.signals.BaseSignal(RNG.normal(size=(4, 5)), axes=MAP),
    "volume": lambda: hs.signals.BaseSignal(RNG.normal(size=(3, 4, 5))),
    "transposed": lambda: hs.signals.Signal1D(RNG.normal(size=(4, 5, 16)), axes=[*MAP, energies(16)]).T,
    "transposed spectra": lambda: hs.signals.Signal1D(RNG.normal(size=(4, 5, 16))).transpose(signal_axes=[0]),
    "x before y": lambda: hs.signals.Signal1D(RNG.normal(size=(5, 4, 16)), axes=[MAP[1], MAP[0], energies(16)]),
}


def metadata_of(signal):
    out = signal.metadata.as_dictionary()
    out.get("General", {}).pop("FileIO", None)
    if "elements" in out.get("Sample", {}):
        out["Sample"]["elements"] = sorted(out["Sample"]["elements"])  # eXSpy keeps those of EELS as a set
    return out


def same(a, b):
    assert type(a) is type(b)
    np.testing.assert_array_equal(np.asarray(a.data), np.asarray(b.data))
    assert a.data.dtype == b.data.dtype or a.data.dtype.byteorder == ">"
    assert a.data.shape == b.data.shape
    for one, other in zip(a.axes_manager._axes, b.axes_manager._axes, strict=True):
        assert type(one) is type(other)
        mine, others = one.get_axis_dictionary(), other.get_axis_dictionary()
        np.testing.assert_equal(mine, others)
        np.testing.assert_array_equal(one.axis, other.axis)
    assert metadata_of(a) == metadata_of(b)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", SIGNALS)
def test_signals_come_back(tmp_path, name, lazy):
    signal = SIGNALS[name]()
    signal.metadata.General.title = "a title"
    signal.metadata.set_item("General.notes", "größer")
    signal.metadata.set_item("Mine.list", [1, 2.5, "three", None])
    signal.metadata.set_item("Mine.tuple", (1, 2))
    signal.metadata.set_item("Mine.array", np.arange(3.0))
    signal.metadata.set_item("Mine.nothing", None)
    signal.metadata.set_item("Mine.not_a_number", float("inf"))
    original = {"Vendor": {"Table": {"Rows": [[1, 2], [3, 4]]}, "Operator": "A. B."}, "value": 7}
    signal.original_metadata.add_dictionary(original)
    kept = signal.deepcopy()
    (signal.as_lazy() if lazy else signal).save(tmp_path / "a.lbj")
    back = hs.load(tmp_path / "a.lbj", lazy=lazy)
    if lazy:
        back.compute(show_progressbar=False)
    np.testing.assert_array_equal(back.metadata.Mine.array, np.arange(3.0))
    for one in (back, kept):
        del one.metadata.Mine.array
    same(kept, back)
    found = back.original_metadata.as_dictionary()
    found.pop("lbj")
    assert found == original
    back.save(tmp_path / "b.lbj")
    same(kept, hs.load(tmp_path / "b.lbj"))
    with lbj.open(tmp_path / "a.lbj") as journal, lbj.open(tmp_path / "b.lbj") as again:
        assert journal.content_digest() == again.content_digest()


def test_counts_of_x_rays_are_stored_as_events(tmp_path):
    for name, kind in (
        ("EDX map", "events"),
        ("EDX map of whole floats", "events"),
        ("EDX map less background", "spectra"),
    ):
        SIGNALS[name]().save(tmp_path / "a.lbj", overwrite=True)
        with lbj.open(tmp_path / "a.lbj") as journal:
            (signal,) = journal.signals.values()
            assert (signal.name, signal.kind, signal.shape) == ("EDX", kind, (4, 5, 16))
            assert [one["units"] for one in signal.axes] == ["m", "m", "eV"]
            assert signal.axes[-1]["scale"] == pytest.approx(10)
    SIGNALS["EDX frames"]().save(tmp_path / "b.lbj")
    with lbj.open(tmp_path / "b.lbj") as journal:
        assert (len(journal), journal.signals["EDX"].shape) == (3, (4, 5, 16))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (np.ones((2, 3)) * 1j, "complex"),
        (np.ones((2, 3), np.longdouble), "float128|longdouble|float96"),
        (np.zeros((2, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colours"),
        (np.ma.masked_array(np.ones((2, 3)), [[True, False, False]] * 2), "masked"),
        (np.ones((1,) * 9), "9 axes"),
    ],
)
def test_what_a_journal_cannot_hold_is_refused_and_leaves_nothing(tmp_path, data, word):
    if data.dtype == np.float64 and "long" in word:
        pytest.skip("long doubles are doubles here")
    for name in ("new", "old"):
        if name == "old":
            (tmp_path / "old.lbj").write_bytes(b"what stood there")
        signal = hs.signals.BaseSignal(data)
        with pytest.raises(lbj.UsageError, match=word):
            signal.save(tmp_path / f"{name}.lbj", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old.lbj"]
    assert (tmp_path / "old.lbj").read_bytes() == b"what stood there"


def test_ragged_data_are_refused(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(2), np.arange(3)]
    with pytest.raises(lbj.UsageError, match="ragged"):
        hs.signals.BaseSignal(ragged, ragged=True).save(tmp_path / "a.lbj")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_place_for_a_journal(tmp_path):
    (tmp_path / "a.lbj").mkdir()
    with pytest.raises(lbj.UsageError, match="is a folder"):
        hs.signals.Signal1D(np.ones(3)).save(tmp_path / "a.lbj", overwrite=True)


def test_a_signal_that_fails_while_it_is_computed_leaves_nothing(tmp_path):
    import dask.array as da

    def fail(block):
        raise RuntimeError("the disk is gone")

    data = da.zeros((3, 4, 5, 16), chunks=(1, 4, 5, 16)).map_blocks(fail, dtype=float)
    signal = hs.signals.Signal1D(data).as_lazy()
    (tmp_path / "a.lbj").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="the disk is gone"):
        signal.save(tmp_path / "a.lbj", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.lbj"]
    assert (tmp_path / "a.lbj").read_bytes() == b"old"


def test_a_lazy_signal_is_saved_under_its_own_name(tmp_path):
    data = small_series.write(tmp_path / "a.lbj")
    edx = hs.load(tmp_path / "a.lbj", lazy=True)[0]
    edx.save(tmp_path / "a.lbj", overwrite=True)
    back = hs.load(tmp_path / "a.lbj")
    np.testing.assert_array_equal(back.data, sum(f["EDX-1"] + f["EDX-2"] for f in data))
    with pytest.raises(lbj.UsageError, match="not the journal any more"):
        edx.compute(show_progressbar=False)


def test_a_file_that_is_being_written_is_not_replaced(tmp_path):
    signals = [lbj.Signal("a", "image", (2,))]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        failed = []

        def save():
            try:
                hs.signals.Signal1D(np.ones(3)).save(tmp_path / "a.lbj", overwrite=True)
            except lbj.UsageError as error:
                failed.append(str(error))

        thread = threading.Thread(target=save)
        thread.start()
        thread.join()
        writer.append({"a": np.ones(2, np.uint16)})
    assert len(failed) == 1
    assert "being written" in failed[0]
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 1


def test_every_signal_of_a_series_comes_back_with_its_frames(tmp_path):
    """Times, areas and declarations of the journal, which HyperSpy has no place for, are in the copy too."""
    data = small_series.write(tmp_path / "a.lbj")
    for one in hs.load(tmp_path / "a.lbj", sum_frames=False, detectors="each"):
        name = one.metadata.General.title
        one.save(tmp_path / f"{name}.lbj")
        same(one, hs.load(tmp_path / f"{name}.lbj"))
        with lbj.open(tmp_path / "a.lbj") as journal, lbj.open(tmp_path / f"{name}.lbj") as copy:
            before, after = journal.signals[name], copy.signals[name]
            assert (after.kind, after.shape, after.dtype, after.role) == (
                before.kind,
                before.shape,
                before.dtype,
                before.role,
            )
            assert after.axes == before.axes
            assert {k: v for k, v in after.metadata.items() if k != "hyperspy"} == before.metadata
            assert copy.metadata == journal.metadata
            if before.static:
                np.testing.assert_array_equal(copy.static(name), journal.static(name))
                continue
            for frame, other, counts in zip(copy, journal, data, strict=True):
                np.testing.assert_array_equal(frame.array(name), counts[name])
                assert frame.start_time == other.start_time
                for key in ("live_time", "exposure"):
                    stated = other.attributes.get(key)
                    assert frame.attributes.get(key) == ({name: stated[name]} if name in stated else None)


def test_cropped_and_computed_signals_are_told_by_what_they_are_now(tmp_path):
    small_series.write(tmp_path / "a.lbj")
    edx = hs.load(tmp_path / "a.lbj", sum_frames=False)[0]
    for name, one in {
        "cropped": edx.inav[2:5, 1:4],
        "band": edx.isig[0.05:0.2],
        "one": edx.inav[3, 2, 1],
        "summed": edx.sum("frame"),
        "twice": edx * 2,
        "less": edx - 0.5,
        "binned": edx.rebin(scale=[3, 1, 1, 3]),
        "lines": edx.get_lines_intensity(["O_Ka"])[0] if False else edx.isig[10:12].sum(-1),
    }.items():
        one.save(tmp_path / f"{name}.lbj")
        same(one, hs.load(tmp_path / f"{name}.lbj"))
        with lbj.open(tmp_path / f"{name}.lbj") as journal:
            assert journal.metadata["beam_energy"] == 2e5
            assert journal.metadata["collection_angle"] == 0.04
    with lbj.open(tmp_path / "cropped.lbj") as journal:
        assert journal.signals["EDX"].axes[1]["offset"] == pytest.approx(6e-9)


def test_amendments_go_before_what_was_saved(tmp_path):
    signal = SIGNALS["EDX map"]()
    signal.metadata.set_item("Acquisition_instrument.TEM.beam_energy", 200.0)
    signal.save(tmp_path / "a.lbj")
    with lbj.append(tmp_path / "a.lbj") as writer:
        axes = [*({"name": n} for n in "yx"), {"name": "energy", "scale": 20.0, "offset": -100.0, "units": "eV"}]
        writer.amend({"metadata": {"beam_energy": 300e3}, "signals": {"EDX": {"axes": axes}}})
    back = hs.load(tmp_path / "a.lbj")
    assert back.metadata.Acquisition_instrument.TEM.beam_energy == 300
    assert (back.axes_manager[-1].scale, back.axes_manager[-1].offset) == pytest.approx((0.02, -0.1))
    assert back.axes_manager[-1].units == "keV"


def test_what_is_lost_is_told(tmp_path, caplog):
    signal = SIGNALS["EELS map"]()
    signal.metadata.set_item("Mine.function", print)
    signal.decomposition(output_dimension=2, print_info=False)
    signal.save(tmp_path / "a.lbj")
    assert "no place for Mine.function, learning_results;" in caplog.text
    caplog.clear()
    SIGNALS["EDX map less background"]().save(tmp_path / "b.lbj")
    assert "stored as spectra, not as events" in caplog.text


def test_displacements_of_frames_are_told(tmp_path, caplog):
    """A signal does not carry them; in the sum over the frames they mean nothing."""
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("HAADF", "image", (4, 5))]) as writer:
        for n in range(3):
            writer.append({"HAADF": np.full((4, 5), n, np.uint16)})
        writer.put_displacement("HAADF", coefficients=np.ones((3, 1, 1, 2)))
    hs.load(tmp_path / "a.lbj", sum_frames=True).save(tmp_path / "sum.lbj")
    assert "displacements" not in caplog.text
    stack = hs.load(tmp_path / "a.lbj")
    stack.save(tmp_path / "b.lbj")
    assert "b.lbj: the displacements of the frames are not stored" in caplog.text
    caplog.clear()
    hs.load(tmp_path / "a.lbj", aligned=True, sum_frames=False).save(tmp_path / "c.lbj")
    assert "displacements" not in caplog.text


def test_descriptions_too_deep_or_too_large_are_left_out_and_told(tmp_path, caplog):
    deep, leaf = {}, {}
    inner = deep
    for _ in range(60):
        inner["down"] = inner = {}
    leaf["list"] = [[[[[[[[[[[[[[[[[[[[[[[[["far"]]]]]]]]]]]]]]]]]]]]]]]]]
    signal = SIGNALS["image"]()
    signal.original_metadata.add_dictionary({"deep": deep, "leaf": leaf, "kept": 1})
    signal.save(tmp_path / "a.lbj")
    back = hs.load(tmp_path / "a.lbj")
    assert back.original_metadata.kept == 1
    assert "original_metadata.leaf.list" in caplog.text
    signal.original_metadata.add_dictionary({"long": "x" * (9 << 20)})
    signal.save(tmp_path / "b.lbj")
    np.testing.assert_array_equal(hs.load(tmp_path / "b.lbj").data, signal.data)
    assert ", original_metadata; .hspy has" in caplog.text


def test_a_series_of_hspy_goes_to_a_journal_and_back(tmp_path):
    small_series.write(tmp_path / "a.lbj")
    for one in hs.load(tmp_path / "a.lbj", sum_frames=False):
        one.save(tmp_path / "a.hspy", overwrite=True)
        back = hs.load(tmp_path / "a.hspy")
        back.save(tmp_path / "b.lbj", overwrite=True)
        same(one, hs.load(tmp_path / "b.lbj"))
        from lbj.archive.convert import convert

        (tmp_path / "c.lbj").unlink(missing_ok=True)
        convert([str(tmp_path / "a.hspy")], tmp_path / "c.lbj", quiet=True)
        with lbj.open(tmp_path / "b.lbj") as journal, lbj.open(tmp_path / "c.lbj") as other:
            assert journal.content_digest() == other.content_digest()
            assert [frame.attributes for frame in journal] == [frame.attributes for frame in other]

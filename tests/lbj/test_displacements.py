"""Displacements stored in a journal: form, rules, editors, and what is made of damaged ones."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from spec_text import TEXT, flat, tables

import lbj
from lbj.format import layout
from lbj.format.displacements import by_rows
from lbj.format.records import build
from lbj.recovery.recover import recover
from lbj.recovery.verify import verify
from lbj_conformance import suite
from mfsi_core.geometry.registration import Registration

VECTORS = suite.FOLDER / "vectors" / "accept"
SHAPE = (5, 7)
SIGNALS = [
    lbj.Signal("A", "image", SHAPE, group="both"),
    lbj.Signal("B", "image", SHAPE, group="both"),
    lbj.Signal("EDX", "events", (2, 3, 4)),
    lbj.Signal("line", "image", (9,)),
    lbj.Signal("survey", "image", SHAPE, role="survey"),
]


def journal(frames=3, signals=SIGNALS, **attributes):
    """A closed journal whose frames hold nothing but a small line."""
    file = io.BytesIO()
    with lbj.create(file, signals) as writer:
        for n in range(frames):
            writer.append({"line": np.full(9, n, np.uint16)} if len(signals) > 3 else {}, **attributes)
    return file


def put(file, signal="A", *values, **options):
    with lbj.append(file) as writer:
        writer.put_displacement(signal, *values, **options)


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(0, 3, shape).astype(np.float32)


def codes(file):
    return {finding.code for finding in verify(file)}


def test_layout_table_equals_the_declaration():
    table = tables("7.5 dISP")[0]
    assert [(offset, size, name) for offset, size, _, name in table] == flat(layout.disp)
    assert sum(int(size) for _, size, _, _ in table) == layout.DISP_SIZE


def test_the_bytes_of_the_text():
    payload = bytes.fromhex(re.search(r"has the payload\*\s`([0-9A-F ]+)`", TEXT)[1])
    file = journal(1, [lbj.Signal("I", "image", (200, 300))])
    put(file, "I", coefficients=[[[[0.5, -1.25]]]])
    assert payload in file.getvalue()
    with lbj.open(file) as opened:
        found = opened.displacement()
    assert found.terms == 1
    np.testing.assert_array_equal(found.field()[0, :, ::199, ::299], [np.full((2, 2), 0.5), np.full((2, 2), -1.25)])


@pytest.mark.parametrize("terms", [1, 2, 4])
@pytest.mark.parametrize("rows", [1, 5])
def test_rows_are_legendre_polynomials(rows, terms):
    c = draw(3, rows, terms, 2)
    file = journal()
    put(file, coefficients=c)
    with lbj.open(file) as opened:
        found = opened.displacement("A")
    t = (2 * np.arange(7) + 1) / 7 - 1
    written_out = [np.ones(7), t, (3 * t**2 - 1) / 2, (5 * t**3 - 3 * t) / 2]
    expected = np.zeros((3, 2, *SHAPE))
    for k in range(terms):
        for i in range(2):
            expected[:, i] += c[:, :, k, i, None] * written_out[k]
    assert found.field().dtype == np.float32
    np.testing.assert_allclose(found.field(), expected, atol=2e-6)
    assert found.shape == SHAPE
    assert np.isnan(found.error).all()
    assert not found.left_out.any()
    assert codes(file) == set()


def test_a_field_comes_back_bit_by_bit():
    u = draw(2, 2, *SHAPE)
    file = journal()
    put(file, "B", u, error=[0.25, np.inf], left_out=[False, True], modulo_lattice=True)
    with lbj.open(file) as opened:
        found = opened.displacement()
        assert opened.displacement("A") is None
        assert len(opened) == 3
        assert opened[2].array("line")[0] == 2
    np.testing.assert_array_equal(found.field(), u)
    assert (found.signal, found.error.tolist(), found.left_out.tolist()) == ("B", [0.25, np.inf], [False, True])
    assert found.modulo_lattice
    assert codes(file) == set()


def test_the_last_of_a_signal_counts():
    file = journal()
    for signal, value in (("A", 1), ("B", 2), ("both", 3), ("B", 4)):
        put(file, signal, coefficients=np.full((1, 1, 1, 2), value))
    with lbj.open(file) as opened:
        names = (None, "A", "B", "both")
        assert [opened.displacement(name).field()[0, 0, 0, 0] for name in names] == [4, 3, 4, 4]
        assert opened.displacement("EDX") is None
        with pytest.raises(lbj.UsageError, match="no signal 'C'"):
            opened.displacement("C")


def test_written_while_the_journal_grows_and_read_while_it_does():
    file = io.BytesIO()
    writer = lbj.create(file, SIGNALS)
    writer.append({})
    with lbj.open(file) as opened:
        writer.put_displacement("EDX", coefficients=np.ones((1, 2, 2, 2)))
        assert opened.displacement() is None
        writer.append({})
        opened.refresh()
        assert opened.displacement().field().shape == (1, 2, 2, 3)
    writer.close()
    with lbj.open(file) as opened:
        assert len(opened) == 2
        assert opened.displacement("EDX").field().shape == (1, 2, 2, 3)


@pytest.mark.parametrize(
    ("signal", "options", "match"),
    [
        ("A", {}, "either field or coefficients, got none"),
        ("A", {"field": draw(1, 2, 5, 7), "coefficients": draw(1, 5, 1, 2)}, "got field and coefficients"),
        ("A", {"field": draw(1, 3, 5, 7)}, r"\(N, 2, Y, X\), got float32 \(1, 3, 5, 7\)"),
        ("A", {"field": draw(1, 2, 7, 5)}, "7 rows of 5 columns"),
        ("A", {"field": draw(4, 2, 5, 7)}, "4 frames where 3"),
        ("A", {"field": draw(0, 2, 5, 7)}, "0 frames where 3"),
        ("A", {"field": draw(1, 2, 5, 7) > 0}, "numbers"),
        ("A", {"field": np.full((1, 2, 5, 7), np.nan)}, "not finite"),
        ("A", {"field": np.full((1, 2, 5, 7), 1e300)}, "not finite"),
        ("A", {"coefficients": np.full((1, 1, 1, 2), np.inf)}, "not finite"),
        ("A", {"coefficients": draw(1, 4, 1, 2)}, "4 rows of 7 columns"),
        ("A", {"coefficients": draw(1, 5, 17, 2)}, "K <= 16"),
        ("A", {"coefficients": draw(1, 5, 0, 2)}, "1 <= K"),
        ("A", {"field": draw(2, 2, 5, 7), "error": [1]}, "error must have one entry for each of the 2 frames"),
        ("A", {"field": draw(2, 2, 5, 7), "error": [1, -1]}, "negative"),
        ("A", {"field": draw(2, 2, 5, 7), "left_out": [1]}, "left_out must have one entry"),
        ("line", {"coefficients": draw(1, 1, 1, 2)}, "two navigation axes"),
        ("survey", {"field": draw(1, 2, 5, 7)}, "no frames"),
        ("C", {"field": draw(1, 2, 5, 7)}, "no signal 'C'; it has A, B"),
    ],
)
def test_wrong_calls_store_nothing(signal, options, match):
    file = journal()
    with lbj.append(file) as writer:
        size = len(file.getvalue())
        with pytest.raises(lbj.UsageError, match=match):
            writer.put_displacement(signal, **options)
        assert len(file.getvalue()) == size


def test_a_large_field_needs_leave():
    wide = [lbj.Signal("I", "image", (2**14, 2**14))]
    file = journal(1, wide)
    put(file, "I", coefficients=[[[[1, 2]]]])
    with lbj.open(file, max_bytes=2**28) as opened:
        with pytest.raises(lbj.UsageError, match="max_bytes"):
            opened.displacement().field()


@pytest.mark.parametrize("path", sorted(VECTORS.glob("displacements-*.lbj")), ids=lambda path: path.stem)
def test_the_vectors_are_read_as_they_were_made(path):
    with lbj.open(path) as opened:
        found = opened.displacement()
        if "wrong" in path.stem:
            assert found is None
            return
    if path.stem.endswith("rows"):
        assert (found.terms, found.values.shape, len(opened)) == (4, (3, 3, 4, 2), 4)
        assert found.left_out.tolist() == [False, False, True]
    else:
        assert (found.signal, found.terms, found.modulo_lattice) == ("HAADF", 0, True)
    np.testing.assert_array_equal(found.values * 8, np.round(found.values * 8))


# Damage


def small():
    """A journal with two records, of which the second is to be damaged; and where that stands."""
    signals = [lbj.Signal("I", "image", (2, 3))]
    file = journal(2, signals)
    put(file, "I", coefficients=np.full((2, 1, 1, 2), 7))
    with lbj.append(file) as writer:
        at = len(file.getvalue())
        writer.put_displacement("I", draw(2, 2, 2, 3), error=[0.5, np.inf], left_out=[0, 1])
    return file.getvalue(), at


@pytest.mark.parametrize("repair", [False, True], ids=["as flipped", "digests repaired"])
@pytest.mark.parametrize("bits", [0x01, 0x20, 0x80])
def test_every_flipped_byte_is_ignored_or_named(bits, repair):
    data, at = small()
    length = struct.unpack_from("<Q", data, at + 8)[0]
    results = set()
    for place in range(at, at + 24 + length):
        changed = bytearray(data)
        changed[place] ^= bits
        if repair:
            struct.pack_into("<I", changed, at + 16, zlib.crc32(changed[at + 24 : at + 24 + length]))
            struct.pack_into("<I", changed, at + 20, zlib.crc32(changed[at : at + 20]))
        list(verify(io.BytesIO(changed)))
        try:
            with lbj.open(io.BytesIO(changed)) as opened:
                found = opened.displacement("I")
                assert len(opened) == 2
        except lbj.LbjError:
            results.add("refused")
            continue
        assert np.isfinite(found.field()).all()
        assert found.field().shape == (2, 2, 2, 3) or len(found.error) == 1
        first = found.terms == 1 and (found.field() == 7).all()
        results.add("ignored" if first else "taken")
        if not repair and place >= at + 24:
            assert first
        recover(io.BytesIO(changed), io.BytesIO(), lambda line: None)
    assert "ignored" in results
    assert ("taken" in results) == repair


def test_bits_of_a_signalling_nan():
    """Any NaN of an error is an unknown one; of a value, it is wrong."""
    data, at = small()
    for place, known in ((at + 24 + 24, True), (at + 24 + 24 + 8, False)):
        changed = bytearray(data)
        struct.pack_into("<I", changed, place, 0x7F800001)
        length = struct.unpack_from("<Q", data, at + 8)[0]
        struct.pack_into("<I", changed, at + 16, zlib.crc32(changed[at + 24 : at + 24 + length]))
        struct.pack_into("<I", changed, at + 20, zlib.crc32(changed[at : at + 20]))
        with lbj.open(io.BytesIO(changed)) as opened:
            found = opened.displacement()
        assert (found.terms == 0) == known
        assert ("7.5.2" in codes(io.BytesIO(changed))) != known
        if known:
            file = journal(2, [lbj.Signal("I", "image", (2, 3))])
            put(file, "I", found.field(), error=found.error)
            with lbj.open(file) as opened:
                assert np.isnan(Registration.load(opened).frame_error[0])


def test_a_record_inside_a_frame_is_ignored():
    file = journal(1, [lbj.Signal("I", "image", (2, 3))])
    put(file, "I", draw(1, 2, 2, 3))
    with lbj.open(file) as opened:
        ((_, at),) = (other for other in opened.contents.others if other[0] == layout.DISP)
    data = file.getvalue()
    (length,) = struct.unpack_from("<Q", data, at + 8)
    payload = data[at + 24 : at + 24 + length]
    bare = journal(1, [lbj.Signal("I", "image", (2, 3))])
    with lbj.append(bare) as writer:
        start = writer.contents.end
    frame = [build(layout.FRAM, layout.pack_fram(1, 0)), build(layout.DISP, payload)]
    text = b"".join([*frame, build(layout.DONE, layout.pack_done(1, 0, 0, 0))])
    with lbj.open(io.BytesIO(bare.getvalue()[:start] + text)) as opened:
        assert len(opened) == 2
        assert opened.displacement() is None
    with lbj.open(io.BytesIO(bare.getvalue()[:start] + frame[1] + frame[0])) as opened:
        assert opened.displacement() is not None


# Editors


def recovered(data):
    out, lines = io.BytesIO(), []
    recover(io.BytesIO(data), out, lines.append)
    assert codes(out) == set()
    with lbj.open(out) as opened:
        return len(opened), opened.displacement(), lines


def test_recover_keeps_displacements_of_frames_that_keep_their_numbers():
    file = journal(3)
    put(file, coefficients=draw(2, 1, 1, 2))
    data = file.getvalue()
    frames, found, lines = recovered(data)
    assert (frames, lines) == (3, [])
    np.testing.assert_array_equal(found.values, draw(2, 1, 1, 2))
    with lbj.open(file) as opened:
        last, middle = (opened.contents.frames[n].fram for n in (2, 1))
    for at, kept in ((last, True), (middle, False)):
        changed = bytearray(data)
        changed[at] ^= 1
        frames, found, lines = recovered(changed)
        assert frames == 2
        assert (found is not None) == kept
        assert any(line.startswith("displacements:") for line in lines) != kept


def test_convert_keeps_them(tmp_path):
    from lbj.cli import main

    (tmp_path / "a.lbj").write_bytes(small()[0])
    assert main(["convert", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "b.lbj"), "--quiet"]) == 0
    with lbj.open(tmp_path / "b.lbj") as opened:
        found = opened.displacement()
        np.testing.assert_array_equal(found.field(), draw(2, 2, 2, 3))
        assert len([kind for kind, _ in opened.contents.others if kind == layout.DISP]) == 2
    for name in ("s1.lbj", "s2.lbj"):
        (tmp_path / name).write_bytes(small()[0])
    several = [str(tmp_path / "s1.lbj"), str(tmp_path / "s2.lbj")]
    assert main(["convert", *several, "-o", str(tmp_path / "c.lbj"), "--quiet"]) == 0
    with lbj.open(tmp_path / "c.lbj") as opened:
        assert len(opened) == 4
        assert opened.displacement() is None


# Registration


def stored(tmp_path, registration, *, shape, frames=None, signal="I", **attributes):
    signals = [lbj.Signal("I", "image", shape, to_field=[[0.5, 0, 0], [0, 0.5, 0]])]
    path = tmp_path / "a.lbj"
    path.write_bytes(journal(len(registration) if frames is None else frames, signals, **attributes).getvalue())
    registration.save(path, signal)
    assert codes(io.BytesIO(path.read_bytes())) == set()
    with lbj.open(path) as opened:
        return opened.displacement(), Registration.load(opened, signal), path.stat().st_size


def polynomials(terms, shape, frames=3):
    t = np.linspace(-1, 1, shape[1])
    c = draw(frames, 2, shape[0], terms).astype(float)
    return sum(c[..., k, None] * t**k for k in range(terms))


@pytest.mark.parametrize(("terms", "form"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 0)])
def test_the_smallest_form_that_reproduces_every_value(tmp_path, terms, form):
    u = polynomials(terms, (6, 40)).astype(np.float32)
    found, loaded, _ = stored(tmp_path, Registration(u), shape=(6, 40))
    assert found.terms == form
    assert np.abs(loaded.displacement - u).max() <= 1.01e-4
    if not form:
        np.testing.assert_array_equal(loaded.displacement, u)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 8)])
def test_rigid_registrations_of_odd_sizes(tmp_path, shape):
    error = [0.125, np.inf, 0.25]
    given = Registration.rigid(
        [[1.5, -2], [0, 0], [40.25, 1e3]], shape, frame_error=error, left_out=[0, 1, 0], to_field=None
    )
    found, loaded, size = stored(tmp_path, given, shape=shape, frames=4)
    assert found.values.shape == (3, 1, 1, 2)
    assert size < 2000
    np.testing.assert_array_equal(loaded.displacement, given.displacement)
    np.testing.assert_array_equal(loaded.frame_error, error)
    np.testing.assert_array_equal(loaded.left_out, [False, True, False])
    assert loaded.predicted_error == pytest.approx(np.sqrt((0.125**2 + 0.25**2) / 2))
    np.testing.assert_array_equal(loaded.to_field, [[0.5, 0, 0], [0, 0.5, 0]])
    assert not loaded.modulo_lattice


def test_regions_and_predicted_error_come_back(tmp_path):
    u = draw(2, 2, 4, 9)
    given = Registration(u, predicted_error=0.5, region=[3, 3], modulo_lattice=True)
    _, loaded, _ = stored(tmp_path, given, shape=(4, 9), region=3)
    assert loaded.region.tolist() == [3, 3]
    assert loaded.modulo_lattice
    assert loaded.predicted_error == 0.5
    np.testing.assert_array_equal(loaded.displacement, u)


def test_a_jump_in_one_row_needs_rows_and_in_one_pixel_the_field():
    u = np.zeros((2, 2, 5, 8), np.float32)
    u[1, 0, 3] = 1e-3
    assert by_rows(u).shape == (2, 5, 1, 2)
    u[1, 0, 3, 4] = 1
    assert by_rows(u) is None


def test_what_cannot_be_loaded_or_saved_is_said(tmp_path):
    path = tmp_path / "a.lbj"
    path.write_bytes(journal(1).getvalue())
    with lbj.open(path) as opened:
        with pytest.raises(lbj.UsageError, match="holds no displacements of signal 'A'"):
            Registration.load(opened, "A")
        with pytest.raises(lbj.UsageError, match="holds no displacements;"):
            Registration.load(opened)
    for registration in (Registration.rigid([[0, 0], [0, 1]], SHAPE), Registration(draw(1, 2, 4, 7))):
        with pytest.raises(lbj.UsageError, match=r"frames|columns"):
            registration.save(path, "A")
    assert codes(io.BytesIO(path.read_bytes())) == set()

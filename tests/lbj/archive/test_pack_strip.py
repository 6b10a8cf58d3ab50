"""Packing keeps the content and every record; stripping keeps the content and nothing personal."""

import os

import numpy as np
import pytest

import lbj
from lbj.archive.pack import pack
from lbj.archive.strip import strip
from lbj.cli import main
from lbj.format.records import Bytes, build


def signals(coding):
    return [
        lbj.Signal("EDX", "events", (6, 7, 300), coding=coding),
        lbj.Signal("EELS", "spectra", (6, 7, 32), dtype="float32", coding="raw"),
        lbj.Signal("HAADF", "image", (6, 7), coding="raw"),
        lbj.Signal("survey", "image", (9, 9), role="survey", coding="raw"),
        lbj.Signal("lossy", "spectra", (6, 7, 64), dtype="float32", coding="noise-q(1)"),
    ]


@pytest.fixture
def path(tmp_path):
    """A journal stored as plainly as a script would, with one of everything beside its frames."""
    random = np.random.default_rng(5)
    out = tmp_path / "plain.lbj"
    metadata = {"title": "grain 3 of Jane Doe", "beam_energy": 2e5, "operator": "Jane Doe", "microscope": "Titan"}
    source = {"name": "jdoe_2026.emd", "files": [{"name": "jdoe_2026.emd", "sha256": "0" * 64}],
              "notes": ["read from C:\\Users\\jdoe\\data\\jdoe_2026.emd", "write to jane@example.org"]}  # fmt: skip
    with lbj.creating.begin(out, signals("raw"), metadata, source=source) as writer:
        writer.put_static("survey", np.ones((9, 9), np.uint16))
        writer.put_static("survey", np.eye(9, dtype=np.uint16))
        for i in range(3):
            frame = {
                "EDX": random.poisson(0.01, (6, 7, 300)).astype(np.uint32),
                "EELS": random.poisson(50, (6, 7, 32)).astype(np.float32),
                "lossy": random.poisson(900, (6, 7, 64)).astype(np.float32),
            }
            if i:
                frame["HAADF"] = random.poisson(90, (6, 7)).astype(np.uint16)
            writer.append(frame, live_time=0.1, metadata={"userName": "jdoe", "spot": 3 + i, "stage": {"x": 1.5}})
        writer.put_personal({"operator": "Jane Doe", "group": "Doe lab"})
        writer.put_displacement("HAADF", coefficients=np.ones((3, 1, 1, 2)))
        writer.amend({"metadata": {"beam_energy": 3e5}})
        writer.put_record(b"xYZw", b"secret of Jane Doe")
    return out


def described(journal):
    return [(frame.names, frame.attributes) for frame in journal]


def test_pack(path, tmp_path, capsys):
    out = tmp_path / "packed.lbj"
    found = pack(path, out)
    assert found.after == os.path.getsize(out) < found.before / 3
    with lbj.open(path) as before, lbj.open(out) as after:
        assert after.content_digest() == before.content_digest() == found.digest
        assert described(after) == described(before)
        assert after.metadata == before.metadata
        assert np.array_equal(after.static("survey"), np.eye(9))
        assert np.array_equal(after.displacement().field(), np.ones((3, 2, 6, 7)))
        assert after.header["created"] == before.header["created"]
        assert after.header["uuid"] != before.header["uuid"] == after.header["source"]["uuid"]
        assert [s.coding for s in after.declared[-1:]] == ["noise-q(1)"]
        kinds = [kind for kind, _ in after.contents.others]
        assert [kinds.count(kind) for kind in (b"pERs", b"aMNd", b"xYZw", b"cONT")] == [1, 1, 1, 1]
        frame = after[2].events("EDX")  # by the index, without the frames before
        assert np.array_equal(frame.channel, before[2].events("EDX").channel)
    assert main(["verify", str(out)]) == 0


def test_counts_in_clusters_become_smaller_than_a_writer_makes_them(tmp_path):
    """A strong peak of few channels, as the zero strobe of a detector: larger chunks than usual hold it better."""
    random = np.random.default_rng(8)
    rate = 1e-5 + 0.3 * np.exp(-0.5 * ((np.arange(2048) - 100) / 6) ** 2)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (30, 31, 2048))]) as writer:
        for _ in range(6):
            writer.append({"EDX": random.poisson(rate, (30, 31, 2048)).astype(np.uint8)})
    found = pack(tmp_path / "a.lbj", tmp_path / "b.lbj")
    assert found.after < found.before
    with lbj.open(tmp_path / "a.lbj") as before, lbj.open(tmp_path / "b.lbj") as after:
        assert after.totals("EDX")[1] < 0.995 * before.totals("EDX")[1]
        assert after.content_digest() == before.content_digest()


def test_packed_again_it_says_so(path, tmp_path, capsys):
    pack(path, tmp_path / "one.lbj")
    assert main(["pack", str(tmp_path / "one.lbj"), "-o", str(tmp_path / "two.lbj")]) == 0
    assert "no smaller" in capsys.readouterr().out


def test_strip_removes_every_trace(path, tmp_path, capsys):
    out = tmp_path / "stripped.lbj"
    assert main(["strip", str(path), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    data = out.read_bytes().lower()
    for trace in (b"jane", b"doe", b"users", b"example.org", b"secret"):
        assert trace not in data
    for what in ("metadata.operator", "frames: metadata.userName", "1 record of personal data", "xYZw",
                 "1 source file", "metadata.title", "amendments", "read it: title 'grain 3 of …'"):  # fmt: skip
        assert what in said
    with lbj.open(path) as before, lbj.open(out) as after:
        assert after.content_digest() == before.content_digest()
        assert after.metadata == {"title": "grain 3 of …", "beam_energy": 3e5, "microscope": "Titan"}
        assert after[1].attributes == {"live_time": 0.1, "metadata": {"spot": 4, "stage": {"x": 1.5}}}
        assert after.header["source"]["files"] == [{"name": "file-1.emd", "sha256": "0" * 64}]
        assert after.displacement() is not None
        for name in ("EDX", "lossy"):  # blocks come along as they are stored
            assert [bytes(b.data) for b in after[0].stored_blocks(name)] == [
                bytes(b.data) for b in before[0].stored_blocks(name)
            ]
    assert main(["verify", str(out)]) == 0


def test_what_was_amended_away_is_gone(tmp_path):
    path, out = tmp_path / "a.lbj", tmp_path / "b.lbj"
    lbj.create(path, [lbj.Signal("HAADF", "image", (2, 2))], {"title": "Rosalind"}).close()
    assert main(["amend", str(path), "--set", "title="]) == 0
    strip(path, out)
    assert b"Rosalind" in path.read_bytes()
    assert b"Rosalind" not in out.read_bytes()


def test_nothing_personal(tmp_path, capsys):
    path = tmp_path / "a.lbj"
    lbj.create(path, [lbj.Signal("HAADF", "image", (2, 2))], {"beam_energy": 2e5}).close()
    assert main(["strip", str(path), "-o", str(tmp_path / "b.lbj")]) == 0
    assert "nothing personal" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["pack", "strip"])
def test_a_damaged_journal_gives_nothing(path, tmp_path, capsys, command):
    out = tmp_path / "out.lbj"
    data = path.read_bytes()
    path.write_bytes(data[:-50])
    assert main([command, str(path), "-o", str(out)]) == 1
    assert "recover" in capsys.readouterr().err
    broken = bytearray(data)
    with lbj.open(path) as journal:
        broken[journal.contents.frames[1].fram + 200] ^= 1
    path.write_bytes(broken)
    assert main([command, str(path), "-o", str(out)]) == 1
    assert os.listdir(tmp_path) == ["plain.lbj"]


@pytest.mark.parametrize("command", ["pack", "strip"])
def test_nothing_is_replaced(path, capsys, command):
    data = path.read_bytes()
    assert main([command, str(path), "-o", str(path)]) == 2
    assert path.read_bytes() == data


@pytest.mark.parametrize("command", ["pack", "strip"])
def test_a_journal_has_a_journals_name(path, tmp_path, capsys, command):
    assert main([command, str(path), "-o", str(tmp_path / "out.hspy")]) == 2
    assert "ends in .lbj" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["plain.lbj"]


@pytest.mark.parametrize("command", ["pack", "strip"])
@pytest.mark.parametrize("frames", [0, 1])
def test_little(tmp_path, command, frames):
    path, out = tmp_path / "a.lbj", tmp_path / "b.lbj"
    with lbj.create(path, [lbj.Signal("EDX", "events", (1, 1, 1)), lbj.Signal("S", "spectra", (1, 1, 1))]) as writer:
        for _ in range(frames):
            writer.append({"S": np.full((1, 1, 1), np.nan, np.float32)})
    assert main([command, str(path), "-o", str(out)]) == 0
    with lbj.open(path) as before, lbj.open(out) as after:
        assert after.content_digest() == before.content_digest()


def test_a_coding_that_is_declared_and_unknown(tmp_path):
    """Each block states its own coding; what the header says is for people."""
    path, out = tmp_path / "a.lbj", tmp_path / "b.lbj"
    lbj.create(path, [lbj.Signal("HAADF", "image", (2, 2))]).close()
    with path.open("rb") as file:
        source = Bytes(file)
        head = source.header(8, source.size())
        payload = source.payload(head).replace(b'"lossless-int"', b'"of-tomorrow!"')
    path.write_bytes(path.read_bytes()[:8] + build(b"HEAD", payload))
    pack(path, out)
    strip(path, tmp_path / "c.lbj")


def test_records_inside_frames(tmp_path, capsys):
    """They mean nothing to this version (clause 5.2.1): a packed journal has them in the same frames, a stripped one not."""
    path, packed, stripped = tmp_path / "a.lbj", tmp_path / "b.lbj", tmp_path / "c.lbj"
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    inside = [
        [(b"xYZw", b"drift of frame 0"), (b"vEND", b"")],
        [],
        [(b"xYZw", b"seen by jane"), (b"pERs", b'{"operator":"Rosalind"}'), (b"aMNd", b"no JSON")],
    ]
    survey = lbj.Signal("survey", "image", (3, 4), role="survey")
    with lbj.create(path, [lbj.Signal("HAADF", "image", (3, 4)), survey], {"title": "by Rosalind"}) as writer:
        writer.put_frame(2**64 - 1, {"survey": image}, {}, [(b"sURv", b"17")], static=True)
        for number, records in enumerate(inside):
            writer.put_frame(number, {"HAADF": image}, {}, records, static=False)
    pack(path, packed)
    with lbj.open(packed) as journal:
        for frame, records in zip(journal, inside, strict=True):
            assert [(one.type, journal.source.payload(one)) for one in frame.ancillary()] == records
            assert np.array_equal(frame.array("HAADF"), image)
        assert [one.type for one in journal.statics()["survey"].ancillary()] == [b"sURv"]
        assert journal.metadata == {"title": "by Rosalind"}
    assert main(["verify", str(packed)]) == 0
    assert main(["strip", str(path), "-o", str(stripped)]) == 0
    assert "2 records xYZw inside frames left out" in capsys.readouterr().out
    data = stripped.read_bytes()
    assert not [what for what in (b"jane", b"Rosalind", b"xYZw", b"vEND", b"sURv") if what in data]

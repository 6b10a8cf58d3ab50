"""The `lbj` command as a user meets it: output and exit codes; and every real EDS file through it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj_conformance.generate.builder import record

# Totals of shared/data/README.md.
TOTALS = {
    "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd": (10, {"EDX": 764_005}),
    "velox/fei_SI_EDS-HAADF-4detectors_2frames.emd": (
        2,
        {"EDX-1": 916_174, "EDX-2": 867_647, "EDX-3": 913_682, "EDX-4": 865_236},
    ),
    "velox/fei_emd_si.emd": (5, {"EDX": 6_564}),
    "velox/velox_v11_SI_16x16_2frames.emd": (2, 42_097),
    "jeol/64.pts": (50, {"EDX": 1_436_255}),
    "bruker/L2083-K-4-1_tilt0.bcf": (1, {"EDX": 886_553}),
    "bruker/test_TEM.bcf": (1, {"EDX": 26_005}),
    "bruker/P45_12bit_packed_8bit_compressed.bcf": (1, {"EDX": 915_942}),
    "eds/core_shell.hdf5": (1, {"EDX": 884_071}),
    "eds/bare_core.hdf5": (1, {"EDX": 437_439}),
    "eds/88_ES-LP_G8_selection2_cropped2.hspy": (1, {"EDX": 716_887}),
}


@pytest.fixture
def series(tmp_path):
    path = tmp_path / "series.lbj"
    signals = [lbj.Signal("EDX", "events", (4, 5, 20)), lbj.Signal("HAADF", "image", (4, 5))]
    with lbj.create(path, signals, {"title": "a test"}) as writer:
        for i in range(3):
            counts = np.random.default_rng(i).poisson(0.2, (4, 5, 20))
            writer.append({"EDX": counts, "HAADF": np.full((4, 5), i)})
    return path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("name", TOTALS)
def test_every_real_eds_file_converts_verifies_and_gives_back_its_counts(shared_data, tmp_path, capsys, name):
    frames, totals = TOTALS[name]
    out = tmp_path / "out.lbj"
    assert run(capsys, "convert", shared_data / name, "-o", out, "--quiet") == (0, "", "")
    assert run(capsys, "verify", out) == (0, f"{out}: conforms\n", "")
    code, text, _ = run(capsys, "info", out, "--json")
    info = json.loads(text)
    assert (code, info["frames"], info["complete"]) == (0, frames, True)
    counts = {item["name"]: item["events"] for item in info["signals"] if item["kind"] == "events"}
    if isinstance(totals, int):
        assert sum(counts.values()) == totals
    else:
        assert sorted(counts.values()) == sorted(totals.values())
        assert set(counts) == set(totals)
    with lbj.open(out) as journal:
        assert sum(frame.events("EDX").total for frame in journal) == sum(counts.values())


def test_info(series, capsys):
    code, text, _ = run(capsys, "info", series, "--json")
    info = json.loads(text)
    assert code == 0
    assert list(info) == ["version", "complete", "frames", "bytes", "signals"]
    assert info["version"] == "0.9"
    assert info["bytes"] == series.stat().st_size
    edx, haadf = info["signals"]
    assert list(edx) == ["name", "kind", "shape", "dtype", "coding", "events", "bytes"]
    assert edx["events"] == sum(np.random.default_rng(i).poisson(0.2, (4, 5, 20)).sum() for i in range(3))
    assert haadf["events"] is None
    assert 0 < edx["bytes"] + haadf["bytes"] < info["bytes"]
    code, text, _ = run(capsys, "info", series)
    assert "3 frames" in text
    assert "a test" in text
    assert "4 x 5 x 20" in text


def test_info_of_an_unclosed_journal_says_so(series, capsys):
    data = series.read_bytes()
    series.write_bytes(data[: len(data) - 300])
    code, text, _ = run(capsys, "info", series)
    assert code == 0
    assert "not closed" in text
    assert json.loads(run(capsys, "info", series, "--json")[1])["complete"] is False


def test_verify_and_recover(series, tmp_path, capsys):
    data = bytearray(series.read_bytes())
    data[data.rindex(b"BLOK") + 40] ^= 4  # in the last block of the last frame
    series.write_bytes(data)
    code, text, _ = run(capsys, "verify", series)
    assert code == 1
    lines = text.splitlines()
    assert all(line.startswith(f"{series}: ") for line in lines)
    assert any("at byte" in line for line in lines)
    code, _, said = run(capsys, "export", series, "-o", tmp_path / "series.npz")
    assert code == 1
    assert said.endswith("; 'lbj recover' saves the frames that are whole\n")
    whole = tmp_path / "whole.lbj"
    code, text, _ = run(capsys, "recover", series, "-o", whole)
    assert code == 3
    assert "lost: frame" in text
    assert "2 frames kept" in text
    assert run(capsys, "verify", whole)[0] == 0
    again = tmp_path / "again.lbj"
    code, text, _ = run(capsys, "recover", whole, "-o", again)
    assert (code, text) == (0, f"{again}: 2 frames kept, nothing lost\n")


@pytest.mark.parametrize("gaps", [99, 100, 101, 1234])
def test_findings_of_one_kind_are_told_a_hundred_times(series, tmp_path, capsys, gaps):
    """After the gaps, another finding is still told."""
    data = series.read_bytes()
    end = data.rindex(b"\xf5LB\x01iNDX")
    data = data[:end] + (record(b"abCd", b"") + b"garbage!") * gaps + record(b"HEAD", b"")
    series.write_bytes(data)
    code, text, _ = run(capsys, "verify", series)
    lines = text.splitlines()
    assert code == 1
    assert sum(line.startswith(f"{series}: 4.2.1 at byte") for line in lines) == min(gaps, 100)
    assert (f"{series}: 4.2.1: and {gaps - 100:,} more" in lines) == (gaps > 100)
    assert f"{series}: 5.1.1 at byte {len(data) - 24}: a second HEAD" in lines
    code, text, _ = run(capsys, "recover", series, "-o", tmp_path / "whole.lbj")
    lines = text.splitlines()
    assert code == 3
    assert sum(line.startswith("lost: ") and "more;" not in line for line in lines) == 100
    assert lines[-1].endswith(f" kept, {2 * gaps + 1} lost")
    assert lines[-2].startswith(f"lost: and {2 * gaps - 99:,} more; ")


@pytest.mark.parametrize(
    ("begin", "recover"),
    [(b"\x89LBJ\r\n\x1a\n" + bytes(range(60)), True), (b"frame,dose\n" * 9, False)],
    ids=["header", "other"],
)
def test_recovery_is_advised_where_a_journal_is_damaged(tmp_path, capsys, begin, recover):
    path = tmp_path / "one.lbj"
    path.write_bytes(begin)
    code, _, said = run(capsys, "info", path)
    assert code == 1
    assert ("lbj recover" in said) == recover
    code, _, said = run(capsys, "recover", path, "-o", tmp_path / "whole.lbj")
    assert code == 1
    assert "use another copy" in said
    assert "'lbj recover'" not in said


def test_convert_recodes_a_journal(series, tmp_path, capsys):
    out = tmp_path / "b.lbj"
    assert run(capsys, "convert", series, "-o", out, "--coding", "EDX=leb128", "--coding", "HAADF=raw")[0] == 0
    with lbj.open(series) as one, lbj.open(out) as two:
        assert [two.signals[name].coding for name in two.signals] == ["leb128", "raw"]
        assert one.content_digest() == two.content_digest()
        assert two.metadata["title"] == "a test"
        assert two.header["source"]["files"][0]["name"] == "series.lbj"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["info", "{tmp}/none.lbj"], 1, "none.lbj"),
        (["info", "{tmp}/text.lbj"], 1, "not an .lbj journal"),
        (["verify", "{tmp}/none.lbj"], 1, "none.lbj"),
        (["convert", "{tmp}/none.emd", "-o", "{tmp}/o.lbj"], 1, "none.emd"),
        (["convert", "{tmp}/text.xyz", "-o", "{tmp}/o.lbj"], 1, "text.xyz"),
        (["convert", "{series}", "-o", "{series}"], 2, "exists"),
        (["convert", "{series}", "-o", "{tmp}/o.lbj", "--coding", "EELS=raw"], 2, "EELS"),
        (["convert", "{series}", "-o", "{tmp}/o.lbj", "--coding", "EDX=zip"], 2, "zip"),
        (["recover", "{tmp}/text.lbj", "-o", "{tmp}/o.lbj"], 1, "not an .lbj journal"),
        (["export", "{series}", "-o", "{tmp}/o.xyz"], 2, "xyz"),
        (["export", "{tmp}/none.lbj", "-o", "{tmp}/o.npz"], 1, "none.lbj"),
    ],
)
def test_errors_have_a_message_and_a_code(series, tmp_path, capsys, arguments, code, words):
    (tmp_path / "text.lbj").write_text("this is a text and no journal")
    (tmp_path / "text.xyz").write_text("this is a text and no journal")
    filled = [argument.format(tmp=tmp_path, series=series) for argument in arguments]
    before = series.read_bytes()
    got, out, err = run(capsys, *filled)
    assert (got, out) == (code, "")
    assert words in err
    assert err.startswith(f"lbj {arguments[0]}: ")
    assert not (tmp_path / "o.lbj").exists()
    assert series.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["info"],
        ["convert", "a", "-o", "b", "--coding", "EDX"],
        ["export", "a", "-o", "b", "--frames", "3"],
    ],
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: lbj" in capsys.readouterr().err


def test_export_of_some_frames(series, tmp_path, capsys):
    out = tmp_path / "o.npz"
    assert run(capsys, "export", series, "-o", out, "--frames", "1:")[0] == 0
    back = tmp_path / "back.lbj"
    assert run(capsys, "convert", out, "-o", back, "--quiet")[0] == 0
    with lbj.open(back) as journal, lbj.open(series) as original:
        assert len(journal) == 2
        assert journal[0].events("EDX") == original[1].events("EDX")


def test_nothing_but_data_when_piped(series, tmp_path):
    script = Path(sys.executable).with_name("lbj")
    done = subprocess.run(
        [script, "convert", series, "-o", tmp_path / "b.lbj", "--quiet"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    done = subprocess.run([script, "info", tmp_path / "b.lbj", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["frames"] == 3


def test_info_tells_calibration_and_what_is_known(tmp_path, capsys):
    axes = [
        {"name": "y", "offset": 0, "scale": 0.5e-9, "units": "m"},
        {"name": "x", "offset": 0, "scale": 55.5e-12, "units": "m"},
        {"name": "energy", "offset": 100, "scale": 10, "units": "eV"},
    ]
    signals = [lbj.Signal("EDX", "events", (2, 3, 41), axes=axes), lbj.Signal("HAADF", "image", (2, 3))]
    with lbj.create(tmp_path / "a.lbj", signals, {"beam_energy": 2e5, "elements": ["Ti", "O"]}):
        pass
    code, text, _ = run(capsys, "info", tmp_path / "a.lbj")
    assert code == 0
    assert "beam energy 200 keV; elements Ti, O" in text
    assert "y 500 pm, x 55.5 pm, energy 100 to 500 eV by 10" in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among the files here")
@pytest.mark.parametrize("command", ["info", "verify", "recover", "export", "convert"])
def test_pipes_devices_and_empty_names_are_refused(tmp_path, capsys, command):
    os.mkfifo(tmp_path / "pipe.lbj")
    out = ["-o", str(tmp_path / "out.lbj" if command != "export" else tmp_path / "out.npz")]
    for name in (str(tmp_path / "pipe.lbj"), "/dev/zero", str(tmp_path), ""):
        code = main([command, name, *(out if command in ("recover", "export", "convert") else [])])
        captured = capsys.readouterr()
        assert code in (1, 2)
        assert captured.err.startswith(f"lbj {command}: ")
        assert not (tmp_path / "out.lbj").exists()

"""The worked examples and the pseudo-code of the standard: computed again, and compared with the readers."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import worked
import worked_stream
from pseudo_code import SPEC

import lbj
from lbj.format import layout
from lbj_conformance.generate import codings, integer_stream
from lbj_conformance.generate.builder import Block, File, spectra
from lbj_conformance.generate.integer_stream import MEAN, Model, Tap
from lbj_conformance.strict import chart, cursor, noise
from lbj_conformance.strict.errors import Refused
from lbj_conformance.strict.integer_stream import decode as strict_decode


def test_the_page_is_what_the_pseudo_code_computes():
    assert worked.PAGE.read_text() == worked.page()


def test_the_blocks_of_the_page_are_read(tmp_path):
    for number, block in enumerate(worked.blocks()):
        value = block["value"]
        names = {4: "lossless-int", 5: "float-lattice", 6: "noise-q", 7: "chart"}
        file = File(spectra(shape=value.shape, dtype=value.dtype.name))
        coded = Block(None, names[block["coding"]], {"data": block["data"]})
        file.frame({"EELS": value}, blocks={"EELS": [coded]}).close()
        path = tmp_path / f"{number}.lbj"
        path.write_bytes(file.data)
        with lbj.open(path) as journal:
            np.testing.assert_array_equal(journal[0].array("EELS"), value)


@pytest.mark.parametrize(("change", "data", "result", "clause", "why"), worked.refusals())
def test_the_spoiled_streams_of_the_page_are_refused(change, data, result, clause, why):
    with pytest.raises(Refused) as found:
        strict_decode(data, worked.SHAPE, 0)
    assert (found.value.kind, found.value.clause) == (result, clause)


def test_the_file_of_the_page_is_read(tmp_path):
    _, data, value = worked.file_section()
    path = tmp_path / "page.lbj"
    path.write_bytes(data)
    with lbj.open(path) as journal:
        np.testing.assert_array_equal(journal[0].array("EELS"), value)


SETS = [
    (9, [Tap(0, -1, 0, 1500), Tap(-1, 1, 1, 1000), Tap(0, 0, MEAN, 900), Tap(-1, 0, MEAN, 600)]),
    (-40, [Tap(0, 0, -2, 2000), Tap(0, 0, -1, 2096)]),
    (3, []),
]
MODELS = [
    Model(1),
    Model(900, 4096, 64, SETS, seed=77),
    Model(1 << 40, 0, 0, SETS[1:], seed=2**32 - 1),
    Model(-3000, 2**24, 2**16, SETS[:2]),
]


@pytest.mark.parametrize("model", MODELS)
def test_pseudo_code_of_the_integer_stream(model):
    rng = np.random.default_rng(len(model.sets))
    shape = (2, 3, 7)
    q = rng.integers(-40, 300, shape)
    q[rng.random(shape) < 0.1] *= 3000
    data = integer_stream.encode(q, shape, model)
    found, s, _ = worked_stream.decoded(shape, data)
    strict = strict_decode(data, shape, 0)
    assert found == q.ravel().tolist() == strict.values
    assert s.sample == strict.samples


def test_pseudo_code_makes_starts_anew_and_halves_counts():
    shape = (1, 1, 9000)
    q = [int(i % 601 == 0) for i in range(9000)]
    model = Model(1, 0, 0, [(20, [])])
    data = integer_stream.encode(q, shape, model)
    found, s, _ = worked_stream.decoded(shape, data)
    assert found == q
    assert max(sum(f.counts) for f in s.tables.values()) < 2**18 < 32 * 9000


def test_the_sum_of_counts_is_never_2_18_when_starts_are_made():
    """Note to 8.5.8, whatever the symbols: a halving is let leave any sum that 32 odd or even counts may leave."""
    due = {sum(integer_stream.first_counts(kind, phase)) for kind in range(17) for phase in range(4)}
    seen: set[int] = set()
    while due:
        seen |= due
        halved = set()
        for made_at in due:
            total = made_at
            while total < 2**18:
                total += 32 * -(-(total >> 3) // 32)  # the symbols after which starts are made again
                assert total != 2**18
            halved |= {(total + odd) // 2 for odd in range(total % 2, 33, 2)}
        due = halved - seen
    assert len(seen) > 1000


@pytest.mark.parametrize("m", [0, 3, 6, 9])
@pytest.mark.parametrize("escapes", [False, True])
def test_pseudo_code_of_split_rice(m, escapes):
    rng = np.random.default_rng(m)
    volume = 500
    counts = np.where(rng.random(volume) < 0.3, rng.integers(1, 4, volume), 0)
    counts[[7, 8, 300]] = 70000, 1, 900
    voxel = np.flatnonzero(counts).tolist()
    data = codings.split_rice(voxel, counts[voxel].tolist(), volume, m=m, escapes=escapes)
    _, found = worked_stream.split_rice_steps(data, volume, int(counts.sum()))
    assert found == list(zip(voxel, counts[voxel].tolist(), strict=True))


def test_pseudo_code_of_the_chart():
    rng = np.random.default_rng(5)
    plain = noise.Map(0, 0, 0, 0, 0)
    spread = worked_stream.procedures()["spread"]
    for _ in range(50):
        widths = rng.integers(1, 6, rng.integers(1, 6)).tolist()
        ends = np.cumsum(widths).tolist()
        ranges = [range(end - width, end) for end, width in zip(ends, widths, strict=True)]
        curve = dict(enumerate(rng.integers(1, 90, ends[-1]).tolist()))
        sums = rng.integers(-5000, 90000, len(widths)).tolist()
        run = [chart.Bin(channels, plain) for channels in ranges]
        wanted = dict(chart._spread(run, sums, curve, cursor.Cursor(b"", 0)))
        fixed = {}
        spread([SimpleNamespace(first=r[0], last=r[-1]) for r in ranges], sums, curve, fixed)
        assert fixed == wanted
        assert [sum(fixed[c] for c in r) for r in ranges] == sums


# The rationale


RATIONALE = (SPEC / "rationale.md").read_text()


def test_tables_are_made_as_the_rationale_says():
    tails = [
        round(16384 * (0.9 * math.erfc(x / 8 / math.sqrt(2)) + 0.1 * math.erfc(x / 16 / math.sqrt(2))))
        for x in range(65)
    ]
    middles = [(1.75 if j % 2 else 1.25) * 2 ** (j // 2) for j in range(17)]
    assert worked_stream.table("T") == tails
    assert worked_stream.table("S") == [round(256 / (math.sqrt(middle) / 4)) for middle in middles]
    assert "16384 · (0.9 · erfc(x / (8·√2)) + 0.1 · erfc(x / (16·√2)))" in RATIONALE
    assert "1024 / √v" in RATIONALE
    assert f"T sums to {sum(tails):,} and S to {sum(worked_stream.table('S')):,}" in RATIONALE
    deviations = [math.sqrt(v) / 4 / 2 ** max(0, (13 + i - 13) // 4) for i, v in enumerate((96, 128, 192, 256, 384))]
    assert (f"{deviations[0]:.1f}", f"{deviations[4] * 2:.1f}") == ("2.4", "4.9")
    assert "between 2.4 and 4.9 buckets" in RATIONALE


def test_figures_of_the_rationale():
    most = 32768 - 31
    bit = math.log2(32768 / most)
    assert f"1/{1 / bit:.0f} bit" in RATIONALE
    assert 8 / bit < 8192
    frames = 2 * layout.RECORD_SIZE + layout.FRAM_SIZE + layout.DONE_SIZE
    assert f"{frames} bytes" in RATIONALE


def test_figures_of_the_bounds():
    """Clause 11.4, as far as its figures follow from others."""
    text = (SPEC / "lbj.md").read_text()
    frames = 2 * layout.RECORD_SIZE + layout.FRAM_SIZE + layout.DONE_SIZE
    assert f"a frame of {frames} bytes" in text
    assert f"65,535 signals make {65535 / frames:.0f} a byte" in text
    assert 2**22 < 4096 * 4095 // 2 < 2**23
    assert 4096 * 2**24 == 2**36
    assert 2**17 // 4 == 2**15
    assert 8192 * 2**20 == 2**33
    first_counts = worked_stream.procedures()["first_counts"]
    sums = [sum(first_counts(kind, phase)) for kind in range(100) for phase in range(4)]
    least = math.ceil((min(sums) >> 3) / 32)
    assert f"made anew at most once for {least} symbols" in text


# The drawings


def test_drawings_have_the_sizes_of_the_layouts():
    drawings = (SPEC / "drawings.md").read_text()
    sizes = {"header": layout.RECORD_SIZE, "FRAM": layout.FRAM_SIZE, "DONE": layout.DONE_SIZE, "BLOK": layout.BLOK_SIZE}
    for name, size in {**sizes, "fOOT": layout.FOOT_SIZE, "iNDX": layout.INDX_SIZE}.items():
        assert f"{name}: {size} bytes" in drawings
    for name in (b"FRAM", b"BLOK", b"DONE", b"HEAD", b"iNDX", b"fOOT", b"aMNd"):
        assert name.decode() in drawings

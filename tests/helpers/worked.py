"""The page spec/examples.md: worked examples of all codings, computed by the pseudo-code of spec/lbj.md.

Run ``python tests/helpers/worked.py`` with ``tests/helpers`` on the path after a change of the text: it writes the page.
"""

import struct
import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pseudo_code
from worked_stream import decoded, grid, hexed, joined, procedures, split_rice_steps, stream_rows

from lbj_conformance.generate import codings, dense, integer_stream
from lbj_conformance.generate.builder import Block, File, spectra
from lbj_conformance.generate.codings import number
from lbj_conformance.generate.integer_stream import MEAN, Model, Tap, signed

PAGE = pseudo_code.SPEC / "examples.md"
SHAPE = (1, 2, 5)
Q = [3, 5, 4, 70, 6, 2, 4, 5, 68, 7]
MODEL = Model(100, 4096, 64, [(8, [Tap(0, -1, 0, 3000), Tap(0, 0, MEAN, 1096)]), (0, [Tap(0, 0, -1, 4096)])], seed=2026)
LINES = (2, 2, 3)  # of the second stream: lines, and numbers below zero
LINES_Q = [-3, -1, -2, -4, 0, -30, 40, -2, -1, -3, -2, -9]
LINES_MODEL = Model(
    -900,
    4096,
    300,
    [(-20, [Tap(-1, 1, 1, 2000), Tap(-1, 0, 0, 1500)]), (5, [Tap(-1, 0, MEAN, 2500), Tap(0, 0, -1, 900)])],
)
PLAIN = Model(64, 4096, 64)


def stream_steps(values, shape, model):
    """The pseudo-code at a stream: its tables of bytes, of what is known before each voxel, of symbols and of values."""
    rows = stream_rows(values, shape, model)
    names = procedures()
    found, s, steps = decoded(shape, joined(rows), names)
    assert found == values
    first, second, third = [], [], []
    for i, step in enumerate(steps):
        v, k, y = step.voxel, step.class_of, step.symbol
        row = step.prediction
        fit = row["i"] if row.get("fits") else "–"
        mean = s.mean[i] if step.c else "–"
        first.append([i, f"({step.y}, {step.x}, {step.c})", v["u"], mean, fit, v["p"], k["near"], k["m"], k["V"], k["octave"],
                      v["cls"], v["k"], v["phase"], v["base"]])  # fmt: skip
        code = v["code"]
        after = steps[i + 1].X if i + 1 < len(steps) else s.X
        second.append([i, step.X, y["low"], code, y["start"], y["end"], step.between, after])
        escape = f"g = {v['g']}, f = {v['f']}" if "g" in v else "–"
        third.append([i, code, escape, v["bucket"], v["q"] - v["bucket"] * 2 ** v["k"] if v["k"] else "–", v["q"],
                      s.sample[i], s.error[i]])  # fmt: skip
    tables = (
        grid(
            ["i", "(y, x, c)", "u", "mean", "set", "p", "near", "m", "V", "octave", "class", "k", "phase", "base"],
            first,
        ),
        grid(
            ["i", "X before", "X & 32767", "symbol", "its start", "next start", "X after it", "X after the bits"],
            second,
        ),
        grid(["i", "symbol", "escape", "bucket", "l", "q", "sample t", "error"], third),
    )
    return hexed(rows), *tables, steps


def lines_section():
    """A stream of two lines, with predictions below zero."""
    rows, known, symbols, values, steps = stream_steps(LINES_Q, LINES, LINES_MODEL)
    assert min(step.voxel["p"] for step in steps) < 0
    return f"""An array of H = 2, W = 2, C = 3, in C order {LINES_Q}, not dithered. Voxel 6 begins
the second line; the row before its own is that of voxels 3 to 5 (8.5.1). The stream, and the tables as above:

{rows}
{known}
{symbols}
{values}"""


def integer_section():
    """The stream of ten voxels."""
    rows, known, symbols, values, steps = stream_steps(Q, SHAPE, MODEL)
    h = 1 ^ MODEL.seed
    hashed = f"made from h = {h:08X}"
    for factor, shift in ((0x9E3779B1, 15), (0x85EBCA77, 13), (0xC2B2AE3D, 26)):
        h = h * factor % 2**32
        hashed += f", {h:08X}"
        h = h >> 26 if shift == 26 else h ^ h >> shift
        hashed += f", {h:08X}" if shift < 26 else f";\nthe highest six bits are {h}, u = {h} - 32"
    assert h - 32 == steps[1].voxel["u"]
    out = f"""An array of H = 1, W = 2, C = 5: row 0 {Q[:5]}, row 1 {Q[5:]}. The stream:

{rows}
What is known before a voxel is read (8.5.4 to 8.5.7), u the dither, “set” the first one all of whose taps fit
(– where there is none), and `near` the weighted sum of which m is an eighth:

{known}
The dither of voxel 1 is {hashed}.

The symbol (8.5.9), by the starts of its class and phase. X before it, after it, and after the bits of the next table,
each time with the word that it took in where it was below 65536:

{symbols}
The value: five bits g and g bits f where the symbol is 0 or 31, then k bits l, `q = bucket * 2^k + l`:

{values}
The last X is 65536 and no word is left (8.5.10).
"""
    return out, steps[0].voxel, procedures()


def refusals():
    """The stream of ten voxels spoiled in one place: what is changed, the bytes, the result, its clause, and why."""
    data = integer_stream.encode(Q, SHAPE, MODEL)

    def other(start, new):
        shown = " ".join(f"{byte:02X}" for byte in new)
        return f"`{shown}` at {start}", data[:start] + bytes(new) + data[start + len(new) :]

    end = len(data)
    return [
        (*other(0, [3]), "unsupported", "8.5.2", "a reserved flag"),
        (*other(13, [0x80, 0x10]), "damaged", "8.5.3", "d = e = j = 0: a tap on the voxel itself"),
        (*other(15, [0xFF, 0x7F]), "damaged", "8.5.3", f"the weights of set 0 sum to {0x7FFF + 1096}"),
        (*other(29, [0, 0]), "damaged", "8.5.9", f"the first state is {0x738E}"),
        (*other(37, [0x80]), "damaged", "8.5.10", f"the last state is {0x10001}"),
        ("without the last byte", data[:-1], "damaged", "8.5.10", "half a word"),
        ("without the last word", data[:-2], "damaged", "8.5.10", "the words end before the last voxel is read"),
        ("nothing from 29 on", data[:29], "damaged", "8.5.10", "one word is no first state"),
        (f"`00 00` added at {end}", data + bytes(2), "damaged", "8.5.10", "a word is left over"),
    ]


def refusal_section():
    """The spoiled streams as a table."""
    rows = [[change, result, clause, why] for change, _, result, clause, why in refusals()]
    head = ["the stream of ten voxels with", "is", "by", "because"]
    return f"""What a decoder refuses, each change made for itself:

{grid(head, rows)}"""


def frequency_section(voxel, names):
    """The starts of the first voxel's class and phase."""
    cls, phase = voxel["cls"], voxel["phase"]
    f = SimpleNamespace(counts=names["first_counts"](cls, phase))
    counts = list(f.counts)
    names["make_starts"](f)
    column = cls if cls <= 16 else 13 + (cls - 13) % 4
    rows = []
    edge = 0
    for i in range(32):
        distance = 8 * i - 128 - 2 * phase - 1
        reach = abs(distance) * names["S"][column]
        rows.append([i, *([distance, reach, edge] if i else ["–", "–", 0]), counts[i], f.start[i]])
        edge = edge_after(i + 1, phase, column, names)
    return f"""Class {cls}, phase {phase}, which is that of voxel 0; S = {names["S"][column]}. Edge 32 is 32768 and start 32
is 32768. The counts sum to {sum(counts)}; the starts are made anew when they reach {sum(counts) + sum(counts) // 8}.

{grid(["i", "distance", "reach", "edge i", "count", "start"], rows)}"""


def rounding_section(names):
    """Predictions on either side of half a unit."""
    s = SimpleNamespace(
        sets=[SimpleNamespace(offset=0, taps=[SimpleNamespace(d=0, e=0, j=-1, weight=1, on_mean=0)])], W=1, C=2
    )
    rows = []
    for sample in (2047, 2048, -2048, -2049):
        s.sample = [sample]
        rows.append([sample, 2048 + sample, names["prediction"](s, 0, 0, 1, 0)])
    return f"""Rounding (8.5.6): one tap of weight 1, offset 0, no dither. The 2048 in the sum makes `>> 12`, which rounds down,
round to the nearest; halves go up:

{grid(["sample", "2048 + weight · sample", "p"], rows)}"""


def caps_section(names):
    """Errors and classes that are as high as they go."""
    model = Model(1, 0, 0, [(0, [])])
    q = [16383, 16384, 16385, -(2**24)]
    found, s, _ = decoded((1, 1, len(q)), joined(stream_rows(q, (1, 1, len(q)), model)), names)
    assert found == q
    errors = [[v, abs(t), abs(t) >> 4, e] for v, t, e in zip(q, s.sample, s.error, strict=True)]
    classes = []
    for beta in (2**49 - 1, 2**49, 2**49 + 2**48, 2**50):
        held = SimpleNamespace(beta=beta, alpha=0, gamma=0, error=[], C=1)
        n = beta.bit_length() - 1
        classes.append([beta, n, 2 * n + (beta >> n - 1 & 1), names["class_of"](held, 0, 0, 0)])
    off = "\\|t + u - p\\|"
    return f"""Caps (8.5.7): an error is at most 65536; p = 0 here, by a set without taps and of offset 0, and u = 0:

{grid(["q", off, ">> 4", "error"], errors)}
A class is at most 99; alpha and gamma are 0, so that V is beta:

{grid(["V", "octave", "2 · octave, or 1 more", "class"], classes)}"""


def bounds_section(voxel, names):
    """Counts that are halved, and bits that are read in two pieces."""
    f = SimpleNamespace(counts=names["first_counts"](voxel["cls"], voxel["phase"]))
    names["make_starts"](f)
    often, seldom, halved = 16, 0, None
    while halved is None:
        f.counts[often] += 32
        if sum(f.counts) >= f.N + f.N // 8:
            before = list(f.counts)
            names["make_starts"](f)
            halved = before if sum(f.counts) < sum(before) else None
    x, word, n = 0x00FEABCD, 0x1234, 20
    s = SimpleNamespace(X=x, words=[word], next=0)
    value = names["bits"](s, n)
    assert s.next == 1
    return f"""Halving (8.5.8): the table above, where symbol {
        often
    } is read until the sum of the counts is at least 2^18 when
the starts are due:

{
        grid(
            ["", f"count of symbol {often}", f"of symbol {seldom}", "sum", "made again at"],
            [
                ["before", halved[often], halved[seldom], sum(halved), "–"],
                ["after", f.counts[often], f.counts[seldom], sum(f.counts), f.N + f.N // 8],
            ],
        )
    }
Pieces (8.5.9): {n} bits with X = {x} and {word} as the next word. The first 16 are X & 65535 = {x & 65535}; X becomes
{x >> 16}, which is below 2^16, and takes in the word: {(x >> 16) << 16 | word}. The last {n - 16} are
{word & 15}, so that the value is {x & 65535} · 2^{n - 16} + {word & 15} = {value}, and X is {s.X}.
"""


def edge_after(i, phase, column, names):
    """Edge i of clause 8.5.8."""
    if i == 32:
        return 32768
    distance = 8 * i - 128 - 2 * phase - 1
    reach = abs(distance) * names["S"][column]
    a, t = reach >> 8, names["T"]
    tail = t[a] + ((t[a + 1] - t[a]) * (reach & 255) >> 8) if a < 64 else 0
    return tail if distance < 0 else 32768 - tail


def events_section():
    """raw, leb128 and split-rice of the counts of the minimal file."""
    voxel, count, shape = [1, 15], [1, 2], (2, 3, 4)
    found = {name: codings.counts(name, voxel, count, shape, "uint16") for name in ("raw", "leb128", "split-rice")}
    assert split_rice_steps(found["split-rice"], 24, 3)[1] == [(1, 1), (15, 2)]
    leb = [(b"\x02", "token: gap 1, count 1"), (b"\x1b", "token: gap 13, count above 1"), (b"\x00", "count 0 + 2")]
    assert joined(leb) == found["leb128"]
    raw = []
    at = [i for i in range(24) if found["raw"][2 * i]]
    for before, i in pairwise([-1, *at, 24]):
        if i - before > 1:
            raw.append((bytes(2 * (i - before - 1)), f"{i - before - 1} empty voxels"))
        if i < 24:
            raw.append((found["raw"][2 * i : 2 * i + 2], f"count of pixel {i // 4}, channel {i % 4}"))
    assert joined(raw) == found["raw"]
    return f"""The counts of [the minimal file](minimal.md): 2 × 3 pixels, 4 channels, one count in channel 0 of pixel 1, two in
channel 2 of pixel 3; channel-major indices 1 and 15; dtype uint16.

raw (8.1), in C order, not channel-major:

{hexed(raw)}
leb128 (8.2):

{hexed(leb)}
split-rice (8.3): [minimal.md](minimal.md) follows its bits. The bytes are `{found["split-rice"].hex(" ").upper()}`.

{escapes_section()}"""


def escapes_section():
    """split-rice with both escapes, and splits of k above 0, the zero bit left out or not."""
    counts = [1, 2, 450, 447, 0, 20, 30, 0]
    voxel = [i for i, n in enumerate(counts) if n]
    m, events = 2, sum(counts)
    data = codings.split_rice(voxel, [counts[i] for i in voxel], len(counts), m=m)
    steps, decoded_counts = split_rice_steps(data, len(counts), events)
    assert decoded_counts == [(i, counts[i]) for i in voxel]
    totals, splits, seen = [], [], set()
    a = events * 16 // (len(counts) >> m)
    b = 16 << ((a >> 4).bit_length() + 1) // 2
    for step in steps:
        held = step.held
        if step.what == "total":
            chunk = held["first"] >> m
            read = step.bits if chunk else step.bits[8:]
            p, k, z, q = (held[name] for name in "pkzq")
            totals.append([chunk, a, b, p, k, z, z >> k, f"`{spaced(read, q, 24)}`", held["n"]])
            a, b = held["A"], held["B"]
            seen.add(("total", q == 24))
        else:
            n, first, j = held["n"], held["first"], held["j"]
            row = [f"{first} to {first + 2**j - 1}" if j else first, n]
            if "lower" in held:
                h, k, t, lower = n // 2, held["k"], held["t"], held["lower"]
                z = 2 * (h - lower) if lower <= h else 2 * (lower - h) - 1
                shown = spaced(step.bits, held["q"], min(t, 24))
                row += [h, k, t, z, z >> k, f"`{shown}`", f"L = {lower}"]
                seen.add(("split", held["q"] == 24, k > 0, held["q"] == t))
            else:
                row += ["–"] * 6 + [f"count {n}" if n else "nothing"]
            splits.append(row)
    assert {("total", True), ("split", True, True, False), ("split", False, True, True)} <= seen
    assert ("split", False, True, False) in seen
    end = sum(len(step.bits) for step in steps)
    return f"""Escapes. Eight voxels with the counts {counts}, E = {events}, m = {m}: two chunks of
four. Bits stand in the order in which they are read, one bits and their zero bit first; A and B are those before the total.

{grid(["chunk", "A", "B", "p", "k", "z", "z >> k", "bits", "N"], totals)}
The total of chunk 0 is 24 one bits and N in 32 bits, since z >> k is not below 24. Its splits, then those of chunk 1:

{grid(["range", "N", "h", "k", "t", "z", "z >> k", "bits", "what it is"], splits)}
The first L is 24 one bits and 32 more, for t > 24 and z >> k is not below 24. Where z >> k = t the zero bit is left out.
The block has {end - 8} bits after m; those left over in its last byte are unused:

{whole(data)}"""


def spaced(read, q, most):
    """Bits: the ones and their zero, if there is one, then the others."""
    first = q + (q < most)
    return f"{read[:first]} {read[first:]}".strip()


def zstd_section():
    """shuffle-zstd of a tiny image."""
    value = np.array([[1, 258, 515], [772, 1029, 1286]], "<u2")
    plain = codings.shuffled(value)
    data = codings.zstd(plain)
    rows = [
        (data[:4], "magic number of a zstd frame"),
        (data[4:5], "frame header: one segment, so no window; content size in eight bytes; no checksum, no dictionary"),
        (data[5:13], f"content size {len(plain)}"),
        (data[13:16], f"block header: last, stored as it is, {len(plain)} bytes"),
        (data[16:22], "the lowest byte of every element, in C order"),
        (data[22:], "the next byte of every element"),
    ]
    assert joined(rows) == data
    return f"""An image of 2 × 3 pixels, uint16: {value.tolist()}. A zstd frame with one stored block
is a right one; compressors make smaller ones.

{hexed(rows)}"""


LISTED = [0, 7, 14, 21, 490]


def lossless_section():
    """lossless-int with a value list and an exception."""
    value = np.array(LISTED)[[0, 1, 2, 4, 1, 0, 2, 2, 3, 1]].astype("<u2").reshape(SHAPE)
    value[0, 0, 4] = 9
    value[0, 1, 3] = 65535
    data = dense.lossless_int(value, PLAIN, index=[4, 8], listed=LISTED)
    zeros, zeros_q = np.array([[[-0.0, 0, -1, 2]]], np.float32), [-1, 0, -2, 2]
    zeros_data = dense.lossless_int(zeros, PLAIN, zeros=True)
    assert zeros_data == b"\x04" + integer_stream.encode(zeros_q, zeros.shape, PLAIN)
    gaps = [after - before - 1 for before, after in pairwise(LISTED)]
    inner = stream_rows(gaps, (1, 1, len(gaps)), dense.PLAIN)
    indices = [0 if i in {4, 8} else LISTED.index(v) for i, v in enumerate(value.ravel().tolist())]
    rows = [
        (b"\x03", "flags: value list, exceptions"),
        (number(2), "two exceptions"),
        (number(4) + number(3), "the first is at index 4, the second at 4 + 1 + 3 = 8"),
        (struct.pack("<2H", 9, 65535), "their values, 9 and 65535, as uint16"),
        (number(len(LISTED)), f"{len(LISTED)} values in the list"),
        (signed(LISTED[0]), f"the first, {LISTED[0]}"),
        (number(len(joined(inner))), f"length of the stream of the other {len(gaps)}"),
        (joined(inner), f"integer stream of shape (1, 1, {len(gaps)}): {gaps}, the differences less 1"),
        (
            integer_stream.encode(indices, SHAPE, PLAIN),
            f"integer stream of shape {SHAPE}: {indices}, indices into the list",
        ),
    ]
    assert joined(rows) == data
    return (
        f"""Spectra of (1, 2, 5), uint16: {value.tolist()}.
The values but two are in the list {LISTED}.

{hexed(rows)}
At the exceptions the stream holds {indices[8]}; any index of the list would do (8.6.2).

{whole(data)}
Negative zeros (8.6.5): a block of shape (1, 1, 4), float32, flags `04`, whose stream holds {zeros_q}, stands for
{", ".join(repr(float(v)) for v in zeros.ravel())}:

{whole(zeros_data)}""",
        [{"coding": 4, "data": data, "value": value}, {"coding": 4, "data": zeros_data, "value": zeros}],
    )


def lattice_section():
    """float-lattice, single precision, an exception."""
    q = np.array([[[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]])
    lattice = dense.Lattice([0.1], [0.3], single=True, short=True)
    data, value = dense.float_lattice(q, lattice, "float32", {3: 0x7F800000}, PLAIN)
    columns, columns_q = dense.Lattice([0.5, -2.0], [0.25]), np.array([[[1, 2], [-3, 4]]])
    columns_data, columns_value = dense.float_lattice(columns_q, columns, "float64", None, PLAIN)
    assert columns_value.ravel().tolist() == [0.125, 1.0, -0.875, 1.5]
    rows = [
        (data[:1], "flags: exceptions, single precision, parameters are f32; one d, one g"),
        (struct.pack("<f", 0.1), "d, the f32 next to 0.1"),
        (struct.pack("<f", 0.3), "g, the f32 next to 0.3"),
        (number(1) + number(3), "one exception, at index 3"),
        (struct.pack("<I", 0x7F800000), "its bits: +infinity"),
        (integer_stream.encode(q, q.shape, PLAIN), f"integer stream of shape {SHAPE}: q = {q.ravel().tolist()}"),
    ]
    assert joined(rows) == data
    d, g = np.float32(0.1), np.float32(0.3)
    found = [
        [i, int(v), repr(float(np.float32(v) - d)), "+infinity" if i == 3 else repr(float(value.ravel()[i]))]
        for i, v in enumerate(q.ravel())
    ]
    assert np.float32(np.float32(1) - d) * g == value.ravel()[0]
    return (
        f"""Spectra of (1, 2, 5), float32; all operations in f32 (bit 1); values are written as the f64 that equals each f32:

{hexed(rows)}
{grid(["i", "q", "q - d", "value"], found)}
{whole(data)}
One d per column, parameters of f64, all operations in f64 (flags `08`): shape (1, 2, 2), float64, d = {columns.d}, g =
{columns.g[0]}, q = {columns_q.ravel().tolist()}; values {", ".join(repr(float(v)) for v in columns_value.ravel())}:

{whole(columns_data)}""",
        [{"coding": 5, "data": data, "value": value}, {"coding": 5, "data": columns_data, "value": columns_value}],
    )


def map_text(m):
    """A map in words."""
    return f"map: a2 = {m.a2}, a1 = {m.a1}, a0 = {m.a0}, shift = {m.shift}, fraction = {m.fraction}"


def stated_rows(flags, text):
    """What stands before the map."""
    step, *noise = struct.unpack("<f4d3f", dense.STATED)
    names = ("read", "gain", "multiplicative", "zero")
    said = ", ".join(f"{name} {value:g}" for name, value in zip(names, noise[:4], strict=True))
    return [
        (bytes([flags]), text),
        (dense.STATED[:4], f"step {step:g}"),
        (dense.STATED[4:36], f"noise model: {said}"),
        (dense.STATED[36:], "fit {:g}, chi2 {:g}, worst {:g}".format(*noise[4:])),
    ]


def noise_section():
    """noise-q, dithered."""
    q = np.array(Q).reshape(SHAPE)
    found = dense.Map(3, 40, 1 << 12, 13, 3)
    data, value = dense.noise_q(q, found, "float32", None, MODEL)
    rows = [
        *stated_rows(0, "flags: no exceptions"),
        (found.pack(), map_text(found)),
        (integer_stream.encode(Q, SHAPE, MODEL), f"integer stream of shape {SHAPE}, that of the ten voxels above"),
    ]
    assert joined(rows) == data
    cells = [
        [i, t, t * t - 341 if t > 0 else 0, found.fixed(t), repr(float(v))]
        for i, (t, v) in enumerate(zip(dense.samples(Q, MODEL), value.ravel(), strict=True))
    ]
    below_q = np.array([[[0, -40, 9, 30]]])
    below_data, below = dense.noise_q(below_q, found, "int16", None, PLAIN)
    below_cells = [
        [i, 64 * q, max(0, 64 * q) ** 2 - 341 * (q > 0), found.fixed(64 * q), v]
        for i, (q, v) in enumerate(zip(below_q.ravel().tolist(), below.ravel().tolist(), strict=True))
    ]
    return (
        f"""Spectra of (1, 2, 5), float32. The samples are those of the ten voxels.

{hexed(rows)}
`square = t * t - 341` above zero, `fixed = (a2 * square + a1 * t + a0) >> shift`, value = fixed / 2^{found.fraction}:

{grid(["i", "t", "square", "fixed", "value"], cells)}
{whole(data)}
Integers, and samples that are not above zero: shape (1, 1, 4), int16, not dithered, the same map.

{grid(["i", "t", "square", "fixed", "value"], below_cells)}
{whole(below_data)}""",
        [{"coding": 6, "data": data, "value": value}, {"coding": 6, "data": below_data, "value": below}],
    )


def found_bins(parts):
    """First and last channel and map of each bin, as clause 8.9.2 says."""
    out, at = [], 0
    for part in parts:
        for first in range(at, at + part.length, part.factor) if part.map else ():
            last = min(first + part.factor, at + part.length) - 1
            out.append(SimpleNamespace(first=first, last=last, map=part.map))
        at += part.length
    return out


def chart_tables(bins, q, curve, value, excepted=()):
    """The bins and the channels of a chart of one run, channels from 0, by the pseudo-code."""
    spread = procedures()["spread"]
    cells, edges = [], []
    for pixel, integers in enumerate(q.reshape(-1, len(bins)).tolist()):
        sums = [one.map.fixed(64 * integer) for one, integer in zip(bins, integers, strict=True)]
        fixed, held = {}, {}

        def profile(frame, event, _, held=held):
            if event == "return" and frame.f_code.co_name == "spread":
                held.update(frame.f_locals)

        sys.setprofile(profile)
        spread(bins, sums, curve, fixed)
        sys.setprofile(None)
        for i, one in enumerate(bins):
            left = sums[i] - sum(held["share"][c] for c in range(one.first, one.last + 1))
            edges.append([pixel, i, 64 * integers[i], sums[i], held["ratio"][i], held["middle"][i], left])
        for c, own in enumerate(value.reshape(-1, value.shape[-1])[pixel, : len(fixed)].tolist()):
            if c in excepted:
                due = own
            elif value.dtype.kind == "f":
                due = fixed[c] / 2 ** bins[0].map.fraction
            else:
                due = max(0, fixed[c] + 2 ** bins[0].map.fraction // 2 >> bins[0].map.fraction)
            assert due == own
            said = f"{own}, the exception" if c in excepted else own
            cells.append([pixel, c, held["between"][c], held["share"][c], fixed[c], said])
    return (
        grid(["pixel", "bin", "t", "S", "R", "M", "D"], edges),
        grid(["pixel", "c", "ratio", "share", "fixed", "value"], cells),
    )


def neighbours_section():
    """chart: two neighbours of different factor in one run, of integers, with an exception."""
    fine, wide = dense.Map(5, 900, 1 << 9, 10, 8), dense.Map(3, 700, -(1 << 14), 8, 8)
    parts = [dense.Part(4, 2, fine), dense.Part(5, 3, wide)]
    curve, q = [9, 5, 3, 1, 2, 4, 4, 1, 1], np.array([[[30, 12, 25, -6]]])
    data, value = dense.chart(parts, curve, q, "uint16", None, {6: 500}, PLAIN)
    profile_stream = integer_stream.encode(curve, (len(curve),), dense.PLAIN)
    bins_stream = integer_stream.encode(q, q.shape, PLAIN)
    rows = [
        *stated_rows(1, "flags: exceptions, no exact channels"),
        (number(2), "two chart blocks"),
        (number(4) + number(2), "the first: 4 channels, factor 2"),
        (number(5) + number(3), "the second: 5 channels, factor 3"),
        (fine.pack(), f"{map_text(fine)}, of the first"),
        (wide.pack(), f"{map_text(wide)}, of the second"),
        (number(len(profile_stream)), f"length {len(profile_stream)}"),
        (profile_stream, f"integer stream of shape (1, 1, {len(curve)}): G = {curve}"),
        (number(1) + number(6), "one exception, at index 6"),
        (struct.pack("<H", 500), "its value, 500, as uint16"),
        (number(len(bins_stream)), f"length {len(bins_stream)}"),
        (bins_stream, f"integer stream of shape {q.shape}: {q.ravel().tolist()}"),
    ]
    assert joined(rows) == data
    edges, cells = chart_tables(found_bins(parts), q, curve, value, {6})
    return (
        f"""Two neighbouring chart blocks of different factors and maps are one run. Spectra of (1, 1, 9), uint16: channels 0 to 3 in
bins of two, 4 to 8 in a bin of three and one of two; channel 6 is an exception.

{hexed(rows)}
{edges}
The value of an integer is `(fixed + 128) >> 8`, limited to the dtype: channels 7 and 8 would be below zero.

{cells}
{whole(data)}""",
        {"coding": 7, "data": data, "value": value},
    )


def chart_section():
    """chart: a block of bins of two channels, and one that is exact."""
    shape = (1, 2, 7)
    found = dense.Map(5, 900, 1 << 9, 10, 8)
    parts = [dense.Part(5, 2, found), dense.Part(2, 0)]
    curve, q = [9, 5, 3, 1, 2], np.array([[[4, 2, 1], [30, 12, 5]]])
    exact = np.array([[[7, 8], [9, -1]]], np.float32)
    data, value = dense.chart(parts, curve, q, "float32", exact, None, PLAIN)
    profile_stream = integer_stream.encode(curve, (5,), dense.PLAIN)
    bins_stream = integer_stream.encode(q, q.shape, PLAIN)
    rows = [
        *stated_rows(2, "flags: exact channels, no exceptions"),
        (number(2), "two chart blocks"),
        (number(5) + number(2), "the first: 5 channels, factor 2"),
        (number(2) + number(0), "the second: 2 channels, exact"),
        (found.pack(), map_text(found)),
        (number(len(profile_stream)), f"length {len(profile_stream)}"),
        (profile_stream, f"integer stream of shape (1, 1, 5): G = {curve}"),
        (number(len(bins_stream)), f"length {len(bins_stream)}"),
        (bins_stream, f"integer stream of shape (1, 2, 3): {q.tolist()}"),
        (dense.lossless_int(exact), "lossless-int block of shape (1, 2, 2): channels 5 and 6"),
    ]
    assert joined(rows) == data
    bins, channels = chart_tables(found_bins(parts), q, curve, value)
    second, second_block = neighbours_section()
    return (
        f"""Spectra of {shape}, float32: channels 0 to 4 in bins of two (the last bin is channel 4 alone), channels 5 and 6 exact.

{hexed(rows)}
The bins, D being what the shares leave over:

{bins}
The channels, value = fixed / 2^{found.fraction}:

{channels}
The exact channels 5 and 6 are {", ".join(repr(float(v)) for v in exact[0, 0])} in pixel 0 and
{", ".join(repr(float(v)) for v in exact[0, 1])} in pixel 1.

{whole(data)}
{second}""",
        [{"coding": 7, "data": data, "value": value}, second_block],
    )


def whole(data):
    """A block in hexadecimal, in lines of 32 bytes."""
    lines = "\n".join(data[i : i + 32].hex(" ").upper() for i in range(0, len(data), 32))
    return f"Whole, in hexadecimal:\n\n```\n{lines}\n```\n"


def file_section():
    """A journal of one frame, coded as lossless-int."""
    value = np.array([[[0, 3, 5], [4, 70, 6]]], np.uint16)
    file = File(spectra(shape=value.shape, dtype="uint16"))
    data = dense.lossless_int(value, PLAIN)
    file.frame({"EELS": value}, blocks={"EELS": [Block(None, "lossless-int", {"data": data})]})
    at, rows = 8, [(file.data[:8], "signature (4.1)")]
    text = {"HEAD": "the header", "FRAM": "frame 0 begins", "BLOK": "the block, below", "DONE": "frame 0 is complete"}
    while at < len(file.data):
        size = 24 + -(-int.from_bytes(file.data[at + 8 : at + 16], "little") // 8) * 8
        name = file.data[at + 4 : at + 8].decode()
        rows.append((file.data[at : at + size], f"{name}: {text[name]}"))
        at += size
    assert joined(rows) == file.data
    return (
        f"""One frame of spectra of (1, 2, 3), uint16, {value.tolist()}; no index. The coded bytes of the block are
`{data.hex(" ").upper()}`.

{hexed(rows)}
{whole(file.data)}""",
        file.data,
        value,
    )


def blocks():
    """The dense blocks of the page with the arrays that they stand for."""
    sections = (lossless_section, lattice_section, noise_section, chart_section)
    return [block for section in sections for block in section()[1]]


def page():
    """Return spec/examples.md."""
    integers, voxel, names = integer_section()
    return f"""# Worked examples

Every number of this page is computed by `tests/helpers/worked.py` with the pseudo-code of the [standard](lbj.md), and a
test compares; none was typed. Bytes are hexadecimal, all other numbers decimal. Not normative.

## Counts: raw, leb128, split-rice

{events_section()}
## shuffle-zstd

{zstd_section()}
## Integer stream of ten voxels

{integers}
{refusal_section()}
## Integer stream of two lines

{lines_section()}
## One table of frequencies

{frequency_section(voxel, names)}
## Rounding, caps, halving, and bits in two pieces

{rounding_section(names)}
{caps_section(names)}
{bounds_section(voxel, names)}
## lossless-int

{lossless_section()[0]}
## float-lattice

{lattice_section()[0]}
## noise-q

{noise_section()[0]}
## chart

{chart_section()[0]}
## A whole file

{file_section()[0]}"""


if __name__ == "__main__":
    PAGE.write_text(page())

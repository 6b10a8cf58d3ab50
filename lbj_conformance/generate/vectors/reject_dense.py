"""Vectors with one wrong block of lossless-int, float-lattice, noise-q or chart (clauses 8.5 to 8.9)."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from ..builder import File, draw, events, image, spectra
from ..catalogue import Made, vector
from ..codings import number
from ..dense import (
    PLAIN,
    STATED,
    Lattice,
    Map,
    Part,
    chart_head,
    exceptions,
    float_lattice,
    lossless_int,
    noise_q,
    sized,
    value_list,
)
from ..integer_stream import MEAN, NEAR, Context, Model, Tap, encode, head, operations, signed, words
from .accept_dense import ROOT, STRAIGHT, SUM
from .accept_integers import MOST, noisy
from .reject_blocks import bad, coded, finished, of

Faults = dict[str, tuple[bytes, str, str]]
"""By name, a block, the clause that it breaks, and the mistake that it provokes."""

SHAPE = (2, 3, 4)
BY_CLAUSE = {
    "8.5.2": "numbers", "8.5.3": "tap-sets", "8.5.10": "words", "8.6.1": "flags", "8.6.2": "exceptions", "8.6.3": "lists",
    "8.6.4": "values", "8.6.5": "zeros", "8.7.1": "parameters", "8.7.2": "single-precision", "8.8.1": "statement", "8.8.2": "map", "8.9.1": "layout", "8.9.2": "sums",
    "8.9.3": "ratios",
}  # fmt: skip


def several(blocks: dict[str, tuple[int, bytes]], signals: list[dict[str, Any]], error: str = "damaged") -> Made:
    """A frame of signals each of which has one wrong block, with a sound image beside; then a sound frame."""
    file = File(*signals, image("beside", (1, 2), "uint8"))
    file.fram()
    found: dict[str, Any] = {}
    for i, (name, (coding, data)) in enumerate(blocks.items()):
        events_ = signals[i]["kind"] == "events"
        found[name] = {"error": error, "offset": file.blok(i, coding, data, events_, events_)}
    return finished(file, found)


def register(prefix: str, coding: int, faults: Faults, shape: tuple[int, ...], dtype: str) -> None:
    """A vector for each clause that is broken, each fault in a signal of its own that bears its name."""
    for clause in dict.fromkeys(clause for _, clause, _ in faults.values()):
        chosen = {name: (coding, data) for name, (data, broken, _) in faults.items() if broken == clause}
        mistakes = "; ".join(dict.fromkeys(faults[name][2] for name in chosen))

        def make(chosen: dict[str, tuple[int, bytes]] = chosen) -> Made:
            return several(chosen, [spectra(name, shape, dtype) for name in chosen])

        vector(f"reject/{prefix}-{BY_CLAUSE[clause]}", clause, "9.1", provokes=mistakes)(make)


VALUE = noisy("re", SHAPE, "int16")
FLAT = [int(value) for value in VALUE.ravel()]
SOUND = encode(VALUE, SHAPE, NEAR)
HEAD = len(head(NEAR))
ENDS_EARLY = "bytes that are missing are read as zero"


def field(**change: Any) -> bytes:
    """A stream whose noise model or sets are out of range; the words are those of the sound one."""
    return head(NEAR._replace(**change)) + SOUND[HEAD:]


def taps(*found: Tap, offset: int = 0, sets: int = 1) -> bytes:
    """A stream with these taps in its sets."""
    return field(sets=[(offset, found)] * sets)


def last_state(state: int) -> bytes:
    """A stream that ends in another state."""
    return head(NEAR) + words(operations(FLAT, SHAPE, NEAR), state)


STREAMS: Faults = {
    "nothing": (b"", "8.5.2", ENDS_EARLY),
    "seed-cut-off": (b"\x01\x00\x00\x00", "8.5.2", ENDS_EARLY),
    "beta-too-large": (field(beta=2**50 + 1), "8.5.2", "ranges of the noise model are not looked at"),
    "beta-too-small": (field(beta=-(2**50) - 1), "8.5.2", "ranges of the noise model are not looked at"),
    "beta-of-64-bits": (field(beta=-(2**63)), "8.5.2", "the range is looked at after it has wrapped"),
    "alpha-too-large": (field(alpha=2**24 + 1), "8.5.2", "ranges of the noise model are not looked at"),
    "alpha-of-33-bits": (field(alpha=2**32), "8.5.2", "the range is looked at after it has wrapped"),
    "gamma-too-large": (field(gamma=2**16 + 1), "8.5.2", "ranges of the noise model are not looked at"),
    "gamma-of-64-bits": (field(gamma=2**64 - 1), "8.5.2", "the range is looked at after it has wrapped"),
    "number-of-65-bits": (b"\x00" + b"\x80" * 9 + b"\x02" + SOUND[2:], "8.5.2", "a number wraps to zero"),
    "number-of-11-bytes": (b"\x00" + b"\x80" * 10 + b"\x00" + SOUND[2:], "8.5.2", "a number has no end"),
    "number-cut-off": (b"\x00\x80\x80", "8.5.2", ENDS_EARLY),
    "17-sets": (taps(Tap(0, 0, -1, 1), sets=17), "8.5.2", "sets beyond a table"),
    "sets-without-end": (b"\x00\x00\x00\x00" + number(2**64 - 1) + bytes(50), "8.5.2", "memory by a stated number"),
    "sets-cut-off": (head(NEAR)[:-3], "8.5.3", ENDS_EARLY),
    "65-taps": (taps(*[Tap(0, 0, -1, 1)] * 65), "8.5.3", "taps beyond a table"),
    "taps-without-end": (b"\x00\x00\x00\x00\x01\x00" + number(2**62) + bytes(50), "8.5.3", "memory by a stated number"),
    "offset-too-large": (taps(Tap(0, 0, -1, 1), offset=2**31 + 1), "8.5.3", "the range of an offset"),
    "offset-too-small": (taps(Tap(0, 0, -1, 1), offset=-(2**31) - 1), "8.5.3", "the range of an offset"),
    "tap-on-itself": (taps(Tap(0, 0, 0, 1)), "8.5.3", "a voxel is predicted from itself"),
    "tap-ahead-in-c": (taps(Tap(0, 0, 1, 1)), "8.5.3", "voxels are used that are not decoded yet"),
    "tap-ahead-in-x": (taps(Tap(0, 1, -1, 1)), "8.5.3", "voxels are used that are not decoded yet"),
    "tap-on-a-mean-ahead": (taps(Tap(0, 1, MEAN, 1)), "8.5.3", "means are used that are not known yet"),
    "tap-ahead-in-the-last-set": (
        field(sets=[(0, [Tap(0, 0, -1, 4096)]), (0, [Tap(-1, 0, 0, 1), Tap(0, 2, 0, 1)])]), "8.5.3",
        "only the sets that are used are looked at"),
    "weights-above-32767": (taps(Tap(0, 0, -1, 16384), Tap(-1, 0, 0, -16384)), "8.5.3", "signed weights are summed"),
    "weight-of-minus-32768": (taps(Tap(0, 0, -1, -32768)), "8.5.3", "the magnitude of -32768 in 16 bits"),
    "no-words": (SOUND[:HEAD], "8.5.10", ENDS_EARLY),
    "one-word": (SOUND[: HEAD + 2], "8.5.10", ENDS_EARLY),
    "half-a-word": (SOUND + b"\x00", "8.5.10", "half a word is dropped"),
    "half-a-word-less": (SOUND[:-1], "8.5.10", "half a word is read"),
    "word-missing": (SOUND[:-2], "8.5.10", ENDS_EARLY),
    "word-left-over": (SOUND + b"\x00\x00", "8.5.10", "the end of the words is not looked at"),
    "words-left-over": (SOUND + SOUND[HEAD:], "8.5.10", "the end of the words is not looked at"),
    "final-state-wrong": (last_state(2**16 + 1), "8.5.10", "the last state is not looked at"),
    "final-state-high": (last_state(2**31), "8.5.10", "the last state is not looked at"),
    "zeros": (SOUND[:HEAD] + bytes(len(SOUND) - HEAD), "8.5.10", "a state of zero: division, or no end"),
    "ones": (SOUND[:HEAD] + b"\xff" * (len(SOUND) - HEAD), "8.5.10", "the last state is not looked at"),
    "value-above-2-24": (encode([MOST + 1] + [0] * 23, SHAPE, NEAR), "8.5.10", "the range of integers is not looked at"),
    "value-below-2-24": (encode([0] * 23 + [-MOST - 1], SHAPE, NEAR), "8.5.10", "the range of integers is not looked at"),
    "value-of-32-bits": (encode([2**32] + [0] * 23, SHAPE, NEAR), "8.5.10", "integers are kept in 32 bits before they are looked at"),
    "value-far": (encode([2**31 - 17] + [0] * 23, SHAPE, NEAR), "8.5.10", "the sample in 32 bits"),
    "value-farthest": (encode([-(2**53)] + [0] * 23, SHAPE, Model(2**50)), "8.5.10", "the integer in 32 bits, or in doubles"),
}  # fmt: skip

register(
    "integers",
    4,
    {name: (b"\x00" + stream, clause, mistake) for name, (stream, clause, mistake) in STREAMS.items()},
    SHAPE,
    "int64",
)


# A decoder that leaves out a check decodes these words to the end: no other fault gives it away.

EMPTY = Model(64, 4096, 64, [(0, [])])
BETA, ALPHA, GAMMA = 128, 4096, 64
RIGHT = encode(VALUE, SHAPE, EMPTY)[len(head(EMPTY)) :]


def behind(*found: Tap, offset: int = 0, sets: int = 1) -> bytes:
    """A set with these taps behind one without, which always fits, so that it is never used."""
    return head(EMPTY._replace(sets=[(0, []), *[(offset, found)] * sets])) + RIGHT


def numbers(
    beta: bytes = number(BETA),
    alpha: bytes = number(ALPHA),
    gamma: bytes = number(GAMMA),
    sets: bytes = number(1),
    taps: bytes = number(0),
) -> bytes:
    """The stream of a set without taps, with these bytes of its numbers."""
    return b"\x00" + beta + alpha + gamma + sets + signed(0) + taps + RIGHT


WHOLE = {"beta": BETA, "alpha": ALPHA, "gamma": GAMMA, "sets": 1, "taps": 0}
assert numbers() == encode(VALUE, SHAPE, EMPTY)
BEHIND: Faults = {
    **{f"{name}-of-11-bytes": (numbers(**{name: number(value, bytes_=11)}), "8.5.2", "bytes of zero bits beyond the tenth are accepted") for name, value in WHOLE.items()},
    "beta-of-20-bytes": (numbers(number(BETA, bytes_=20)), "8.5.2", "bytes of zero bits beyond the tenth are accepted"),
    **{f"{name}-of-65-bits": (numbers(**{name: number(value + 2**64)}), "8.5.2", "a number wraps") for name, value in WHOLE.items()},
    "17-sets": (behind(Tap(0, 0, -1, 1), sets=16), "8.5.2", "sets beyond a table"),
    "65-taps": (behind(*[Tap(0, 0, -1, 1)] * 65), "8.5.3", "taps beyond a table"),
    "offset-too-large": (behind(Tap(0, 0, -1, 1), offset=2**31 + 1), "8.5.3", "the range of an offset"),
    "offset-too-small": (behind(Tap(0, 0, -1, 1), offset=-(2**31) - 1), "8.5.3", "the range of an offset"),
    "tap-on-itself": (behind(Tap(0, 0, 0, 1)), "8.5.3", "only the sets that are used are looked at"),
    "tap-ahead-in-c": (behind(Tap(0, 0, 1, 1)), "8.5.3", "only the sets that are used are looked at"),
    "tap-ahead-in-x": (behind(Tap(0, 1, -1, 1)), "8.5.3", "only the sets that are used are looked at"),
    "tap-on-a-mean-ahead": (behind(Tap(0, 1, MEAN, 1)), "8.5.3", "only the sets that are used are looked at"),
    "weights-above-32767": (behind(Tap(0, 0, -1, 16384), Tap(-1, 0, 0, -16384)), "8.5.3", "signed weights are summed"),
    "weights-of-32768": (behind(Tap(0, 0, -1, 16384), Tap(-1, 0, 0, 16384)), "8.5.3", "a sum of 32768"),
    "weight-of-minus-32768": (behind(Tap(0, 0, -1, -32768)), "8.5.3", "the magnitude of -32768 in 16 bits"),
}  # fmt: skip

register(
    "integers-with-right-words",
    4,
    {name: (b"\x00" + stream, clause, mistake) for name, (stream, clause, mistake) in BEHIND.items()},
    SHAPE,
    "int64",
)


@vector(
    "reject/integers-first-state",
    "8.5.9",
    "9.1",
    provokes="a first state below 2^16 is decoded, which no encoder makes",
)
def first_state() -> Made:
    """One voxel, 0, after a state that leads in one symbol to 1, which takes in a zero word; and a state of zero."""
    model = Model(100)
    (start, frequency, _), *_ = operations([0], (1, 1, 1), model)
    assert frequency > 1
    blocks = {
        "low": (4, b"\x00" + head(model) + struct.pack("<HHH", start + 1, 0, 0)),
        "zero": (4, b"\x00" + head(model) + bytes(4)),
        "largest": (4, b"\x00" + head(model) + struct.pack("<HHH", 65535, 0, 0)),
    }
    return several(blocks, [image(name, (1, 1), "int16") for name in blocks])


@vector("reject/integers-too-few-bytes", "8.5.10", "11.1", provokes="memory in proportion to the declared shape")
def too_few_bytes() -> Made:
    data = b"\x00" + head(Model(1, 0, 0, [(0, [])])) + struct.pack("<HH", 16384, 1)
    return bad(of(image("I", (1, 32769), "uint8")), coded(4, data))


@vector("reject/integers-far-too-few-bytes", "8.5.10", "11.1", provokes="memory in proportion to the declared shape")
def far_too_few_bytes() -> Made:
    data = b"\x00" + head(NEAR) + bytes(50)
    return bad(of(image("I", (4000, 4000), "uint16")), coded(4, data))


# lossless-int (clause 8.6)

INTEGERS = "int16"
STREAM = encode(VALUE, SHAPE, NEAR)
TWO = b"\x01\x00\x02\x00"
NONE = encode([0] * 24, SHAPE, NEAR)
FEW = encode((VALUE % 3).ravel().tolist(), SHAPE, NEAR)


def listed(table: bytes, stream: bytes = FEW) -> bytes:
    """A block with a value list."""
    return b"\x01" + table + stream


def of_two(element: int) -> bytes:
    """A list of two values that differ by this element plus 1."""
    return number(2) + signed(7) + sized(encode([element], (1,), PLAIN))


LOSSLESS: Faults = {
    "nothing": (b"", "8.6.1", ENDS_EARLY),
    "exceptions-none": (b"\x02" + exceptions([], b"") + STREAM, "8.6.2", "the flag without exceptions"),
    "exceptions-too-many": (b"\x02" + exceptions(list(range(25)), bytes(50)) + STREAM, "8.6.2", "more exceptions than elements"),
    "exceptions-without-end": (b"\x02" + number(2**63) + STREAM, "8.6.2", "memory by a stated number"),
    "exception-outside": (b"\x02" + exceptions([0, 24], TWO) + STREAM, "8.6.2", "writes out of bounds"),
    "exception-far-outside": (b"\x02" + exceptions([2**32], TWO[:2]) + STREAM, "8.6.2", "an index in 32 bits"),
    "exception-index-wraps": (b"\x02" + number(2) + number(5) + number(2**64 - 6) + TWO + STREAM, "8.6.2", "an index that wraps to an earlier one"),
    "exceptions-cut-off": (b"\x02" + exceptions([0, 1], TWO[:3]), "8.6.2", ENDS_EARLY),
    "exceptions-of-11-bytes": (b"\x02" + number(1, bytes_=11) + number(0) + VALUE.tobytes()[:2] + STREAM, "8.5.2", "bytes of zero bits beyond the tenth are accepted"),
    "exception-index-of-65-bits": (b"\x02" + number(1) + number(2**64) + VALUE.tobytes()[:2] + STREAM, "8.5.2", "a number wraps"),
    "list-cut-off": (b"\x01" + number(2), "8.6.3", ENDS_EARLY),
    "list-length-missing": (b"\x01" + number(2) + signed(7), "8.6.3", ENDS_EARLY),
    "list-of-none": (listed(number(0) + signed(3), NONE), "8.6.3", "a list without a value"),
    "list-too-long": (listed(number(2**24 + 1) + signed(0) + sized(encode([0], (1,), PLAIN))), "8.6.3", "memory by a stated number"),
    "list-longer-than-the-window": (listed(value_list(list(range(25)))), "8.6.3", "memory by a stated number"),
    "list-index-outside-at-an-exception": (b"\x03" + exceptions([0], TWO[:2]) + value_list([0, 1, 2]) + encode([3] + [1] * 23, SHAPE, NEAR), "8.6.3", "what stands at exceptions is not looked at"),
    "list-without-end": (listed(number(2**64 - 1) + signed(0) + sized(encode([0], (1,), PLAIN))), "8.6.3", "memory by a stated number"),
    "list-not-rising": (listed(of_two(-1), NONE), "8.6.3", "two equal values"),
    "list-falling": (listed(of_two(-2), NONE), "8.6.3", "a list that falls"),
    "list-first-too-large": (listed(number(1) + signed(MOST + 1), NONE), "8.6.3", "the range of values is not looked at"),
    "list-first-too-small": (listed(number(1) + signed(-MOST - 1), NONE), "8.6.3", "the range of values is not looked at"),
    "list-last-too-large": (listed(of_two(MOST - 7), NONE), "8.6.3", "values that no element uses are not looked at"),
    "list-length-too-large": (listed(number(2) + signed(7) + number(2**40) + encode([0], (1,), PLAIN)), "8.6.3", "a length that leaves the block"),
    "list-length-too-small": (listed(number(2) + signed(7) + number(5) + encode([0], (1,), PLAIN), NONE), "8.6.3", "streams that are not cut at their length"),
    "list-stream-left-over": (listed(number(2) + signed(7) + sized(encode([0], (1,), PLAIN) + b"\x00\x00"), NONE), "8.6.3", "the end of a stream that another follows"),
    "list-index-outside": (listed(value_list([3, 5])), "8.6.3", "reads out of bounds"),
    "list-index-negative": (listed(value_list([3, 5, 9]), encode([0] * 23 + [-1], SHAPE, NEAR)), "8.6.3", "a negative index counts from the end"),
    "list-index-outside-of-one": (listed(value_list([3]), encode([0] * 23 + [1], SHAPE, NEAR)), "8.6.3", "reads out of bounds"),
    "negative-zeros-of-integers": (b"\x04" + STREAM, "8.6.5", "a flag for floats alone is not looked at"),
    "value-above-dtype": (b"\x00" + encode([0] * 23 + [32768], SHAPE, NEAR), "8.6.4", "values wrap in the dtype"),
    "value-below-dtype": (b"\x00" + encode([-32769] + [0] * 23, SHAPE, NEAR), "8.6.4", "values wrap in the dtype"),
    "listed-value-above-dtype": (listed(value_list([0, 1, 40000])), "8.6.4", "values of a list wrap in the dtype"),
}  # fmt: skip

register("lossless-int", 4, LOSSLESS, SHAPE, INTEGERS)


BEYOND = {"uint8": 256, "int8": -129, "uint16": -1, "uint32": -1, "uint64": -1}


@vector("reject/lossless-int-beyond-the-dtype", "8.6.4", "9.1", provokes="values wrap in the dtype")
def not_representable() -> Made:
    blocks = {dtype: (4, b"\x00" + encode([0, value], (1, 2), NEAR)) for dtype, value in BEYOND.items()}
    return several(blocks, [image(dtype, (1, 2), dtype) for dtype in blocks])


# float-lattice (clause 8.7)

LATTICE = Lattice([0.5], [0.25])


def lattice(flags: int, parameters: bytes, stream: bytes = STREAM) -> bytes:
    """A block of hand-set flags and parameters."""
    return bytes([flags]) + parameters + stream


LATTICES: Faults = {
    "nothing": (b"", "8.7.1", ENDS_EARLY),
    "parameters-cut-off": (lattice(0, bytes(15), b""), "8.7.1", ENDS_EARLY),
    "many-cut-off": (lattice(28, bytes(31), b""), "8.7.1", ENDS_EARLY),
    "d-infinite": (lattice(0, struct.pack("<2d", math.inf, 1)), "8.7.1", "parameters that are not finite"),
    "d-nan": (lattice(0, struct.pack("<2d", math.nan, 1)), "8.7.1", "parameters that are not finite"),
    "g-infinite": (lattice(4, struct.pack("<2f", 1, -math.inf)), "8.7.1", "parameters that are not finite"),
    "g-nan-of-many": (lattice(20, struct.pack("<5f", 1, 1, 1, math.nan, 1)), "8.7.1", "only the first parameter is looked at"),
    "d-beyond-f32": (lattice(2, struct.pack("<2d", 1e39, 1)), "8.7.2", "parameters that are finite in f64 alone"),
    "g-beyond-f32": (lattice(2, struct.pack("<2d", 0, -1e300)), "8.7.2", "parameters that are finite in f64 alone"),
    "exceptions-none": (lattice(1, bytes(16) + b"\x00"), "8.6.2", "the flag without exceptions"),
    "exception-outside": (lattice(1, bytes(16) + exceptions([24], bytes(4))), "8.6.2", "writes out of bounds"),
    "exceptions-cut-off": (lattice(1, bytes(16) + exceptions([2], b"\x00\x00"), b""), "8.6.2", ENDS_EARLY),
    "stream-ends-early": (lattice(0, bytes(16), STREAM[:-2]), "8.5.10", ENDS_EARLY),
    "stream-left-over": (lattice(0, bytes(16), STREAM + b"\x00\x00"), "8.5.10", "the end of the words is not looked at"),
}  # fmt: skip

register("float-lattice", 5, LATTICES, SHAPE, "float32")


@vector("reject/float-lattice-of-integers", "8.7.1", "9.1", provokes="the dtype is not looked at")
def lattice_dtype() -> Made:
    data, _ = float_lattice(VALUE, LATTICE, "float32")
    return several(
        {"int32": (5, data), "uint64": (5, data)}, [spectra(name, SHAPE, name) for name in ("int32", "uint64")]
    )


# noise-q (clause 8.8)


def quantised(map_: bytes, *, flags: int = 0, stream: bytes = STREAM) -> bytes:
    """A block of hand-set bytes of a map, and what follows it."""
    return bytes([flags]) + STATED + map_ + stream


QUANTISED: Faults = {
    "nothing": (b"", "8.8.1", ENDS_EARLY),
    "statement-cut-off": (b"\x00" + STATED[:-1], "8.8.1", ENDS_EARLY),
    "map-cut-off": (quantised(ROOT.pack()[:-1], stream=b""), "8.8.2", ENDS_EARLY),
    "a-too-large": (quantised(Map(2**11 + 1, 1, 1, 1, 1).pack()), "8.8.2", "ranges of the map are not looked at"),
    "a-too-small": (quantised(Map(-(2**11) - 1, 1, 1, 1, 1).pack()), "8.8.2", "ranges of the map are not looked at"),
    "l-too-large": (quantised(Map(1, 2**35 + 1, 1, 1, 1).pack()), "8.8.2", "ranges of the map are not looked at"),
    "l-too-small": (quantised(Map(1, -(2**35) - 1, 1, 1, 1).pack()), "8.8.2", "ranges of the map are not looked at"),
    "b-too-large": (quantised(Map(1, 1, 2**60 + 1, 1, 1).pack()), "8.8.2", "ranges of the map are not looked at"),
    "b-of-64-bits": (quantised(Map(1, 1, -(2**63), 1, 1).pack()), "8.8.2", "the magnitude of -2^63"),
    "s-too-large": (quantised(Map(1, 1, 1, 63, 1).pack()), "8.8.2", "shifts by the width of the type"),
    "s-of-64": (quantised(Map(1, 1, 1, 64, 1).pack()), "8.8.2", "shifts by the width of the type"),
    "F-too-large": (quantised(Map(1, 1, 1, 1, 25).pack()), "8.8.2", "ranges of the map are not looked at"),
    "F-of-65-bits": (quantised(Map(1, 1, 1, 1, 1).pack()[:-1] + b"\x80" * 9 + b"\x02"), "8.5.2", "a number wraps to zero"),
    "exceptions-cut-off": (quantised(ROOT.pack(), flags=1, stream=exceptions([2], bytes(3))), "8.6.2", ENDS_EARLY),
    "sample-too-large": (quantised(STRAIGHT.pack(), stream=encode([0] * 23 + [2**19 + 1], SHAPE, NEAR)), "8.8.2", "64 bits do not suffice"),
    "sample-too-small": (quantised(STRAIGHT.pack(), stream=encode([-(2**19) - 1] + [0] * 23, SHAPE, NEAR)), "8.8.2", "64 bits do not suffice"),
    "value-too-large": (quantised(Map(0, 0, 2**53, 0, 24).pack()), "8.8.2", "f64 does not hold the fixed-point value"),
    "value-too-small": (quantised(Map(0, 0, -(2**53), 0, 0).pack()), "8.8.2", "f64 does not hold the fixed-point value"),
    "value-too-large-once": (quantised(Map(2**11, 0, 0, 0, 0).pack(), stream=encode([0] * 23 + [2**16], SHAPE, NEAR)), "8.8.2", "f64 does not hold the fixed-point value"),
    "value-too-large-at-an-exception": (quantised(Map(2**11, 0, 0, 0, 0).pack(), flags=1, stream=exceptions([23], bytes(4)) + encode([0] * 23 + [2**16], SHAPE, NEAR)), "8.8.2", "what stands at exceptions is not looked at"),
    "exception-outside": (quantised(ROOT.pack(), flags=1, stream=exceptions([24], bytes(4)) + STREAM), "8.6.2", "writes out of bounds"),
    "stream-ends-early": (quantised(ROOT.pack(), stream=STREAM[:-2]), "8.5.10", ENDS_EARLY),
    "stream-left-over": (quantised(ROOT.pack(), stream=STREAM + b"\x00\x00"), "8.5.10", "the end of the words is not looked at"),
}  # fmt: skip

register("noise-q", 6, QUANTISED, SHAPE, "float32")


# chart (clause 8.9); the spectra have 6 channels, bins of two, and exact channels 4 and 5

PARTS = [Part(4, 2, SUM), Part(2, 0)]
CURVE = [9, 5, 3, 1]
BINS = noisy("rb", (2, 3, 2), wide=20)
EXACT = noisy("rx", (2, 3, 2), "int16").astype(np.float32)
LAST = lossless_int(EXACT)


def charted(
    parts: Any = PARTS,
    flags: int = 2,
    curve: bytes | None = None,
    given: bytes = b"",
    bins: Any = None,
    last: bytes = LAST,
) -> bytes:
    """A block of hand-set parts."""
    shape = sized(encode(CURVE, (4,), PLAIN)) if curve is None else curve
    stream = sized(encode(BINS, BINS.shape, NEAR)) if bins is None else bins
    start = parts if isinstance(parts, bytes) else chart_head(parts, flags=flags)
    return start + shape + given + stream + last


def curve_of(*values: int) -> bytes:
    """A shape."""
    return sized(encode(values, (len(values),), PLAIN))


def sums(value: int, curve: bytes | None = None) -> bytes:
    """A block in which all bins have this sum."""
    return charted([Part(4, 2, Map(0, 0, value, 0, 8)), Part(2, 0)], curve=curve)


CHARTS: Faults = {
    "nothing": (b"", "8.9.1", ENDS_EARLY),
    "statement-cut-off": (b"\x02" + STATED[:-1], "8.9.1", ENDS_EARLY),
    "blocks-cut-off": (b"\x02" + STATED + number(2) + number(4) + number(2) + number(2), "8.9.1", ENDS_EARLY),
    "map-cut-off": (chart_head(PARTS, flags=2)[:-1], "8.8.2", ENDS_EARLY),
    "shape-length-missing": (chart_head(PARTS, flags=2), "8.9.1", ENDS_EARLY),
    "bins-length-missing": (chart_head(PARTS, flags=2) + curve_of(*CURVE), "8.9.1", ENDS_EARLY),
    "exceptions-cut-off": (chart_head(PARTS, flags=3) + curve_of(*CURVE) + exceptions([2], bytes(3)), "8.6.2", ENDS_EARLY),
    "of-no-blocks": (b"\x02" + STATED + number(0), "8.9.1", "a chart without blocks"),
    "of-too-many-blocks": (charted([Part(1, 1, SUM)] * 7), "8.9.1", "more blocks than channels"),
    "blocks-without-end": (b"\x02" + STATED + number(2**64 - 1) + bytes(60), "8.9.1", "memory by a stated number"),
    "length-zero": (charted([Part(4, 2, SUM), Part(0, 0), Part(2, 0)]), "8.9.1", "an empty block"),
    "lengths-too-short": (charted([Part(4, 2, SUM), Part(1, 0)]), "8.9.1", "channels that nothing fills"),
    "lengths-too-long": (charted([Part(4, 2, SUM), Part(3, 0)]), "8.9.1", "writes out of bounds"),
    "length-wraps": (charted([Part(4, 2, SUM), Part(2**64 - 1, 0), Part(3, 0)]), "8.9.1", "a sum of lengths that wraps"),
    "factor-too-large": (charted([Part(4, 5, SUM), Part(2, 0)]), "8.9.1", "a bin beyond its block"),
    "factor-of-64-bits": (charted([Part(4, 2**64 - 1, SUM), Part(2, 0)]), "8.9.1", "a bin beyond its block"),
    "all-exact": (charted([Part(6, 0)], curve=b"", bins=b"", last=lossless_int(np.zeros((2, 3, 6)))), "8.9.1", "a chart without bins"),
    "exact-flag-missing": (charted(flags=0), "8.9.1", "the flag is not compared with the chart"),
    "exact-flag-set": (charted([Part(4, 2, SUM), Part(2, 2, SUM)], curve=curve_of(*CURVE, 1, 1)), "8.9.1", "the flag is not compared with the chart"),
    "map-out-of-range": (charted([Part(4, 2, Map(2**11 + 1, 0, 0, 0, 0)), Part(2, 0)]), "8.8.2", "ranges of the map are not looked at"),
    "F-differs": (charted([Part(2, 2, SUM), Part(2, 2, SUM._replace(fraction=9)), Part(2, 0)]), "8.9.1", "each block has an F of its own"),
    "shape-zero": (charted(curve=curve_of(9, 0, 3, 1)), "8.9.1", "division by zero"),
    "shape-negative": (charted(curve=curve_of(9, 5, -3, 1)), "8.9.1", "shapes are not looked at"),
    "shape-too-short": (charted(curve=curve_of(9, 5, 3)), "8.5.10", "the exact channels are not left out of L"),
    "shape-too-long": (charted(curve=curve_of(9, 5, 3, 1, 1, 70000)), "8.5.10", "the exact channels are counted in L"),
    "shape-length-too-large": (charted(curve=number(2**63) + curve_of(*CURVE)[1:]), "8.9.1", "a length that leaves the block"),
    "shape-length-one-more": (charted(curve=number(curve_of(*CURVE)[0] + 1) + curve_of(*CURVE)[1:]), "8.9.1", "streams that are not cut at their length"),
    "exceptions-none": (charted(flags=3, given=b"\x00"), "8.6.2", "the flag without exceptions"),
    "exception-outside": (charted(flags=3, given=exceptions([36], bytes(4))), "8.6.2", "writes out of bounds"),
    "bins-length-too-large": (charted(bins=number(10**6) + encode(BINS, BINS.shape, NEAR)), "8.9.1", "a length that leaves the block"),
    "bins-too-few": (charted(bins=sized(encode(BINS[:1], (1, 3, 2), NEAR))), "8.5.10", ENDS_EARLY),
    "bins-left-over": (charted(bins=sized(encode(BINS, BINS.shape, NEAR) + b"\x00\x00")), "8.5.10", "the end of a stream that another follows"),
    "sample-too-large": (charted(bins=sized(encode([2**19 + 1] + [0] * 11, (2, 3, 2), NEAR))), "8.8.2", "64 bits do not suffice"),
    "sample-too-large-of-a-small-sum": (charted([Part(4, 2, Map(0, 1, 0, 0, 8)), Part(2, 0)], curve=curve_of(*[2**20] * 4), bins=sized(encode([2**19 + 1] + [0] * 11, (2, 3, 2), NEAR))), "8.8.2", "the range of a sample is not looked at in bins"),
    "sum-too-large": (sums(2**42, curve_of(*[MOST] * 4)), "8.9.2", "64 bits do not suffice"),
    "sum-too-small": (sums(-(2**42), curve_of(*[MOST] * 4)), "8.9.2", "64 bits do not suffice"),
    "ratio-too-large": (sums(2**19, curve_of(1, 1, 1, 1)), "8.9.3", "64 bits do not suffice"),
    "ratio-too-small": (sums(-(2**19) - 1, curve_of(1, 1, 1, 1)), "8.9.3", "64 bits do not suffice"),
    "exact-missing": (charted(last=b""), "8.6.1", ENDS_EARLY),
    "exact-ends-early": (charted(last=LAST[:-2]), "8.5.10", ENDS_EARLY),
    "exact-left-over": (charted(last=LAST + b"\x00\x00"), "8.5.10", "the end of the last stream"),
    "exact-exception-outside": (charted(last=b"\x02" + exceptions([12], bytes(4)) + LAST[1:]), "8.6.2", "exceptions counted over the window"),
    "left-over": (charted([Part(4, 2, SUM), Part(2, 2, SUM)], 0, curve_of(*CURVE, 1, 1), b"", sized(encode([0] * 18, (2, 3, 3), NEAR)), b"\x00"), "8.9.1", "bytes after the bins"),
}  # fmt: skip

register("chart", 7, CHARTS, (2, 3, 6), "float32")


@vector(
    "reject/chart-exact-value-at-an-exception",
    "8.9.1",
    "8.6.4",
    "9.1",
    provokes="an exception of the chart excuses a value of the exact channels that the dtype cannot hold",
)
def exact_value() -> Made:
    exact = np.zeros((2, 3, 2), np.int16)
    exact[0, 0, 1] = 300
    block = charted(flags=3, given=exceptions([5], b"\x07"), last=lossless_int(exact))
    return several({"uint8": (7, block)}, [spectra("uint8", (2, 3, 6), "uint8")])


@vector("reject/chart-factor-above-2-20", "8.9.1", "9.1", provokes="the factor is compared with the length alone")
def factor() -> Made:
    """One bin of 2^20 + 1 channels, whose shape is 1 throughout; all else is right."""
    channels = 2**20 + 1
    model, context = Model(1, 0, 0, [(80, [])]), Context(0, 1)  # as for every voxel: V is 1, p is 80
    curve = head(model) + words([context.code(16) for _ in range(channels)])
    block = chart_head([Part(channels, channels, SUM)], flags=0) + sized(curve) + sized(encode([0], (1, 1, 1)))
    return bad(of(spectra("S", (1, channels), "uint8")), coded(7, block))


# Kinds, and what only a newer reader knows


@vector("reject/coding-for-another-kind", "5.3.2", "8.9.1", provokes="the kind is not compared with the coding")
def of_kinds() -> Made:
    blocks = {f"coding {coding}": (coding, b"\x00" + SOUND) for coding in (4, 5, 6, 7)}
    signals = [events(name) for name in blocks]
    return several({**blocks, "image": (7, charted())}, [*signals, image("image", (2, 6), "float32")])


STREAM_FLAG = {bit: bytes([1 << bit]) + SOUND[1:] for bit in (1, 7)}
FLAGS: dict[str, tuple[int, bytes, str]] = {
    **{f"integers-flag-{bit}": (4, b"\x00" + stream, "8.5.2") for bit, stream in STREAM_FLAG.items()},
    "integers-flag-1-dithered": (4, b"\x00\x03" + bytes(4) + SOUND[1:], "8.5.2"),
    "integers-flag-of-a-list": (4, b"\x01" + number(2) + signed(0) + sized(b"\x80" + encode([0], (1,), PLAIN)[1:]) + NONE, "8.5.2"),
    **{f"lossless-int-flag-{bit}": (4, bytes([1 << bit]) + STREAM, "8.6.1") for bit in (3, 7)},
    **{f"float-lattice-flag-{bit}": (5, lattice(1 << bit, bytes(16)), "8.7.1") for bit in (5, 7)},
    **{f"noise-q-flag-{bit}": (6, quantised(ROOT.pack(), flags=1 << bit), "8.8.1") for bit in (1, 7)},
    **{f"chart-flag-{bit}": (7, charted(flags=2 | 1 << bit), "8.9.1") for bit in (2, 7)},
    "chart-flag-of-bins": (7, charted(bins=sized(b"\x02" + encode(BINS, BINS.shape, NEAR)[1:])), "8.5.2"),
    "chart-flag-of-exact-channels": (7, charted(last=b"\x08" + LAST[1:]), "8.6.1"),
}  # fmt: skip

for name, coding in {"lossless-int": 4, "float-lattice": 5, "noise-q": 6, "chart": 7}.items():

    @vector(
        f"unsupported/flags-of-{name}",
        *dict.fromkeys(clause for number_, _, clause in FLAGS.values() if number_ == coding),
        "1.5",
        "9.1",
        provokes="reserved flags are masked out, or called damage",
    )
    def flagged(coding: int = coding) -> Made:
        chosen = {what: (number_, data) for what, (number_, data, _) in FLAGS.items() if number_ == coding}
        shape = (2, 3, 6) if coding == 7 else SHAPE
        return several(chosen, [spectra(what, shape) for what in chosen], "unsupported")


@vector("reject/noise-q-window-damaged", "5.3.7", "8.8.1", "9.1", provokes="the sound windows of a signal are given")
def one_of_two() -> Made:
    q = draw("ow", (2, 3, 2), below=20).astype(int)
    sound, _ = noise_q(q, ROOT, "float32")
    left, right = [(0, 2), (0, 3), (0, 2)], [(0, 2), (0, 3), (2, 4)]
    blocks = coded(6, sound, window=left), coded(6, sound[:-2], window=right)
    return bad(of(spectra(shape=SHAPE)), *blocks, fault=1)

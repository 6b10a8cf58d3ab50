"""The pseudo-code of spec/lbj.md at work: streams decoded with a trace, and tables of bytes in Markdown."""

import re
import struct
import sys
from collections import defaultdict
from types import SimpleNamespace

import pseudo_code

from lbj_conformance.generate import integer_stream
from lbj_conformance.generate.codings import number
from lbj_conformance.generate.integer_stream import MEAN, signed

Rows = list[tuple[bytes, str]]


def table(name):
    """Numbers of the table S or T of clause 8.5.8."""
    text = re.search(rf"^{name} = ([\d,\s]+)\.$", (pseudo_code.SPEC / "lbj.md").read_text(), re.MULTILINE)[1]
    return [int(value) for value in text.split(",")]


def dither(s, i):
    """Clause 8.5.4."""
    return 0 if s.seed is None else integer_stream.dither(s.seed, i)


def procedures(**more):
    """What the pseudo-code of the standard defines."""
    names = {
        "array": list,
        "append": list.append,
        "length": len,
        "total": sum,
        "record": SimpleNamespace,
        "bit_length": int.bit_length,
        "dither": dither,
        "S": table("S"),
        "T": table("T"),
    }
    return pseudo_code.run("lbj.md", {**names, **HEAD, **more})


class Bits:
    """Bits of a block, lowest of a byte first, and the voxels found."""

    def __init__(self, data):
        self.bits = [byte >> i & 1 for byte in data for i in range(8)]
        self.found, self.read = [], ""


def bit(b):
    """The next bit of a block."""
    return field(b, 1)


def field(b, width):
    """The next bits of a block, the lowest first; they are noted down."""
    taken = [b.bits.pop(0) for _ in range(width)]
    b.read += "".join(map(str, taken))
    return sum(value << i for i, value in enumerate(taken))


def split_rice_steps(data, volume, events):
    """Totals and splits in the order of the stream: what the pseudo-code held, and the bits that it read for each.

    And the voxels and counts that it found.
    """
    names = procedures(bit=bit, field=field, found=lambda b, index, count: b.found.append((index, count)))
    bits, steps, open_ = Bits(data), [], []

    def profile(frame, event, _):
        if frame.f_code.co_name == "split":
            outer = frame.f_back
            if event == "call":
                if outer.f_code.co_name == "chunks":
                    steps.append(SimpleNamespace(what="total", held=dict(outer.f_locals), bits=bits.read))
                elif outer is open_[-1][0] and open_[-1][1].bits is None:
                    open_[-1][1].bits = bits.read
                step = SimpleNamespace(what="split", held={}, bits=None)
                bits.read = ""
                steps.append(step)
                open_.append((frame, step))
            elif event == "return":
                step = open_.pop()[1]
                step.held = dict(frame.f_locals)
                if step.bits is None:
                    step.bits, bits.read = bits.read, ""

    sys.setprofile(profile)
    names["chunks"](bits, volume, events)
    sys.setprofile(None)
    return steps, bits.found


class Head:
    """Bytes of a stream, read from the first."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, kind):
        """A value of the format of `struct`."""
        (value,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def number(self):
        """Clause 8.5.2."""
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self):
        """Clause 8.5.2."""
        z = self.number()
        return -(z >> 1) - 1 if z & 1 else z >> 1


HEAD = {
    "byte": lambda b: b.take("B"),
    "u16": lambda b: b.take("H"),
    "i16": lambda b: b.take("h"),
    "u32": lambda b: b.take("I"),
    "number": Head.number,
    "signed": Head.signed,
}


def stream(shape, data, names):
    """The stream `s` of the pseudo-code, as its bytes say."""
    h, w, c = shape
    head = Head(data)
    s = SimpleNamespace(seed=None, sets=[], W=w, C=c, next=2, tables=defaultdict(lambda: SimpleNamespace(known=0)))
    s.sample, s.mean, s.error = ([0] * (h * w * c) for _ in range(3))
    names["head"](s, head)
    s.words = struct.unpack_from(f"<{(len(data) - head.at) // 2}H", data, head.at)
    s.X = s.words[0] + (s.words[1] << 16)
    return s


def decoded(shape, data, names=None):
    """Integers of a stream by the pseudo-code; with a trace of what its functions held when they returned."""
    names = names or procedures()
    s = stream(shape, data, names)
    steps, held = [], {}

    def profile(frame, event, _):
        if event == "return" and frame.f_code.co_name in {"class_of", "symbol", "prediction", "voxel"}:
            held[frame.f_code.co_name] = dict(frame.f_locals)
            if frame.f_code.co_name == "symbol":
                held["between"] = frame.f_locals["s"].X

    for y in range(shape[0]):
        for x in range(shape[1]):
            for c in range(shape[2]):
                before = s.X
                sys.setprofile(profile)
                names["voxel"](s, y, x, c)
                sys.setprofile(None)
                steps.append(SimpleNamespace(X=before, y=y, x=x, c=c, **held))
                held = {}
    assert (s.X, s.next) == (2**16, len(s.words))
    return [step.voxel["q"] for step in steps], s, steps


def grid(head, rows):
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in lines) + "\n"


def hexed(rows: Rows):
    """A table of bytes: start, length, contents, description."""
    at, out = 0, []
    for data, text in rows:
        shown = data.hex(" ").upper() if len(data) <= 16 else data[:12].hex(" ").upper() + " …"
        out.append([at, len(data), f"`{shown}`", text])
        at += len(data)
    return grid(["start", "length", "contents", "what it is"], out)


def joined(rows: Rows):
    """The bytes of a table."""
    return b"".join(data for data, _ in rows)


def stream_rows(q, shape, model) -> Rows:
    """The bytes of a stream, taken apart."""
    data = integer_stream.encode(q, shape, model)
    rows = [(b"\x00" if model.seed is None else b"\x01", "flags" + (": dithered" if model.seed is not None else ""))]
    if model.seed is not None:
        rows.append((struct.pack("<I", model.seed), f"seed {model.seed}"))
    rows += [(signed(model.beta), f"beta {model.beta}"), (number(model.alpha), f"alpha {model.alpha}")]
    rows += [(number(model.gamma), f"gamma {model.gamma}"), (number(len(model.sets)), f"{len(model.sets)} tap sets")]
    for i, (offset, taps) in enumerate(model.sets):
        rows += [(signed(offset), f"set {i}: offset {offset}"), (number(len(taps)), f"taps: {len(taps)}")]
        for tap in taps:
            where = "on the mean" if tap.j == MEAN else f"j = {tap.j}"
            rows.append((tap.pack(), f"d = {tap.d}, e = {tap.e}, {where}, weight {tap.weight}"))
    words = data[len(joined(rows)) :]
    state = int.from_bytes(words[:4], "little")
    rows.append((words[:4], f"first state X = {state % 65536} + 65536 · {state // 65536} = {state}"))
    if len(words) > 4:
        rows.append((words[4:], f"words: {', '.join(map(str, struct.unpack(f'<{len(words) // 2 - 2}H', words[4:])))}"))
    assert joined(rows) == data
    return rows

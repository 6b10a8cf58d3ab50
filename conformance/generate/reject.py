"""Vectors that are refused: file, records, JSON, header, frames."""

from __future__ import annotations

import struct
from typing import Any

from .accept_records import cube, small, two
from .builder import SIGNATURE, UUID, File, compact, events, image, record, resealed, spectra
from .catalogue import Made, no_head, vector, wrong

# File and end of file


@vector("reject/empty-file", "4.1.2", "9.1", provokes="eight bytes are read without asking whether they are there")
def empty_file() -> Made:
    return no_head("truncated", 0, b"")


@vector("reject/half-a-signature", "4.1.2", "9.1", provokes="a short file is called no journal")
def half_signature() -> Made:
    return no_head("truncated", 0, SIGNATURE[:5])


@vector("reject/signature-alone", "4.4.1", "9.1", provokes="an empty journal is taken for a whole one")
def signature_alone() -> Made:
    return no_head("truncated", 8, SIGNATURE)


for what, damaged in {
    "without-high-bit": b"\x09" + SIGNATURE[1:],
    "in-text-mode": SIGNATURE.replace(b"\r\n", b"\n"),
    "short-and-other": b"\x89LBX",
}.items():

    @vector(f"reject/signature-{what}", "4.1.2", "9.1", provokes="part of the signature is compared")
    def signature(damaged: bytes = damaged, what: str = what) -> Made:
        rest = b"" if what == "short-and-other" else bytes(two(small()).data[8:])
        return no_head("damaged", 0, damaged + rest)


@vector("reject/ends-inside-head", "4.4.1", "9.1", "4.2.3", provokes="the description is parsed as far as it is there")
def ends_in_head() -> Made:
    return no_head("truncated", 8, bytes(small().data[:-30]))


ENDS = {
    "header": lambda file: file.at["DONE"] + 11,
    "payload": lambda file: file.at["DONE"] + 24 + 9,
    "block": lambda file: file.at["BLOK"] + 24 + 25,
    "marker": lambda file: file.at["DONE"] + 2,
}

for what, place in ENDS.items():

    @vector(
        f"reject/ends-inside-{what}", "4.4.1", "4.4.3", "9.1", "10.2", provokes="frames completed before are not given"
    )
    def ends_inside(place: Any = place) -> Made:
        file = two(small()).frame({"EDX": cube("last")})
        end = place(file)
        at = max(offset for offset in file.at.values() if offset <= end)
        return wrong(file, "truncated", at, frames=2, data=bytes(file.data[:end]))


@vector("reject/ends-between-block-and-done", "4.4.1", "5.4.1", "9.1", provokes="a frame without DONE is given")
def ends_before_done() -> Made:
    file = two(small()).frame({"EDX": cube("last")})
    return wrong(file, "truncated", file.at["FRAM"], frames=2, data=bytes(file.data[: file.at["DONE"]]))


@vector("reject/ends-inside-padding-of-done", "4.4.1", "4.2.6", provokes="a DONE counts before its padding is whole")
def ends_in_padding() -> Made:
    file = two(small()).frame({"EDX": cube("last")}, {"region": 1})
    assert struct.unpack_from("<Q", file.data, file.at["DONE"] + 8)[0] % 8
    return wrong(file, "truncated", file.at["DONE"], frames=2, data=bytes(file.data[:-1]))


@vector("reject/zeros-at-the-end", "4.4.2", "9.1", provokes="a tail of zeros is called damage; frames are lost")
def zeros() -> Made:
    file = two(small())
    return wrong(file, "truncated", len(file.data), frames=2, data=bytes(file.data) + bytes(4096))


@vector("reject/half-a-header-then-zeros", "4.4.2", provokes="only whole pages of zeros are recognised")
def half_header() -> Made:
    file = two(small())
    end = len(file.data)
    file.fram()
    return wrong(file, "truncated", end, frames=2, data=bytes(file.data[: end + 10]) + bytes(1000))


@vector(
    "reject/half-a-marker-then-zeros",
    "4.4.1",
    "4.4.2",
    provokes="a rest shorter than a header must be all marker or all zero",
)
def half_marker() -> Made:
    file = two(small())
    return wrong(file, "truncated", len(file.data), frames=2, data=bytes(file.data) + b"\xf5\x00\x00")


@vector("reject/zeros-in-the-midst", "4.4.2", "4.2.1", provokes="zeros that something follows are called truncation")
def zeros_inside() -> Made:
    file = two(small())
    end = len(file.data)
    file.data += bytes(64)
    two(file)
    return wrong(file, "damaged", end, frames=2)


@vector("reject/short-rest", "4.4.1", provokes="a rest shorter than a record header is called truncated whatever it is")
def short_rest() -> Made:
    file = two(small())
    return wrong(file, "damaged", len(file.data), frames=2, data=bytes(file.data) + b"\xf5LX")


# Records


def _mend(file: File, at: int, where: int, bits: int, *, seal: bool) -> None:
    file.data[at + where] ^= bits
    if seal:
        resealed(file.data, at)


HEADERS = {
    "marker": (0, 1, False, "4.2.1"),
    "header-digest": (20, 1, False, "4.2.2"),
    "length-without-digest": (8, 8, False, "4.2.2"),
    "type-no-letter": (4, 0x80, True, "4.3.1"),
    "type-digit": (5, 0x60, True, "4.3.1"),
    "length-above-2-62": (15, 0x40, True, "4.2.3"),
    "length-above-2-63": (15, 0x80, True, "4.2.3"),
    "payload-digest": (16, 1, True, "4.2.5"),
}

for what, (where, bits, seal, clause) in HEADERS.items():

    @vector(f"reject/record-{what}", clause, "4.2.7", "9.1", provokes="a field is used before the header is checked")
    def header(where: int = where, bits: int = bits, seal: bool = seal) -> Made:
        file = two(small())
        at = file.frame({"EDX": cube("x")}).at["DONE"]
        _mend(file, at, where, bits, seal=seal)
        if where == 15 and bits == 0x40:
            _mend(file, at, 8, 1, seal=True)
        two(file)
        return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/record-length-beyond-the-file",
    "4.2.3",
    "4.4.1",
    "11.1",
    provokes="memory is allocated by a length from the file",
)
def long_length() -> Made:
    file = two(small())
    at = file.put(b"abCd", bytes(16))
    file.data[at + 8 : at + 16] = struct.pack("<Q", 2**62)
    resealed(file.data, at)
    return wrong(file, "truncated", at, frames=2)


@vector("reject/digest-without-flag", "4.2.5", provokes="payload_crc is ignored, or used, where the flag is clear")
def stray_digest() -> Made:
    file = two(small(digest=False))
    at = file.fram()
    file.data[at + 16] = 7
    resealed(file.data, at)
    return wrong(file, "damaged", at, frames=2)


@vector("reject/flag-without-digest", "4.2.5", provokes="a stored digest of zero is taken for none")
def no_digest() -> Made:
    file = two(small())
    at = file.frame({"EDX": cube("x")}).at["DONE"]
    file.data[at + 16 : at + 20] = bytes(4)
    resealed(file.data, at)
    return wrong(file, "damaged", at, frames=2)


SHORT = {b"FRAM": 8, b"BLOK": 16, b"DONE": 8}

for kind, length in SHORT.items():

    @vector(f"reject/short-{kind.decode()}", "4.3.4", provokes="fields are read past the end of the payload")
    def short(kind: bytes = kind, length: int = length) -> Made:
        file = two(small())
        if kind != b"FRAM":
            file.fram()
        at = file.put(kind, struct.pack("<QQ", 2, 0)[:length])
        if kind == b"BLOK":
            file.number, file.blocks, file.sum = 2, 1, 0
            file.done()
            return wrong(file, "damaged", at, frames=2)
        return wrong(file, "damaged", at, frames=2)


@vector("reject/long-FRAM", "4.3.4", "5.2.1", provokes="a payload longer than its layout is accepted")
def long_fram() -> Made:
    file = two(small())
    at = file.put(b"FRAM", struct.pack("<QQQ", 2, 0, 0))
    file.number, file.blocks, file.sum = 2, 0, 0
    file.done()
    return wrong(file, "damaged", at, frames=2)


# HEAD


@vector("reject/first-record-FRAM", "5.1.1", provokes="HEAD is searched for")
def first_fram() -> Made:
    data = SIGNATURE + record(b"FRAM", bytes(16)) + bytes(small().data[8:])
    return no_head("damaged", 8, data)


@vector("reject/first-record-ancillary", "5.1.1", provokes="ancillary records are skipped before HEAD")
def first_ancillary() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"abCd", b"") + bytes(small().data[8:]))


@vector("reject/first-record-unknown-critical", "5.1.1", provokes="the result depends on which check comes first")
def first_unknown() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"ABCD", b"") + bytes(small().data[8:]))


@vector("reject/second-head", "5.1.1", "9.1", provokes="a later HEAD replaces the first")
def second_head() -> Made:
    file = two(small())
    at = file.put(b"HEAD", file.head())
    return wrong(file, "damaged", at, frames=2)


@vector("reject/head-payload-digest", "4.2.5", "9.1", provokes="HEAD is parsed before its digest is checked")
def head_digest() -> Made:
    file = two(small())
    file.data[8 + 24 + 9] ^= 1
    return no_head("damaged", 8, bytes(file.data))


@vector("reject/head-short", "4.3.4", provokes="fields are read past the end of the payload")
def head_short() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"HEAD", b"\x00\x00\x01\x00"))


GOOD = compact({"uuid": UUID, "signals": [events()]})
TEXTS = {
    "bom": b"\xef\xbb\xbf" + GOOD,
    "duplicate-name": GOOD[:-1] + b',"a":1,"a":1}',
    "duplicate-name-escaped": GOOD[:-1] + b',"a":1,"\\u0061":1}',
    "lone-surrogate": GOOD[:-1] + b',"a":"\\ud800"}',
    "surrogates-reversed": GOOD[:-1] + b',"a":"\\udc00\\ud800"}',
    "surrogate-in-utf8": GOOD[:-1] + b',"a":"\xed\xa0\x80"}',
    "overlong-utf8": GOOD[:-1] + b',"a":"\xc0\xaf"}',
    "utf8-above-10ffff": GOOD[:-1] + b',"a":"\xf4\x90\x80\x80"}',
    "latin-1": GOOD[:-1] + b',"a":"\xe9"}',
    "utf16": GOOD.decode().encode("utf-16-le"),
    "nan": GOOD[:-1] + b',"a":NaN}',
    "infinity": GOOD[:-1] + b',"a":-Infinity}',
    "number-above-f64": GOOD[:-1] + b',"a":1e309}',
    "integer-above-f64": GOOD[:-1] + b',"a":1' + b"0" * 309 + b"}",
    "leading-zero": GOOD[:-1] + b',"a":01}',
    "plus-sign": GOOD[:-1] + b',"a":+1}',
    "no-digit-after-point": GOOD[:-1] + b',"a":1.}',
    "depth-33": GOOD[:-1] + b',"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "depth-20000": GOOD[:-1] + b',"a":' + b"[" * 20000 + b"]" * 20000 + b"}",
    "array": b"[" + GOOD + b"]",
    "two-objects": GOOD + b"{}",
    "nul-at-the-end": GOOD + b"\x00",
    "trailing-comma": GOOD[:-1] + b',"a":[1,]}',
    "comment": GOOD[:-1] + b"/* */}",
    "single-quotes": GOOD[:-1] + b",'a':1}",
    "control-character": GOOD[:-1] + b',"a":"\x01"}',
    "bad-escape": GOOD[:-1] + b',"a":"\\x41"}',
    "unfinished": GOOD[:-1],
    "empty": b"",
}

for what, text in TEXTS.items():

    @vector(f"reject/json-{what}", "4.5.1", provokes="a JSON library that is laxer than the standard")
    def json_text(text: bytes = text) -> Made:
        head = struct.pack("<HHI", 0, 1, 0) + text
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))


SIGNALS: dict[str, tuple[Any, str]] = {
    "absent": (None, "5.1.4"),
    "empty": ([], "5.1.4"),
    "object": ({"0": events()}, "5.1.4"),
    "not-objects": (["EDX"], "5.1.5"),
    "name-absent": ([{key: value for key, value in events().items() if key != "name"}], "5.1.5"),
    "name-empty": ([events("")], "5.1.5"),
    "name-of-65": ([events("a" * 65)], "5.1.5"),
    "name-with-newline": ([events("a\nb")], "5.1.5"),
    "name-with-c1": ([events("a\x85")], "5.1.5"),
    "name-number": ([{**events(), "name": 5}], "5.1.5"),
    "names-equal": ([events(), events()], "5.1.5"),
    "kind-unknown": ([{**events(), "kind": "cube"}], "5.1.5"),
    "dtype-unknown": ([image(dtype="float16")], "5.1.5"),
    "dtype-of-counts-signed": ([events(dtype="int32")], "5.1.5"),
    "dtype-of-counts-float": ([events(dtype="float32")], "5.1.5"),
    "dtype-absent": ([{key: value for key, value in events().items() if key != "dtype"}], "5.1.5"),
    "shape-empty": ([image(shape=())], "5.1.5"),
    "shape-of-one-axis": ([events(shape=(5,))], "5.1.5"),
    "shape-of-nine-axes": ([image(shape=(1,) * 9)], "5.1.5"),
    "size-zero": ([events(shape=(2, 0, 4))], "5.1.5"),
    "size-negative": ([events(shape=(2, -3, 4))], "5.1.5"),
    "size-fraction": ([image(shape=(2, 3.5))], "5.1.5"),  # type: ignore[arg-type]
    "size-2.0": ([image(shape=(2.0, 3))], "4.5.1"),  # type: ignore[arg-type]
    "group-with-newline": ([events(group="a\nb")], "5.1.5"),
    "size-true": ([image(shape=(2, True))], "5.1.5"),
    "size-text": ([image(shape=(2, "3"))], "5.1.5"),  # type: ignore[arg-type]
    "size-2-32": ([events(shape=(1, 1, 2**32))], "5.1.5"),
    "size-1e30": ([image(shape=(1, 10**30))], "5.1.5"),
    "pixels-2-32": ([events(shape=(65536, 65536, 1))], "5.1.5"),
    "elements-2-43": ([spectra(shape=(65536, 32768, 4096))], "5.1.5"),
    "axes-too-few": ([events(axes=[{"name": "y", "size": 2}, {"name": "x", "size": 3}])], "5.1.5"),
    "axes-object": ([image(axes={"y": 2, "x": 3})], "5.1.5"),
    "axis-size-other": ([image(axes=[{"name": "y", "size": 3}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-without-name": ([image(axes=[{"size": 2}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-without-size": ([image(axes=[{"name": "y"}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-values-too-few": ([image(axes=[{"name": "y", "size": 2, "values": [1]}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-scale-text": (
        [image(axes=[{"name": "y", "size": 2, "offset": 0, "scale": "1"}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-values-and-scale": (
        [image(axes=[{"name": "y", "size": 2, "values": [0, 1], "offset": 0, "scale": 1}, {"name": "x", "size": 3}])],
        "5.1.6",
    ),
    "axis-scale-without-offset": (
        [image(axes=[{"name": "y", "size": 2, "scale": 1}, {"name": "x", "size": 3}])], "5.1.6"),
    "group-is-a-signal": ([events("A", group="B"), events("B")], "5.1.5"),
    "group-of-two-shapes": ([events("A", group="G"), events("B", (2, 3, 5), group="G")], "5.1.5"),
    "group-of-two-kinds": ([events("A", group="G"), spectra("B", group="G")], "5.1.5"),
    "to-field-of-two-by-two": ([image(to_field=[[1, 0], [0, 1]])], "5.1.5"),
    "to-field-of-a-row": ([image(shape=(5,), to_field=[[1, 0, 0], [0, 1, 0]])], "5.1.5"),
    "metadata-array": ([image(metadata=[1])], "5.1.5"),
    "role-number": ([image(role=5)], "5.1.5"),
}  # fmt: skip

for what, (signals, clause) in SIGNALS.items():

    @vector(f"reject/signals-{what}", clause, "5.1.4", provokes="the declarations are trusted")
    def bad_signals(signals: Any = signals) -> Made:
        text = {"uuid": UUID} if signals is None else {"uuid": UUID, "signals": signals}
        head = struct.pack("<HHI", 0, 1, 0) + compact(text)
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))


# Frames


@vector("reject/first-frame-1", "5.2.2", "9.1", provokes="frame numbers are not looked at")
def frame_one() -> Made:
    file = small()
    at = file.fram(1)
    file.done()
    return wrong(file, "damaged", at, frames=0)


@vector("reject/frame-number-again", "5.2.2", provokes="a frame replaces an earlier one")
def frame_again() -> Made:
    file = two(small())
    at = file.fram(1)
    file._signal("EDX", cube("again"), None)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/frame-left-out", "5.2.2", provokes="a gap in the numbers is passed over")
def frame_gap() -> Made:
    file = two(small())
    at = file.fram(3)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/block-outside-a-frame", "5.3.1", provokes="a block joins the frame before")
def stray_block() -> Made:
    file = two(small())
    at = file.blok(0, 1, b"\x00", 1, 1)
    return wrong(file, "damaged", at, frames=2)


@vector("reject/block-of-another-frame", "5.3.1", provokes="the frame number of a block is not looked at")
def other_block() -> Made:
    file = two(small())
    file.fram()
    at = file.blok(0, 1, b"\x00", 1, 1, frame=1)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/signal-not-declared", "5.3.2", provokes="a signal number is used as an index")
def undeclared() -> Made:
    file = two(small())
    file.fram()
    at = file.blok(1, 1, b"\x00", 1, 1)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/done-outside-a-frame", "5.4.2", provokes="DONE completes whatever came before")
def stray_done() -> Made:
    file = two(small())
    file.number, file.blocks, file.sum = 2, 0, 0
    return wrong(file, "damaged", file.done(), frames=2)


@vector("reject/done-of-another-frame", "5.4.2", provokes="the number in DONE is not looked at")
def other_done() -> Made:
    file = two(small())
    file.fram()
    return wrong(file, "damaged", file.done(number=3), frames=2)


for blocks in (0, 2):

    @vector(f"reject/done-of-{blocks}-blocks", "5.4.2", provokes="a block that is missing is not missed")
    def done_blocks(blocks: int = blocks) -> Made:
        file = two(small())
        file.fram()
        file._signal("EDX", cube("db"), None)
        return wrong(file, "damaged", file.done(blocks=blocks), frames=2)


def _hit(file: File, at: int, result: str = "damaged", *, index: bool) -> Made:
    """A frame that counts and is damaged, between two that are not."""
    file.complete({"error": result, "offset": at})
    file.contents.append(b"")
    file.groups.append((file.at["FRAM"], file.at["DONE"]))
    file.frame({"EDX": cube("after")})
    file.contents.pop()
    if index:
        file.close()
    return Made(bytes(file.data), file.expect(), file.features)


for index in (False, True):
    suffix = "-indexed" if index else ""

    @vector(
        f"reject/payload-digest-of-FRAM{suffix}",
        "9.1",
        "4.2.5",
        "6.3.3",
        provokes="one wrong bit costs all later frames",
    )
    def fram_digest(index: bool = index) -> Made:
        file = two(small())
        at = file.fram()
        file._signal("EDX", cube("fd"), None)
        file.done()
        file.data[at + 24] ^= 4
        return _hit(file, at, index=index)

    @vector(
        f"reject/payload-digest-of-BLOK{suffix}",
        "9.1",
        "4.2.5",
        "5.3.9",
        provokes="one wrong bit costs all later frames",
    )
    def blok_digest(index: bool = index) -> Made:
        file = two(small())
        file.fram()
        file._signal("EDX", cube("bd"), None)
        file.done()
        at = file.at["BLOK"]
        file.data[at + 24 + 8] ^= 1
        return _hit(file, at, index=index)

    @vector(f"reject/json-of-DONE{suffix}", "9.1", "4.5.1", provokes="attributes are passed on unread")
    def done_json(index: bool = index) -> Made:
        file = two(small())
        file.fram()
        file._signal("EDX", cube("dj"), None)
        at = file.done(b'{"region":1,"region":2}')
        return _hit(file, at, index=index)


@vector(
    "reject/payload-digest-of-DONE-indexed",
    "9.1",
    "6.3.3",
    provokes="the index completes a frame that its DONE does not",
)
def done_digest() -> Made:
    file = two(small())
    file.frame({"EDX": cube("dd")})
    at = file.at["DONE"]
    file.frame({"EDX": cube("after")}).close()
    file.data[at + 24 + 20] ^= 1
    expect = file.expect(2, result="damaged", offset=at)
    indexed = file.expect()
    indexed["frames"] = [*file.frames[:2], {"error": "damaged", "offset": at}, file.frames[3]]
    del indexed["digest"]
    return Made(bytes(file.data), expect, file.features, indexed)


@vector("reject/marker-inside-a-frame-indexed", "9.1", "6.3.3", provokes="an index is trusted for what lies between")
def marker_indexed() -> Made:
    file = two(small())
    file.frame({"EDX": cube("mi")})
    at = file.at["BLOK"]
    file.frame({"EDX": cube("after")}).close()
    file.data[at] ^= 1
    expect = file.expect(2, result="damaged", offset=at)
    indexed = file.expect()
    indexed["frames"] = [*file.frames[:2], {"error": "damaged", "offset": at}, file.frames[3]]
    del indexed["digest"]
    return Made(bytes(file.data), expect, file.features, indexed)


@vector("reject/index-to-another-record", "6.3.3", "6.1", "6.3.2", provokes="what the index points at is not looked at")
def index_elsewhere() -> Made:
    file = small()
    file.put(b"abCd", b"x")
    at = file.at["abCd"]

    def change(fields: Any) -> None:
        fields["groups"][0] = (at, fields["groups"][0][1])

    two(file).close(change=change)
    indexed = file.expect()
    del indexed["digest"]
    indexed["frames"] = [{"error": "damaged", "offset": at}, file.frames[1]]
    return Made(bytes(file.data), file.expect(), file.features, indexed, ["6.3.2"])


# Amendments

PATCHES = {
    "json": b'{"metadata":{}',
    "array": b"[]",
    "metadata-number": compact({"metadata": 5}),
    "signals-array": compact({"signals": []}),
    "signal-not-declared": compact({"signals": {"nobody": 5}}),
    "signal-null": compact({"signals": {"EDX": None}}),
    "spoils-axes": compact({"signals": {"EDX": {"axes": [{"name": "y", "size": 2}]}}}),
    "spoils-to-field": compact({"signals": {"EDX": {"to_field": [[1, 2, 3]]}}}),
}

for what, patch in PATCHES.items():

    @vector(
        f"reject/amendment-{what}",
        "7.1.2" if "spoils" in what else "7.1.1",
        "9.1",
        provokes="an amendment is applied unchecked",
    )
    def amendment(patch: bytes = patch) -> Made:
        file = two(small())
        at = file.put(b"aMNd", patch)
        expect = {"result": "damaged", "offset": at}
        return Made(bytes(file.data), expect, file.features)


@vector("reject/amendment-digest", "9.1", "7.1.1", provokes="an amendment is ancillary, so its damage is ignored")
def amendment_digest() -> Made:
    file = two(small())
    at = file.put(b"aMNd", compact({"metadata": {"a": 1}}))
    file.data[at + 24 + 5] ^= 1
    return Made(bytes(file.data), {"result": "damaged", "offset": at}, file.features)


@vector("reject/4097-amendments", "7.1.3", provokes="work without bound")
def too_many_amendments() -> Made:
    file = small(digest=False)
    for _ in range(4097):
        at = file.put(b"aMNd", b"{}")
    return Made(bytes(file.data), {"result": "damaged", "offset": at}, file.features)


def _indexed(file: File, frames: list[Any], streaming: Any) -> Made:
    """A file that an indexed reader gives with some frames damaged."""
    indexed = {key: value for key, value in file.expect().items() if key != "digest"}
    return Made(bytes(file.data), streaming, file.features, {**indexed, "frames": frames})


@vector("reject/long-FRAM-digest-wrong", "4.3.4", "4.2.5", provokes="the digest of FRAM is checked before its length")
def long_fram_digest() -> Made:
    file = two(small())
    at = file.put(b"FRAM", struct.pack("<QQQ", 2, 0, 0))
    file.data[at + 24] ^= 8
    file.number, file.blocks, file.sum = 2, 0, 0
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/json-of-DONE-blank", "4.5.1", "5.4.4", provokes="blanks are taken for no attributes")
def blank_attributes() -> Made:
    file = two(small())
    file.fram()
    file._signal("EDX", cube("bl"), None)
    at = file.done(b"  ")
    return _hit(file, at, index=False)


@vector("reject/done-of-2-blocks-indexed", "5.4.2", "6.3.3", provokes="the index is trusted for the number of blocks")
def done_blocks_indexed() -> Made:
    file = small().frame({"EDX": cube("x0")})
    fram = file.fram()
    file._signal("EDX", cube("x1"), None)
    at = file.done(blocks=2)
    file.groups.append((fram, at))
    streaming = file.expect(1, result="damaged", offset=at)
    file.complete({"error": "damaged", "offset": at})
    file.frame({"EDX": cube("x2")}).close()
    return _indexed(file, file.frames, streaming)


@vector("reject/index-past-the-frame", "6.3.3", "6.1", provokes="the frame is taken to end where the index says")
def past_the_frame() -> Made:
    file = two(small())
    fram, done = file.groups[1]
    at = file.put(b"abCd", b"x")

    def change(fields: Any) -> None:
        fields["groups"][1] = (fram, at)

    streaming = file.expect()
    file.close(change=change)
    return _indexed(file, [file.frames[0], {"error": "damaged", "offset": [fram, done, at]}], streaming)


@vector(
    "reject/amendment-marker-indexed",
    "9.1",
    "6.3.3",
    provokes="a lost amendment goes unnoticed where an index leads past it",
)
def amendment_marker() -> Made:
    file = two(small())
    at = file.put(b"aMNd", compact({"metadata": {"a": 1}}))
    file.frame({"EDX": cube("am")}).close()
    file.data[at] ^= 1
    return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/amendment-not-there-indexed",
    "6.3.3",
    "6.1",
    provokes="whatever stands where the index says is taken for an amendment",
)
def amendment_absent() -> Made:
    file = two(small())
    at = file.put(b"abCd", compact({"metadata": {"a": 1}}))
    file.close(other=[(b"aMNd", at)])
    expect = file.expect()
    return Made(bytes(file.data), expect, file.features, {"result": "damaged", "offset": at})

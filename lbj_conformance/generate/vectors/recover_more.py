"""Vectors for recoverers: descriptions after lost bytes, static signals, headers that say what is not known."""

from __future__ import annotations

import struct

from ..builder import SIGNATURE, STATIC, File, compact, draw, image, record, resealed
from ..catalogue import Made, vector
from .accept_records import cube
from .recover import add, saved, series, wrong_header


def taken_out(file: File) -> bytes:
    """Bytes of a frame that is added and taken out again."""
    start = len(file.data)
    add(file, 1)
    frame = bytes(file.data[start:])
    del file.data[start:]
    return frame


@vector(
    "recover/bad-letters-passed-by-length", "9.3", "4.3.1", provokes="a record is searched though its header is valid"
)
def bad_letters() -> Made:
    file = series(1)
    inside = taken_out(file)
    file.data += record(b"a1Cd", inside) + record(b"abcd", inside) + record(b"abCd", inside, flags=3)
    file.frames.pop()
    add(file, 1)
    return saved(file, [0, 1], [])


for what, kind in {"letters": b"a1Cd", "third-letter": b"abcd"}.items():

    @vector(
        f"recover/reserved-{what}-and-wrong-payload",
        "9.3",
        "4.3.1",
        provokes="a header that is not understood is believed about its length though its payload is wrong and ends nowhere",
    )
    def reserved_wrong(kind: bytes = kind) -> Made:
        file = series(1)
        frame = taken_out(file)
        data = file.data + wrong_header(kind, len(frame) + 8) + frame + b"no record" + bytes([7] * 15)
        return saved(file, [0, 1], [], data=data)


AFTER = {"FRAM": False, "BLOK": False, "DONE": True}

for what, kept in AFTER.items():

    @vector(
        f"recover/descriptions-after-a-lost-{what}",
        "9.6",
        provokes="whether an amendment stands outside of frames is told by what went before alone",
    )
    def after_lost(what: str = what, kept: bool = kept) -> Made:
        file = series(1, metadata={"title": "t"})
        begin = file.fram()
        places = {"FRAM": begin}
        descriptions = compact({"metadata": {"more": 1}}), compact({"operator": "nobody"})

        def describe() -> None:
            for kind, payload in zip((b"aMNd", b"pERs"), descriptions, strict=True):
                file.put(kind, payload, listed=False)

        if what == "FRAM":
            describe()
        file.add_signal("EDX", cube("al"), None)
        places["BLOK"] = file.at["BLOK"]
        if what == "BLOK":
            describe()
        places["DONE"] = file.done()
        if what == "DONE":
            describe()
        file.complete({})
        file.data[places[what]] ^= 1
        add(file, 2)
        metadata = {"title": "t", "more": 1} if kept else {"title": "t"}
        return saved(file, [0, 2], [1], metadata=metadata, personal=int(kept))


@vector("recover/descriptions-between-two-gaps", "9.6", provokes="what stands beyond a second gap is not asked")
def two_gaps() -> Made:
    file = series(1)
    first = file.fram()
    file.put(b"aMNd", compact({"metadata": {"not": "this"}}), listed=False)
    second = file.put(b"abCd", b"", listed=False)
    file.add_signal("EDX", cube("tg"), None)
    file.done()
    file.complete({})
    file.data[first] ^= 1
    file.data[second] ^= 1
    add(file, 2)
    return saved(file, [0, 2], [1])


@vector("recover/descriptions-at-the-end", "9.6", provokes="descriptions that no frame follows are dropped")
def at_the_end() -> Made:
    file = series(1)
    add(file, 1)
    at = file.at["DONE"]
    file.put(b"aMNd", compact({"metadata": {"more": 1}}))
    file.put(b"pERs", compact({"operator": "somebody"}))
    file.data[at] ^= 1
    return saved(file, [0], [1], metadata={"more": 1}, personal=1)


@vector("recover/descriptions-in-an-abandoned-frame", "9.6", "5.2.1", provokes="what readers ignore is kept")
def in_abandoned() -> Made:
    file = series(1)
    file.fram(1)
    file.put(b"aMNd", compact({"metadata": {"not": "this"}}), listed=False)
    add(file, 1)
    return saved(file, [0, 1], [])


@vector("recover/static-signal-by-signal", "9.5", "5.2.3", provokes="a pseudo-frame is kept or lost as a whole")
def signal_by_signal() -> Made:
    file = File(*(image(name, (1, 4), "uint8", role="survey") for name in ("a", "b", "c")))
    file.put_static("b", draw("b0", (1, 4), "uint8"))
    file.fram(STATIC)
    file.static["a"] = file.add_signal("a", draw("a1", (1, 4), "uint8"), None)
    at = file.blok(1, 0, b"b1b1")
    file.blok(2, 0, b"c1")
    file.done()
    file.data[at + 24 + 25] ^= 1
    return saved(file, [], [])


@vector(
    "recover/abandoned-pseudo-frame", "9.5", "5.2.1", provokes="static data of a frame that does not exist are kept"
)
def abandoned_pseudo() -> Made:
    file = series(1)
    file.fram(STATIC)
    file.add_signal("survey", draw("ap", (1, 2), "uint8"), None)
    add(file, 1)
    return saved(file, [0, 1], [])


@vector("recover/head-cut-out", "9.4", "7.2.1", provokes="what stands at 8 in place of HEAD is passed over")
def head_cut_out() -> Made:
    file = series(2)
    file.put(b"hEAD", file.head())
    size = struct.unpack_from("<Q", file.data, 16)[0]
    return saved(file, [0, 1], [], data=file.data[:8] + file.data[32 + -(-size // 8) * 8 :])


@vector(
    "recover/numbers-of-other-frames", "9.5", provokes="numbers that stand in a frame that is lost are not looked at"
)
def numbers() -> Made:
    """A pseudo-frame with a block of frame 3 and the DONE of frame 4; the file could hold 11."""
    file = series(1)
    file.fram(STATIC)
    file.blok(2, 0, b"ab", frame=3)
    file.done(number=4)
    return saved(file, [0], [1, 2, 3, 4])


@vector("recover/personal-data-not-json", "9.6", "7.4.1", provokes="personal data are copied unread")
def personal_text() -> Made:
    file = series(1)
    file.put(b"pERs", b"Marie Curie")
    file.put(b"pERs", compact({"operator": "Marie Curie"}))
    return saved(file, [0], [], personal=1)


@vector("recover/attribute-metadata-no-object", "9.5", provokes="the old number is put into what is no object")
def metadata_number() -> Made:
    file = series(1)
    begin = add(file, 1)
    file.frame({"EDX": cube("mn")}, {"metadata": [1], "region": 2})
    file.data[begin] ^= 1
    made = saved(file, [0], [1])
    last = {**file.frames[2], "attributes": {"metadata": {"original_frame": 2}, "region": 2}}
    made.expect["kept"].append(2)
    made.expect["journal"]["frames"].append(last)
    return made


@vector("recover/bytes-before-the-signature", "9.1", "9.4", "9.3", provokes="HEAD is known by its place alone")
def before() -> Made:
    file = series(2)
    return saved(file, [0, 1], [], data=bytes([7] * 64) + file.data)


@vector(
    "recover/head-lost-first-copy-used", "9.1", "7.2.1", "9.4", provokes="the last copy of HEAD is used, or a wrong one"
)
def first_copy() -> Made:
    file = series(1, metadata={"title": "t"})
    whole = file.head()
    at = file.put(b"hEAD", whole)
    file.put(b"hEAD", whole)
    file.put(b"HEAD", whole.replace(b'"title":"t"', b'"title":"x"'))
    file.data[8 + 24 + 20] ^= 1
    file.data[at + 24 + 20] ^= 1
    return saved(file, [0], [])


@vector("recover/amendment-mended-later", "9.6", "7.1.2", provokes="amendments are judged together")
def mended_later() -> Made:
    file = series(1)
    axes = [{"name": "y", "size": 2}, {"name": "x", "size": 3}]
    file.put(b"aMNd", compact({"signals": {"HAADF": {"axes": axes[:1], "metadata": {"lost": 1}}}}))
    file.put(b"aMNd", compact({"signals": {"HAADF": {"axes": axes}}}))
    add(file, 1)
    file.described = [{**one, "axes": axes} if one["name"] == "HAADF" else one for one in file.signals]
    return saved(file, [0, 1], [])


@vector("recover/array-beyond-the-limit", "9.5", "11.1", provokes="the caller's limit ends the recovery")
def beyond() -> Made:
    size = 2**29
    file = File(image("I", (2**15, 2**14), "uint8"), image("J", (1, 2), "uint8"))
    block = (1 << 1 | 2**17 << 3).to_bytes(3, "little") + b"\x05"
    last = (1 | 1 << 1 | 2**17 << 3).to_bytes(3, "little") + b"\x05"
    zstd = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", size) + block * (size // 2**17 - 1) + last
    file.frame({"J": draw("j0", (1, 2), "uint8")})
    file.fram()
    file.blok(0, 3, zstd)
    file.done()
    file.complete({})
    file.frame({"J": draw("j2", (1, 2), "uint8")})
    return saved(file, [0, 2], [1])


@vector("recover/sum-of-events-wrong", "9.5", "5.4.3", provokes="a frame is lost for a sum that readers may ignore")
def sum_of_events() -> Made:
    file = series(1)
    file.fram()
    found = {"EDX": file.add_signal("EDX", cube("se"), None)}
    file.done(total=99)
    file.complete(found)
    return saved(file, [0, 1], [])


@vector("recover/static-data-in-a-frame", "9.5", "5.3.8", provokes="a frame is lost for a block that readers ignore")
def static_in_frame() -> Made:
    file = series(1)
    file.fram()
    found = {"EDX": file.add_signal("EDX", cube("sf"), None)}
    file.blok(2, 99, b"no survey", 3, 4, flags=8)
    file.done()
    file.complete(found)
    return saved(file, [0, 1], [])


for what, head in {"third-letter": b"abcd", "letters": b"a1Cd", "flag": b"abCd", "head": b"HEAD"}.items():

    @vector(
        f"recover/reserved-{what}-inside-a-frame",
        "9.1",
        "9.5",
        provokes="a frame is kept without a record that only a newer reader understands",
    )
    def reserved(head: bytes = head, what: str = what) -> Made:
        file = series(1)
        file.fram()
        file.put(head, b"what is this", listed=False, flags=5 if what == "flag" else None)
        file.add_signal("EDX", cube("ri"), None)
        file.done()
        file.complete({})
        add(file, 2)
        return saved(file, [0, 2], [1])


@vector(
    "recover/kept-twice", "9.5", "5.2.2", provokes="of two frames of one number one is dropped, or it is called lost"
)
def twice() -> Made:
    file = series(1)
    begin = add(file, 1)
    again = bytes(file.data[begin:])
    file.data += again
    file.frames.append(file.frames[1])
    return saved(file, [0, 1, 2], [], numbers={2: 1})


@vector("recover/length-beyond-the-file", "9.3", "4.2.3", provokes="a length above 2^62 is followed or refused")
def long_length() -> Made:
    file = series(1)
    at = file.put(b"abCd", b"12345678")
    file.data[at + 8 : at + 16] = struct.pack("<Q", 2**63)
    resealed(file.data, at)
    add(file, 1)
    return saved(file, [0, 1], [])


@vector("recover/eight-bytes-between", "4.1.1", "9.3", provokes="the search begins after the place that follows")
def eight_between() -> Made:
    file = series(1)
    at = add(file, 1)
    file.data[at:at] = b"8 bytes."
    return saved(file, [0, 1], [])


for what, (data, result) in {"torn": (SIGNATURE[:5], "truncated"), "wrong": (b"\x89LBK", "damaged")}.items():

    @vector(f"recover/signature-{what}", "9.1", "4.1.2", provokes="HEAD is asked for where the signature is not whole")
    def short(data: bytes = data, result: str = result) -> Made:
        return Made(data, {"result": result, "offset": 0}, set())


@vector("recover/source-kept", "9.7", "7.1.1", provokes="what was said of the source is replaced by the losses")
def source_kept() -> Made:
    source = {"name": "series.emd", "notes": ["the survey image was left out"]}
    file = series(1, source=source)
    file.put(b"aMNd", compact({"source": {"name": "first.emd"}}))
    begin = add(file, 1)
    add(file, 2)
    file.data[begin] ^= 1
    made = saved(file, [0, 2], [1])
    made.expect["journal"]["header"]["source"] = source | {"name": "first.emd"}
    return made


@vector("recover/4095-amendments", "9.6", "7.1.3", provokes="amendments are left out below the bound")
def most_amendments() -> Made:
    file = series(1, digest=False)
    for _ in range(4094):
        file.put(b"aMNd", b"{}")
    file.put(b"aMNd", compact({"metadata": {"last": True}}))
    return saved(file, [0], [], metadata={"last": True})


@vector("recover/frame-inside-the-last-record", "9.3", provokes="a sound record is searched where no other follows it")
def inside_the_last() -> Made:
    file = series(1)
    frame = taken_out(file)
    file.frames.pop()
    file.put(b"abCd", frame)
    return saved(file, [0], [])

"""Vectors that every reader reads: descriptions, amendments, static data, foreign records, index and footer."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ..builder import (
    STATIC,
    UUID,
    Block,
    File,
    compact,
    draw,
    events,
    expected_array,
    image,
    sparse,
    spectra,
)
from ..catalogue import Made, right, vector

SHAPE = (2, 3, 4)
ENERGY = {"name": "energy", "size": 4, "offset": -200.5, "scale": 10, "units": "eV"}
Y = {"name": "y", "size": 2, "offset": 0, "scale": 1e-9, "units": "m"}
X = {"name": "x", "size": 3, "values": [0, 1.5e-9, 4e-9], "units": "m"}


def small(*more: Any, **options: Any) -> File:
    """One EDX signal, and what else is given."""
    return File(events(), *more, **options)


def cube(seed: str) -> np.ndarray:
    """Counts of the small signal."""
    return sparse(seed, SHAPE, one_in=3)


def two(file: File) -> File:
    """Add two frames of EDX."""
    return file.frame({"EDX": cube("f0")}).frame({"EDX": cube("f1")})


@vector("accept/axes", "5.1.6", "3.4", provokes="axes are taken to be linear; offset without unit is lost")
def axes() -> File:
    file = File(events(axes=[Y, X, ENERGY]), image(axes=[{"name": "y", "size": 2}, {"name": "x", "size": 3}]))
    return file.frame({"EDX": cube("ax"), "HAADF": draw("ax", (2, 3), "uint16")}).close()


@vector("accept/to-field", "5.1.5", provokes="every signal is taken to have the grid of the first")
def to_field() -> File:
    fine = image(shape=(8, 12), to_field=[[0.25, 0, -0.375], [0, 0.25, -0.375]])
    return small(fine).frame({"EDX": cube("tf"), "HAADF": draw("tf", (8, 12), "uint16")}).close()


@vector("accept/group", "5.1.5", "5.3.7", provokes="one detector is taken several times; a missing one is an error")
def group() -> File:
    file = File(*(events(f"EDX-{i}", group="EDX") for i in range(1, 5)))
    file.frame({f"EDX-{i}": cube(f"g{i}") for i in range(1, 5)})
    file.frame({f"EDX-{i}": cube(f"h{i}") for i in (2, 4)})
    return file.frame({}).close()


@vector("accept/group-of-two-dtypes", "5.1.5", provokes="a sum in the type of the first member wraps")
def group_dtypes() -> File:
    file = File(events("A", dtype="uint8", group="EDX"), events("B", dtype="uint32", group="EDX"))
    much = np.zeros(SHAPE, np.uint32)
    much[1, 1, 1] = 2**32 - 300
    return file.frame({"A": np.full(SHAPE, 255, np.uint8), "B": much}).close()


@vector("accept/dual-eels", "5.1.8", "5.1.5", provokes="one spectrum signal per journal is assumed")
def dual_eels() -> File:
    low, high = spectra("EELS-LL", (2, 3, 5)), spectra("EELS-HL", (2, 3, 7), "uint16")
    data = {"EELS-LL": draw("ll", (2, 3, 5), "float32"), "EELS-HL": draw("hl", (2, 3, 7), "uint16")}
    return File(low, high).frame(data).close()


@vector(
    "accept/roles", "5.1.10", "1.5", provokes="a signal with a role that is not known is refused or taken for static"
)
def roles() -> File:
    file = small(image("t", (2, 3), "float32", role="live_time", of="EDX"), image("r", (5,), "uint8", role="x-mine"))
    data = {"EDX": cube("ro"), "t": np.full((2, 3), 0.125, np.float32), "r": draw("ro", (5,), "uint8")}
    return file.frame(data).close()


@vector("accept/static", "5.2.3", "5.3.8", "6.3", provokes="the pseudo-frame is counted as a frame")
def static() -> File:
    file = small(image("survey", (4, 5), "uint8", role="survey"), spectra("dark", (1, 4), role="dark"))
    file.put_static("survey", draw("s0", (4, 5), "uint8")).frame({"EDX": cube("s")})
    return file.put_static("dark", draw("s1", (1, 4), "float32")).frame({"EDX": cube("t")}).close()


@vector("accept/static-counts", "5.1.5", "5.2.3", provokes="static signals are taken to be images")
def static_counts() -> File:
    return small(events("dark", role="dark")).put_static("dark", cube("sc")).frame({"EDX": cube("s")}).close()


@vector("accept/static-twice", "5.2.3", provokes="the first of two is kept")
def static_twice() -> File:
    file = small(image("survey", (4, 5), "uint8", role="survey"))
    file.put_static("survey", draw("s0", (4, 5), "uint8")).frame({"EDX": cube("s")})
    return file.put_static("survey", draw("s1", (4, 5), "uint8"))


@vector("accept/names", "5.1.5", "4.5.1", provokes="names are taken for ASCII, or for keys of plain objects")
def names() -> File:
    found = ["\U0001d6bd" * 64, "HAADF 0–40 mrad", "__proto__", "constructor", 'a"b\\c/d', "\u00e9", "e\u0301", " "]
    file = File(*(image(name, (1, 2), "uint8") for name in found))
    return file.frame({name: draw(name, (1, 2), "uint8") for name in found}).close()


@vector(
    "accept/json-text",
    "4.5.1",
    "4.5.2",
    "5.1.9",
    provokes="escapes, astral characters, numbers at the edges of f64; members unknown",
)
def json_text() -> File:
    metadata = {
        "title": "\u0000\u001f\u2028 \U0001f52c", "beam_energy": 200000, "elements": ["Ti", "Ca", "O"],
        "x-lab-small": 5e-324, "x-lab-large": 1.7976931348623157e308, "x-lab-null": None, "x-lab-empty": {"": []},
        "x-lab-whole": 9007199254740991, "x-lab-true": [True, False],
    }  # fmt: skip
    file = small(metadata=metadata, **{"x-lab-more": [1, {"a": None}], "created": "2026-11-21T00:00:00Z"})
    file.json = compact({"uuid": UUID, "signals": file.signals, "metadata": metadata}).replace(b"Ti", b"\\u0054\\u0069")
    file.json = b" \t\r\n" + file.json.replace("\U0001f52c".encode(), b"\\ud83d\\uDD2C") + b"\n"
    head = file.data[:8]
    file.data = bytearray(head)
    file.put(b"HEAD", file.head())
    return file.frame({"EDX": cube("js")}).close()


@vector("accept/json-depth-32", "4.5.1", provokes="a smaller bound on depth, or one counted from 0")
def json_depth() -> File:
    deep: Any = 1
    for _ in range(30):
        deep = [deep]
    return small(metadata={"x-deep": deep}).close()


@vector("accept/attributes", "5.4.4", "5.4.5", "3.4", provokes="attributes are taken to hold for the whole frame")
def attributes() -> File:
    file = small(image())
    data = {"EDX": cube("at"), "HAADF": draw("at", (2, 3), "uint16")}
    file.frame(data, {
        "live_time": {"EDX": 1.25}, "real_time": 1.5, "dwell_time": 1e-6, "energy_shift": {"EDX": -2.5},
        "scanned_pixels": {"EDX": 5}, "beam_current": 1.7e-11, "screen_current": 5e-11, "rotation": -0.5,
        "start_time": "2026-11-21T12:00:00.25Z", "time_offset": 0, "region": 3,
        "scan": {"order": "serpentine", "line_time": 1e-3, "fly_back": 5e-5}, "metadata": {"a": [1]},
    })  # fmt: skip
    return file.frame(data, {"scan": {"order": [5, 4, 3, 2, 1, 0]}, "live_time": 2}).frame(data).close()


@vector("accept/attributes-of-other-types", "5.4.4", "4.5.2", provokes="an attribute of another type is an error")
def odd_attributes() -> File:
    odd = {"live_time": "long", "region": [], "scan": 7, "x-mine": {"y": None}, "energy_shift": {"nobody": 1}}
    return small().frame({"EDX": cube("oa")}, odd).close()


@vector("accept/abandoned-frame", "5.2.1", "6.3", provokes="blocks of an abandoned frame are given to the next one")
def abandoned() -> File:
    file = two(small())
    file.fram(2)
    file.blok(0, 1, b"\x00", 1, 1)
    file.fram(7)
    file.blok(0, 99, b"nonsense", 1, 1, flags=0)
    file.put(b"abCd", b"inside an abandoned frame", listed=False)
    file.totals = [[sum(map(sum, [[cube("f0").sum(), cube("f1").sum()]])), 0]]
    return file.frame({"EDX": cube("f2")})


@vector("accept/abandoned-frame-wrong-inside", "5.2.1", provokes="blocks are checked though their frame does not exist")
def abandoned_wrong() -> File:
    file = two(small())
    file.fram(2)
    file.blok(0, 1, b"\x00", 1, 1, frame=5)
    file.blok(3, 1, b"\x00", 1, 1)
    file.put(b"BLOK", b"short")
    return file.frame({"EDX": cube("f2")})


@vector("accept/static-attributes-not-read", "5.2.3", provokes="the attributes of a pseudo-frame are parsed")
def static_attributes() -> File:
    file = small(image("survey", (1, 2), "uint8", role="survey"))
    file.fram(STATIC)
    file.blok(1, 0, b"ab")
    file.done(b"{not JSON")
    file.static["survey"] = expected_array([1, 2], "uint8", np.frombuffer(b"ab", np.uint8).reshape(1, 2))
    return two(file)


@vector("accept/newer-minor", "5.1.2", "4.5.2", provokes="a newer minor version is refused")
def newer_minor() -> Made:
    more: Any = {"x-newer": {"deep": [1]}}
    file = File({**events(), "x-new": 1}, version=(0, 65535), **more)
    file.described = [events()]
    file.put(b"nEWs", b"a record of a later minor version")
    return right(two(file).close())


@vector("accept/foreign-ancillary", "4.3.1", "4.3.2", "4.5.2", "9.1", provokes="a record that is not known is an error")
def foreign() -> File:
    file = small()
    file.put(b"abCd", b"private, safe")
    file.put(b"abCD", b"", digest=False)
    file.fram()
    file.put(b"zZZz", b"public, safe, inside a frame", listed=False)
    value = cube("fa")
    file.number = 0
    found = {"EDX": file.add_signal("EDX", value, None)}
    file.put(b"zZZZ", b"public, unsafe", listed=False)
    file.done()
    file.groups.append((file.at["FRAM"], file.at["DONE"]))
    file.complete(found)
    file.put(b"xxXX", bytes(1000))
    return file.close()


@vector(
    "accept/records-after-the-footer",
    "6.1",
    "6.2.1",
    provokes="the footer is searched for; the file is taken for closed",
)
def after_footer() -> Made:
    file = two(small()).close()
    file.put(b"abCd", b"later")
    return right(file, ["6.1"])


@vector("accept/ancillary-digest-wrong", "9.1", "4.2.5", provokes="a record that is ignored is checked all the same")
def ancillary_damaged() -> Made:
    file = small()
    at = file.put(b"abCd", b"12345678")
    two(file)
    file.data[at + 24] ^= 1
    return right(file, ["4.2.5", "6.1"])


@vector("accept/personal-data", "7.4.1", "5.1.9", provokes="pERs is mistaken for an amendment")
def personal() -> File:
    file = small()
    file.put(b"pERs", compact({"operator": "Marie Curie", "metadata": {"title": "not this"}}))
    return two(file).close()


@vector("accept/copy-of-head", "7.2.1", provokes="hEAD is read as a second HEAD")
def copy_of_head() -> File:
    file = two(small(metadata={"title": "t"}))
    file.put(b"hEAD", file.head())
    return file.close()


@vector(
    "accept/content-digest", "7.3.1", "7.3.2", "9.1", provokes="the digest runs over stored bytes instead of content"
)
def content_digest() -> File:
    file = small(image(), image("survey", (1, 2), "uint8", role="survey"))
    file.put_static("survey", draw("cd", (1, 2), "uint8"))
    file.put(b"cONT", struct.pack("<Q", 0) + file.content())
    for i, coding in enumerate(("raw", "leb128", "split-rice")):
        data = {"EDX": cube(f"cd{i}"), "HAADF": draw("cd", (2, 3), "uint16")}
        file.frame(data, blocks={"EDX": [Block(coding=coding)]})
        file.put(b"cONT", struct.pack("<Q", i + 1) + file.content())
    return file.close()


@vector("accept/content-digest-wrong", "7.3.2", provokes="a reader that does not validate refuses")
def content_digest_wrong() -> Made:
    file = two(small())
    file.put(b"cONT", struct.pack("<Q", 2) + bytes(32))
    return right(file.close(), ["7.3.2"])


@vector("accept/sum-of-events-wrong", "5.4.3", provokes="a reader that does not validate refuses")
def sum_wrong() -> Made:
    file = small()
    file.fram()
    value = cube("sw")
    found = {"EDX": file.add_signal("EDX", value, None)}
    file.done(total=5)
    file.complete(found)
    return right(file, ["5.4.3", "6.1"])


@vector(
    "accept/static-data-in-a-frame", "5.3.8", provokes="blocks that are out of place are an error instead of ignored"
)
def misplaced_static() -> Made:
    file = small(image("survey", (1, 2), "uint8", role="survey"))
    file.fram()
    found = {"EDX": file.add_signal("EDX", cube("ms"), None)}
    file.blok(1, 0, b"ab")
    file.done()
    file.complete(found)
    return right(file, ["5.3.8", "6.1"])


@vector(
    "accept/frame-data-in-a-pseudo-frame", "5.3.8", "5.2.3", provokes="frame data are looked for in the pseudo-frame"
)
def misplaced_frame() -> Made:
    file = two(small(image("survey", (1, 2), "uint8", role="survey")))
    file.fram(STATIC)
    file.blok(0, 1, b"\x00", 1, 1)
    file.blok(1, 0, b"ab")
    file.done()
    file.static["survey"] = expected_array([1, 2], "uint8", np.frombuffer(b"ab", np.uint8).reshape(1, 2))
    return right(file, ["5.3.8", "6.1"])


AXES = [{"name": "y", "size": 2}, {"name": "x", "size": 3}, {"name": "energy", "size": 4, "scale": 5, "offset": 1}]


@vector(
    "accept/amendments",
    "7.1.1",
    "7.1.2",
    "5.1.3",
    provokes="a patch replaces what it should merge, or an array is merged",
)
def amendments() -> File:
    first = {"title": "old", "elements": ["Ti"], "stage": {"tilt": 1, "x": 2}}
    file = small(image(metadata={"azimuth": 1, "elevation": 2}), metadata=first)
    file.put(
        b"aMNd",
        compact({"metadata": {"title": "new", "elements": ["Ca", "O"], "stage": {"x": None, "y": {"z": None}}}}),
    )
    two(file)
    file.put(b"aMNd", compact({"signals": {"EDX": {"axes": AXES}, "HAADF": {"metadata": {"azimuth": None}}}}))
    file.put(b"aMNd", compact({"metadata": {"magnification": 1e6}, "source": {"name": "s"}, "more": 1}))
    file.metadata = {"title": "new", "elements": ["Ca", "O"], "stage": {"tilt": 1, "y": {}}, "magnification": 1e6}
    file.described = [events(axes=AXES), image(metadata={"elevation": 2})]
    return file.close()


@vector(
    "accept/amendments-of-what-is-fixed",
    "7.1.2",
    provokes="a shape or a name is amended; a signal is declared by a patch",
)
def fixed() -> File:
    file = two(small(image(), metadata={}))
    patch = {"name": "X", "shape": [9], "dtype": "uint8", "group": "EDX", "role": "dark", "of": "a", "kind": "image"}
    file.put(b"aMNd", compact({"signals": {"HAADF": {**patch, "metadata": {"a": 1}}, "nobody": {"shape": 5}}}))
    file.described = [events(), image(metadata={"a": 1})]
    return file.close()


@vector("accept/amendment-inside-a-frame", "5.2.1", provokes="an amendment counts wherever it stands")
def amendment_inside() -> File:
    file = small(metadata={"title": "old"})
    file.fram()
    file.put(b"aMNd", compact({"metadata": {"title": "new"}}), listed=False)
    found = {"EDX": file.add_signal("EDX", cube("ai"), None)}
    file.groups.append((file.at["FRAM"], file.done()))
    file.complete(found)
    return file.close()


@vector("accept/most-amendments", "7.1.3", provokes="a smaller bound on amendments")
def most_amendments() -> File:
    file = small(digest=False)
    for i in range(4096):
        file.put(b"aMNd", compact({"metadata": {"n": i}}))
    file.metadata = {"n": 4095}
    return file


PICTURE = image(shape=(3, 4))


def displaced(file: File, count: int) -> File:
    """Add frames of the picture."""
    for i in range(count):
        file.frame({"HAADF": draw(f"d{i}", (3, 4), "uint16")})
    return file


def disp(values: np.ndarray, terms: int, rows: int, signal: int = 0, flags: int = 0) -> bytes:
    """Payload of dISP for at most four frames of the picture, the last of them left out."""
    count = len(values)
    error = np.array([0.0625, np.nan, np.inf, 0], "<f4")[:count]
    left_out = bytes(count - 1) + b"\x01"
    fixed = struct.pack("<QHHIII", count, signal, terms, rows, 4, flags)
    return fixed + error.tobytes() + values.astype("<f4").tobytes() + left_out


def steps(*shape: int) -> np.ndarray:
    """Displacements of eighths of a pixel, from -8 to 8."""
    return draw("disp", shape, below=129) / 8.0 - 8


@vector("accept/displacements-rows", "7.5.1", "7.5.3", provokes="displacements are not understood, and not ignored")
def displacements_rows() -> File:
    file = displaced(File(PICTURE), 3)
    file.put(b"dISP", disp(steps(3, 1, 1, 2), 1, 1))
    file.put(b"dISP", disp(steps(3, 3, 4, 2), 4, 3), digest=False)
    return displaced(file, 1).close()


@vector("accept/displacements-field", "7.5.1", "7.5.4", provokes="displacements are not understood, and not ignored")
def displacements_field() -> File:
    file = displaced(File(events(), PICTURE), 2)
    file.put(b"dISP", disp(steps(2, 2, 3, 4), 0, 3, signal=1, flags=1))
    return file.close()


def _wrong(change: str) -> bytes:
    """Payload of three frames in which one thing is wrong."""
    whole = {
        "frames": (steps(4, 3, 2, 2), 2, 3), "terms": (steps(3, 1, 17, 2), 17, 1), "rows": (steps(3, 2, 2, 2), 2, 2),
    }  # fmt: skip
    payload = bytearray(disp(*whole.get(change, (steps(3, 3, 2, 2), 2, 3))))
    places = {
        "signal": (8, "<H", 1), "columns": (16, "<I", 2**32 - 1), "flags": (20, "<I", 2), "error": (24, "<f", -1.0),
        "value": (36, "<f", np.nan), "magnitude": (36, "<f", 2.0**33), "frame-flags": (len(payload) - 1, "<B", 3),
    }  # fmt: skip
    if change in places:
        at, form, value = places[change]
        struct.pack_into(form, payload, at, value)
    return bytes(payload) + bytes(change == "length")


for change in ("frames", "signal", "terms", "rows", "columns", "flags", "error", "value", "magnitude", "frame-flags",
               "length"):  # fmt: skip

    @vector(
        f"accept/displacements-wrong-{change}",
        "7.5.2",
        "9.1",
        provokes="displacements that are wrong are an error instead of ignored, or allocated for",
    )
    def displacements_wrong(change: str = change) -> Made:
        file = displaced(File(PICTURE), 3)
        file.put(b"dISP", _wrong(change))
        return right(file.close(), ["7.5.2"])

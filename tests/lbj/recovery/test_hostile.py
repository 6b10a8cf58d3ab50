"""Files made to cost much: memory and work stay in proportion to their size (spec/lbj.md 11.1)."""

import contextlib
import io
import json
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

import lbj
from lbj.recovery.recover import recover
from lbj.recovery.verify import verify
from lbj_conformance.generate import codings as plain_codings
from lbj_conformance.generate import dense as plain
from lbj_conformance.generate.builder import STATIC, UUID, File, compact, events, image, record, spectra
from lbj_conformance.generate.codings import zstd
from lbj_conformance.generate.integer_stream import Model, encode, head

LIMIT = 2**20
PER_BYTE = 400  # bytes of memory a byte of the file
FIXED = 4 * LIMIT + 2**21


def everything(data):
    """Everything that can be done with the bytes; errors of the library are fine."""
    with contextlib.suppress(lbj.LbjError), lbj.open(io.BytesIO(data), max_bytes=LIMIT) as journal:
        for frame in journal:
            for name in frame.names:
                for read in (frame.events, frame.array):
                    with contextlib.suppress(lbj.LbjError):
                        read(name)
        for name in list(journal.signals):
            with contextlib.suppress(lbj.LbjError):
                journal.static(name)
    for _ in verify(io.BytesIO(data), LIMIT):
        pass
    with contextlib.suppress(lbj.LbjError):
        recover(io.BytesIO(data), io.BytesIO(), lambda _: None, LIMIT)


def bits():
    """split-rice: every bit a voxel."""
    file = File(events(shape=(1, 2**20, 1)))
    voxels = 2**17 * 8
    file.fram()
    file.blok(0, 2, b"\x00" + b"\xff" * 2**17, voxels, 2**31)
    file.done()
    return file


def dense():
    """A sound block of as many counts as bytes can hold."""
    shape = (1, 300, 400)
    file = lbj.create(out := io.BytesIO(), [lbj.Signal("EDX", "events", shape)], sync=False)
    file.append({"EDX": np.ones(shape, np.uint8)})
    file.close()
    return out


def bomb():
    """zstd: a small frame that states and holds much, beyond the limit and below it."""
    file = File(image("A", (1, 2**22), "uint8"), image("B", (1, 2**20), "uint8"))
    file.fram()
    for signal, size in enumerate((2**22, 2**20)):
        block = (1 | 1 << 1 | 2**17 << 3).to_bytes(3, "little") + b"\0"
        blocks = (block[0] & ~1).to_bytes(1, "little") + block[1:]
        head = zstd(b"", size=size)[:13]
        file.blok(signal, 3, head + blocks * (size // 2**17 - 1) + block)
    file.done()
    return file


def declared():
    """Signals and windows of any size, and nothing in them."""
    file = File(*(events(f"S{i}", shape=(1, 2**32 - 1, 2**11 - 1)) for i in range(50)))
    file.fram()
    for i in range(50):
        file.blok(i, 1, b"", window=[(0, 1), (0, 2**32 - 1), (0, 1)])
    file.done()
    return file


def many_signals():
    """Many signals, and many frames that hold none of them."""
    file = File(*(image(f"{i:04x}", (1, 1), "uint8") for i in range(2500)), digest=False)
    for number in range(600):
        file.frame() if number % 2 else file.put_static("0000", np.zeros((1, 1), np.uint8))
    return file


def many_statics():
    """Many static signals in many pseudo-frames."""
    file = File(*(image(f"{i:04x}", (1, 1), "uint8", role="dark") for i in range(500)), digest=False)
    for i in range(250):
        file.fram(STATIC)
        file.blok(i, 0, b"x")
        file.done()
    return file


def twins():
    """Many names, the last of them twice."""
    signals = [image(f"{i:05x}", (1, 1), "uint8") for i in range(8000)]
    return File(*signals, signals[-1])


def nested():
    """Records inside of records, every digest wrong: each could be searched in."""
    inner = bytearray()
    for i in range(2500):
        payload = 24 * (2500 - i)
        start = b"\xf5LB\x01abCd" + struct.pack("<QI", payload, 1)
        inner += start + struct.pack("<I", zlib.crc32(start))
    file = File(events())
    file.data += inner + bytes(100000)
    return file


def markers():
    """Markers without end."""
    file = File(events())
    file.data += b"\xf5LB\x01FRAM" * 30000
    return file


def amendments():
    """A large description, amended as often as may be."""
    file = File(events(), metadata={str(i): i for i in range(8000)}, digest=False)
    for i in range(4096):
        file.put(b"aMNd", compact({"metadata": {str(i): None}}))
    return file


def deep():
    """JSON of brackets."""
    text = b'{"uuid":"' + UUID.encode() + b'","signals":' + json.dumps([events()]).encode() + b',"x":['
    text += b"[[]," * 100000 + b"[]" + b"]" * 100001 + b"}"
    file = File(events())
    file.data = bytearray(file.data[:8] + record(b"HEAD", bytes(8) + text))
    return file


def wide():
    """JSON of many small objects."""
    return File(events(), metadata={"a": [{} for _ in range(100000)]})


def windows():
    """As many blocks as may be, that overlap."""
    file = File(image("I", (4096, 4096), "uint8"), digest=False)
    file.fram()
    for i in range(4096):
        file.blok(0, 0, b"x", window=[(i, i + 1), (0, 1)])
    file.done()
    return file


EVEN = Model(1, 0, 0, [(0, [])])


def streams():
    """Integer streams of a few bytes that rightly hold much, in each coding that contains them."""
    shape = (1, 128, 128)
    file = File(*(spectra(name, shape, "float64") for name in "ABCD"))
    zeros = np.zeros(shape, np.int32)
    parts = [plain.Part(128, 16, plain.Map(0, 1, 0, 0, 0))]
    file.fram()
    file.blok(0, 4, plain.lossless_int(zeros, EVEN))
    file.blok(1, 5, plain.Lattice([0.0], [1.0]).head(128) + encode(zeros, shape, EVEN))
    file.blok(2, 6, b"\0" + plain.STATED + parts[0].map.pack() + encode(zeros, shape, EVEN))
    bins = plain.sized(encode(np.zeros((1, 128, 8), np.int32), (1, 128, 8), EVEN))
    file.blok(3, 7, plain.chart_head(parts, flags=0) + plain.sized(encode([1] * 128, (128,), EVEN)) + bins)
    file.done()
    return file


def stated():
    """Blocks of a few bytes that state much: taps, exceptions, lists, chart blocks, and windows beyond their bytes."""
    number = plain_codings.number
    huge, model = number(2**63), head(EVEN)
    blocks = {
        "sets": (4, b"\0\0\0\0\0" + huge),
        "taps": (4, b"\0\0\0\0\0\1\0" + huge),
        "exceptions": (4, b"\2" + number(2**17)),
        "list": (4, b"\1" + number(2**17) + b"\0" + number(20) + model + bytes(20)),
        "words": (4, b"\0" + model + bytes(14)),
        "columns": (5, b"\x18" + bytes(2**10)),
        "quantised": (6, b"\1" + plain.STATED + bytes(5) + number(2**17)),
        "chart": (7, b"\0" + plain.STATED + number(2**17) + b"\1\1" * 500),
        "wide": (
            7,
            b"\0" + plain.STATED + number(1) + number(2**14) + b"\1" + bytes(5) + number(20) + model + bytes(14),
        ),
    }
    file = File(*(spectra(name, (1, 1, 2**14 if name == "wide" else 2**17), "float64") for name in blocks))
    file.fram()
    for i, (coding, data) in enumerate(blocks.values()):
        file.blok(i, coding, data)
    file.done()
    return file


CASES = [
    bits,
    dense,
    bomb,
    declared,
    many_signals,
    many_statics,
    twins,
    nested,
    markers,
    amendments,
    deep,
    wide,
    windows,
]


@pytest.fixture(scope="module")
def compiled():
    """Kernels compiled, which takes memory of its own."""
    for case in (many_statics, dense):
        data = content(case())
        everything(data[: len(data) // 2])


def content(file):
    return file.getvalue() if isinstance(file, io.BytesIO) else bytes(file.data)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_memory_is_bounded_by_the_size(case):
    data = content(case())
    tracemalloc.start()
    everything(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= PER_BYTE * len(data) + FIXED


@pytest.mark.parametrize("case", [streams, stated], ids=lambda case: case.__name__)
def test_memory_of_integer_streams(case):
    """A recoverer codes anew, which takes the memory of an encoder's fit: readers and the validator alone."""
    data = bytes(case().data)

    def read():
        with lbj.open(io.BytesIO(data), max_bytes=LIMIT) as journal:
            for name in journal[0].names:
                with contextlib.suppress(lbj.LbjError):
                    journal[0].array(name)
        for _ in verify(io.BytesIO(data), LIMIT):
            pass

    read()  # compiles the kernels
    tracemalloc.start()
    read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= PER_BYTE * len(data) + FIXED

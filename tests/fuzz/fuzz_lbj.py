"""Coverage-guided fuzzing of the Python library with atheris: everything that reads bytes, on any bytes.

``python tests/fuzz/fuzz_lbj.py CORPUS… -max_total_time=60``; `run.py` beside it runs this and the C target.

Only the library's own errors may come out. Where it is set, NUMBA_BOUNDSCHECK=1 makes the compiled decoders report what
they would read or write out of bounds.
"""

import contextlib
import io
import struct
import sys
import zlib
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lbj"]):
    import lbj
    from lbj.recovery.recover import recover
    from lbj.recovery.verify import verify

LIMIT = 2**20
ACCEPT = Path(__file__).parents[2] / "conformance" / "vectors" / "accept"


def read(data):
    """Read everything through the public interface."""
    try:
        with lbj.open(io.BytesIO(data), max_bytes=LIMIT) as journal:
            for frame in journal:
                for name in journal.signals:
                    try:
                        if journal.signals[name].kind == "events":
                            frame.events(name)
                        frame.array(name)
                    except lbj.LbjError:
                        pass
            for name in journal.signals:
                with contextlib.suppress(lbj.LbjError):
                    journal.static(name)
            repr(journal.metadata)
    except lbj.LbjError:
        pass


def check(data):
    """Read, verify, recover and continue."""
    read(data)
    list(verify(io.BytesIO(data), LIMIT))
    out = io.BytesIO()
    try:
        recover(io.BytesIO(data), out, lambda _: None, LIMIT)
    except lbj.LbjError:
        pass
    else:
        left = {finding.code for finding in verify(out, LIMIT)} - {"11.1"}
        assert not left, f"what was recovered does not conform: {left}"
    grown = io.BytesIO(data)
    try:
        lbj.append(grown, sync=False).close()
    except lbj.LbjError:
        assert grown.getvalue() == data, "a journal that is refused was changed"


def mended(data):
    """The same bytes with all digests made right, or few mutations would come past them."""
    out, at = bytearray(data), 8
    while at + 24 <= len(out):
        length = struct.unpack_from("<Q", out, at + 8)[0]
        if length <= len(out) - at - 24 and out[at + 3] & 1:
            struct.pack_into("<I", out, at + 16, zlib.crc32(out[at + 24 : at + 24 + length]))
        struct.pack_into("<I", out, at + 20, zlib.crc32(out[at : at + 20]))
        at += 24 + length + -length % 8
    return bytes(out)


def target(data):
    """One input, as it is and mended."""
    check(data)
    check(mended(data))


def compile_decoders():
    """Have every decoder compiled first: that takes longer than any input may."""
    for path in sorted(ACCEPT.glob("*.lbj")):
        if path.stat().st_size <= 2**16:
            target(path.read_bytes())


if __name__ == "__main__":
    compile_decoders()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()

"""A worked example: the C library from Python by ctypes, the counts of every frame read into one numpy array.

make library
python example.py build/liblbj.so series.lbj EDX
"""  # noqa: INP001 -- a script

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

NAMES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")


class Error(ctypes.Structure):
    """lbj_error."""

    _fields_ = (
        ("status", ctypes.c_int),
        ("offset", ctypes.c_uint64),
        ("clause", ctypes.c_char * 16),
        ("message", ctypes.c_char * 232),
    )


class Signal(ctypes.Structure):
    """lbj_signal."""

    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("name", "group", "role", "of")),
        ("kind", ctypes.c_int),
        ("dtype", ctypes.c_int),
        ("axes", ctypes.c_uint),
        ("shape", ctypes.c_uint32 * 8),
        ("elements", ctypes.c_uint64),
    )  # what follows is not needed here


class Frame(ctypes.Structure):
    """lbj_frame."""

    _fields_ = (("number", ctypes.c_uint64), ("is_static", ctypes.c_int))


class JournalError(Exception):
    """What the library says; `status` is its name."""

    def __init__(self, library: Any, error: Error) -> None:
        self.status = library.lbj_status_name(error.status).decode()
        super().__init__(f"{self.status} at byte {error.offset}: {error.message.decode()}")


def load(path: str) -> Any:
    """Load the library and say what its functions return."""
    library = ctypes.CDLL(path)
    library.lbj_status_name.restype = ctypes.c_char_p
    library.lbj_get_signal.restype = ctypes.POINTER(Signal)
    library.lbj_read_into.argtypes = (
        ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(Error)
    )  # fmt: skip
    return library


def frames(library: Any, path: str, name: str) -> Iterator[np.ndarray]:
    """Yield the array of a signal, frame by frame; it is overwritten by the next."""
    reader, error, frame = ctypes.c_void_p(), Error(), ctypes.POINTER(Frame)()
    try:
        if library.lbj_open_path(ctypes.byref(reader), path.encode(), None, ctypes.byref(error)):
            raise JournalError(library, error)
        number = library.lbj_find_signal(reader, name.encode())
        found = library.lbj_get_signal(reader, number)
        if not found:
            raise KeyError(name)
        signal = found.contents
        counts = np.empty(signal.shape[: signal.axes], NAMES[signal.dtype])
        while not library.lbj_next(reader, ctypes.byref(frame), ctypes.byref(error)):
            if not frame.contents.is_static and library.lbj_has_signal(reader, number):
                if library.lbj_read_into(reader, number, counts.ctypes.data, counts.nbytes, ctypes.byref(error)):
                    raise JournalError(library, error)
                yield counts
        if library.lbj_status_name(error.status) != b"end":
            raise JournalError(library, error)
    finally:
        library.lbj_close(reader)


if __name__ == "__main__":
    for n, one in enumerate(frames(load(sys.argv[1]), *sys.argv[2:])):
        print(f"frame {n}: {one.sum(dtype=np.uint64)} counts")

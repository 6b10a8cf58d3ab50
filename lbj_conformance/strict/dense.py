"""Decoders of lossless-int and float-lattice, and the exceptions that all dense codings share: clauses 8.6 and 8.7."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .cursor import Cursor
from .errors import unsupported
from .integer_stream import LARGEST, decode, shape_of_stream

LISTED, LISTED_EXCEPTIONS, NEGATIVE_ZEROS = 1, 2, 4
EXCEPTIONS, SINGLE, F32_PARAMETERS, MANY_D, MANY_G = 1, 2, 4, 8, 16

Shape = tuple[int, ...]
Dtype = np.dtype[Any]
Exceptions = dict[int, Any]
"""By C-order index in the window, the values that replace the others."""


def read_flags(cursor: Cursor, known: int, clause: str) -> int:
    """Read the first byte of a block."""
    flags = cursor.unsigned(1, clause)
    if flags & ~known:
        raise unsupported(cursor.offset, clause, f"reserved flags {flags:#x} of a coding")
    return flags


def read_exceptions(cursor: Cursor, shape: Shape, dtype: Dtype) -> Exceptions:
    """Clause 8.6.2."""
    elements = math.prod(shape)
    many = cursor.number(1, elements, "8.6.2")
    indices = []
    due = 0
    for _ in range(many):
        index = due + cursor.number(0, 2**64 - 1, "8.6.2")
        if index >= elements:
            raise cursor.damaged("8.6.2", f"an exception at {index} of {elements}")
        indices.append(index)
        due = index + 1
    values = np.frombuffer(cursor.take(many * dtype.itemsize, "8.6.2"), dtype)
    return dict(zip(indices, values, strict=True))


def replaced(result: np.ndarray, exceptions: Exceptions, shape: Shape) -> np.ndarray:
    """Put the exceptions into the flat array, and give it its shape."""
    for index, value in exceptions.items():
        result[index] = value
    return result.reshape(shape)


def _read_list(cursor: Cursor, elements: int) -> list[int]:
    """Clause 8.6.3."""
    many = cursor.number(1, elements, "8.6.3")
    values = [cursor.signed(-LARGEST, LARGEST, "8.6.3")]
    if many > 1:
        stream = cursor.take(cursor.number(0, 2**64 - 1, "8.6.3"), "8.6.3")
        for element in decode(stream, (1, 1, many - 1), cursor.offset).values:
            if element < 0:
                raise cursor.damaged("8.6.3", "a value list that does not rise")
            values.append(values[-1] + element + 1)
    if values[-1] > LARGEST:
        raise cursor.damaged("8.6.3", f"value {values[-1]} of a list")
    return values


def lossless_int(cursor: Cursor, shape: Shape, dtype: Dtype) -> np.ndarray:
    """Clause 8.6."""
    flags = read_flags(cursor, LISTED | LISTED_EXCEPTIONS | NEGATIVE_ZEROS, "8.6.1")
    if flags & NEGATIVE_ZEROS and dtype.kind != "f":
        raise cursor.damaged("8.6.5", f"negative zeros in {dtype}")
    exceptions = read_exceptions(cursor, shape, dtype) if flags & LISTED_EXCEPTIONS else {}
    listed = _read_list(cursor, math.prod(shape)) if flags & LISTED else None
    low, high = -LARGEST, LARGEST
    if dtype.kind in "ui":
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    elements = decode(cursor.rest(), shape_of_stream(shape), cursor.offset).values
    result = np.zeros(len(elements), dtype)
    for i, element in enumerate(elements):
        value = element
        if listed is not None:
            if not 0 <= element < len(listed):
                raise cursor.damaged("8.6.3", f"value {element} of {len(listed)}")
            value = listed[element]
        if i not in exceptions:
            if not low <= value <= high:
                raise cursor.damaged("8.6.4", f"{value} in {dtype}")
            result[i] = value
            if flags & NEGATIVE_ZEROS and value < 0:
                result[i] = value + 1 if value < -1 else -0.0
    return replaced(result, exceptions, shape)


def _read_parameters(cursor: Cursor, many: int, flags: int) -> np.ndarray:
    """Clauses 8.7.1 and 8.7.2: all d or all g, in the precision of the operations."""
    kind: Dtype = np.dtype("<f4" if flags & F32_PARAMETERS else "<f8")
    values = np.frombuffer(cursor.take(many * kind.itemsize, "8.7.1"), kind)
    if not np.all(np.isfinite(values)):
        raise cursor.damaged("8.7.1", "d or g is not finite")
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32 if flags & SINGLE else np.float64)
    if not np.all(np.isfinite(rounded)):
        raise cursor.damaged("8.7.2", "d or g is not finite in single precision")
    return rounded


def float_lattice(cursor: Cursor, shape: Shape, dtype: Dtype) -> np.ndarray:
    """Clause 8.7."""
    if dtype.kind != "f":
        raise cursor.damaged("8.7.1", f"float-lattice for {dtype}")
    flags = read_flags(cursor, EXCEPTIONS | SINGLE | F32_PARAMETERS | MANY_D | MANY_G, "8.7.1")
    columns = shape[-1]
    d = _read_parameters(cursor, columns if flags & MANY_D else 1, flags)
    g = _read_parameters(cursor, columns if flags & MANY_G else 1, flags)
    exceptions = read_exceptions(cursor, shape, dtype) if flags & EXCEPTIONS else {}
    values = decode(cursor.rest(), shape_of_stream(shape), cursor.offset).values
    q = np.array(values, d.dtype).reshape(-1, columns)  # exact: 24 bits
    with np.errstate(over="ignore"):
        difference = q - d
        result = (difference * g).astype(dtype)
    return replaced(result.ravel(), exceptions, shape)

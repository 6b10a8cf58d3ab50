"""Bit-level primitives shared by the compiled kernels."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic


@intrinsic
def trailing_zeros(typing_context: Any, value: Any) -> Any:
    """Count the zero bits below the lowest set bit of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        false = context.get_constant(types.boolean, False)
        return builder.cttz(args[0], false)

    return types.uint64(types.uint64), generate


@intrinsic
def leading_zeros(typing_context: Any, value: Any) -> Any:
    """Count the zero bits above the highest set bit of a uint64; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        false = context.get_constant(types.boolean, False)
        return builder.ctlz(args[0], false)

    return types.uint64(types.uint64), generate

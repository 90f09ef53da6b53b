"""Weights stored in half precision: IEEE binary16 bits in memory, converted to float32 on their way to the registers.

The conversion widens, so it is exact; what is lost is lost once, when the weights are rounded (relative 2^-11 for
magnitudes above 6e-5, absolute 3e-8 below). States, sums and displacements stay float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray


def stored(stack: NDArray[Any]) -> NDArray[np.uint16]:
    """The bits of the nearest half-precision weights, in the same shape."""
    return stack.astype(np.float16).view(np.uint16)


def rounded(stack: NDArray[Any]) -> NDArray[Any]:
    """What `stored` weights stand for, in the dtype of `stack`."""
    return stack.astype(np.float16).astype(stack.dtype)


@intrinsic
def _widen(typing_context: Any, bits: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), code


def weight(x: Any) -> Any:
    """A stored weight as a number: float32 from half-precision bits, anything else as it is."""
    raise NotImplementedError


@overload(weight, inline="always")
def _by_type(x: Any) -> Callable[[Any], Any]:
    if x == types.uint16:

        def half(x: Any) -> Any:
            return _widen(x)

        return half

    def full(x: Any) -> Any:
        return x

    return full

"""A convolution applied to a few images at once, and back, as it is applied in a tick: at its size, stride, padding."""

from __future__ import annotations

from typing import Any

from numba import njit

from kernels.convolution import backward, correlate, forward
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST, cache=True, nogil=True)
def applied(weights: Any, shape: Any, x: Any, room: Any, out: Any) -> None:
    """out (neurons, images) = K * x for x (inputs, images)."""
    forward(weights, shape, x.reshape(-1), x.shape[1], room, out.reshape(-1))


@njit(error_model="numpy", fastmath=FAST, cache=True, nogil=True)
def applied_back(weights: Any, shape: Any, g: Any, room: Any, out: Any) -> None:
    """out (inputs, images) = K^T * g for g (neurons, images)."""
    backward(weights, shape, g.reshape(-1), g.shape[1], room, out.reshape(-1))


@njit(error_model="numpy", fastmath=FAST, cache=True, nogil=True)
def slope(shape: Any, u: Any, v: Any, room: Any, out: Any) -> None:
    """out (a kernel's matrix) = how <u, K * v> depends on K, for one image u (neurons,) and one v (inputs,)."""
    correlate(shape, u, v, 1, room, out)

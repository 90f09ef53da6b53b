"""Weights of -1, 0 and 1 times one scale a layer: how they are told apart, packed to two bits each and read back.

A packed tensor is two entries of a weights file: NAME.trits, uint8 (..., rows, ceil(columns / 4)), four weights a byte
with the first in the lowest bits, coded t + 1, or 3 where a row has ended; and NAME.scale, float32 (..., 1, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TRITS, SCALE = ".trits", ".scale"
_PER_BYTE = 4
_END = 3


def trits_of(tensor: Array) -> tuple[NDArray[np.int8], Array]:
    """Signs (..., rows, columns) and the scale of each matrix (..., 1, 1). Raises ValueError if it is not ternary."""
    signs = np.sign(tensor).astype(np.int8)
    scale: Array = np.abs(tensor).max((-2, -1), keepdims=True)
    if not np.array_equal(signs * scale, tensor):
        raise ValueError("these weights are not -1, 0 and 1 times one scale a layer")
    return signs, scale


def packed(name: str, tensor: Array) -> dict[str, Array]:
    """The two entries that stand for a ternary tensor. Raises ValueError if it is not ternary."""
    try:
        signs, scale = trits_of(tensor)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    missing = -signs.shape[-1] % _PER_BYTE
    codes = np.pad((signs + 1).astype(np.uint8), [(0, 0)] * (signs.ndim - 1) + [(0, missing)], constant_values=_END)
    fours = codes.reshape(*codes.shape[:-1], -1, _PER_BYTE)
    shifts = 2 * np.arange(_PER_BYTE, dtype=np.uint8)
    return {name + TRITS: (fours << shifts).sum(-1).astype(np.uint8), name + SCALE: scale.astype(np.float32)}


def unpacked(weights: dict[str, Array]) -> dict[str, Array]:
    """A file's entries with every packed pair put together, float32; others as they are.

    Raises ValueError naming a pair that is not one.
    """
    whole = {name: array for name, array in weights.items() if not name.endswith((TRITS, SCALE))}
    for key, fours in weights.items():
        if not key.endswith(TRITS):
            continue
        name = key.removesuffix(TRITS)
        scale = weights.get(name + SCALE)
        if scale is None:
            raise ValueError(f"weights: {key} has no {name}{SCALE} beside it")
        if fours.dtype != np.uint8 or fours.ndim < 2 or scale.shape != (*fours.shape[:-2], 1, 1):
            raise ValueError(f"weights: {key} and {name}{SCALE} do not belong together")
        codes = (fours[..., None] >> (2 * np.arange(_PER_BYTE, dtype=np.uint8))) & 3
        codes = codes.reshape(*fours.shape[:-1], -1)
        ended = (codes == _END).all(tuple(range(codes.ndim - 1)))
        codes = codes[..., ~ended]
        if (codes == _END).any():
            raise ValueError(f"weights: {key} holds rows of different lengths")
        whole[name] = (codes.astype(np.int8) - 1) * scale.astype(np.float32)
    left = sorted(key for key in weights if key.endswith(SCALE) and key.removesuffix(SCALE) not in whole)
    if left:
        raise ValueError(f"weights: {left[0]} has no {left[0].removesuffix(SCALE)}{TRITS} beside it")
    return whole

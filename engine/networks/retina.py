"""How a picture falls onto a square face of voxels: each voxel reads its own patch, and nothing is learned."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def _along(pixels: int, voxels: int) -> NDArray[np.float64]:
    """Weights (voxels, pixels) of one axis: the mean over a voxel's patch, or linear interpolation between pixels."""
    if voxels <= pixels:
        edges = np.linspace(0, pixels, voxels + 1)
        left, right = np.arange(pixels), np.arange(pixels) + 1
        shared = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
        patches: NDArray[np.float64] = np.maximum(shared, 0) * voxels / pixels
        return patches
    places = np.clip((np.arange(voxels) + 0.5) * pixels / voxels - 0.5, 0, pixels - 1)
    between: NDArray[np.float64] = np.maximum(1 - np.abs(places[:, None] - np.arange(pixels)), 0)
    return between


def retina(picture: tuple[int, ...], side: int) -> NDArray[np.float64]:
    """The map (side * side, pixels) from encoded pictures (height, width) or (height, width, 3) to a square face.

    Each voxel reads the mean grey of its patch; where voxels are finer than pixels, the bilinear interpolation. Equal
    sizes give the identity.
    """
    height, width, *colours = picture
    grey = np.einsum("ah,bw->abhw", _along(height, side), _along(width, side)).reshape(side * side, height * width)
    channels = math.prod(colours)
    return np.repeat(grey, channels, axis=1) / channels

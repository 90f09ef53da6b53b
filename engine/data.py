"""Handwritten digits: the pictures that networks read, and how a picture becomes a vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled grey pictures.

    images: float32 (count, height, width) in 0..1; labels: int64 (count,); mean: float32 (height * width,);
    spread: the standard deviation over all pixels.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: int
    mean: NDArray[np.float32]
    spread: float

    @property
    def pixels(self) -> int:
        """Length of an encoded picture."""
        return int(self.mean.size)

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures (..., height, width) as standardised vectors float32 (..., pixels)."""
        flat = images.reshape(*images.shape[:-2], self.pixels)
        return ((flat - self.mean) / self.spread).astype(np.float32)


@cache
def digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16).astype(np.float32)
    flat = images.reshape(len(images), -1)
    mean = flat.mean(0)
    return Dataset(images, bunch.target.astype(np.int64), 10, mean, float((flat - mean).std()))

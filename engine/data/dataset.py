"""A set of labelled pictures, and how a picture becomes a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DataError(ValueError):
    """Data that cannot be used; one line that names the file and says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures.

    images: (count, height, width) grey or (count, height, width, 3) colour, float32 in 0..1 or uint8 in 0..255;
    labels: int64 (count,) in 0..classes-1; mean: float32 (pixels,), spread: one standard deviation, both of the
    training part; test_from: index at which the set's own held-out part begins, None where it has none.
    """

    name: str
    images: NDArray[Any]
    labels: NDArray[np.int64]
    classes: int
    mean: NDArray[np.float32]
    spread: float
    test_from: int | None = None
    class_names: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """Length of an encoded picture."""
        return int(self.mean.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one picture."""
        return tuple(self.images.shape[1:])

    def picture(self, index: int) -> NDArray[np.float32]:
        """One picture, float32 in 0..1."""
        return _in_unit_range(self.images[index])

    def encode(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Pictures (..., *shape), float32 in 0..1 or uint8, as standardised vectors float32 (..., pixels)."""
        leading = images.shape[: images.ndim - len(self.shape)]
        flat = _in_unit_range(images).reshape(*leading, self.pixels)
        return ((flat - self.mean) / self.spread).astype(np.float32)

    def decode(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """The inverse of `encode`, clipped to 0..1: (..., pixels) to (..., *shape)."""
        flat = np.clip(x * self.spread + self.mean, 0, 1).astype(np.float32)
        return flat.reshape(*x.shape[:-1], *self.shape)


def _in_unit_range(images: NDArray[Any]) -> NDArray[np.float32]:
    if images.dtype == np.uint8:
        return np.asarray(images, np.float32) / np.float32(255)
    return np.asarray(images, np.float32)


def make_dataset(
    name: str,
    images: NDArray[Any],
    labels: NDArray[Any],
    test_from: int | None = None,
    class_names: tuple[str, ...] = (),
) -> Dataset:
    """Check pictures and labels and measure what `encode` needs. Raises DataError naming `name`."""
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3) or not all(images.shape[1:]):
        raise DataError(f"{name}: pictures have shape {images.shape}, expected (count, height, width) or (..., 3)")
    if len(images) != len(labels) or labels.ndim != 1:
        raise DataError(f"{name}: {len(images)} pictures but labels of shape {labels.shape}")
    if len(images) < 2:
        raise DataError(f"{name}: {len(images)} pictures are too few")
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise DataError(f"{name}: labels must be whole numbers from 0")
    if images.dtype != np.uint8:
        if not np.issubdtype(images.dtype, np.floating) or not np.isfinite(images).all():
            raise DataError(f"{name}: pictures must be uint8, or finite numbers from 0 to 1")
        if images.min() < 0 or images.max() > 1:
            raise DataError(f"{name}: pixels go from {images.min():g} to {images.max():g}, expected 0 to 1")
        images = images.astype(np.float32)
    classes = max(int(labels.max()) + 1, len(class_names), 2)
    if classes > 1000:
        raise DataError(f"{name}: label {classes - 1} is too large; at most 1000 classes are read")
    mean, spread = _statistics(images[:test_from])
    if not spread > 0:
        raise DataError(f"{name}: all pictures are the same")
    return Dataset(name, images, labels.astype(np.int64), classes, mean, spread, test_from, class_names)


def _statistics(images: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Per-pixel mean and the common spread about it, in parts so that memory stays small."""
    if images.dtype != np.uint8:
        flat = images.reshape(len(images), -1)
        mean = flat.mean(0)
        return mean, float((flat - mean).std())
    count, total, squares = len(images), 0.0, 0.0
    mean = np.zeros(images[0].size)
    for first in range(0, count, 4096):
        mean += _in_unit_range(images[first : first + 4096]).reshape(-1, mean.size).sum(0, dtype=np.float64)
    mean /= count
    for first in range(0, count, 4096):
        off = _in_unit_range(images[first : first + 4096]).reshape(-1, mean.size) - mean
        total += float(off.sum())
        squares += float(np.square(off).sum())
    number = count * mean.size
    return mean.astype(np.float32), float(np.sqrt(max(squares / number - (total / number) ** 2, 0.0)))

"""A set of labelled pictures, and how a picture becomes a vector."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.errors import DataError

LARGEST_PICTURE = 2**16
"""Values in a picture, at most: 256 x 256 grey pixels."""
MOST_CLASSES = 1000
_AT_ONCE, _PART = 4096, 512
"""Sets of more pictures than the first are measured in parts of as many as the second."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a view needs to know of a data set: its name, how many pictures and classes it has, and their names."""

    name: str
    count: int
    classes: int
    class_names: tuple[str, ...] = ()

    def class_name(self, label: int) -> str:
        """The name of a class, its number where it has none."""
        return self.class_names[label] if label < len(self.class_names) else str(label)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled pictures.

    images: (count, height, width) grey or (count, height, width, 3) colour, float32 in 0..1 or uint8 in 0..255;
    labels: int64 (count,) in 0..classes-1; mean: float32 (pixels,), spread: one standard deviation, both of the
    training part, or of all pictures of a set without parts; test_from: index at which the set's own held-out part
    begins, None where it has none; class_names: empty, or one for each class.
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

    @property
    def summary(self) -> Summary:
        """The set without its arrays."""
        return Summary(self.name, len(self.images), self.classes, self.class_names)

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
    _check_pictures(name, images)
    if labels.shape != (len(images),):
        raise DataError(f"{name}: {len(images)} pictures but labels of shape {labels.shape}")
    training = len(images) if test_from is None else test_from
    if training < 2 or test_from == len(images):
        parts = "" if test_from is None else f" for training and {len(images) - training} for testing"
        raise DataError(f"{name}: {training} pictures{parts} are too few")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{name}: labels must be whole numbers, not {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    most = len(class_names) or MOST_CLASSES
    if low < 0 or high >= most:
        raise DataError(f"{name}: labels go from {low} to {high}, expected 0 to {most - 1}")
    if images.dtype != np.uint8:
        images = images.astype(np.float32, copy=False)
    mean, spread = _statistics(images[:training])
    if spread < 1e-6:
        raise DataError(f"{name}: all training pictures are the same")
    classes = len(class_names) or max(high + 1, 2)
    return Dataset(name, images, labels.astype(np.int64), classes, mean, spread, test_from, class_names)


def _check_pictures(name: str, images: NDArray[Any]) -> None:
    shape = images.shape
    if images.ndim not in (3, 4) or shape[3:] not in ((), (3,)):
        raise DataError(f"{name}: pictures have shape {shape}, expected (count, height, width) or (..., 3)")
    if not 0 < prod(shape[1:]) <= LARGEST_PICTURE:
        wanted = f"at least one pixel and at most {LARGEST_PICTURE:,} values each are read"
        raise DataError(f"{name}: pictures have shape {shape[1:]}; {wanted}")
    if images.dtype == np.uint8 or not images.size:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{name}: pictures must be uint8, or floats from 0 to 1, not {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise DataError(f"{name}: pixels go from {low:g} to {high:g}, expected 0 to 1")


def _statistics(images: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Per-pixel mean and the common spread about it; large sets in parts, so that memory stays small."""
    count, pixels = len(images), prod(images.shape[1:])
    if count <= _AT_ONCE:
        flat = _in_unit_range(images).reshape(count, pixels)
        average = flat.mean(0)
        return average, float((flat - average).std())
    parts = [images[first : first + _PART] for first in range(0, count, _PART)]
    mean = sum(_in_unit_range(part).reshape(-1, pixels).sum(0, dtype=np.float64) for part in parts) / count
    squares = sum(float(np.square(_in_unit_range(part).reshape(-1, pixels) - mean).sum()) for part in parts)
    return mean.astype(np.float32), float(np.sqrt(squares / (count * pixels)))

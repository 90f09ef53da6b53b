"""Picture sets from openml.org, through scikit-learn; they are kept in its data folder after the first time."""

from __future__ import annotations

import math

import numpy as np

from engine.data.dataset import Dataset, make_dataset
from engine.data.errors import DataError


def fetch(name: str) -> Dataset:
    """A set of square grey pictures by its name there, such as mnist_784. Raises DataError."""
    from sklearn.datasets import fetch_openml

    try:
        bunch = fetch_openml(name, version=1, as_frame=False, parser="liac-arff")
    except Exception as error:  # no internet, no such set, a damaged download: each raises something else
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"openml:{name}: cannot be fetched: {reason}") from None
    side = math.isqrt(bunch.data.shape[1])
    if side * side != bunch.data.shape[1]:
        raise DataError(f"openml:{name}: {bunch.data.shape[1]} columns are not a square picture")
    low, high = float(np.min(bunch.data)), float(np.max(bunch.data))
    if not 0 <= low < high <= 255:
        raise DataError(f"openml:{name}: pixels go from {low:g} to {high:g}, expected 0 to 255")
    words, labels = np.unique(bunch.target, return_inverse=True)
    pictures = np.rint(bunch.data * (255 / high)).astype(np.uint8).reshape(-1, side, side)
    return make_dataset(f"openml:{name}", pictures, labels, None, tuple(str(word) for word in words))

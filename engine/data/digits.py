"""Handwritten digits that come with scikit-learn."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.data.dataset import Dataset, make_dataset


@cache
def digits() -> Dataset:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return make_dataset("digits", (bunch.images / 16).astype(np.float32), bunch.target)

"""Which pictures train and which are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.data.errors import DataError

TEST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into a data set, int64, sorted."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def split(data: Dataset, seed: int = 0) -> Split:
    """The set's own held-out part, or a fifth of every class picked with `seed`. Raises DataError."""
    indices = np.arange(len(data.labels))
    if data.test_from is not None:
        return Split(indices[: data.test_from], indices[data.test_from :])
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(indices, test_size=TEST_SHARE, random_state=seed, stratify=data.labels)
    except ValueError as error:
        raise DataError(f"{data.name}: cannot be split into training and test pictures: {error}") from None
    return Split(np.sort(train), np.sort(test))

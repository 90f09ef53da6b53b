"""NumPy archives of pictures."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import DataError, Dataset, make_dataset

LARGEST = 2**32
"""No archive may unpack to more bytes than this."""


def read_npz(path: Path) -> Dataset:
    """`images` and `labels`, or `x_train`, `y_train`, `x_test`, `y_test` (Keras' names). Raises DataError.

    Pictures are uint8, or floats from 0 to 1; (count, height, width), or with a last axis of 1 or 3.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise DataError(f"{path}: would unpack to {size:,} bytes; at most {LARGEST:,} are read")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, NotImplementedError, RuntimeError, MemoryError,
            zipfile.BadZipFile, zlib.error) as error:  # fmt: skip
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable .npz file: {error}") from None
    if {"x_train", "y_train", "x_test", "y_test"} <= set(arrays):
        train, test = _pictures(arrays["x_train"]), _pictures(arrays["x_test"])
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise DataError(f"{path}: x_train and x_test differ in shape or type")
        labels = np.concatenate([arrays["y_train"].reshape(-1), arrays["y_test"].reshape(-1)])
        return make_dataset(str(path), np.concatenate([train, test]), labels, len(train))
    if {"images", "labels"} <= set(arrays):
        return make_dataset(str(path), _pictures(arrays["images"]), arrays["labels"].reshape(-1))
    found = ", ".join(sorted(arrays)) or "nothing"
    raise DataError(f"{path}: holds {found}; needed are images and labels, or x_train, y_train, x_test and y_test")


def _pictures(array: NDArray[Any]) -> NDArray[Any]:
    return array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array

"""CIFAR-10 as its authors publish it: the folder `cifar-10-batches-py` (Krizhevsky 2009).

Its files are Python pickles. Unpickling runs whatever a file names, so only the few names that an array of bytes
needs are let through, and everything else is refused.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, make_dataset
from engine.data.errors import DataError

FOLDER = "cifar-10-batches-py"
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), "test_batch"
SIDE = 32
LARGEST = 2**28
_ALLOWED = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
}  # fmt: skip


class _ArraysOnly(pickle.Unpickler):
    """Lets nothing through but what NumPy arrays of bytes are made of."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no picture needs")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_batch(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (count, 32, 32, 3) and labels (count,) of one file. Raises DataError."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path}: is larger than {LARGEST:,} bytes")
        table = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path}: not a readable CIFAR file: {error}") from None
    if not isinstance(table, dict) or not {b"data", b"labels"} <= set(table):
        raise DataError(f"{path}: not a CIFAR file: it has no data and labels")
    data, labels = table[b"data"], table[b"labels"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * SIDE * SIDE,):
        raise DataError(f"{path}: data should be bytes of shape (count, {3 * SIDE * SIDE})")
    if not isinstance(labels, list) or not all(isinstance(label, int) and 0 <= label < 10 for label in labels):
        raise DataError(f"{path}: labels should be whole numbers from 0 to 9")
    if len(labels) != len(data):
        raise DataError(f"{path}: {len(data)} pictures but {len(labels)} labels")
    pictures = data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pictures), np.array(labels, np.int64)


def read_cifar(folder: Path) -> Dataset:
    """All batches that are there, and the test batch. Raises DataError."""
    there = [folder / name for name in TRAIN if (folder / name).exists()]
    if not there:
        raise DataError(f"{folder}: holds no {TRAIN[0]}")
    parts = [read_batch(path) for path in there]
    count = sum(len(labels) for _, labels in parts)
    parts.append(read_batch(folder / TEST))
    pictures, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return make_dataset(str(folder), pictures, labels, count, NAMES)

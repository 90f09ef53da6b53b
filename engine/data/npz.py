"""NumPy archives of pictures."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.data.dataset import Dataset, make_dataset
from engine.data.errors import DataError, reason

LARGEST = 2**32
"""No array may unpack to more bytes than this."""
MOST_DEFLATED = 1032
"""Deflate packs no more bytes than this into one."""
WITHOUT_PARTS = ("images", "labels")
WITH_PARTS = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)
"""Keras' names and MedMNIST's."""
CLASS_NAMES = "class_names"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(path: Path) -> Dataset:
    """`images` and `labels`, or a training and a test part under one of the usual names. Raises DataError.

    Pictures are uint8, or floats from 0 to 1; (count, height, width), or with a last axis of 1 or 3. Labels are
    (count,) or (count, 1). Texts in `class_names` name the classes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            names = _wanted(path, set(entries))
            arrays = [read_array(archive, entries[name]) for name in names]
            classes = read_array(archive, entries[CLASS_NAMES], "U") if CLASS_NAMES in entries else np.array([], "U1")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except Exception as error:  # the zip, zlib, tokenizer and header readers each raise something of their own
        raise DataError(f"{path}: cannot be read as .npz: {reason(error)}") from None
    if classes.ndim != 1:
        raise DataError(f"{path}: class_names has shape {classes.shape}, expected one axis")
    words = tuple(str(word) for word in classes)
    train, train_labels = _pictures(arrays[0]), _labels(arrays[1])
    if len(names) == 2:
        return make_dataset(str(path), train, train_labels, None, words)
    test, test_labels = _pictures(arrays[2]), _labels(arrays[3])
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        raise DataError(f"{path}: {names[0]} and {names[2]} differ in shape or type")
    for i, (pictures, labels) in ((0, (train, train_labels)), (2, (test, test_labels))):
        if labels.shape != pictures.shape[:1]:
            raise DataError(f"{path}: {names[i]} has shape {pictures.shape}, but {names[i + 1]} {labels.shape}")
    pictures, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return make_dataset(str(path), pictures, labels, len(train), words)


def _wanted(path: Path, found: set[str]) -> Sequence[str]:
    for names in (*WITH_PARTS, WITHOUT_PARTS):
        if found >= set(names):
            return names
    usual = "; or ".join(", ".join(names) for names in (WITHOUT_PARTS, *WITH_PARTS))
    raise DataError(f"{path}: holds {', '.join(sorted(found))[:200] or 'nothing'}; needed are {usual}")


def read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, kinds: str = "uif") -> NDArray[Any]:
    """One array, once its header and its size agree: NumPy itself would allocate whatever a header claims."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{archive.filename}: {entry.filename} is packed in a way that NumPy does not use")
    if entry.file_size > min(LARGEST, entry.compress_size * MOST_DEFLATED):
        raise DataError(f"{archive.filename}: {entry.filename} claims {entry.file_size:,} bytes, more than it can hold")
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise DataError(f"{archive.filename}: {entry.filename} has the unknown version {version}")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.kind not in kinds:
            raise DataError(f"{archive.filename}: {entry.filename} holds {dtype}, expected {_KINDS[kinds]}")
        size = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != entry.file_size - file.tell():
            raise DataError(f"{archive.filename}: {entry.filename} has not the size that its header claims")
    with archive.open(entry) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    return array


_KINDS = {"uif": "numbers", "uifb": "numbers", "U": "texts"}


def _pictures(array: NDArray[Any]) -> NDArray[Any]:
    return array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array


def _labels(array: NDArray[Any]) -> NDArray[Any]:
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array

"""IDX files, plain or gzipped: MNIST, Fashion-MNIST and their relatives (LeCun's format)."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import DataError, Dataset, make_dataset

UNSIGNED_BYTE = 8
LARGEST = 2**31
"""No file may claim to hold more bytes than this."""
PARTS = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of one IDX file of unsigned bytes. Raises DataError."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or not 1 <= head[3] <= 3:
                raise DataError(f"{path}: not an IDX file of unsigned bytes (it begins with {head.hex() or 'nothing'})")
            sizes = file.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise DataError(f"{path}: ends within its header")
            shape = struct.unpack(f">{head[3]}I", sizes)
            count = prod(shape)
            if count > LARGEST:
                raise DataError(f"{path}: claims {count:,} bytes; at most {LARGEST:,} are read")
            content = bytearray()
            while len(content) <= count and (more := file.read(1 << 20)):
                content += more
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if len(content) != count:
        held = "more" if len(content) > count else f"only {len(content):,}"
        raise DataError(f"{path}: should hold {count:,} bytes after its header, holds {held}")
    return np.frombuffer(bytes(content), np.uint8).reshape(shape)


def is_idx_folder(folder: Path) -> bool:
    """Whether the training pictures of an IDX set lie here."""
    return any((folder / (PARTS[0][0] + end)).exists() for end in ("", ".gz"))


def read_idx_folder(folder: Path, name: str = "", class_names: tuple[str, ...] = ()) -> Dataset:
    """Training and test part of a folder with the four usual files. Raises DataError."""
    arrays = []
    for names in PARTS:
        pictures, labels = (read_idx(_there(folder, file)) for file in names)
        if pictures.ndim != 3 or labels.ndim != 1 or len(pictures) != len(labels):
            raise DataError(f"{folder}: {names[0]} has shape {pictures.shape}, {names[1]} has {labels.shape}")
        arrays.append((pictures, labels))
    (train, train_labels), (test, test_labels) = arrays
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"{folder}: training pictures are {train.shape[1:]}, test pictures {test.shape[1:]}")
    pictures, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return make_dataset(name or str(folder), pictures, labels, len(train), class_names)


def _there(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"

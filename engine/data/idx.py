"""IDX files, plain or gzipped: MNIST, Fashion-MNIST and their relatives (LeCun's format)."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, make_dataset
from engine.data.errors import DataError, reason

UNSIGNED_BYTE = 8
LARGEST = 2**31
"""No file may claim to hold more bytes than this."""
MOST_DEFLATED = 1032
"""Deflate packs no more bytes than this into one."""
PARTS = (
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of one IDX file of unsigned bytes. Raises DataError."""
    try:
        size = path.stat().st_size
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return _read(cast(BinaryIO, file), path, size * MOST_DEFLATED)
        with path.open("rb") as file:
            return _read(file, path, size)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {reason(error)}") from None


def _read(file: BinaryIO, path: Path, room: int) -> NDArray[np.uint8]:
    """`room`: more bytes cannot be in the file, and are never allocated."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED_BYTE or not 1 <= head[3] <= 3:
        raise DataError(f"{path}: not an IDX file of unsigned bytes (it begins with {head.hex() or 'nothing'})")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise DataError(f"{path}: ends within its header")
    shape = struct.unpack(f">{head[3]}I", sizes)
    count = prod(shape)
    if count > min(room, LARGEST):
        most = "than the file can hold" if room < LARGEST else f"than the {LARGEST:,} that are read"
        raise DataError(f"{path}: its header claims {count:,} bytes, more {most}")
    content = np.empty(count, np.uint8)
    held = 0
    room_left = memoryview(content.data)
    while held < count and (more := file.readinto(room_left[held:])):  # type: ignore[attr-defined]
        held += more
    if held < count:
        raise DataError(f"{path}: should hold {count:,} bytes after its header, holds only {held:,}")
    if file.read(1):
        raise DataError(f"{path}: goes on after the {count:,} bytes that its header claims")
    return content.reshape(shape)


def is_idx_folder(folder: Path) -> bool:
    """Whether the training pictures of an IDX set lie here."""
    return _there(folder, PARTS[0][0]).exists()


def read_idx_folder(folder: Path, name: str = "", class_names: tuple[str, ...] = ()) -> Dataset:
    """Training and test part of a folder with the four usual files. Raises DataError."""
    arrays = []
    for names in PARTS:
        files = [_there(folder, name) for name in names]
        pictures, labels = (read_idx(file) for file in files)
        if pictures.ndim != 3 or labels.ndim != 1 or len(pictures) != len(labels):
            raise DataError(f"{files[0]}: has shape {pictures.shape}, but {files[1].name} {labels.shape}")
        arrays.append((pictures, labels))
    (train, train_labels), (test, test_labels) = arrays
    if train.shape[1:] != test.shape[1:]:
        raise DataError(f"{folder}: training pictures have shape {train.shape[1:]}, test pictures {test.shape[1:]}")
    pictures, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return make_dataset(name or str(folder), pictures, labels, len(train), class_names)


def _there(folder: Path, name: str) -> Path:
    """Of the spellings in use the one that is there: gzipped or not, `-idx3` or `.idx3`."""
    spellings = [folder / (stem + end) for stem in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")]
    return next((path for path in spellings if path.exists()), spellings[0])

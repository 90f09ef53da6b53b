"""A data set by name or path."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from platformdirs import user_data_path

from engine.data.cifar import FOLDER as CIFAR
from engine.data.cifar import read_cifar
from engine.data.dataset import Dataset
from engine.data.digits import digits
from engine.data.errors import DataError
from engine.data.idx import is_idx_folder, read_idx_folder
from engine.data.loops import loops
from engine.data.npz import read_npz
from engine.data.openml import fetch

OPENML = "openml:"
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_SYSTEM = Path("/usr/share/datasets")
"""Where Debian's packages put data sets."""
_HELP = {
    "fashion-mnist": "on Debian or Ubuntu: apt install dataset-fashion-mnist",
    "mnist": f"or name it {OPENML}mnist_784 to fetch it",
    "cifar-10": f"unpack {CIFAR} there",
}
NAMES = ("digits", "loops", *_HELP)


def data_folder() -> Path:
    """Where a person may put data sets, each in a folder of its name."""
    return Path(user_data_path("toreq-observatory", appauthor=False)) / "data"


def load_dataset(name_or_path: str, folder: Path | None = None) -> Dataset:
    """`digits`, `loops`, `fashion-mnist`, `mnist`, `cifar-10`, `openml:NAME`, an .npz file, or a folder of IDX or
    CIFAR files.

    A relative path is looked for in `folder` first, then here. The last sets stay in memory. Raises DataError.
    """
    if name_or_path == "digits":
        return digits()
    if name_or_path == "loops":
        return loops()
    if name_or_path.startswith(OPENML):
        return _load(name_or_path, "")
    for place in (data_folder(), _SYSTEM):
        path = place / name_or_path
        if name_or_path in _HELP and path.is_dir():
            return _load(str(path), name_or_path)
    if name_or_path in _HELP:
        raise DataError(
            f"{name_or_path}: not found in {data_folder() / name_or_path} or {_SYSTEM / name_or_path} "
            f"({_HELP[name_or_path]})"
        )
    beside = (folder or Path()) / name_or_path
    path = beside if beside.exists() else Path(name_or_path)
    if not path.exists():
        raise DataError(f"no data named '{name_or_path}'; there are: {', '.join(NAMES)}, {OPENML}NAME (or give a path)")
    return _load(str(path), "")


@lru_cache(maxsize=2)
def _load(source: str, name: str) -> Dataset:
    if source.startswith(OPENML):
        return fetch(source.removeprefix(OPENML))
    path = Path(source)
    if path.suffix == ".npz":
        return read_npz(path)
    if is_idx_folder(path):
        return read_idx_folder(path, name, FASHION if name == "fashion-mnist" else ())
    for folder in (path, path / CIFAR):
        if (folder / "test_batch").exists() or (folder / "data_batch_1").exists():
            return read_cifar(folder)
    raise DataError(f"{path}: neither an .npz file nor a folder with IDX or CIFAR files")

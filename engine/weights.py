"""Weights on disk: safetensors only, read with every fault named, written atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class WeightsError(ValueError):
    """A weights file that cannot be read or written; the message names the file and what is wrong."""


def check_weights(own: Mapping[str, NDArray[Any]], given: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError naming the tensor that is missing, unknown, of another shape than `own`, or not finite."""
    missing = sorted(set(own) - set(given))
    unknown = sorted(set(given) - set(own))
    if missing or unknown:
        raise ValueError(f"weights: missing {missing or 'none'}, unknown {unknown or 'none'}")
    for name, new in given.items():
        if new.shape != own[name].shape:
            raise ValueError(f"weights: {name} has shape {new.shape}, expected {own[name].shape}")
        if not np.isfinite(new.astype(np.float64)).all():
            raise ValueError(f"weights: {name} holds NaN or infinity")


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """All tensors of a safetensors file by name."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such weights file") from None
    except (OSError, SafetensorError, KeyError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None


def read_metadata(path: Path) -> dict[str, str]:
    """The words that a safetensors file says about itself."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return dict(file.metadata() or {})
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such weights file") from None
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file: {error}") from None


def write_weights(path: Path, weights: dict[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write tensors, and words about them, so that the file is either the old one or the whole new one."""
    from safetensors.numpy import save

    content = save({name: np.ascontiguousarray(array) for name, array in weights.items()}, metadata)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written: {error.strerror or error}") from None

"""Checkpoints: one safetensors file with weights, optimiser and history, written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.weights import WeightsError, read_metadata, read_weights, write_weights

Array = NDArray[Any]
_MAY_CHANGE = ("epochs", "patience")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Training after an epoch. told: recipe, preset and data as JSON; history: one table an epoch."""

    told: dict[str, Any]
    history: list[dict[str, Any]]
    seconds: float
    weights: dict[str, Array]
    optimiser: dict[str, Array]
    teacher: dict[str, Array]

    def belongs_to(self, told: dict[str, Any], path: Path) -> None:
        """Raise WeightsError naming what differs if this was made by another training than `told`."""
        for section, now in told.items():
            before = self.told.get(section)
            if isinstance(now, dict) and isinstance(before, dict):
                different = sorted(key for key in {*now, *before} if now.get(key) != before.get(key))
                different = [f"{section}.{key}" for key in different if key not in _MAY_CHANGE]
            else:
                different = [] if now == before else [section]
            if different:
                raise WeightsError(f"{path}: cannot be resumed, made with another {', '.join(different)}")


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write atomically. Raises WeightsError."""
    tensors = {
        f"{table}.{name}": array
        for table, arrays in (
            ("weights", checkpoint.weights), ("optimiser", checkpoint.optimiser), ("teacher", checkpoint.teacher),
        )
        for name, array in arrays.items()
    }  # fmt: skip
    about = {"told": checkpoint.told, "history": checkpoint.history, "seconds": checkpoint.seconds}
    write_weights(path, tensors, {"training": json.dumps(about)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read it back. Raises WeightsError for anything else than a checkpoint."""
    try:
        about = json.loads(read_metadata(path)["training"])
        told, history, seconds = about["told"], about["history"], float(about["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path}: not a checkpoint of a training") from None
    tables: dict[str, dict[str, Array]] = {"weights": {}, "optimiser": {}, "teacher": {}}
    for key, array in read_weights(path).items():
        table, _, name = key.partition(".")
        if table in tables:
            tables[table][name] = array
    return Checkpoint(told, history, seconds, **tables)

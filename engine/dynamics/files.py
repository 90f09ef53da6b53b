"""Streams of one's own: a table of numbers, or a NumPy archive."""

from __future__ import annotations

import csv
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.errors import DataError, reason
from engine.data.npz import read_array
from engine.dynamics.stream import Stream, StreamError, Truth, observed

SUFFIXES = (".csv", ".npz")
TIMES = ("t", "time")
"""A column of this name tells when."""
SHORTEST, LARGEST = 20, 100_000_000
"""Ticks at least, numbers at most."""
LONGEST_NAME = 24
"""Characters of a column's name that are kept."""


def read_stream(path: Path, *, noise: float = 0.0, seed: int = 0, dt: float | None = None) -> Stream:
    """A stream from a file. Raises StreamError.

    .csv: a row for each tick, a column for each node; a first line of names is optional, a column `t` or `time` tells
    the ticks' even spacing. .npz: `states` (T, nodes) or (T, nodes, d), optionally `dt` and `adjacency` (nodes, nodes),
    [reader, read]. Without a spacing a tick takes `dt`, else 1.
    """
    if not path.is_file():
        raise StreamError(f"{path}: no such file")
    if path.suffix.lower() not in SUFFIXES:
        raise StreamError(f"{path}: neither a .csv nor an .npz file")
    try:
        states, found, reads, names = _csv(path) if path.suffix.lower() == ".csv" else _npz(path)
    except StreamError:
        raise
    except DataError as error:
        raise StreamError(str(error)) from None
    except Exception as error:  # codecs, the zip and the header readers each raise something of their own
        raise StreamError(f"{path}: cannot be read: {reason(error)}") from None
    if len(states) < SHORTEST:
        raise StreamError(f"{path}: {len(states)} ticks, at least {SHORTEST} are needed")
    if not np.isfinite(states).all():
        tick, node = np.argwhere(~np.isfinite(states))[0, :2]
        raise StreamError(f"{path}: tick {tick + 1}, node {node + 1} is not a finite number")
    labels = tuple(f"x{i + 1}" for i in range(states.shape[2])) if states.shape[2] > 1 else ("x",)
    truth = Truth(adjacency=reads)
    spacing = found or dt or 1.0
    return observed(str(path), states, spacing, noise=noise, seed=seed, labels=labels, truth=truth, names=names)


def _csv(path: Path) -> tuple[NDArray[np.float64], float | None, None, tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        divider = max(",;\t", key=head.count)
        rows = [(number, row) for number, row in enumerate(csv.reader(file, delimiter=divider), 1) if any(row)]
    if not rows:
        raise StreamError(f"{path}: empty")
    names: list[str] = []
    if not all(map(_is_number, rows[0][1])):
        names = [name.strip() for name in rows.pop(0)[1]]
    width = len(names or rows[0][1]) if rows else 0
    if len(rows) * width > LARGEST:
        raise StreamError(f"{path}: more than {LARGEST:,} numbers")
    for number, row in rows:
        if len(row) != width:
            raise StreamError(f"{path}: line {number} has {len(row)} columns, expected {width}")
        wrong = next((cell for cell in row if not _is_number(cell)), None)
        if wrong is not None:
            raise StreamError(f"{path}: line {number} holds '{wrong[:40]}', expected a number")
    table = np.array([row for _, row in rows], np.float64).reshape(len(rows), width)
    told = [i for i, name in enumerate(names) if name.lower() in TIMES]
    dt = None
    if told:
        dt = _spacing(path, table[:, told[0]])
        table = np.delete(table, told, 1)
        names = [name for i, name in enumerate(names) if i not in told]
    if table.shape[1] == 0:
        raise StreamError(f"{path}: no column of states")
    return table[:, :, None], dt, None, _own_names(names)


def _own_names(names: list[str]) -> tuple[str, ...]:
    """Names of columns, where each has one of its own."""
    found = tuple(" ".join(name.split())[:LONGEST_NAME] for name in names)
    return found if all(found) and len(set(found)) == len(found) else ()


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _spacing(path: Path, times: NDArray[np.float64]) -> float:
    """Of the ticks, which must be even to a thousandth."""
    steps = np.diff(times)
    if len(steps) == 0:
        raise StreamError(f"{path}: {len(times)} ticks, at least {SHORTEST} are needed")
    dt = float(np.mean(steps))
    if not math.isfinite(dt) or dt <= 0 or np.abs(steps - dt).max() > 1e-3 * dt:
        raise StreamError(f"{path}: the times are not evenly spaced and rising; resample the stream first")
    return dt


def _npz(path: Path) -> tuple[NDArray[np.float64], float | None, NDArray[np.bool_] | None, tuple[str, ...]]:
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if "states" not in entries:
            raise StreamError(f"{path}: holds {', '.join(sorted(entries))[:200] or 'nothing'}; needed is states")
        states = read_array(archive, entries["states"])
        step = read_array(archive, entries["dt"]) if "dt" in entries else None
        reads = read_array(archive, entries["adjacency"], "uifb") if "adjacency" in entries else None
    if states.ndim not in (2, 3) or 0 in states.shape:
        raise StreamError(f"{path}: states has shape {states.shape}, expected (T, nodes) or (T, nodes, d)")
    if states.size > LARGEST:
        raise StreamError(f"{path}: more than {LARGEST:,} numbers")
    states = states.astype(np.float64).reshape(*states.shape[:2], -1)
    if step is not None and (step.size != 1 or not np.isfinite(step).all() or float(step.reshape(-1)[0]) <= 0):
        raise StreamError(f"{path}: dt is not one positive number")
    if reads is not None and reads.shape != (states.shape[1],) * 2:
        raise StreamError(f"{path}: adjacency has shape {reads.shape}, expected {(states.shape[1],) * 2}")
    dt = None if step is None else float(step.reshape(-1)[0])
    return states, dt, None if reads is None else reads.astype(bool), ()

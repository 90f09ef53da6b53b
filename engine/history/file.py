"""A history on disk: one safetensors file, written whole or not at all, checked before anything is believed."""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.history.errors import HistoryError
from engine.history.forms import Form, checked
from engine.history.plan import Plan
from engine.history.ring import CAP, History
from engine.history.segment import FRAMES, INDEX, OVERHEAD, Segment
from engine.history.tolerance import Tolerance

SUFFIX = ".history"
FORMAT = "toreq-observatory history"
VERSION = 1
MOST_VALUES = 2**27
"""A frame's arrays hold no more values than this together."""


def write_history(path: Path, history: History) -> int:
    """Write all that is logged now; how many frames that were. Raises HistoryError, the old file is then untouched."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    segments = history.segments()
    frames = sum(segment.frames for segment in segments)
    if not frames:
        raise HistoryError("there is no history to save yet")
    tensors, about = _described(segments, history)
    metadata = {"format": FORMAT, "version": str(VERSION), "about": json.dumps(about)}
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        save_file(tensors, temporary, metadata)
        temporary.chmod(0o644)
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise HistoryError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
    return frames


def read_history(path: Path) -> History:
    """A history from a file. Raises HistoryError naming the file and what is wrong."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            metadata = dict(file.metadata() or {})
            if metadata.get("format") != FORMAT:
                raise HistoryError(f"{path}: not a history of the observatory")
            if metadata.get("version") != str(VERSION):
                raise HistoryError(
                    f"{path}: a history of version {metadata.get('version')}; this program reads version {VERSION}"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
    except FileNotFoundError:
        raise HistoryError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise HistoryError(f"{path}: not a history of the observatory, or cut off ({error})") from None
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror or error}") from None
    try:
        return _history_of(json.loads(metadata["about"]), tensors)
    except HistoryError as error:
        raise HistoryError(f"{path}: {error}") from None
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise HistoryError(f"{path}: damaged ({type(error).__name__}: {str(error)[:80]})") from None


def _described(segments: list[Segment], history: History) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors of the file, and what it says about them."""
    table: dict[Form, int] = {}
    tensors: dict[str, NDArray[Any]] = {}
    described = []
    for number, segment in enumerate(segments):
        tensors[f"{number}.payload"] = segment.payload
        tensors[f"{number}.index"] = segment.index.view(np.uint8)
        described.append(
            {
                "first": segment.first,
                "fields": segment.plan.fields,
                "forms": [table.setdefault(form, len(table)) for form in segment.forms],
                "begins": segment.begins,
                "tolerances": {
                    c.path: [c.tolerance.relative, c.tolerance.knee] for c in segment.plan.channels if c.tolerance
                },
                "worst": segment.worst.tolist(),
                "sum": _sum(segment.payload, segment.index),
            }
        )
    return tensors, {"segments": described, "forms": list(table), "tags": history.tags}


def _sum(payload: NDArray[Any], index: NDArray[Any]) -> int:
    return zlib.crc32(index.view(np.uint8).data, zlib.crc32(payload.data))


def _history_of(about: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> History:
    table = [checked(form) for form in about["forms"]]
    segments = []
    for number, told in enumerate(about["segments"]):
        payload, rows = tensors[f"{number}.payload"], tensors[f"{number}.index"]
        if payload.dtype != np.uint8 or payload.ndim != 1 or rows.dtype != np.uint8 or rows.ndim != 1:
            raise HistoryError("damaged: its tensors have other types")
        index = rows.view(INDEX)
        if _sum(payload, index) != told["sum"]:
            raise HistoryError("damaged: its check sums are wrong")
        starts = np.append(index["start"], len(payload))
        if not 0 < len(index) <= FRAMES or starts[0] != 0 or (np.diff(starts) <= 0).any():
            raise HistoryError("damaged: its records do not follow each other")
        forms = tuple(table[form] for form in told["forms"])
        tolerances = {str(path): Tolerance(float(r), float(k)) for path, (r, k) in told["tolerances"].items()}
        begins = tuple(int(form) for form in told["begins"])
        plan = Plan.of([str(name) for name in told["fields"]], [forms[form] for form in begins], tolerances)
        if sum(channel.size for channel in plan.channels) > MOST_VALUES:
            raise HistoryError("damaged: its frames are larger than any network's")
        worst = np.array(told["worst"], np.float64)
        if worst.shape != (len(plan.channels),):
            raise HistoryError("damaged: its errors do not fit its arrays")
        form_bytes = sum(len(json.dumps(form)) for form in forms) + OVERHEAD
        segments.append(Segment(int(told["first"]), plan, forms, begins, payload, index, worst, form_bytes))
    if not segments or any(a.first + a.frames != b.first for a, b in pairwise(segments)):
        raise HistoryError("damaged: its parts do not follow each other")
    return History.of(segments, [str(tag) for tag in about["tags"]], CAP)

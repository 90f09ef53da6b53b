"""What finished jobs have left: one JSON file each, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import replace_file


@dataclass(frozen=True, slots=True)
class Job:
    """One independent piece of a track."""

    track: str
    params: dict[str, Any]

    @property
    def key(self) -> str:
        """Names the job's file; the same for the same track and parameters."""
        text = json.dumps(self.params, sort_keys=True)
        return f"{self.track}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished job: its rows, and the seconds it took."""

    job: Job
    rows: list[dict[str, Any]]
    seconds: float


class Store:
    """A folder of finished jobs. Raises OSError when the folder cannot be made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, job: Job) -> Path:
        return self._folder / f"{job.key}.json"

    def keep(self, done: Done) -> None:
        """Write a finished job. Raises OSError."""
        table = {"track": done.job.track, "params": done.job.params, "seconds": done.seconds, "rows": done.rows}
        replace_file(self._path(done.job), (json.dumps(table, indent=1, allow_nan=False) + "\n").encode())

    def find(self, job: Job) -> Done | None:
        """What is there of a job; a file that cannot be read, or tells of another job, counts as nothing."""
        try:
            table = json.loads(self._path(job).read_text("utf-8"))
            if (table["track"], table["params"]) != (job.track, job.params):
                return None
            rows, seconds = table["rows"], float(table["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return None
        return Done(job, rows, seconds)

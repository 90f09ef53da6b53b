"""What lies beside a recording: a JSON file that says how it was made. Files are written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.files import replace_file
from engine.frame import Frame
from observatory import __version__


class RecordingError(RuntimeError):
    """A recording or a picture that could not be written; the message is one readable line."""


def readable(error: OSError, path: Path) -> RecordingError:
    """The same trouble in words for a person."""
    return RecordingError(f"{path}: cannot be written: {error.strerror or error}")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step; on RecordingError the old one is untouched and nothing else is left behind."""
    try:
        replace_file(path, data)
    except OSError as error:
        raise readable(error, path) from error


@dataclass(frozen=True, slots=True)
class Origin:
    """What a recording shows: the preset's name, the knobs when it began, the seed, whether it began in the past."""

    preset: str
    knobs: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    replay: bool = False

    @staticmethod
    def of(frame: Frame, replay: bool = False) -> Origin:
        """The origin of a recording that begins with this frame."""
        knobs = {name: float(knob.value) for name, knob in frame.knobs.items()}
        return Origin(frame.preset, knobs, frame.seed, replay)


def write_sidecar(video: Path, origin: Origin, **facts: Any) -> None:
    """Write the JSON beside a video (same stem): origin, version and the facts given."""
    table = {
        "video": video.name,
        "preset": origin.preset,
        "knobs": origin.knobs,
        "seed": origin.seed,
        "version": __version__,
        **({"replay": True} if origin.replay else {}),
        **facts,
    }
    write_atomically(video.with_suffix(".json"), (json.dumps(table, indent=2) + "\n").encode())

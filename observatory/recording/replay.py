"""A video of a history, without a window: one picture for each frame that was logged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.frame import Frame
from engine.history import History, Replay
from engine.preset import PresetError, load_preset
from observatory.canvas.offscreen import OffscreenError
from observatory.recording.encoder import VideoWriter
from observatory.recording.headless import Eye, Progress, Shot, eye_for
from observatory.recording.hud import Hud, strip_height
from observatory.recording.sidecar import Origin, RecordingError


def record_history(
    history: History,
    out: Path,
    fps: int,
    size: tuple[int, int],
    every: int = 1,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Render the last `seconds` of a history (all of it), every `every`-th frame, at `fps`; what it came to.

    size is (width, height), both even. Raises ValueError for what cannot be, HistoryError for a damaged history and
    RecordingError when the file cannot be written or nothing can be drawn.
    """
    first, index = history.index()
    if seconds is not None:
        first += int(np.searchsorted(index["time"], index["time"][-1] - seconds))
    numbers = range(first, history.span[1], every)
    replay = Replay(history)
    frame = replay.frame(numbers[0])
    network, title = _preset_of(frame)
    width, height = size
    with _Eyes(network, fps) as eyes, VideoWriter(out, size, fps, Origin.of(frame, replay=True)) as video:
        strip = strip_height(size)
        hud = Hud(title, width, strip)
        picture = np.empty((height, width, 3), np.uint8)
        for done, number in enumerate(numbers):
            frame = replay.frame(number)
            picture[: height - strip] = eyes.of(frame).render(frame, (width, height - strip))
            picture[height - strip :] = hud.paint(frame)
            video.write(picture)
            if progress is not None:
                progress(done + 1, len(numbers))
    return {
        "preset": frame.preset, "video": str(out), "frames": video.frames, "fps": fps, "size": [width, height],
        "every": every, "first_tick": int(index["tick"][first - history.span[0]]), "last_tick": frame.tick,
    }  # fmt: skip


class _Eyes:
    """What draws a frame: another one where a volume follows a network that is none, or a growing one."""

    def __init__(self, network: str, fps: int) -> None:
        self._network, self._fps = network, fps
        self._eye: Eye | None = None
        self._kind = False, False

    def of(self, frame: Frame) -> Eye:
        """The one for this frame; raises RecordingError where nothing can be drawn."""
        kind = frame.layout.volume, frame.growth is not None
        if self._eye is None or self._kind != kind:
            self._close()
            try:
                self._eye = eye_for(frame, self._network, self._fps, Shot())
            except OffscreenError as error:
                raise RecordingError(str(error)) from error
            self._kind = kind
        return self._eye

    def _close(self) -> None:
        if self._eye is not None:
            self._eye.close()

    def __enter__(self) -> _Eyes:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()


def _preset_of(frame: Frame) -> tuple[str, str]:
    """Kind of network and title of the preset that a frame is from, as far as this machine has it."""
    try:
        preset = load_preset(frame.preset)
    except PresetError:
        return "", frame.preset
    return preset.network, preset.title

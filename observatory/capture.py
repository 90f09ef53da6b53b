"""Takes pictures of the canvas or of the whole window at a steady rate and hands them to the recorder."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QImage, QPainter
from PyQt6.QtWidgets import QWidget

from observatory.recording.recorder import Recorder
from observatory.recording.screenshot import save_png
from observatory.recording.sidecar import Origin, RecordingError

What = Literal["canvas", "window"]
Image = NDArray[np.uint8]
Size = tuple[int, int]

MAX_REPEATS = 12
"""A picture stands for at most this many video frames when the window was too busy to take more."""


def even(size: QSize) -> Size:
    """(width, height) rounded down to even numbers, which H.264 needs."""
    return max(2, size.width() // 2 * 2), max(2, size.height() // 2 * 2)


def grab(widget: QWidget, size: Size) -> Image:
    """A picture of a widget as uint8 (height, width, 3); a widget of another shape is fitted in on black."""
    picture = widget.grab().toImage()
    picture.setDevicePixelRatio(1.0)
    target = QSize(*size)
    if picture.size() != target:
        fitted = picture.scaled(target, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        picture = QImage(target, QImage.Format.Format_RGB888)
        picture.fill(Qt.GlobalColor.black)
        painter = QPainter(picture)
        painter.drawImage((size[0] - fitted.width()) // 2, (size[1] - fitted.height()) // 2, fitted)
        painter.end()
    picture = picture.convertToFormat(QImage.Format.Format_RGB888)
    bits = picture.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(picture.sizeInBytes()), np.uint8).reshape(
        picture.height(), picture.bytesPerLine()
    )
    return rows[:, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)


def stamped(folder: Path, name: str, suffix: str) -> Path:
    """A new path in `folder`, which is made; raises RecordingError when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordingError(f"{folder}: cannot be made: {error.strerror or error}") from error
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    path = folder / f"{stem}{suffix}"
    count = 2
    while path.exists():
        path = folder / f"{stem}-{count}{suffix}"
        count += 1
    return path


class Capture(QObject):
    """One recording at a time. `changed(text)` says how it goes, `ended(error or "", path)` how it ended."""

    changed = pyqtSignal(str)
    ended = pyqtSignal(str, str)

    def __init__(self, window: QWidget, canvas: QWidget, capture_canvas: Callable[[Size], Image]):
        super().__init__(window)
        self._window = window
        self._canvas = canvas
        self._capture_canvas = capture_canvas
        self.recorder: Recorder | None = None
        self._path = Path()
        self._size: Size = (2, 2)
        self._what: What = "canvas"
        self._fps = 30
        self._begun = 0.0
        self._offered = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._take)

    def size_of(self, what: What) -> Size:
        """Physical, even pixels of the canvas or the window now."""
        widget = self._canvas if what == "canvas" else self._window
        return even(widget.size() * widget.devicePixelRatioF())

    def picture(self, what: What, size: Size) -> Image:
        """One picture, uint8 (height, width, 3)."""
        return self._capture_canvas(size) if what == "canvas" else grab(self._window, size)

    def start(self, what: What, path: Path, fps: int, origin: Origin) -> None:
        """Begin a video; raises RecordingError when the file cannot be written."""
        self._what, self._path, self._fps = what, path, fps
        self._size = self.size_of(what)
        self.recorder = Recorder(path, self._size, fps, origin)
        self._begun, self._offered = time.monotonic(), 0
        self._timer.start(round(1000 / fps))
        self._take()

    def _take(self) -> None:
        """Offer a picture for each video frame that is due, so that the video keeps the time of the wall."""
        recorder = self.recorder
        if recorder is None:
            return
        if recorder.error is not None:
            self.stop()
            return
        due = int((time.monotonic() - self._begun) * self._fps) + 1 - self._offered
        if due < 1:
            return
        image = self.picture(self._what, self._size)
        for _ in range(min(due, MAX_REPEATS)):
            recorder.offer(image)
        self._offered += due
        dropped = f", {recorder.dropped} dropped" if recorder.dropped else ""
        self.changed.emit(f"● REC {recorder.seconds:.0f} s{dropped}")

    def stop(self) -> None:
        """End the video, wait for the encoder and say where the file is."""
        recorder, self.recorder = self.recorder, None
        self._timer.stop()
        if recorder is None:
            return
        recorder.stop()
        self.changed.emit("")
        self.ended.emit("" if recorder.error is None else str(recorder.error), str(self._path))

    def screenshot(self, what: What, path: Path) -> None:
        """Write one PNG; raises RecordingError."""
        save_png(self.picture(what, self.size_of(what)), path)

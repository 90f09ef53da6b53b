"""PNG pictures of given pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QBuffer, QIODevice
from PyQt6.QtGui import QImage

from observatory.recording.sidecar import RecordingError, write_atomically


def png_bytes(image: NDArray[np.uint8]) -> bytes:
    """A PNG of uint8 (height, width, 3), top row first."""
    pixels = np.ascontiguousarray(image)
    height, width, _ = pixels.shape
    picture = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not picture.save(buffer, "PNG"):
        raise RecordingError(f"a picture of {width} x {height} pixels cannot be written as PNG")
    return buffer.data().data()


def save_png(image: NDArray[np.uint8], path: Path) -> None:
    """Write a PNG whole or not at all; raises RecordingError with a readable message."""
    write_atomically(path, png_bytes(image))

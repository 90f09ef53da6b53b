"""A small picture, grey or in colour, drawn large, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from observatory import palette


def to_qimage(image: NDArray[np.float32]) -> QImage:
    """A QImage of a float picture (h, w) or (h, w, 3) in 0..1, with memory of its own."""
    pixels = np.ascontiguousarray(np.clip(image, 0, 1) * 255, dtype=np.uint8)
    height, width, *channels = pixels.shape
    form = QImage.Format.Format_RGB888 if channels else QImage.Format.Format_Grayscale8
    return QImage(pixels.tobytes(), width, height, pixels.strides[0], form).copy()


class Picture(QWidget):
    """Shows a float picture (h, w) or (h, w, 3) in 0..1 with nearest, square pixels."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._image = to_qimage(np.zeros((8, 8), np.float32))
        self.setMinimumSize(64, 64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(120, 120)

    def set_image(self, image: NDArray[np.float32]) -> None:
        """Show another picture."""
        self._image = to_qimage(image)
        self.update()

    def place(self) -> QRectF:
        """Where the picture lies, in widget coordinates."""
        columns, rows = self._image.width(), self._image.height()
        cell = min((self.width() - 4) / columns, (self.height() - 4) / rows)
        width, height = cell * columns, cell * rows
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.drawImage(self.place(), self._image)
        self.paint_over(painter)
        painter.setPen(QColor(palette.ACCENT if self.hasFocus() else palette.LINE))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.place())
        painter.end()

    def paint_over(self, painter: QPainter) -> None:
        """Whatever lies above the picture; nothing here."""

"""A small grey picture drawn large, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from observatory import palette


def grey_image(image: NDArray[np.float32]) -> QImage:
    """An 8-bit QImage of a float picture (h, w) in 0..1, with memory of its own."""
    grey = np.ascontiguousarray(np.clip(image, 0, 1) * 255, dtype=np.uint8)
    height, width = grey.shape
    return QImage(grey.tobytes(), width, height, width, QImage.Format.Format_Grayscale8).copy()


class Picture(QWidget):
    """Shows a float picture (h, w) in 0..1 with nearest pixels, always square."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._image = grey_image(np.zeros((8, 8), np.float32))
        self.setMinimumSize(64, 64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(120, 120)

    def set_image(self, image: NDArray[np.float32]) -> None:
        """Show another picture."""
        self._image = grey_image(image)
        self.update()

    def square(self) -> QRectF:
        """Where the picture lies, in widget coordinates."""
        side = min(self.width(), self.height()) - 4.0
        return QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.drawImage(self.square(), self._image)
        self.paint_over(painter)
        painter.setPen(QColor(palette.ACCENT if self.hasFocus() else palette.LINE))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.square())
        painter.end()

    def paint_over(self, painter: QPainter) -> None:
        """Whatever lies above the picture; nothing here."""

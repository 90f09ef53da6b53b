"""A pad to draw a picture on: cells finer than its pixels, averaged in blocks as scikit-learn's digits were made."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PyQt6.QtWidgets import QWidget

from observatory import palette
from observatory.panels.picture import Picture

LARGEST_BLOCK = 4
CELLS_WANTED = 64
"""A block of cells makes a pixel: as large as this leaves room for, 4x4 for 8x8 pixels, 2x2 for 28x28 and 32x32."""
SIDE = 32
"""The brush is measured in this many parts of the pad's longer side."""
GRID_STEP = 10
"""Grid lines are at least this many screen pixels apart."""

_MOVES = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


def shrink(cells: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Block means: float32 (rows * block, columns * block) to (rows, columns)."""
    rows, columns = cells.shape[0] // block, cells.shape[1] // block
    return np.asarray(cells.reshape(rows, block, columns, block).mean(axis=(1, 3)), np.float32)


class Pad(Picture):
    """Left button draws, right button erases; `drawn` carries the picture, of `shape`, after each change.

    With the focus on it, arrows move a pen, Shift+arrows draw and Ctrl+arrows erase.
    """

    drawn = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.brush = 1.6
        """Radius in parts of the longer side, of which there are SIDE."""
        self._last: tuple[float, float] | None = None
        self.set_shape((8, 8))
        self.setMinimumSize(112, 112)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("drawing pad")
        self.setToolTip(
            "Draw a picture: left button draws, right button erases.\nKeys: arrows move, Shift draws, Ctrl erases."
        )

    def set_shape(self, shape: tuple[int, ...]) -> None:
        """From now on pictures of this shape are drawn, (h, w) or, in grey all the same, (h, w, 3); wipes the pad."""
        rows, columns = shape[:2]
        self.shape = shape
        self.block = max(1, min(LARGEST_BLOCK, CELLS_WANTED // max(rows, columns)))
        self.cells = np.zeros((rows * self.block, columns * self.block), np.float32)
        self._pen = (self.cells.shape[0] // 2, self.cells.shape[1] // 2)
        self._rows, self._columns = np.mgrid[0 : self.cells.shape[0], 0 : self.cells.shape[1]] + 0.5
        self.set_image(self.cells)

    @property
    def _radius(self) -> float:
        """Of the brush, in cells."""
        return self.brush * max(self.cells.shape) / SIDE

    def clear(self) -> None:
        """Wipe the pad."""
        self.cells[:] = 0
        self._publish()

    def stroke(self, start: tuple[float, float], end: tuple[float, float], ink: float) -> None:
        """Set every cell within the brush of a line between two (row, column) points to `ink`."""
        along = np.subtract(end, start)
        length = float(along @ along)
        rows, columns = self._rows - start[0], self._columns - start[1]
        t = np.clip((rows * along[0] + columns * along[1]) / length, 0, 1) if length else np.zeros_like(rows)
        near = np.hypot(rows - t * along[0], columns - t * along[1]) <= self._radius
        self.cells[near] = ink
        self._publish()

    def _publish(self) -> None:
        self.set_image(self.cells)
        grey = shrink(self.cells, self.block)
        self.drawn.emit(grey if len(self.shape) == 2 else np.repeat(grey[:, :, None], 3, axis=2))

    def _cell(self, event: QMouseEvent) -> tuple[float, float]:
        place = self.place()
        x = (event.position().x() - place.left()) / place.width() * self.cells.shape[1]
        y = (event.position().y() - place.top()) / place.height() * self.cells.shape[0]
        return y, x

    def _draw_to(self, event: QMouseEvent | None) -> None:
        if event is None or not event.buttons() & (Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton):
            return
        here = self._cell(event)
        self.stroke(self._last or here, here, 0.0 if event.buttons() & Qt.MouseButton.RightButton else 1.0)
        self._last = here

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        """Begin a stroke."""
        self._last = None
        self._draw_to(a0)

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Go on with the stroke."""
        self._draw_to(a0)

    def mouseReleaseEvent(self, a0: QMouseEvent | None) -> None:
        """End the stroke."""
        self._last = None

    def event(self, a0):  # type: ignore[no-untyped-def]
        """Keeps the arrow keys from the window's shortcuts."""
        if isinstance(a0, QKeyEvent) and a0.type() == a0.Type.ShortcutOverride and a0.key() in _MOVES:
            a0.accept()
            return True
        return super().event(a0)

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:
        """Move the pen, drawing or erasing."""
        if a0 is None or Qt.Key(a0.key()) not in _MOVES:
            super().keyPressEvent(a0)
            return
        move = _MOVES[Qt.Key(a0.key())]
        before = self._pen
        rows, columns = self.cells.shape
        self._pen = min(rows - 1, max(0, before[0] + move[0])), min(columns - 1, max(0, before[1] + move[1]))
        if a0.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.stroke((before[0] + 0.5, before[1] + 0.5), (self._pen[0] + 0.5, self._pen[1] + 0.5), 1.0)
        elif a0.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.stroke((before[0] + 0.5, before[1] + 0.5), (self._pen[0] + 0.5, self._pen[1] + 0.5), 0.0)
        self.update()

    def paint_over(self, painter: QPainter) -> None:
        """Grid, invitation and pen."""
        place = self.place()
        rows, columns = self.shape[:2]
        pixel = place.width() / columns
        step = max(1, math.ceil(GRID_STEP / max(pixel, 1e-9)))
        painter.setPen(QPen(QColor(110, 130, 150, 60), 1))
        for column in range(step, columns, step):
            x = place.left() + column * pixel
            painter.drawLine(QPointF(x, place.top()), QPointF(x, place.bottom()))
        for row in range(step, rows, step):
            y = place.top() + row * pixel
            painter.drawLine(QPointF(place.left(), y), QPointF(place.right(), y))
        if not self.cells.any():
            painter.setPen(QColor(palette.MUTED))
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, "draw here")
        if self.hasFocus():
            cell = pixel / self.block
            painter.setPen(QPen(QColor(palette.ACCENT), 1.5))
            middle = QPointF(place.left() + (self._pen[1] + 0.5) * cell, place.top() + (self._pen[0] + 0.5) * cell)
            painter.drawEllipse(middle, self._radius * cell, self._radius * cell)

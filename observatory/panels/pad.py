"""A pad to draw a digit on: 32x32 cells, averaged in 4x4 blocks as scikit-learn's digits were made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PyQt6.QtWidgets import QWidget

from observatory import palette
from observatory.panels.picture import Picture

CELLS = 32
BLOCK = 4

_MOVES = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


def shrink(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Block means: float32 (32, 32) in 0..1 to float32 (8, 8) in 0..1."""
    side = cells.shape[0] // BLOCK
    return np.asarray(cells.reshape(side, BLOCK, side, BLOCK).mean(axis=(1, 3)), np.float32)


class Pad(Picture):
    """Left button draws, right button erases; `drawn` carries the 8x8 picture after each change.

    With the focus on it, arrows move a pen, Shift+arrows draw and Ctrl+arrows erase.
    """

    drawn = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.cells = np.zeros((CELLS, CELLS), np.float32)
        self.brush = 1.6
        self._last: tuple[float, float] | None = None
        self._pen = (CELLS // 2, CELLS // 2)
        self._rows, self._columns = np.mgrid[0:CELLS, 0:CELLS] + 0.5
        self.setMinimumSize(112, 112)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("drawing pad")
        self.setToolTip(
            "Draw a digit: left button draws, right button erases.\nKeys: arrows move, Shift draws, Ctrl erases."
        )
        self.set_image(self.cells)

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
        near = np.hypot(rows - t * along[0], columns - t * along[1]) <= self.brush
        self.cells[near] = ink
        self._publish()

    def _publish(self) -> None:
        self.set_image(self.cells)
        self.drawn.emit(shrink(self.cells))

    def _cell(self, event: QMouseEvent) -> tuple[float, float]:
        square = self.square()
        x = (event.position().x() - square.left()) / square.width() * CELLS
        y = (event.position().y() - square.top()) / square.height() * CELLS
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
        self._pen = (
            min(CELLS - 1, max(0, before[0] + move[0])),
            min(CELLS - 1, max(0, before[1] + move[1])),
        )
        if a0.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.stroke((before[0] + 0.5, before[1] + 0.5), (self._pen[0] + 0.5, self._pen[1] + 0.5), 1.0)
        elif a0.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.stroke((before[0] + 0.5, before[1] + 0.5), (self._pen[0] + 0.5, self._pen[1] + 0.5), 0.0)
        self.update()

    def paint_over(self, painter: QPainter) -> None:
        """Grid, invitation and pen."""
        square = self.square()
        painter.setPen(QPen(QColor(110, 130, 150, 60), 1))
        for i in range(1, CELLS // BLOCK):
            at = i * BLOCK / CELLS * square.width()
            painter.drawLine(QPointF(square.left() + at, square.top()), QPointF(square.left() + at, square.bottom()))
            painter.drawLine(QPointF(square.left(), square.top() + at), QPointF(square.right(), square.top() + at))
        if not self.cells.any():
            painter.setPen(QColor(palette.MUTED))
            painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "draw here")
        if self.hasFocus():
            cell = square.width() / CELLS
            painter.setPen(QPen(QColor(palette.ACCENT), 1.5))
            middle = QPointF(square.left() + (self._pen[1] + 0.5) * cell, square.top() + (self._pen[0] + 0.5) * cell)
            painter.drawEllipse(middle, self.brush * cell, self.brush * cell)

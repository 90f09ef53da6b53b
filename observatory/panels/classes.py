"""Class probabilities as bars; the class that is nudged towards is marked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from observatory import palette


class Bars(QWidget):
    """One bar a class. Not finite probabilities are shown as empty bars."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._values: NDArray[np.float32] = np.zeros(0, np.float32)
        self._label: int | None = None
        self.setMinimumSize(150, 70)
        self.setAccessibleName("class probabilities")

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(220, 110)

    def show_values(self, values: NDArray[np.float32], label: int | None) -> None:
        """Show other probabilities, float32 (classes,)."""
        if label == self._label and np.array_equal(values, self._values):
            return
        self._values, self._label = values, label
        best = int(np.argmax(values)) if len(values) and np.isfinite(values).all() else None
        self.setToolTip("" if best is None else f"most likely: {best} ({values[best]:.1%})")
        self.update()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Paint it."""
        count = len(self._values)
        if not count:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = painter.fontMetrics().height()
        width = self.width() / count
        room = self.height() - 2 * line - 4
        best = int(np.nanargmax(self._values)) if np.isfinite(self._values).any() else -1
        for i, value in enumerate(self._values):
            value = float(value) if np.isfinite(value) else 0.0
            left, marked = i * width, i == self._label
            bar = QRectF(left + 2, line + 2 + (1 - value) * room, width - 4, value * room)
            slot = QRectF(left + 2, line + 2, width - 4, room)
            painter.fillRect(slot, QColor(palette.BASE))
            painter.fillRect(bar, QColor(palette.ACCENT if marked else palette.EDGE))
            below = QRectF(left, self.height() - line, width, line)
            if marked:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(palette.ACCENT))
                painter.drawRoundedRect(below.adjusted(2, 0, -2, 0), 3, 3)
            painter.setPen(QColor(palette.ON_ACCENT if marked else palette.TEXT))
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, str(i))
            if i == best:
                painter.setPen(QColor(palette.TEXT))
                above = QRectF(left - 12, bar.top() - line - 1, width + 24, line)
                painter.drawText(above, Qt.AlignmentFlag.AlignCenter, f"{value:.0%}")
        painter.end()


class ClassesPanel(QWidget):
    """Bars, with a note while the weights are untrained."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.bars = Bars()
        self.note = QLabel("untrained weights: the answer is a guess")
        self.note.setStyleSheet(f"color: {palette.MUTED};")
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(3)
        column.addWidget(self.bars, 1)
        column.addWidget(self.note)

    def set_trained(self, trained: bool) -> None:
        """Whether the preset brought weights."""
        self.note.setVisible(not trained)

    def redraw(self, frame: Frame) -> None:
        """Show this frame's probabilities."""
        self.bars.show_values(frame.metrics.probabilities, frame.label)

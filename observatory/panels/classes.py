"""Class probabilities as bars, the race of the classes beside them, and the settling clock."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.oracle.readout import Decision
from observatory import palette
from observatory.panels.clock import Clock

UNTRAINED = "untrained weights: the answer is a guess"
RACE_WIDTH = 3.0
ROOM_FOR_RACE = 12.0
"""Narrower slots than this have no room for the race."""
_NOBODY = np.zeros(0, np.float32)
STREAMING = "late output; it learns at every tick"
FROZEN = "late output; it learns nothing now"


class Bars(QWidget):
    """One bar a class, and beside it how far the class is in the race. What is not finite is shown as an empty bar."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._values: NDArray[np.float32] = np.zeros(0, np.float32)
        self._label: int | None = None
        self._names: tuple[str, ...] = ()
        self._race = _NOBODY
        self._winner: int | None = None
        self.setMinimumSize(150, 70)
        self.setAccessibleName("class probabilities")

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(220, 110)

    def show_values(self, values: NDArray[np.float32], label: int | None, names: tuple[str, ...] = ()) -> None:
        """Show other probabilities, float32 (classes,); `names` are the classes', if they have any."""
        if (label, names) == (self._label, self._names) and np.array_equal(values, self._values):
            return
        self._values, self._label, self._names = values, label, names
        best = int(np.argmax(values)) if len(values) and np.isfinite(values).all() else None
        told = [] if best is None else [f"most likely: {names[best] if names else best} ({values[best]:.1%})"]
        self.setToolTip("\n".join(told + [f"{number}  {name}" for number, name in enumerate(names)]))
        self.update()

    def show_race(self, decision: Decision | None) -> None:
        """Show how far the classes are; None where nobody races."""
        race, winner = (_NOBODY, None) if decision is None else (decision.race, decision.choice)
        if winner != self._winner or not np.array_equal(race, self._race):
            self._race, self._winner = race, winner
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
        below_bars = self._below(painter.fontMetrics(), width)
        every = math.ceil(painter.fontMetrics().horizontalAdvance(below_bars[-1]) / width)
        best = int(np.nanargmax(self._values)) if np.isfinite(self._values).any() else -1
        race = np.nan_to_num(self._race).clip(0, 1) if len(self._race) == count and width >= ROOM_FOR_RACE else None
        aside = 0.0 if race is None else RACE_WIDTH + 1
        for i, value in enumerate(self._values):
            value = float(value) if np.isfinite(value) else 0.0
            left, marked = i * width, i == self._label
            bar = QRectF(left + 2, line + 2 + (1 - value) * room, width - 4 - aside, value * room)
            slot = QRectF(left + 2, line + 2, width - 4, room)
            painter.fillRect(slot, QColor(palette.BASE))
            painter.fillRect(bar, QColor(palette.ACCENT if marked else palette.EDGE))
            far = 0.0 if race is None else float(race[i]) * room
            column = QRectF(slot.right() - RACE_WIDTH, slot.bottom() - far, RACE_WIDTH, far)
            painter.fillRect(column, QColor(palette.GREEN if i == self._winner else palette.TEXT))
            below = QRectF(left, self.height() - line, width, line)
            if marked:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(palette.ACCENT))
                painter.drawRoundedRect(below.adjusted(2, 0, -2, 0), 3, 3)
            painter.setPen(QColor(palette.ON_ACCENT if marked else palette.TEXT))
            if marked or i % every == 0:
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, below_bars[i])
            if i == best:
                told = f"{self._names[i]} {value:.0%}" if self._names else f"{value:.0%}"
                wide = max(width + 24, painter.fontMetrics().horizontalAdvance(told) + 4)
                start = min(max(left + width / 2 - wide / 2, 0), self.width() - wide)
                above = QRectF(start, min(bar.top(), column.top()) - line - 1, wide, line)
        if best >= 0:
            painter.setPen(QColor(palette.TEXT))
            painter.drawText(above, Qt.AlignmentFlag.AlignCenter, told)
        painter.end()

    def _below(self, metrics: QFontMetrics, width: float) -> Sequence[str]:
        """Names where all of them have room, else numbers."""
        if self._names and max(map(metrics.horizontalAdvance, self._names)) < width:
            return self._names
        return [str(i) for i in range(len(self._values))]


class ClassesPanel(QWidget):
    """Bars and the settling clock, with a note while the weights are untrained."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.bars = Bars()
        self.clock = Clock()
        self.note = QLabel(UNTRAINED)
        self.note.setStyleSheet(f"color: {palette.MUTED};")
        self.note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(3)
        column.addWidget(self.bars, 1)
        column.addWidget(self.clock)
        column.addWidget(self.note)

    def set_trained(self, trained: bool) -> None:
        """Whether the preset brought weights."""
        self.note.setText(UNTRAINED)
        self.note.setVisible(not trained)

    def redraw(self, frame: Frame) -> None:
        """Show this frame's probabilities."""
        scene, learning = frame.scene, frame.learning
        self.bars.show_race(frame.decision)
        self.clock.follow(frame.decision, frame.data)
        if scene is not None:
            self.bars.show_values(frame.metrics.probabilities, scene.due, scene.answers)
            self.note.setText(FROZEN if frame.knobs["freeze"].value else STREAMING)
            self.note.show()
            return
        self.bars.show_values(frame.metrics.probabilities, frame.label, frame.data.class_names)
        if learning is not None:
            self.note.setText(f"learning: {learning.samples} samples, held-out {learning.test_accuracy:.0%}")
            self.note.show()
        elif self.note.text().startswith("learning"):
            self.note.setText(self.note.text().replace("learning:", "learned from"))

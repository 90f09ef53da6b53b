"""The settling clock: how long the answer took, and whether that was long."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.data.dataset import Summary
from engine.oracle.readout import Decision
from observatory import palette

HELP = (
    "The settling clock. After one tick a layer the picture has reached the top, and the classes start to race: the "
    "logits drive them, they hold each other back, and the first to fill its thin column wins. Close contests take "
    "long. The notch is a yardstick: of the digits that the trained deep-100 reads right, nineteen in twenty are "
    "decided by then. Later means doubt."
)
ROOM = 2.0
"""The scale ends at this many times the ticks that count as slow."""


class Dial(QWidget):
    """Ticks from left to right: grey until the race opens, then the race, with a notch where slow begins."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.decision: Decision | None = None
        self.setFixedHeight(9)

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(220, 9)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Paint it."""
        now = self.decision
        if now is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        ends = now.slow + (ROOM - 1) * (now.slow - now.opens)
        painter.fillRect(track, QColor(palette.BASE))

        def at(ticks: float) -> float:
            return track.left() + min(ticks / ends, 1.0) * track.width()

        reached, opened = at(now.waited if now.ticks is None else now.ticks), at(now.opens)
        painter.fillRect(
            QRectF(track.left(), track.top(), min(reached, opened) - track.left(), 5), QColor(palette.LINE)
        )
        if reached > opened:
            painter.fillRect(QRectF(opened, track.top(), reached - opened, 5), QColor(colour_of(now)))
        painter.setPen(QPen(QColor(palette.TEXT), 1))
        painter.drawLine(QPointF(at(now.slow), 0), QPointF(at(now.slow), self.height()))
        painter.end()


def colour_of(decision: Decision) -> str:
    """Green for a quick decision, red for a slow one, yellow while the race is on."""
    if decision.late:
        return palette.RED
    return palette.ACCENT if decision.ticks is None else palette.GREEN


def words_of(decision: Decision, data: Summary) -> str:
    """One line about where the race stands."""
    if decision.ticks is not None and decision.choice is not None:
        late = "slow, " if decision.late else ""
        return f"{late}decided after {decision.ticks:.0f} ticks: {data.class_name(decision.choice)}"
    if decision.waited < decision.opens:
        return f"on its way up, {decision.waited} of {decision.opens} ticks"
    late = "slow, " if decision.late else ""
    return f"{late}undecided after {decision.waited} ticks"


class Clock(QWidget):
    """A dial and a line of words."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.dial = Dial()
        self.words = QLabel()
        self._colour = ""
        self.setToolTip(HELP)
        self.setAccessibleName("settling clock")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self.dial)
        column.addWidget(self.words)

    def follow(self, decision: Decision | None, data: Summary) -> None:
        """Show where a race stands; without one there is no clock."""
        self.setVisible(decision is not None)
        if decision is None:
            return
        self.dial.decision = decision
        self.dial.update()
        self.words.setText(words_of(decision, data))
        colour = palette.RED if decision.late else palette.MUTED
        if colour != self._colour:
            self._colour = colour
            self.words.setStyleSheet(f"color: {colour};")

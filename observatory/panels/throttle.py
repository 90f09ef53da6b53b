"""How fast the network may tick: a slider from 1 to 1000 ticks per second, whose end means no limit."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.slider import Slider

STEPS = 300
FASTEST = 1000.0


def speed_at(position: int) -> float:
    """Ticks per second at a slider position: 1 to 1000 in equal factors, 0 (no limit) at the very end."""
    if position >= STEPS:
        return 0.0
    speed = FASTEST ** (position / (STEPS - 1))
    return float(round(speed) if speed < 100 else round(speed, -1))


def position_of(speed: float) -> int:
    """Slider position of a speed; 0 and anything above 1000 lie at the end."""
    if speed <= 0 or speed > FASTEST:
        return STEPS
    low, high = 0, STEPS - 1
    return min(range(low, high + 1), key=lambda p: abs(speed_at(p) - speed))


class Throttle(QWidget):
    """Emits `chosen(ticks per second)`, 0 for no limit."""

    chosen = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.speed = 0.0
        self.slider = Slider(STEPS, palette.EDGE)
        self.slider.setFixedWidth(150)
        self.slider.setAccessibleName("ticks per second")
        self.slider.setToolTip("Ticks per second, at most; the right end means no limit")
        self.slider.valueChanged.connect(self._slid)
        self.text = QLabel()
        self.text.setMinimumWidth(self.text.fontMetrics().horizontalAdvance("1000 ticks/s"))
        name = QLabel("speed")
        name.setStyleSheet(f"color: {palette.MUTED};")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        line = QHBoxLayout(self)
        line.setContentsMargins(6, 0, 6, 0)
        line.addWidget(name)
        line.addWidget(self.slider, 0, Qt.AlignmentFlag.AlignVCenter)
        line.addWidget(self.text)
        keep_keys(self)

    def show_speed(self, speed: float) -> None:
        """Show a speed without asking for it."""
        self.speed = speed
        with QSignalBlocker(self.slider):
            self.slider.setValue(position_of(speed))
        self.text.setText(f"{speed:g} ticks/s" if speed > 0 else "no limit")

    def _slid(self, position: int) -> None:
        self.speed = speed_at(position)
        self.text.setText(f"{self.speed:g} ticks/s" if self.speed > 0 else "no limit")
        self.chosen.emit(self.speed)

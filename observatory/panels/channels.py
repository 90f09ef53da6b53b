"""What the three colours show: on or off, automatic or by hand, how bright, linear or logarithmic."""

from __future__ import annotations

import math

from PyQt6.QtCore import QSignalBlocker
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QLabel, QPushButton, QWidget

from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.slider import Slider
from observatory.view import ChannelSettings, ViewSettings

LOW, HIGH = 0.01, 100.0
STEPS = 400

_CHANNELS = (
    ("red", "activation", palette.RED),
    ("green", "velocity", palette.GREEN),
    ("blue", "nudge", palette.BLUE),
)
_TIPS = {
    "state": "red: size of the state",
    "activation": "red: size of the activation",
    "velocity": "green: change since the last tick",
    "change": "green: change since the last tick",
    "nudge": "blue: displacement by the nudge",
    "error": "blue: how far the prediction was off",
    "gap": "blue: how far the target lies from the output",
}


def gain_at(position: int) -> float:
    """Gain at a slider position, 0.01 to 100 in equal factors; 1 in the middle."""
    return float(f"{LOW * (HIGH / LOW) ** (position / STEPS):.3g}")


def position_of(gain: float) -> int:
    """Slider position of a gain."""
    return round(STEPS * math.log(min(HIGH, max(LOW, gain)) / LOW) / math.log(HIGH / LOW))


class _Row:
    """The widgets of one channel, kept in step with its settings both ways."""

    def __init__(self, grid: QGridLayout, line: int, settings: ChannelSettings, what: str, colour: str):
        self.settings = settings
        self.on = QCheckBox()
        self.on.setStyleSheet(f"QCheckBox {{ color: {colour}; font-weight: 600; }}")
        self.on.clicked.connect(lambda on: setattr(settings, "on", on))
        self.auto = self._toggle("auto", "Let the brightness follow the picture")
        self.auto.clicked.connect(lambda on: setattr(settings, "auto", on))
        self.log = self._toggle("log", "Logarithmic: spread four decades over the brightness")
        self.log.clicked.connect(lambda on: setattr(settings, "log", on))
        self.gain = Slider(STEPS, colour)
        self.gain.valueChanged.connect(lambda position: setattr(settings, "gain", gain_at(position)))
        self.gain.double_clicked.connect(lambda: setattr(settings, "gain", 1.0))
        self.value = QLabel()
        self.value.setMinimumWidth(self.value.fontMetrics().horizontalAdvance("00.00"))
        self.value.setStyleSheet(f"color: {palette.MUTED};")
        for column, widget in enumerate((self.on, self.gain, self.value, self.auto, self.log)):
            grid.addWidget(widget, line, column)
        settings.events.connect(self.follow)
        self.call(what)
        self.follow()

    def call(self, what: str) -> None:
        self.on.setText(what)
        self.on.setToolTip(f"Show {_TIPS[what]}")
        self.auto.setAccessibleName(f"{what} automatic")
        self.log.setAccessibleName(f"{what} logarithmic")
        self.gain.setAccessibleName(f"{what} gain")
        self.gain.setToolTip(f"Brightness of {what}; double click for 1")

    @staticmethod
    def _toggle(text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setStyleSheet("padding: 2px 6px;")
        return button

    def follow(self) -> None:
        self.on.setChecked(self.settings.on)
        self.auto.setChecked(self.settings.auto)
        self.log.setChecked(self.settings.log)
        with QSignalBlocker(self.gain):
            self.gain.setValue(position_of(self.settings.gain))
        self.value.setText(f"{self.settings.gain:.3g}")


class ChannelsPanel(QWidget):
    """Edits ViewSettings in place and follows changes made elsewhere."""

    def __init__(self, settings: ViewSettings, parent: QWidget | None = None):
        super().__init__(parent)
        self.settings = settings
        grid = QGridLayout(self)
        grid.setContentsMargins(10, 8, 10, 8)
        grid.setSpacing(5)
        self.rows = {
            name: _Row(grid, i, getattr(settings, name), what, colour)
            for i, (name, what, colour) in enumerate(_CHANNELS)
        }
        self.highlight = QCheckBox("white where saturated or oscillating")
        self.highlight.setToolTip("Bright white where a neuron is stuck near 1 or flips its sign tick after tick")
        self.highlight.clicked.connect(self._set_highlight)
        grid.addWidget(self.highlight, len(_CHANNELS), 0, 1, 5)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(len(_CHANNELS) + 1, 1)
        settings.events.connect(self._follow)
        self._follow()
        keep_keys(self)

    def call(self, names: tuple[str, str, str]) -> None:
        """What red, green and blue are called from now on."""
        for row, what in zip(self.rows.values(), names, strict=True):
            row.call(what)

    def close_links(self) -> None:
        """Stop following the settings, which outlive this widget."""
        self.settings.events.disconnect(self._follow)
        for row in self.rows.values():
            row.settings.events.disconnect(row.follow)

    def _set_highlight(self, on: bool) -> None:
        self.settings.highlight = on

    def _follow(self) -> None:
        self.highlight.setChecked(self.settings.highlight)

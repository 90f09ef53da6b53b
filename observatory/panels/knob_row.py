"""One knob: a name, a slider or a switch, a field to type into and a way back to the preset's value."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget
from superqt import QToggleSwitch

from engine.knobs import Knob, KnobError
from observatory import palette
from observatory.panels import scale
from observatory.panels.icons import icon
from observatory.panels.slider import Slider

COMPACT = 22
"""Height of a row's parts in pixels: all knobs of a chain are to be seen at once at 1440 x 900."""
PATIENCE = 30
"""Frames after which a value that has not come is waited for no longer: homeostasis may have moved it on."""
_SYMBOLS = {"sigma": "\u03c3", "beta": "\u03b2"}


class ValueEdit(QLineEdit):
    """A field whose Escape key brings the old text back."""

    cancelled = pyqtSignal()

    def keyPressEvent(self, a0: QKeyEvent | None) -> None:
        """Escape brings the old text back."""
        if a0 is not None and a0.key() == Qt.Key.Key_Escape:
            self.cancelled.emit()
        else:
            super().keyPressEvent(a0)


class KnobRow(QWidget):
    """Shows one knob and emits `moved(name, value)` only when a person moves it."""

    moved = pyqtSignal(str, float)
    refused = pyqtSignal(str)

    def __init__(self, name: str, knob: Knob, preset_value: float, large: bool = False, parent: QWidget | None = None):
        super().__init__(parent)
        self.name = name
        self.knob = knob
        self.preset_value = preset_value
        self._waiting: float | None = None
        self._waited = 0
        self.label = QLabel(f"{_SYMBOLS.get(name, '')} {name.replace('_', ' ')}".strip())
        self.slider: Slider | None = None
        self.switch: QToggleSwitch | None = None
        self.box: QComboBox | None = None
        self.edit: ValueEdit | None = None
        self.back = QToolButton()
        self.back.setIcon(icon("undo", palette.MUTED))
        self.back.setIconSize(QSize(13, 13))
        self.back.setFixedHeight(COMPACT)
        self.back.clicked.connect(self.restore)
        if knob.scale == "switch":
            self._build_switch()
        elif knob.scale == "choice":
            self._build_choice()
        else:
            self._build_slider(large)
        self._describe()
        self._display(knob.value)

    def _build_switch(self) -> None:
        self.switch = QToggleSwitch()
        self.switch.onColor = palette.ACCENT
        self.switch.offColor = palette.LINE
        self.switch.handleColor = palette.TEXT
        self.switch.setAccessibleName(self.name)
        self.switch.clicked.connect(lambda on: self._move(float(on)))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.switch)
        line.addWidget(self.label, 1)
        line.addWidget(self.back)

    def _build_choice(self) -> None:
        self.box = QComboBox()
        self.box.addItems(self.knob.choices)
        self.box.setAccessibleName(self.name)
        self.box.setFixedHeight(COMPACT)
        self.box.activated.connect(lambda index: self._move(float(index)))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        self.label.setFixedWidth(82)
        line.addWidget(self.label)
        line.addWidget(self.box, 1)
        line.addWidget(self.back)

    def _build_slider(self, large: bool) -> None:
        self.slider = Slider(scale.steps(self.knob), large=large)
        self.slider.setAccessibleName(self.name)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(lambda: self._display(self.shown))
        self.slider.double_clicked.connect(self.restore)
        self.edit = ValueEdit()
        self.edit.setAccessibleName(f"{self.name} value")
        self.edit.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.edit.setFixedWidth(82 if large else 58)
        self.edit.editingFinished.connect(self._typed)
        self.edit.cancelled.connect(lambda: self._display(self.shown))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        if large:
            font = self.label.font()
            font.setPointSizeF(font.pointSizeF() * 1.5)
            font.setBold(True)
            self.label.setFont(font)
            self.edit.setFont(font)
            grid.addWidget(self.label, 0, 0)
            grid.addWidget(self.edit, 0, 1, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(self.back, 0, 2)
            grid.addWidget(self.slider, 1, 0, 1, 3)
            if self.knob.edge is not None:
                words = f"{self.knob.edge:.1f}  edge of contraction"
                self.slider.set_mark(scale.to_fraction(self.knob, self.knob.edge), words)
        else:
            self.edit.setFixedHeight(COMPACT)
            self.label.setFixedWidth(82)
            grid.addWidget(self.label, 0, 0)
            grid.addWidget(self.slider, 0, 1)
            grid.addWidget(self.edit, 0, 2)
            grid.addWidget(self.back, 0, 3)

    def _describe(self) -> None:
        knob, unit = self.knob, f" {self.knob.unit}" if self.knob.unit else ""
        limits = "" if knob.scale in ("switch", "choice") else f"<br>{knob.low:g} to {knob.high:g}{unit}"
        preset = "on" if knob.scale == "switch" and self.preset_value else scale.to_text(knob, self.preset_value)
        tip = f"<b>{self.name}</b><br>{knob.doc}{limits}<br><i>preset: {preset}{unit}</i>"
        for widget in (self.label, self.slider, self.switch, self.box, self.edit):
            if widget is not None:
                widget.setToolTip(tip)
        self.back.setToolTip(f"Back to the preset's value, {preset}{unit}")
        self.back.setAccessibleName(f"{self.name} back to preset")

    @property
    def shown(self) -> float:
        """The value asked for, or the engine's where nothing is on its way."""
        return self.knob.value if self._waiting is None else self._waiting

    def follow(self, knob: Knob) -> None:
        """Take the engine's value, unless a newer one of ours is still on its way or a hand is on the slider."""
        if self._waiting is not None:
            self._waited += 1
            if knob.value != self._waiting and self._waited < PATIENCE:
                return
            self._waiting = None
        changed = knob.value != self.knob.value
        self.knob = knob
        if changed and not (self.slider is not None and self.slider.isSliderDown()):
            self._display(knob.value)

    def forget(self) -> None:
        """Stop waiting for a value that the engine refused."""
        self._waiting = None
        self._display(self.knob.value)

    def restore(self) -> None:
        """Back to the preset's value."""
        self._display(self.preset_value)
        self._move(self.preset_value)

    def _move(self, value: float) -> None:
        self._waiting = None if value == self.knob.value else value
        self._waited = 0
        self.back.setEnabled(value != self.preset_value)
        self.moved.emit(self.name, value)

    def _slid(self, position: int) -> None:
        assert self.slider is not None
        value = scale.from_fraction(self.knob, position / max(1, self.slider.maximum()))
        if self.edit is not None:
            self._mark_wrong(False)
            self.edit.setText(scale.to_text(self.knob, value))
        self._move(value)

    def _typed(self) -> None:
        assert self.edit is not None
        text = self.edit.text().strip().replace(",", ".")
        if text == scale.to_text(self.knob, self.shown):
            return
        try:
            value = self.knob.set_to(self.name, float(text)).value
        except KnobError as error:
            self._mark_wrong(True)
            self.refused.emit(str(error))
            return
        except ValueError:
            self._mark_wrong(True)
            self.refused.emit(f"{self.name}: '{text}' is not a number")
            return
        self._display(value)
        self._move(value)

    def _mark_wrong(self, wrong: bool) -> None:
        assert self.edit is not None
        if bool(self.edit.property("wrong")) != wrong:
            self.edit.setProperty("wrong", wrong)
            self.edit.style().unpolish(self.edit)  # type: ignore[union-attr]
            self.edit.style().polish(self.edit)  # type: ignore[union-attr]

    def _display(self, value: float) -> None:
        self.back.setEnabled(value != self.preset_value)
        if self.switch is not None:
            with QSignalBlocker(self.switch):
                self.switch.setChecked(bool(value))
        if self.box is not None:
            with QSignalBlocker(self.box):
                self.box.setCurrentIndex(int(value))
        if self.slider is not None and self.edit is not None:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round(scale.to_fraction(self.knob, value) * self.slider.maximum()))
            self._mark_wrong(False)
            if not self.edit.hasFocus() or self.edit.text() != scale.to_text(self.knob, value):
                self.edit.setText(scale.to_text(self.knob, value))

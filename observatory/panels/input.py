"""What the network looks at: a sample of the data set or a drawn digit, and the class it is nudged towards."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QSignalBlocker, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QToolButton, QVBoxLayout, QWidget

from engine.frame import Frame
from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.icons import icon
from observatory.panels.pad import Pad
from observatory.panels.picture import Picture
from observatory.panels.slider import Slider

SAMPLES = 1797
CLASSES = 10
SIDE_WIDTH = 84


class InputPanel(QWidget):
    """Emits what a person asks for: `sample_chosen(index)`, `drawn(image, label or None)`, `target_chosen(label)`."""

    sample_chosen = pyqtSignal(int)
    drawn = pyqtSignal(object, object)
    target_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.picture = Picture()
        self.picture.setAccessibleName("the clamped picture")
        self.picture.setToolTip("What the network sees: 8 x 8 pixels")
        self.pad = Pad()
        self.pad.drawn.connect(self._drawn)
        self.caption = QLabel("sample")
        font = self.caption.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        font.setBold(True)
        self.caption.setFont(font)
        self._sample = 0
        self._sent: int | None = None
        self._image: NDArray[np.float32] | None = None
        self._chosen_label: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addLayout(self._sample_part(), 1)
        column.addLayout(self._pad_part(), 1)
        column.addLayout(self._target_line())
        keep_keys(self)

    def _sample_part(self) -> QHBoxLayout:
        self.spin = QSpinBox()
        self.spin.setRange(0, SAMPLES - 1)
        self.spin.setWrapping(True)
        self.spin.setKeyboardTracking(False)
        self.spin.setPrefix("no. ")
        self.spin.setAccessibleName("sample number")
        self.spin.setToolTip("Number of the digit in the data set")
        self.spin.valueChanged.connect(self.choose)
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        buttons.addWidget(_button("previous", "Previous sample (Left)", self.previous), 1)
        buttons.addWidget(_button("random", "A sample picked at random (D)", self.random), 1)
        buttons.addWidget(_button("next", "Next sample (Right)", self.next), 1)
        side = QVBoxLayout()
        side.setSpacing(6)
        side.addWidget(_quiet("it is shown"))
        side.addWidget(self.caption)
        side.addStretch(1)
        side.addWidget(self.spin)
        side.addLayout(buttons)
        return _beside(self.picture, side)

    def _pad_part(self) -> QHBoxLayout:
        self.brush = Slider(20)
        self.brush.setValue(6)
        self.brush.setToolTip("Brush width")
        self.brush.setAccessibleName("brush width")
        self.brush.valueChanged.connect(self._set_brush)
        clear = QPushButton(icon("clear"), "Clear")
        clear.setToolTip("Clear the pad (C)")
        clear.clicked.connect(self.pad.clear)
        side = QVBoxLayout()
        side.setSpacing(6)
        side.addWidget(_quiet("draw"))
        side.addStretch(1)
        side.addWidget(_quiet("brush"))
        side.addWidget(self.brush)
        side.addWidget(clear)
        return _beside(self.pad, side)

    def _target_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(1)
        line.addWidget(_quiet("nudge to"))
        line.addSpacing(4)
        self.targets: list[QPushButton] = []
        for digit in range(CLASSES):
            button = QPushButton(str(digit))
            button.setCheckable(True)
            button.setMinimumWidth(16)
            button.setStyleSheet("padding: 3px 0;")
            button.setToolTip(f"Nudge towards {digit}")
            button.setAccessibleName(f"nudge towards {digit}")
            button.clicked.connect(lambda _checked, d=digit: self._target(d))
            self.targets.append(button)
            line.addWidget(button, 1)
        return line

    def follow(self, frame: Frame) -> None:
        """Show what is clamped and which class is nudged towards."""
        if frame.image is not self._image:
            self._image = frame.image
            self.picture.set_image(frame.image)
        for digit, button in enumerate(self.targets):
            button.setChecked(digit == frame.label)
        if frame.sample is None:
            self.caption.setText("drawn")
            return
        self.caption.setText("sample" if frame.label is None else f"digit {frame.label}")
        if self._sent is not None and frame.sample != self._sent:
            return
        self._sent = None
        self._sample = frame.sample
        if not self.spin.hasFocus():
            with QSignalBlocker(self.spin):
                self.spin.setValue(frame.sample)

    def choose(self, index: int) -> None:
        """Ask for a sample, counted modulo the size of the data set."""
        self._sample = self._sent = index % SAMPLES
        self._chosen_label = None
        with QSignalBlocker(self.spin):
            self.spin.setValue(self._sample)
        self.sample_chosen.emit(self._sample)

    def previous(self) -> None:
        """The sample before."""
        self.choose(self._sample - 1)

    def next(self) -> None:
        """The sample after."""
        self.choose(self._sample + 1)

    def random(self) -> None:
        """Any sample."""
        self.choose(random.randrange(SAMPLES))

    def _set_brush(self, position: int) -> None:
        self.pad.brush = 1.0 + position / 10

    def _drawn(self, image: NDArray[np.float32]) -> None:
        self._sent = None
        self.drawn.emit(image, self._chosen_label)

    def _target(self, digit: int) -> None:
        self._chosen_label = digit
        self.target_chosen.emit(digit)


def _button(name: str, tip: str, call: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.clicked.connect(lambda _checked: call())
    return button


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setStyleSheet(f"color: {palette.MUTED};")
    return label


def _beside(picture: Picture, side: QVBoxLayout) -> QHBoxLayout:
    column = QWidget()
    column.setLayout(side)
    column.setFixedWidth(SIDE_WIDTH)
    side.setContentsMargins(0, 2, 0, 2)
    line = QHBoxLayout()
    line.setSpacing(10)
    line.addWidget(picture, 1)
    line.addWidget(column)
    return line

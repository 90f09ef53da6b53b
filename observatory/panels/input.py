"""What the network looks at: a sample of the data set or a drawn one, and the class it is nudged towards."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QSignalBlocker, pyqtSignal
from PyQt6.QtGui import QFontMetrics
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QToolButton, QVBoxLayout, QWidget

from engine.data.dataset import Summary
from engine.frame import Frame
from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.icons import icon
from observatory.panels.pad import Pad
from observatory.panels.picture import Picture
from observatory.panels.slider import Slider
from observatory.panels.target import TargetLine

SIDE_WIDTH = 84
LARGE = 1.5
"""The caption's size, in the usual one; long class names are smaller."""
SHOWN, DREAMT, TOLD = "it is shown", "it dreams of", "told last"
_DIGITS = ("digits", "mnist")


class InputPanel(QWidget):
    """Emits what a person asks for: `sample_chosen(index)`, `drawn(image, label or None)`, `target_chosen(label)`."""

    sample_chosen = pyqtSignal(int)
    drawn = pyqtSignal(object, object)
    target_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.picture = Picture()
        self.picture.setAccessibleName("the clamped picture")
        self.pad = Pad()
        self.pad.drawn.connect(self._drawn)
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self._data = Summary("", 1, 1)
        self._sample = 0
        self._sent: int | None = None
        self._made = "drawn"
        self._image: NDArray[np.float32] | None = None
        self._chosen_label: int | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        column.addLayout(self._sample_part(), 1)
        column.addLayout(self._pad_part(), 1)
        column.addLayout(self._target_line())
        self._show_shape((8, 8))
        self._caption("sample")
        keep_keys(self)

    def _sample_part(self) -> QHBoxLayout:
        self.spin = QSpinBox()
        self.spin.setWrapping(True)
        self.spin.setKeyboardTracking(False)
        self.spin.setPrefix("no. ")
        self.spin.setAccessibleName("sample number")
        self.spin.setToolTip("Number of the sample in the data set")
        self.spin.valueChanged.connect(self.choose)
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        self.steps = [
            _button("previous", "Previous sample (Left)", self.previous),
            _button("random", "A sample picked at random (D)", self.random),
            _button("next", "Next sample (Right)", self.next),
        ]
        for step in self.steps:
            buttons.addWidget(step, 1)
        side = QVBoxLayout()
        side.setSpacing(6)
        self.heading = _quiet(SHOWN)
        side.addWidget(self.heading)
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
        self.clear = QPushButton(icon("clear"), "Clear")
        self.clear.setToolTip("Clear the pad (C)")
        self.clear.clicked.connect(self.pad.clear)
        side = QVBoxLayout()
        side.setSpacing(6)
        side.addWidget(_quiet("draw"))
        side.addStretch(1)
        side.addWidget(_quiet("brush"))
        side.addWidget(self.brush)
        side.addWidget(self.clear)
        return _beside(self.pad, side)

    def _target_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(1)
        line.addWidget(_quiet("nudge to"))
        line.addSpacing(4)
        self.target = TargetLine()
        self.target.chosen.connect(self._target)
        line.addWidget(self.target, 1)
        return line

    def _show_data(self, data: Summary) -> None:
        """Another data set."""
        self._data = data
        self._chosen_label = self._sent = None
        with QSignalBlocker(self.spin):
            self.spin.setRange(0, data.count - 1)
        self.spin.setToolTip(f"Number of the sample in the data set {data.name}: 0 to {data.count - 1}")
        self.target.offer(data)
        keep_keys(self.target)

    def _show_shape(self, shape: tuple[int, ...]) -> None:
        self.pad.set_shape(shape)
        kind = "pixels" if len(shape) == 2 else "pixels in colour"
        self.picture.setToolTip(f"What the network sees: {shape[1]} x {shape[0]} {kind}")

    def _caption(self, text: str) -> None:
        """As large as the longest word allows."""
        if text == self.caption.text():
            return
        font = self.font()
        font.setBold(True)
        font.setPointSizeF(self.font().pointSizeF() * LARGE)
        widest = max(QFontMetrics(font).horizontalAdvance(word) for word in text.split())
        font.setPointSizeF(font.pointSizeF() * min(1.0, (SIDE_WIDTH - 2) / widest))
        self.caption.setFont(font)
        self.caption.setText(text)

    def _named(self, label: int) -> str:
        if self._data.class_names:
            return self._data.class_name(label)
        return f"{'digit' if self._data.name in _DIGITS else 'class'} {label}"

    def follow(self, frame: Frame) -> None:
        """Show what is clamped and which class is nudged towards."""
        if frame.data != self._data:
            self._show_data(frame.data)
        if frame.image.shape != self.pad.shape:
            self._show_shape(frame.image.shape)
        if frame.image is not self._image:
            self._image = frame.image
            self.picture.set_image(frame.image)
        self.target.mark(frame.label)
        listens = frame.metrics.phase == "listening"
        told = TOLD if listens and frame.label is not None else SHOWN
        self.heading.setText(DREAMT if frame.dreaming else told)
        if frame.dreaming:
            self._caption("what it sees" if frame.label is None else self._named(frame.label))
            self._sent, self._made = None, "dreamt"
            return
        self._let_choose(not listens)
        if listens:
            stream = "stream" if frame.rhythm is None else frame.rhythm.stream
            self._caption(stream if frame.label is None else self._named(frame.label))
            return
        if frame.sample is None:
            self._caption(self._made)
            return
        self._caption("sample" if frame.label is None else self._named(frame.label))
        if self._sent is not None and frame.sample != self._sent:
            return
        self._sent = None
        self._sample = frame.sample
        if not self.spin.hasFocus():
            with QSignalBlocker(self.spin):
                self.spin.setValue(frame.sample)

    def _let_choose(self, on: bool) -> None:
        """Nothing can be chosen or drawn for a network that follows a stream."""
        for part in (self.spin, *self.steps, self.pad, self.brush, self.clear, self.target):
            part.setEnabled(on)

    def choose(self, index: int) -> None:
        """Ask for a sample, counted modulo the size of the data set."""
        self._sample = self._sent = index % self._data.count
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
        self.choose(random.randrange(self._data.count))

    def _set_brush(self, position: int) -> None:
        self.pad.brush = 1.0 + position / 10

    def _drawn(self, image: NDArray[np.float32]) -> None:
        self._sent, self._made = None, "drawn"
        self.drawn.emit(image, self._chosen_label)

    def _target(self, label: int) -> None:
        self._chosen_label = label
        self.target_chosen.emit(label)


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

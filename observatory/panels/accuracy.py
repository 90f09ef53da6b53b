"""How learning goes: the running and the held-out accuracy over the samples learned from."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.learning.live import RUNNING, TEST_SHARE
from observatory import palette
from observatory.panels.plots import quiet_plot
from observatory.panels.ring import Ring

LENGTH = 4000
"""Samples that are shown."""


class AccuracyTrace(QWidget):
    """Hidden until there is learning to show, and again once another network or a reset has come."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.words = QLabel()
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.words.setStyleSheet("font-size: 8pt;")
        self.plot = quiet_plot(None)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.words)
        column.addWidget(self.plot, 1)
        self.setToolTip(
            f"Running: right first answers among the last {RUNNING} training samples.\n"
            f"Held out: right answers among up to {TEST_SHARE} pictures that are never learned from."
        )
        self.plot.getPlotItem().setYRange(0, 100, padding=0.04)
        self.running = self.plot.plot(pen=pg.mkPen(palette.MUTED, width=1.2), connect="finite")
        self.held_out = self.plot.plot(pen=pg.mkPen(palette.ACCENT, width=2), connect="finite")
        self.hide()
        self.ring = Ring(LENGTH, 3)
        self._epoch = -1
        self._samples = -1
        self._new = False

    def observe(self, frame: Frame) -> None:
        """Remember a sample that is done; learning that begins anew starts afresh."""
        learning = frame.learning
        if learning is None:
            if frame.epoch != self._epoch:
                self._epoch, self._samples = frame.epoch, -1
                self.ring.clear()
                self.hide()
            return
        self._epoch = frame.epoch
        if learning.samples == self._samples:
            return
        if learning.samples < self._samples:
            self.ring.clear()
        self._samples = learning.samples
        running = math.nan if learning.running_accuracy is None else 100 * learning.running_accuracy
        self.ring.push((float(learning.samples), running, 100 * learning.test_accuracy))
        self._new = True

    def redraw(self) -> None:
        """Show what was observed since the last call."""
        if not self._new:
            return
        self._new = False
        rows = self.ring.rows()
        self.running.setData(rows[:, 0], rows[:, 1])
        self.held_out.setData(rows[:, 0], rows[:, 2])
        _, running, held_out = rows[-1]
        told = "" if math.isnan(running) else f'<span style="color: {palette.MUTED}">running {running:.0f} %</span> · '
        self.words.setText(f'{told}<span style="color: {palette.ACCENT}">held out {held_out:.0f} %</span>')
        self.show()
        self.plot.viewport().update()

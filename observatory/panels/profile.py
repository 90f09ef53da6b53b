"""The RMS nudge of every layer on a log axis, beside the law lambda(sigma)^k where there is one."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from engine.frame import Frame
from observatory import palette
from observatory.panels.plots import quiet_plot, set_title

SMALLEST = 1e-30
FADED = 0.35
"""Opacity of the last profile while there is no nudge."""


def theory_line(rms: NDArray[np.float32], decay: float) -> NDArray[np.float64]:
    """lambda^k below the top layer's nudge: float64 (layers,), layer 1 first."""
    below = np.arange(len(rms) - 1, -1, -1)
    return np.asarray(float(rms[-1]) * np.power(decay, below))


class ProfilePanel(QWidget):
    """`redraw(frame)` shows the profile of one frame."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        self.plot = quiet_plot("no nudge now", log_values=True)
        column.addWidget(self.plot)
        self.theory = self.plot.plot(
            pen=pg.mkPen(palette.ACCENT, width=1.4, style=Qt.PenStyle.DashLine), connect="finite"
        )
        self.curve = self.plot.plot(pen=pg.mkPen(palette.BLUE, width=1.8), connect="finite")
        self.title = ""
        self._epoch = -1
        self._tick: tuple[int, int] | None = None
        self.setMinimumSize(120, 130)

    def forget(self) -> None:
        """Clear the last profile; what comes next is of another time."""
        self._tick = None
        self.curve.setData([], [])
        self.theory.setData([], [])

    def redraw(self, frame: Frame) -> None:
        """Show this frame's profile; a frame shown before costs nothing."""
        if (frame.epoch, frame.tick) == self._tick:
            return
        self._tick = (frame.epoch, frame.tick)
        rms = frame.metrics.rms_nudge
        layers = np.arange(1, len(rms) + 1)
        alive = bool(np.isfinite(rms[-1])) and float(rms[-1]) > SMALLEST
        if alive:
            self.curve.setData(layers, _log(rms))
            decay = frame.metrics.decay_theory
            line = np.full(len(rms), np.nan) if decay is None else _log(theory_line(rms, decay))
            self.theory.setData(layers, line)
        elif frame.epoch != self._epoch:
            self.curve.setData([], [])
            self.theory.setData([], [])
        self._epoch = frame.epoch
        self.curve.setOpacity(1.0 if alive else FADED)
        self.theory.setOpacity(1.0 if alive else FADED)
        self._set_title(frame, alive)
        self.plot.viewport().update()

    def _set_title(self, frame: Frame, alive: bool) -> None:
        metrics = frame.metrics
        if not alive:
            title = "no nudge now"
        elif metrics.credit_decay is None:
            title = "RMS nudge by layer"
        else:
            title = f"decay per layer {metrics.credit_decay:.3f}"
            if metrics.decay_theory is not None:
                title += f"  ·  law lambda(sigma) {metrics.decay_theory:.3f}"
        if title != self.title:
            self.title = title
            set_title(self.plot, title)


def _log(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms to base ten; NaN where there is nothing to show."""
    known = np.isfinite(values) & (values > SMALLEST)
    result = np.full(len(values), np.nan)
    np.log10(values, out=result, where=known)
    return result

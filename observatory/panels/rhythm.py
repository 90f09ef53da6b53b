"""How a network follows its stream: entrainment over time, phase portrait with Poincare section, spectrum."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.rhythm import Rhythm
from observatory import palette
from observatory.panels.plots import quiet_plot

SMALLEST = 1e-9
"""Entrainments below are drawn as this: float32 states agree to their last digit."""
PORTRAIT_PERIODS = 4
"""Length of the drawn path, and 24 ticks at least; all that is remembered where there is no period."""
LEAST_TICKS = 24
FRESH = 64
"""Points of the section that are bright; older ones are dim, so that one sees what has passed."""
DECADES = 12.0
"""The spectrum is drawn this far below its highest line."""
NOT_KEPT = "the past is kept without its rhythm"


def spectrum(values: NDArray[np.float32], period: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies and log10 of the power of a trace (ticks,), the mean left out.

    Frequencies are in cycles per period, so that harmonics lie at whole numbers, or in cycles per tick without one. The
    newest whole periods are taken, under a Hann window: a response of that period has nothing between its harmonics.
    """
    count = len(values) if period is None else len(values) // period * period
    if count < 4 or not np.isfinite(values).all():
        return np.zeros(0), np.zeros(0)
    newest = values[-count:].astype(np.float64)
    power = np.square(np.abs(np.fft.rfft((newest - newest.mean()) * np.hanning(count + 1)[:-1])))[1:]
    frequencies = np.arange(1, len(power) + 1) / count * (period or 1)
    highest = max(float(power.max()), 1e-30)
    return frequencies, np.log10(np.maximum(power, highest * 10**-DECADES))


class RhythmPanel(QWidget):
    """`redraw(frame)` shows the rhythm of one frame."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(40)
        self.layer = QComboBox()
        self.layer.setAccessibleName("layer of the portrait")
        self.layer.setToolTip("Layer whose path is drawn; the axes are two fixed random directions of its state")
        self.layer.currentIndexChanged.connect(lambda _index: self._forget())
        self.apart = quiet_plot("a period apart", log_values=True)
        self.apart.setToolTip("max |x(t) - x(t - T)| over all neurons; the line is the tolerance")
        self.portrait = quiet_plot("portrait and section")
        self.portrait.setToolTip("The path of the layer's state; points: where it is once a period (Poincaré section)")
        self.spectrum = quiet_plot("spectrum", log_values=True)
        self.spectrum.setToolTip(
            "Power of the layer's state along one direction, over cycles per period (per tick where there is none):\n"
            "what has the stream's period has nothing between whole numbers"
        )
        self.portrait.getPlotItem().setLimits(minYRange=1e-4, minXRange=1e-4)
        self.apart_curve = self.apart.plot(pen=pg.mkPen(palette.GREEN, width=1.4), connect="finite")
        self.tolerance = pg.InfiniteLine(angle=0, pen=pg.mkPen(palette.ACCENT, width=1))
        self.apart.addItem(self.tolerance)
        self.path = self.portrait.plot(pen=pg.mkPen(palette.MUTED, width=1))
        self.faded, self.section = (
            self.portrait.plot(pen=None, symbol="o", symbolSize=size, symbolPen=None, symbolBrush=colour)
            for size, colour in ((2, palette.EDGE), (4, palette.ACCENT))
        )
        self.lines = self.spectrum.plot(pen=pg.mkPen(palette.BLUE, width=1.2))
        head = QHBoxLayout()
        head.setContentsMargins(6, 2, 4, 0)
        head.addWidget(self.words, 1)
        head.addWidget(self.layer)
        plots = QHBoxLayout()
        plots.setSpacing(2)
        for plot in (self.apart, self.portrait, self.spectrum):
            plots.addWidget(plot, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        column.addLayout(head)
        column.addLayout(plots, 1)
        self.setMinimumSize(240, 130)
        self._drawn: tuple[int, int] | None = None
        self._layers: tuple[int, ...] = ()

    def _forget(self) -> None:
        """The next frame is drawn even if it was drawn before."""
        self._drawn = None

    def redraw(self, frame: Frame) -> None:
        """Show this frame; a frame shown before costs nothing."""
        if (frame.epoch, frame.tick) == self._drawn:
            return
        self._drawn = frame.epoch, frame.tick
        rhythm = frame.rhythm
        self.layer.setVisible(rhythm is not None)
        if rhythm is None:
            self.words.setText(NOT_KEPT)
            for curve in (self.apart_curve, self.path, self.faded, self.section, self.lines):
                curve.setData([], [])
        else:
            self._offer(rhythm.layers)
            self._draw(frame, rhythm)
        for plot in (self.apart, self.portrait, self.spectrum):
            plot.viewport().update()

    def _offer(self, layers: tuple[int, ...]) -> None:
        if layers != self._layers:
            self._layers = layers
            self.layer.clear()
            self.layer.addItems([f"layer {layer}" for layer in layers])
            self.layer.setCurrentIndex(len(layers) - 1)
            self._drawn = None

    def _draw(self, frame: Frame, rhythm: Rhythm) -> None:
        watched = max(self.layer.currentIndex(), 0)
        path, section, period = rhythm.path[:, watched], rhythm.section[:, watched], rhythm.period
        self.words.setText(self._told(frame, rhythm))
        ticks = np.arange(frame.tick - len(path) + 1, frame.tick + 1)
        apart = np.log10(np.maximum(rhythm.entrainments.astype(np.float64), SMALLEST))
        self.apart_curve.setData(ticks, apart)
        self.apart.setVisible(period is not None)
        if "tolerance" in frame.knobs:
            self.tolerance.setValue(float(np.log10(frame.knobs["tolerance"].value)))
        length = len(path) if period is None else max(PORTRAIT_PERIODS * period, LEAST_TICKS)
        self.path.setData(path[-length:, 0], path[-length:, 1])
        for dots, moments in ((self.faded, section[:-FRESH]), (self.section, section[-FRESH:])):
            dots.setData(moments[:, 0], moments[:, 1])
        frequencies, power = spectrum(path[:, 0], period)
        self.lines.setData(frequencies, power)

    def _told(self, frame: Frame, rhythm: Rhythm) -> str:
        right = "" if rhythm.right is None else f"; answers right in {rhythm.right:.0%} of {len(rhythm.path)} ticks"
        return self._followed(frame, rhythm) + right

    @staticmethod
    def _followed(frame: Frame, rhythm: Rhythm) -> str:
        if rhythm.period is None:
            return f"{rhythm.stream}: has no period"
        stream = f"{rhythm.stream}, every {rhythm.period} ticks: "
        if rhythm.entrainment is None:
            return f"{stream}the first period"
        if frame.metrics.settled:
            return f"{stream}entrained after {frame.metrics.t_relax} ticks, {rhythm.entrainment:.0e} apart"
        return f"{stream}not entrained, {rhythm.entrainment:.1e} apart"

"""Four traces over ticks; beside them one of learning.

Of a network that settles: largest velocity, T relax, D nudge and ticks per second. Of one that lives in a world:
largest change, share of correct answers, lowest link budget and ticks per second.
"""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtWidgets import QGridLayout, QWidget

from engine.frame import Frame
from engine.worlds.world import WINDOW
from observatory import palette
from observatory.panels.accuracy import AccuracyTrace
from observatory.panels.plots import quiet_plot, set_title
from observatory.panels.ring import Ring

LENGTH = 900
FIGURES = (
    "tick",
    "metrics.velocity_max",
    "metrics.t_relax",
    "metrics.d_nudge",
    "metrics.ticks_per_second",
    "scene.accuracy",
)
"""What a history calls the numbers that traces are made of; the lowest of `BUDGETS` comes with them."""
BUDGETS = "links.budget"
_TRACES = (
    ("velocity", palette.GREEN, True, "Largest velocity of any neuron"),
    ("T relax", palette.ACCENT, False, "Ticks until the free phase rested"),
    ("D nudge", palette.BLUE, False, "Layers that the nudge reaches, counted from the top"),
    ("ticks/s", palette.TEXT, False, "Ticks of the network per second"),
)
_STREAMING = (
    ("change", "Largest change of any output in a tick"),
    ("correct, %", f"Share of correct answers over the last {WINDOW}; each counts before the truth is told"),
    ("lowest link budget, %", "Of the layer that is the bottleneck: (cos(output, target) + 1) / 2"),
    ("ticks/s", "Ticks of the network per second"),
)
_STRETCHES = (2, 2, 3)
"""Shares of the width; the last is that of learning, while there is any."""


class TracesPanel(QWidget):
    """`observe` stores a frame's figures; `redraw` shows them."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.ring = Ring(LENGTH, 1 + len(_TRACES))
        self._epoch = -1
        self._tick = -1
        self._drawn: tuple[int, int] | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(2, 2, 2, 2)
        grid.setSpacing(2)
        self._streams = self._called = False
        """Whether the running network lives in a world, and whether the traces are called so."""
        self.plots: list[pg.PlotWidget] = []
        self.curves: list[pg.PlotDataItem] = []
        for i, (title, colour, log_values, tip) in enumerate(_TRACES):
            plot = quiet_plot(title, log_values)
            plot.setToolTip(tip)
            self.plots.append(plot)
            self.curves.append(plot.plot(pen=pg.mkPen(colour, width=1.4), connect="finite"))
            grid.addWidget(plot, i // 2, i % 2)
        self.accuracy = AccuracyTrace()
        grid.addWidget(self.accuracy, 0, 2, 2, 1)
        self._grid = grid
        self.setMinimumSize(200, 130)

    def observe(self, frame: Frame) -> None:
        """Remember this frame's figures; a new epoch starts afresh, a frame seen before is passed over."""
        self.accuracy.observe(frame)
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self.ring.clear()
            self._streams = frame.scene is not None
        elif frame.tick == self._tick:
            return
        self._tick = frame.tick
        metrics = frame.metrics
        self.ring.push(
            (
                float(frame.tick),
                math.log10(metrics.velocity_max) if 0 < metrics.velocity_max < math.inf else math.nan,
                *_middle(frame),
                metrics.ticks_per_second,
            )
        )

    def _call_traces(self, streams: bool) -> None:
        if streams == self._called:
            return
        self._called = streams
        told = _STREAMING if streams else [(title, tip) for title, _, _, tip in _TRACES]
        for plot, (title, tip) in zip(self.plots, told, strict=True):
            set_title(plot, title)
            plot.setToolTip(tip)

    def redraw(self) -> None:
        """Show what was observed since the last call."""
        if self._drawn == (self._epoch, self._tick):
            return
        self._drawn = (self._epoch, self._tick)
        self._draw(self.ring.rows(), self._streams)

    def redraw_past(self, figures: NDArray[np.float64], budgets: NDArray[np.float64], streams: bool) -> None:
        """Show the traces as they were, of a network that lives in a world or of another.

        `figures` are float64 (frames, FIGURES), `budgets` the lowest link budgets (frames,).
        """
        self._drawn = None
        tick, velocity, relax, depth, speed, correct = figures.T
        logs = np.full(len(tick), np.nan)
        np.log10(velocity, out=logs, where=np.isfinite(velocity) & (velocity > 0))
        middle = (100 * correct, 100 * budgets) if streams else (relax, depth)
        self._draw(np.column_stack([tick, logs, *middle, speed]), streams)

    def _draw(self, rows: NDArray[np.float64], streams: bool) -> None:
        self._call_traces(streams)
        for i, curve in enumerate(self.curves):
            curve.setData(rows[:, 0], rows[:, i + 1])
        self.accuracy.redraw()
        for column, stretch in enumerate(_STRETCHES):
            self._grid.setColumnStretch(column, stretch if column < 2 or not self.accuracy.isHidden() else 0)
        for plot in self.plots:
            plot.viewport().update()


def _middle(frame: Frame) -> tuple[float, float]:
    """What the second and the third trace show of a frame."""
    if frame.scene is None or frame.links is None:
        relax = frame.metrics.t_relax
        return math.nan if relax is None else float(relax), float(frame.metrics.d_nudge)
    share = frame.scene.accuracy
    return math.nan if share is None else 100 * share, 100 * float(frame.links.budget.min())

"""Four traces over ticks; beside them one of learning.

Of a network that settles: largest velocity, T relax, D nudge and ticks per second. Of one that lives in a world:
largest change, share of correct answers, lowest link budget and ticks per second. Of a graph that grows: loss, cells
and taps, the barrier gamma and how well its edges agree with the true ones.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtWidgets import QGridLayout, QWidget

from engine.frame import Frame
from engine.worlds.world import WINDOW
from observatory import palette
from observatory.panels.accuracy import AccuracyTrace
from observatory.panels.plots import LEAST_RANGE, quiet_plot, set_title
from observatory.panels.ring import Ring

LENGTH = 900
FIGURES = (
    "tick",
    "metrics.velocity_max",
    "metrics.t_relax",
    "metrics.d_nudge",
    "metrics.ticks_per_second",
    "scene.accuracy",
    "growth.mean_loss",
    "growth.struct",
    "growth.gamma",
    "growth.edge_f1",
)
"""What a history calls the numbers that traces are made of; the lowest of `BUDGETS` comes with them."""
BUDGETS = "links.budget"
Kind = Literal["settles", "lives", "grows"]
_SPEED = ("ticks/s", LEAST_RANGE, "Ticks of the network per second")
_TRACES: dict[Kind, tuple[tuple[str, float, str], ...]] = {
    "settles": (
        ("velocity", LEAST_RANGE, "Largest velocity of any neuron"),
        ("T relax", LEAST_RANGE, "Ticks until the free phase rested"),
        ("D nudge", LEAST_RANGE, "Layers that the nudge reaches, counted from the top"),
        _SPEED,
    ),
    "lives": (
        ("change", LEAST_RANGE, "Largest change of any output in a tick"),
        (
            "correct, %",
            LEAST_RANGE,
            f"Share of correct answers over the last {WINDOW}; each counts before the truth is told",
        ),
        ("lowest link budget, %", LEAST_RANGE, "Of the layer that is the bottleneck: (cos(output, target) + 1) / 2"),
        _SPEED,
    ),
    "grows": (
        ("loss", 1.0, "Half the mean square error of the next state, in units of the usual change; 0.5 without a cell"),
        ("cells and taps", 10.0, "Of the budget"),
        ("gamma", 0.1, "The barrier: what the loss is multiplied by"),
        ("edge F1", 0.2, "How well the edges agree with the true ones; empty where those are not known"),
    ),
}
"""Title, least range of values (of the first: decades) and tip, by what the network does."""
_COLOURS = (palette.GREEN, palette.ACCENT, palette.BLUE, palette.TEXT)
_STRETCHES = (2, 2, 3)
"""Shares of the width; the last is that of learning, while there is any."""


class TracesPanel(QWidget):
    """`observe` stores a frame's figures; `redraw` shows them."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.ring = Ring(LENGTH, 1 + len(_COLOURS))
        self._epoch = -1
        self._tick = -1
        self._drawn: tuple[int, int] | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(2, 2, 2, 2)
        grid.setSpacing(2)
        self._kind: Kind = "settles"
        self._called: Kind | None = None
        """What the running network does, and what the traces are called after."""
        self.plots: list[pg.PlotWidget] = []
        self.curves: list[pg.PlotDataItem] = []
        for i, colour in enumerate(_COLOURS):
            plot = quiet_plot("", log_values=i == 0)
            self.plots.append(plot)
            self.curves.append(plot.plot(pen=pg.mkPen(colour, width=1.4), connect="finite"))
            grid.addWidget(plot, i // 2, i % 2)
        self.accuracy = AccuracyTrace()
        grid.addWidget(self.accuracy, 0, 2, 2, 1)
        self._grid = grid
        self._call_traces(self._kind)
        self.setMinimumSize(200, 130)

    def observe(self, frame: Frame) -> None:
        """Remember this frame's figures; a new epoch starts afresh, a frame seen before is passed over."""
        self.accuracy.observe(frame)
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            self.ring.clear()
            self._kind = kind_of(frame)
        elif frame.tick == self._tick:
            return
        self._tick = frame.tick
        first, *others = _figures(frame)
        self.ring.push((float(frame.tick), math.log10(first) if 0 < first < math.inf else math.nan, *others))

    def _call_traces(self, kind: Kind) -> None:
        if kind == self._called:
            return
        self._called = kind
        for plot, (title, least, tip) in zip(self.plots, _TRACES[kind], strict=True):
            set_title(plot, title)
            plot.setToolTip(tip)
            plot.getPlotItem().setLimits(minYRange=least)

    def redraw(self) -> None:
        """Show what was observed since the last call."""
        if self._drawn == (self._epoch, self._tick):
            return
        self._drawn = (self._epoch, self._tick)
        self._draw(self.ring.rows(), self._kind)

    def redraw_past(self, figures: NDArray[np.float64], budgets: NDArray[np.float64], kind: Kind) -> None:
        """Show the traces as they were, of a network of that kind.

        `figures` are float64 (frames, FIGURES), `budgets` the lowest link budgets (frames,).
        """
        self._drawn = None
        tick, velocity, relax, depth, speed, correct, *growth = figures.T
        shown = {
            "settles": (velocity, relax, depth, speed),
            "lives": (velocity, 100 * correct, 100 * budgets, speed),
            "grows": tuple(growth),
        }
        first, *others = shown[kind]
        logs = np.full(len(tick), np.nan)
        np.log10(first, out=logs, where=np.isfinite(first) & (first > 0))
        self._draw(np.column_stack([tick, logs, *others]), kind)

    def _draw(self, rows: NDArray[np.float64], kind: Kind) -> None:
        self._call_traces(kind)
        for i, curve in enumerate(self.curves):
            curve.setData(rows[:, 0], rows[:, i + 1])
        self.accuracy.redraw()
        for column, stretch in enumerate(_STRETCHES):
            self._grid.setColumnStretch(column, stretch if column < 2 or not self.accuracy.isHidden() else 0)
        for plot in self.plots:
            plot.viewport().update()


def kind_of(frame: Frame) -> Kind:
    """What the network of a frame does."""
    return "grows" if frame.growth is not None else "settles" if frame.scene is None else "lives"


def _figures(frame: Frame) -> tuple[float, float, float, float]:
    """What the four traces show of a frame; NaN for what is not known."""
    metrics, growth = frame.metrics, frame.growth
    if growth is not None:
        return growth.mean_loss, float(growth.struct), growth.gamma, _known(growth.edge_f1)
    if frame.scene is None or frame.links is None:
        return metrics.velocity_max, _known(metrics.t_relax), float(metrics.d_nudge), metrics.ticks_per_second
    budget = 100 * float(frame.links.budget.min())
    return metrics.velocity_max, 100 * _known(frame.scene.accuracy), budget, metrics.ticks_per_second


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)

"""What a growing graph expects of one number, beside what came: the distribution, its calibration, possible futures."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.growing.outlook import OutcomeView
from engine.networks.growing.report import Growth
from observatory import palette
from observatory.panels.labels import line_of_words
from observatory.panels.plots import quiet_plot, set_title

BAND = 1.96
"""Standard deviations of chance that hold 95 % of the bars of a calibrated prediction."""
UNLIKELY = 0.05
COARSE = 3
"""Places of the grid that make up one column of a histogram."""
FUTURE = "#8b98a8"


def spread_by_chance(count: int, bins: int) -> tuple[float, float]:
    """Where 95 % of the bars lie if `count` levels are uniform: a binomial's mean and BAND deviations either way."""
    mean = count / bins
    off = BAND * float(np.sqrt(mean * (1 - 1 / bins)))
    return max(mean - off, 0.0), mean + off


def calibration_words(view: OutcomeView) -> str:
    """What the test says, with its p."""
    if view.ks_p is None:
        return "too few outcomes to judge"
    verdict = "no sign of bias" if view.ks_p > UNLIKELY else "not calibrated"
    return f"KS p {view.ks_p:.2g}: {verdict}"


def outcome_words(growth: Growth, view: OutcomeView) -> str:
    """Whose outcomes these are, what head predicts them, and how well."""
    number = view.node * growth.features + view.feature
    name = growth.wiring.name(number) if growth.wiring is not None else f"number {number + 1}"
    if view.components:
        head = f"{view.components} component{'s' if view.components > 1 else ''}"
        head += f" ({view.evidence})" if view.evidence else ""
    else:
        head = "head Cold: Gaussian residuals"
    told = [name, head]
    if view.nll is not None and view.plain_nll is not None:
        told.append(f"NLL {view.nll:.3g} nats, plain {view.plain_nll:.3g}")
    return " · ".join([*told, calibration_words(view)])


def trouble_words(growth: Growth) -> str:
    """How many nodes are in trouble, and what the cache was good for; empty where none was ever."""
    troubles = growth.transients
    if troubles is None or not troubles.spawned:
        return ""
    now = int((troubles.origin > 0).sum())
    novel = "" if growth.novelty is None else f" · novelty up to {float(growth.novelty.max(initial=0)):.2g}"
    return (
        f"{now} transient module{'' if now == 1 else 's'} now, {troubles.spawned} so far, "
        f"{troubles.hits} of them from the cache of {troubles.cached}{novel}"
    )


class OutcomesPanel(QWidget):
    """`redraw(frame)` shows the outcomes of a frame's watched number; a graph without a watch leaves it empty."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.words, self.trouble = line_of_words(palette.TEXT), line_of_words(palette.MUTED)
        self.density = quiet_plot("")
        self.density.setToolTip(
            "Yellow: the density that was predicted. Grey: what came of states like the last one. "
            "Blue dashes: the plain prediction. White: what came"
        )
        self.alike = pg.PlotCurveItem(
            x=[0, 1],
            y=[0],
            stepMode="center",
            fillLevel=0,
            brush=pg.mkBrush("#3a4656"),
            pen=pg.mkPen("#4b5a6c", width=1),
        )
        self.density.addItem(self.alike)
        self.expected = self.density.plot(pen=pg.mkPen(palette.ACCENT, width=1.8))
        self.plain = pg.InfiniteLine(pen=pg.mkPen(palette.BLUE, width=1.4, style=Qt.PenStyle.DashLine))
        self.came = pg.InfiniteLine(pen=pg.mkPen(palette.TEXT, width=1.4))
        for line in (self.plain, self.came):
            self.density.addItem(line)
        self.levels = quiet_plot("calibration")
        self.levels.setToolTip(
            "P(number \u2264 what came) of the recent outcomes: level if the prediction is calibrated; "
            "95 % of the bars then lie in the band"
        )
        self.band = pg.LinearRegionItem(
            orientation="horizontal", movable=False, brush=pg.mkBrush(86, 212, 138, 40), pen=pg.mkPen(86, 212, 138, 90)
        )
        self.bars = pg.BarGraphItem(x=[], height=[], width=0.08, brush=pg.mkBrush(palette.EDGE), pen=None)
        self.levels.addItem(self.band)
        self.levels.addItem(self.bars)
        self.levels.getPlotItem().getAxis("bottom").setTicks([[(0.0, "0"), (0.5, "0.5"), (1.0, "1")]])
        self.levels.setXRange(0, 1, padding=0.06)
        self.futures = quiet_plot("what may come, ticks ahead")
        self.futures.setToolTip("Paths from this moment on, drawn from what came of like states")
        self.paths = self.futures.plot(pen=pg.mkPen(FUTURE, width=1), connect="finite")
        for plot in (self.density, self.levels, self.futures):
            plot.getPlotItem().setLimits(minYRange=1e-6, minXRange=1e-6)
        self.density.getPlotItem().getAxis("left").setWidth(30)
        plots = QHBoxLayout()
        plots.setSpacing(3)
        plots.addWidget(self.density, 5)
        plots.addWidget(self.levels, 3)
        plots.addWidget(self.futures, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        column.addWidget(self.words)
        column.addWidget(self.trouble)
        column.addLayout(plots, 1)
        self.setMinimumSize(240, 130)
        self._drawn: tuple[int, int] | None = None

    def redraw(self, frame: Frame) -> None:
        """Show this frame; a frame shown before costs nothing."""
        if (frame.epoch, frame.tick) == self._drawn or frame.growth is None:
            return
        self._drawn = frame.epoch, frame.tick
        view = frame.growth.outcomes
        self.words.setText("nothing is watched yet" if view is None else outcome_words(frame.growth, view))
        self.words.setToolTip(self.words.text())
        told = trouble_words(frame.growth)
        self.trouble.setText(told)
        self.trouble.setVisible(bool(told))
        if view is not None:
            self._draw(frame.growth, view)
        for plot in (self.density, self.levels, self.futures):
            plot.viewport().update()

    def _draw(self, growth: Growth, view: OutcomeView) -> None:
        width = float(view.grid[1] - view.grid[0])
        edges = np.append(view.grid - width / 2, view.grid[-1] + width / 2)
        self.alike.setData(edges[::COARSE], view.alike.reshape(-1, COARSE).mean(1))
        self.expected.setData(view.grid, view.density)
        self.plain.setValue(view.plain)
        self.came.setValue(view.came)
        name = growth.wiring.name(view.node * growth.features + view.feature) if growth.wiring is not None else "number"
        set_title(self.density, f"{name}: predicted, what came, and of like states")
        bins = len(view.levels)
        self.bars.setOpts(x=(np.arange(bins) + 0.5) / bins, height=view.levels, width=0.86 / bins)
        self.band.setRegion(spread_by_chance(int(view.levels.sum()), bins))
        self.paths.setData(*strands(view.futures))


def strands(futures: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Paths (P, T) as one line with gaps: x and y, both (P * (T + 1),)."""
    paths, ticks = futures.shape
    x = np.tile(np.append(np.arange(1.0, ticks + 1), np.nan), paths)
    y = np.column_stack([futures, np.full(paths, np.nan)]).ravel()
    return x, y

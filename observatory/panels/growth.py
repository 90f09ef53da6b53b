"""How a graph grows: budgets, decisions over time with their evidence, weights in order, and what was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.growing.ledger import Commit
from engine.networks.growing.report import Growth
from observatory import palette
from observatory.panels.growth_bars import GrowthBars
from observatory.panels.labels import line_of_words
from observatory.panels.plots import quiet_plot

LANES: dict[str, tuple[int, str]] = {
    "edge": (4, palette.ACCENT), "tap": (3, palette.BLUE), "hinge": (2, palette.GREEN), "product": (2, palette.GREEN),
    "constant": (2, palette.GREEN), "prune": (0, palette.RED), "merge": (0, palette.RED),
    "consolidate": (0, palette.RED),
}  # fmt: skip
"""Lane and colour of each kind of decision in the timeline; the others have lane 1."""
OTHER = (1, palette.MUTED)
NAMES = {4: "edges", 3: "taps", 2: "terms", 1: "other", 0: "less"}


def evidence(decision: Commit) -> str:
    """A decision in words, with what spoke for it and what came of it."""
    realised = "not measured yet" if decision.realised is None else f"{decision.realised:.3g}"
    return (
        f"{decision.kind} at step {decision.tick}: {decision.what} · SNR {decision.snr:.3g} · "
        f"predicted {decision.predicted:.3g} ± {decision.spread:.2g} · realised {realised}"
    )


def found(growth: Growth) -> str:
    """The edges beside the true ones, in words; empty where those are not known."""
    if growth.truth is None:
        return ""
    true = growth.truth & ~np.eye(growth.nodes, dtype=bool)
    hits = int(true[growth.edges[:, 0], growth.edges[:, 1]].sum())
    missed, false = int(true.sum()) - hits, len(growth.edges) - hits
    return f"true edges: {hits} found, {missed} missed, {false} false (F1 {growth.edge_f1:.2f})"


class GrowthPanel(QWidget):
    """`redraw(frame)` shows the growth of one frame. Clicking a decision shows its evidence; again, the newest."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.words, self.evidence = line_of_words(palette.MUTED), line_of_words(palette.TEXT)
        self.bars = GrowthBars()
        lanes = pg.AxisItem("left")
        lanes.setTicks([[(float(lane), name) for lane, name in NAMES.items()]])
        self.timeline = quiet_plot("decisions over learning steps: click one", axis=lanes)
        self.timeline.setYRange(-0.6, 4.6, padding=0)
        self.timeline.setToolTip("What was added or taken away, and when; the larger, the more it was worth")
        self.dots = pg.ScatterPlotItem(pxMode=True)
        self.dots.sigClicked.connect(self._clicked)
        self.ring = pg.ScatterPlotItem(pxMode=True, size=15, brush=None, pen=pg.mkPen(palette.TEXT, width=1.6))
        self.timeline.addItem(self.dots)
        self.timeline.addItem(self.ring)
        self.spectrum = quiet_plot("weights")
        self.spectrum.getPlotItem().setLimits(minYRange=1e-3, minXRange=0.1)
        self.spectrum.getPlotItem().getAxis("bottom").setTicks([[(0.0, "0"), (0.5, "0.5"), (1.0, "1")]])
        self.spectrum.setToolTip("Quantiles of all weights in order, from the most negative to the most positive")
        self.curve = self.spectrum.plot(pen=pg.mkPen(palette.ACCENT, width=1.6))
        plots = QHBoxLayout()
        plots.setSpacing(3)
        plots.addWidget(self.bars, 3)
        plots.addWidget(self.timeline, 5)
        plots.addWidget(self.spectrum, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        column.addWidget(self.words)
        column.addWidget(self.evidence)
        column.addLayout(plots, 1)
        self.setMinimumSize(240, 150)
        self._drawn: tuple[int, int] | None = None
        self._growth: Growth | None = None
        self.chosen: int | None = None
        """Number of the decision whose evidence is shown; None for the newest."""

    def redraw(self, frame: Frame) -> None:
        """Show this frame; a frame shown before costs nothing."""
        if (frame.epoch, frame.tick) == self._drawn:
            return
        if self._drawn is not None and frame.epoch != self._drawn[0]:
            self.chosen = None
        self._drawn, self._growth = (frame.epoch, frame.tick), frame.growth
        self.bars.show_growth(frame.growth)
        if frame.growth is not None:
            self._draw(frame.growth)
        for plot in (self.timeline, self.spectrum):
            plot.viewport().update()

    def _draw(self, growth: Growth) -> None:
        decisions = growth.decisions
        lanes = [LANES.get(d.kind, OTHER) for d in decisions]
        gains = np.array([d.predicted if d.realised is None else d.realised for d in decisions])
        sizes = 5 + 7 * np.sqrt(np.clip(np.abs(gains) / max(float(np.abs(gains).max(initial=0)), 1e-12), 0, 1))
        spread = [((d.number * 7) % 11 - 5) / 16 for d in decisions]
        self.dots.setData(
            x=[d.tick for d in decisions],
            y=[lane + aside for (lane, _), aside in zip(lanes, spread, strict=True)],
            size=sizes,
            brush=[pg.mkBrush(colour) for _, colour in lanes],
            pen=None,
            data=[d.number for d in decisions],
        )
        self.curve.setData(np.linspace(0, 1, len(growth.spectrum)), growth.spectrum)
        told = [found(growth)]
        if growth.foresight is not None:
            told.append(f"foresight {growth.foresight:.2f}")
        self.words.setText(" · ".join(part for part in (*told, f"{growth.decided} decisions") if part))
        self._tell(growth)

    def _tell(self, growth: Growth) -> None:
        kept = [i for i, d in enumerate(growth.decisions) if d.number == self.chosen]
        if kept:
            x, y = self.dots.getData()
            self.ring.setData([x[kept[0]]], [y[kept[0]]])
            self.evidence.setText(evidence(growth.decisions[kept[0]]))
        else:
            self.ring.setData([], [])
            newest = growth.decisions[-1:]
            self.evidence.setText(evidence(newest[0]) if newest else "no decision yet")
        self.evidence.setToolTip(self.evidence.text())

    def choose(self, number: int | None) -> None:
        """Show the evidence of this decision, or of the newest."""
        self.chosen = number
        if self._growth is not None:
            self._tell(self._growth)
            self.timeline.viewport().update()

    def _clicked(self, _plot: Any, points: Any, *_event: Any) -> None:
        if len(points):
            number = int(points[0].data())
            self.choose(None if number == self.chosen else number)

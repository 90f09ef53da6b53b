"""What probes promised against what came of it: a dot a commit, on the line if its probe foresaw well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.growing.ledger import Commit, rank_correlation
from observatory import palette
from observatory.panels.growth import evidence
from observatory.panels.labels import line_of_words
from observatory.panels.plots import DecadeAxis, quiet_plot

MISLED = 0.1
"""A commit that realised less than this share of what was promised was misled."""
DECADES = 5.0
"""Below the largest gain; smaller ones are drawn at the edge, since a logarithm has no zero."""


def misled(decision: Commit) -> bool:
    """Whether a commit is worth far less than its probe promised, or does harm."""
    return decision.realised is not None and decision.realised < MISLED * decision.predicted


class ForesightPanel(QWidget):
    """`redraw(frame)` draws the measured commits among a frame's newest decisions. A click on a dot tells about it."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.words, self.evidence = line_of_words(palette.MUTED), line_of_words(palette.TEXT)
        self.plot = quiet_plot("gain realised (up) over gain promised", log_values=True, bottom=DecadeAxis("bottom"))
        self.plot.setToolTip(
            "Each dot is a commit: to the right how much the loss was to fall, up how much it fell. On the line the "
            "probe was right; red ones realised less than a tenth. A ring is what was promised with a frozen base."
        )
        self.line = self.plot.plot(pen=pg.mkPen(palette.MUTED, width=1))
        self.rings = pg.ScatterPlotItem(pxMode=True, size=7, brush=None, pen=pg.mkPen(palette.MUTED, width=0.8))
        self.dots = pg.ScatterPlotItem(pxMode=True, size=7, pen=None)
        self.dots.sigClicked.connect(self._clicked)
        self.plot.addItem(self.rings)
        self.plot.addItem(self.dots)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        column.addWidget(self.words)
        column.addWidget(self.evidence)
        column.addWidget(self.plot, 1)
        self.setMinimumSize(200, 130)
        self.measured: tuple[Commit, ...] = ()
        self.chosen: int | None = None
        """Number of the commit that is told about."""
        self._drawn: tuple[int, int] | None = None

    def redraw(self, frame: Frame) -> None:
        """Show this frame; a frame shown before costs nothing."""
        if frame.growth is None or (frame.epoch, frame.tick) == self._drawn:
            return
        self._drawn = frame.epoch, frame.tick
        commits = [d for d in frame.growth.decisions if d.realised is not None and d.predicted > 0]
        self.measured = tuple(commits)
        realised, promised = np.array([(d.realised, d.predicted) for d in commits], np.float64).reshape(-1, 2).T
        frozen = np.array([d.predicted if d.frozen is None else d.frozen for d in commits], np.float64)
        floor = np.log10(max(promised.max(initial=1e-12), realised.max(initial=0))) - DECADES
        x, y, rings = _log(promised, floor), _log(realised, floor), _log(frozen, floor)
        colours = [pg.mkBrush(palette.RED if misled(d) else palette.GREEN) for d in commits]
        self.dots.setData(x=x, y=y, brush=colours, data=[d.number for d in commits])
        self.rings.setData(x=rings, y=y)
        if commits:
            ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
            self.line.setData(ends, ends)
        told = [f"{len(commits)} new commits measured, {sum(map(misled, commits))} misled"]
        for name, gains in (("rank correlation", promised), ("frozen base", frozen)):
            rank = rank_correlation(list(zip(gains, realised, strict=True)))
            if rank is not None:
                told.append(f"{name} {rank:.2f}")
        self.words.setText(" · ".join(told))
        self._tell()
        self.plot.viewport().update()

    def choose(self, number: int | None) -> None:
        """Tell about this commit, or about none."""
        self.chosen = number
        self._tell()

    def _tell(self) -> None:
        found = [d for d in self.measured if d.number == self.chosen]
        self.evidence.setText(evidence(found[0]) if found else "click a dot for its evidence")
        self.evidence.setToolTip(self.evidence.text())

    def _clicked(self, _plot: Any, points: Any, *_event: Any) -> None:
        if len(points):
            number = int(points[0].data())
            self.choose(None if number == self.chosen else number)


def _log(gains: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    return np.log10(np.maximum(gains, 10**floor))

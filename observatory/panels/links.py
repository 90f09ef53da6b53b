"""How well each layer of a tween chain does what it is asked to: a strip of link budgets, and gaps over time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QToolTip, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.tween.links import Links
from observatory import palette
from observatory.panels.plots import quiet_plot, set_title
from observatory.panels.ring import Ring

LENGTH = 600
STRIP_HEIGHT = 46
WIDE_ENOUGH = 26
"""Pixels a layer needs for its number."""
DIGIT = 9
"""Pixels for every further digit."""


def budget_colour(budget: float) -> QColor:
    """By the angle between output and target: green at 0, yellow where they are at right angles, red where opposed."""
    if not math.isfinite(budget):
        return QColor(palette.EDGE)
    angle = math.acos(min(max(2 * budget - 1, -1.0), 1.0))
    return QColor.fromHsvF(0.33 * (1 - angle / math.pi), 0.75, 0.78)


def budget_text(budget: float, width: float) -> str:
    """As many digits as have room, two to four, so that budgets near 1 can be told apart."""
    return f"{budget:.{min(2 + int((width - WIDE_ENOUGH) / DIGIT), 4)}f}"


_PENS = (palette.GREEN, palette.ACCENT, palette.BLUE)
"""Of the first, the middle and the last layer."""


def _spans(colours: Sequence[str], words: Sequence[str]) -> str:
    """Words in their colours, as HTML."""
    return ", ".join(f"<span style='color: {c}'>{word}</span>" for c, word in zip(colours, words, strict=True))


class Strip(QWidget):
    """One cell a layer, coloured by its budget, with the number where there is room; the bottleneck is framed."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.links: Links | None = None
        self.setFixedHeight(STRIP_HEIGHT)
        self.setMouseTracking(True)
        self.setAccessibleName("link budgets")

    def show_links(self, links: Links | None) -> None:
        """Paint these."""
        self.links = links
        self.update()

    def tip_at(self, x: float) -> str:
        """What the cell at this place says."""
        if self.links is None:
            return ""
        count = len(self.links.names)
        layer = min(max(int(x / max(self.width(), 1) * count), 0), count - 1)
        links = self.links
        return (
            f"layer {layer + 1}, {links.names[layer]}\nlink budget {links.budget[layer]:.3f}\n"
            f"gap {links.gap[layer]:.2e}\ndepth barrier {links.barrier[layer]:.3g}"
        )

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Tell about the cell under the pointer."""
        if a0 is not None:
            QToolTip.showText(a0.globalPosition().toPoint(), self.tip_at(a0.position().x()), self)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Cells from layer 1 on the left to the last on the right."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(palette.BASE))
        if self.links is not None:
            self._paint_cells(painter, self.links)
        painter.end()

    def _paint_cells(self, painter: QPainter, links: Links) -> None:
        count = len(links.names)
        width = self.width() / count
        gap = 1.0 if width > 4 else 0.0
        for layer, budget in enumerate(links.budget):
            cell = QRectF(layer * width, 2, width - gap, self.height() - 4)
            painter.fillRect(cell, budget_colour(float(budget)))
            if width >= WIDE_ENOUGH:
                painter.setPen(QColor(palette.BASE))
                half = cell.height() / 2
                painter.drawText(
                    cell.adjusted(0, 0, 0, -half), Qt.AlignmentFlag.AlignCenter, budget_text(budget, width)
                )
                name = links.names[layer] if width >= 3 * WIDE_ENOUGH else f"{layer + 1}"
                painter.drawText(cell.adjusted(0, half, 0, 0), Qt.AlignmentFlag.AlignCenter, name)
        weakest = links.bottleneck - 1
        painter.setPen(QPen(QColor(palette.TEXT), 2))
        painter.drawRect(QRectF(weakest * width + 1, 3, max(width - gap - 2, 2), self.height() - 6))


class LinksPanel(QWidget):
    """`observe` remembers a frame's gaps, `redraw` shows strip and traces; empty for other networks."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.strip = Strip()
        self.plot = quiet_plot("gap of the first, the middle and the last layer", log_values=True)
        self.curves = [self.plot.plot(pen=pg.mkPen(colour, width=1.4), connect="finite") for colour in _PENS]
        self.title = ""
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 2)
        column.setSpacing(3)
        column.addWidget(self.strip)
        column.addWidget(self.plot, 1)
        self.setMinimumSize(160, 130)
        self._ring = Ring(LENGTH, 1 + len(self.curves))
        self._epoch = -1
        self._tick = -1

    def observe(self, frame: Frame) -> None:
        """Remember this frame's gaps."""
        if frame.epoch != self._epoch:
            self._epoch, self._tick = frame.epoch, -1
            self._ring.clear()
        if frame.links is None or frame.tick == self._tick:
            return
        self._tick = frame.tick
        gap = frame.links.gap
        chosen = gap[[0, len(gap) // 2, -1]].astype(np.float64)
        logs = np.full(len(chosen), np.nan)
        np.log10(chosen, out=logs, where=np.isfinite(chosen) & (chosen > 0))
        self._ring.push((float(frame.tick), *map(float, logs)))

    def redraw(self, frame: Frame) -> None:
        """Show this frame."""
        links = frame.links
        self.strip.show_links(links)
        rows = self._ring.rows()
        for i, curve in enumerate(self.curves):
            curve.setData(rows[:, 0], rows[:, i + 1])
        if links is None:
            title = "only tween chains have links"
        else:
            weakest = links.bottleneck
            lowest = f"{links.names[weakest - 1]} {links.budget[weakest - 1]:.3f}"
            title = f"bottleneck: {weakest} {lowest} · gap: {_spans(_PENS, ('first', 'middle', 'last'))}"
        if title != self.title:
            self.title = title
            set_title(self.plot, title)
        self.plot.viewport().update()

"""Budgets of a growing graph as bars: cells of their limit, the barrier, each node's tokens and what they earn."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QToolTip, QWidget

from engine.networks.growing.report import Growth
from observatory import palette
from observatory.panels.strokes import fill_boxes

ROW, NAME, NAMED = 19, 62, 15
COLUMN = "#8b98a8"
GAMMA_TOP = 10.0
"""Gamma at a full bar, which is logarithmic."""


class GrowthBars(QWidget):
    """Two bars for the whole graph; below them columns, one for each node: tokens held, and the gain per token."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.growth: Growth | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(190, 2 * ROW + 74)
        self.setAccessibleName("budgets and tokens")

    def show_growth(self, growth: Growth | None) -> None:
        """Paint these."""
        self.growth = growth
        self.update()

    def tip_at(self, x: float, y: float) -> str:
        """What is told about this place."""
        growth = self.growth
        if growth is None:
            return ""
        if y < ROW:
            return (
                f"{growth.struct} of {growth.limit} cells and taps are used, {growth.active} of them above 1e-3 in size"
            )
        if y < 2 * ROW:
            return f"barrier: the loss is multiplied by {growth.gamma:.3g}, which grows as the cells near their limit"
        node = min(max(int((x - 4) / max(self.width() - 8, 1) * growth.nodes), 0), growth.nodes - 1)
        return (
            f"node {node + 1}: {growth.tokens[node]} tokens, gain per token {growth.cgpt[node]:.3g}\n"
            f"{growth.pool} tokens in the pool; gain per token: a moving average of what its commits have saved"
        )

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Tell about what is under the pointer."""
        if a0 is not None:
            tip = self.tip_at(a0.position().x(), a0.position().y())
            QToolTip.showText(a0.globalPosition().toPoint(), tip, self)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Bars, then columns."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(palette.BASE))
        if self.growth is not None:
            self._paint(painter, self.growth)
        painter.end()

    def _paint(self, painter: QPainter, growth: Growth) -> None:
        font = painter.font()
        font.setPointSizeF(8)
        painter.setFont(font)
        share = growth.struct / max(growth.limit, 1)
        self._bar(painter, 0, "cells", share, f"{growth.struct} / {growth.limit}", palette.ACCENT)
        gamma = max(math.log(max(growth.gamma, 1e-9)), 0) / math.log(GAMMA_TOP)
        self._bar(painter, 1, "gamma", min(gamma, 1), f"{growth.gamma:.3g}", palette.BLUE)
        top = 2 * ROW + 1
        room = (self.height() - top) / 2
        most = max(int(growth.tokens.max(initial=0)), 1)
        tokens = growth.tokens / most
        self._columns(painter, QRectF(0, top, self.width(), room), f"tokens · pool {growth.pool}", tokens, COLUMN)
        best = max(float(np.abs(growth.cgpt).max(initial=0)), 1e-12)
        gain = growth.cgpt / best
        below = QRectF(0, top + room, self.width(), room)
        words = f"gain per token · best {growth.cgpt.max(initial=0):.2g}"
        self._columns(painter, below, words, np.maximum(gain, 0), palette.GREEN)
        self._columns(painter, below, "", np.maximum(-gain, 0), palette.RED)

    @staticmethod
    def _columns(painter: QPainter, area: QRectF, words: str, shares: NDArray[np.floating], colour: str) -> None:
        """A column for each node, all in one call; none where the share is 0."""
        painter.setPen(QColor(palette.MUTED))
        words = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(area.width()) - 8)
        painter.drawText(QRectF(4, area.top(), area.width() - 8, NAMED), Qt.AlignmentFlag.AlignVCenter, words)
        room, width = max(area.height() - NAMED - 3, 1), (area.width() - 8) / max(len(shares), 1)
        some = np.flatnonzero(shares > 0)
        high = np.maximum(room * shares[some], 1)
        wide = np.full(len(some), max(width - 1, 1))
        fill_boxes(painter, np.stack([4 + some * width, area.bottom() - 3 - high, wide, high], 1), QColor(colour))

    def _bar(self, painter: QPainter, row: int, name: str, share: float, told: str, colour: str) -> None:
        y = row * ROW + 3
        painter.setPen(QColor(palette.MUTED))
        painter.drawText(QRectF(4, y, NAME, ROW - 4), Qt.AlignmentFlag.AlignVCenter, name)
        bar = QRectF(NAME - 14, y, self.width() - NAME + 10, ROW - 5)
        painter.fillRect(bar, QColor(palette.RAISED))
        filled = QColor(colour)
        filled.setAlphaF(0.55)
        painter.fillRect(QRectF(bar.x(), y, bar.width() * share, bar.height()), filled)
        painter.setPen(QColor(palette.TEXT))
        painter.drawText(bar.adjusted(6, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, told)

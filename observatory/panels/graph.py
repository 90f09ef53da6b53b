"""The picture of a growing graph as a widget that tells what is under the pointer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QToolTip, QWidget

from engine.frame import Frame
from engine.networks.growing.core import Heat
from engine.networks.growing.outlook import CACHED
from engine.networks.growing.report import Growth
from observatory.panels.graph_picture import GraphPicture, node_values
from observatory.view import Exposure, ViewSettings

NEAR = 7.0
"""Pixels from an edge at which the pointer still means it."""


class GraphView(QWidget):
    """`show_frame(frame)` shows a frame that has a growth. A click on a node emits `chosen`."""

    drawn = pyqtSignal()
    chosen = pyqtSignal(object)
    """A node was clicked, or None of them."""

    def __init__(self, view: ViewSettings, exposure: Exposure, parent: QWidget | None = None):
        super().__init__(parent)
        self._view = view
        self.picture = GraphPicture(view, exposure)
        self.setMouseTracking(True)
        self.setAccessibleName("graph")
        view.changed.connect(self._repaint)

    @property
    def native(self) -> QWidget:
        """The widget, as the canvases name it."""
        return self

    def fit(self) -> None:
        """All of it is always seen."""

    def point_at(self, where: object) -> None:
        """The pointer has left."""
        self.picture.under = None

    def _repaint(self) -> None:
        self.update()

    def close_links(self) -> None:
        """Stop following the settings, which outlive the window."""
        self._view.changed.disconnect(self._repaint, missing_ok=True)

    def show_frame(self, frame: Frame) -> None:
        """Show this frame at the next repaint."""
        if frame.growth is not None:
            self.picture.follow(frame)
            self.update()

    def capture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3), as large in it as on the screen."""
        return self.picture.capture(size, size[0] / max(self.width(), 1))

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """The graph as it is."""
        painter = QPainter(self)
        self.picture.paint(painter, QRectF(self.rect()))
        painter.end()
        self.drawn.emit()

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Tell about what is under the pointer."""
        if a0 is None:
            return
        before = self.picture.under
        text = self.tip_at(a0.position())
        if self.picture.under != before:
            self.update()
        QToolTip.showText(a0.globalPosition().toPoint(), text, self)

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        """Choose the node under the pointer; elsewhere, none."""
        if a0 is None or a0.button() != Qt.MouseButton.LeftButton:
            return
        node = self.node_at(a0.position())
        self.choose(node)
        self.chosen.emit(node)

    def choose(self, node: int | None) -> None:
        """Ring this node."""
        self.picture.chosen = node
        self.update()

    # -- what is where

    def points(self, area: QRectF) -> NDArray[np.float64]:
        """Places of the nodes in pixels, (nodes, 2)."""
        return self.picture.points(area)

    def node_at(self, where: QPointF) -> int | None:
        """The node at this place."""
        area = QRectF(self.rect())
        points = self.picture.points(area)
        if not len(points):
            return None
        gaps = np.linalg.norm(points - [where.x(), where.y()], axis=1)
        node = int(gaps.argmin())
        return node if gaps[node] <= self.picture.radius(area) + 2 else None

    def tip_at(self, where: QPointF) -> str:
        """What the node or edge at this place says; empty where there is nothing."""
        self.picture.under = None
        frame = self.picture.frame
        if frame is None or frame.growth is None:
            return ""
        node = self.node_at(where)
        if node is not None:
            return self._node_tip(frame, frame.growth, node)
        growth, points = frame.growth, self.points(QRectF(self.rect()))
        if len(growth.edges):
            spot = np.array([where.x(), where.y()])
            start, end = points[growth.edges[:, 1]], points[growth.edges[:, 0]]
            along = end - start
            part = np.einsum("ek,ek->e", spot - start, along) / np.maximum(np.einsum("ek,ek->e", along, along), 1e-9)
            away = np.linalg.norm(start + np.clip(part, 0, 1)[:, None] * along - spot, axis=1)
            edge = int(away.argmin())
            if away[edge] <= NEAR:
                self.picture.under = edge
                return self._edge_tip(growth, edge)
        return ""

    @staticmethod
    def _node_tip(frame: Frame, growth: Growth, node: int) -> str:
        red, green, blue = node_values(frame)[node]
        reads = int((growth.edges[:, 0] == node).sum())
        read = int((growth.edges[:, 1] == node).sum())
        return (
            f"node {node + 1}: reads {reads}, read by {read}\n"
            f"state {red:.3g}, change {green:.2e}, error {blue:.2e}\n"
            f"tokens {growth.tokens[node]}, gain per token {growth.cgpt[node]:.2g}, loss {growth.loss[node]:.3g}"
            f"{_expected(growth, node)}"
        )

    @staticmethod
    def _edge_tip(growth: Growth, edge: int) -> str:
        reader, read = map(int, growth.edges[edge])
        heat = Heat(int(growth.edge_heat[edge])).name.capitalize()
        lines = [
            f"{reader + 1} reads {read + 1}: largest |w| {growth.strengths[edge]:.3g}",
            f"{heat}, committed at step {growth.edge_born[edge]} of {growth.steps}",
        ]
        if growth.truth is not None:
            lines.append("a true edge" if growth.truth[reader, read] else "not among the true edges")
        return "\n".join(lines)


def _expected(growth: Growth, node: int) -> str:
    """A line on a node's outcomes and troubles, as far as they are watched."""
    told = []
    if growth.components is not None:
        parts = int(growth.components[node])
        told.append(f"distribution of {parts} component{'s' if parts > 1 else ''}" if parts else "distribution Cold")
    if growth.novelty is not None:
        told.append(f"novelty {growth.novelty[node]:.2g}")
    if growth.transients is not None and growth.transients.origin[node]:
        source = "from the cache" if growth.transients.origin[node] == CACHED else "nascent"
        told.append(f"transient module, {source}")
    return f"\n{', '.join(told)}" if told else ""

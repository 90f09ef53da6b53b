"""The node-link picture of a growing graph: nodes in three colours, edges by weight and heat, commits that flash."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QToolTip, QWidget

from engine.frame import UNUSED, Frame
from engine.networks.growing.core import Heat
from engine.networks.growing.report import Growth
from observatory import palette
from observatory.panels.graph_places import Places
from observatory.view import Exposure, ViewSettings, lights

MIXED = np.array([[0.88, 0.11, 0.09], [0.10, 1.0, 0.32], [0.16, 0.38, 1.0]])
"""Full red, green and blue light, as on the canvases."""
REST = np.array([0.10, 0.12, 0.15])
HEATS = {Heat.WARM: "#f2b84b", Heat.HOT: "#e8604c", Heat.COOLING: "#4f86e8"}
FRESH = 40
"""Learning steps for which a new edge flashes."""
FLASHES = 12
"""At most so many of the newest edges flash."""
MARGIN, CAPTION = 26, 24
NEAR = 7.0
"""Pixels from an edge at which the pointer still means it."""
NUMBERED = 64
"""More nodes than this are drawn without their numbers."""


def node_values(frame: Frame) -> NDArray[np.float32]:
    """Activation, change and error of each node, float32 (nodes, 3): RMS over its features."""
    used = (frame.flags[0] & UNUSED) == 0
    channels = np.stack([frame.activation, frame.velocity, frame.nudge], -1)[:, used]
    found: NDArray[np.float32] = np.sqrt(np.square(channels).mean(0))
    return found


class GraphView(QWidget):
    """`show_frame(frame)` shows a frame that has a growth; whom each node reads points at it."""

    drawn = pyqtSignal()

    def __init__(self, view: ViewSettings, exposure: Exposure, parent: QWidget | None = None):
        super().__init__(parent)
        self._view, self._exposure = view, exposure
        self._frame: Frame | None = None
        self.places = Places()
        self.under: int | None = None
        """Number of the edge under the pointer."""
        self.setMouseTracking(True)
        self.setAccessibleName("graph")
        self._epoch = -1
        view.changed.connect(self._repaint)

    @property
    def native(self) -> QWidget:
        """The widget, as the canvases name it."""
        return self

    def fit(self) -> None:
        """All of it is always seen."""

    def point_at(self, where: object) -> None:
        """The pointer has left."""
        self.under = None

    def _repaint(self) -> None:
        self.update()

    def close_links(self) -> None:
        """Stop following the settings, which outlive the window."""
        self._view.changed.disconnect(self._repaint, missing_ok=True)

    def show_frame(self, frame: Frame) -> None:
        """Show this frame at the next repaint."""
        if frame.growth is None:
            return
        if frame.epoch != self._epoch:
            self._epoch, self.places = frame.epoch, Places()
        self._exposure.observe(frame)
        self._frame, self.under = frame, None
        self.places.follow(frame.growth.nodes, frame.growth.edges)
        self.update()

    def capture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3)."""
        picture = QImage(QSize(*size), QImage.Format.Format_RGB888)
        painter = QPainter(picture)
        self._paint(painter, QRectF(0, 0, *size))
        painter.end()
        bits = picture.constBits()
        assert bits is not None
        rows = np.frombuffer(bits.asstring(picture.sizeInBytes()), np.uint8)
        return rows.reshape(size[1], -1)[:, : 3 * size[0]].reshape(size[1], size[0], 3).copy()

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """The graph as it is."""
        painter = QPainter(self)
        self._paint(painter, QRectF(self.rect()))
        painter.end()
        self.drawn.emit()

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Tell about what is under the pointer."""
        if a0 is None:
            return
        text = self.tip_at(a0.position())
        self.update()
        QToolTip.showText(a0.globalPosition().toPoint(), text, self)

    # -- what is where

    def points(self, area: QRectF) -> NDArray[np.float64]:
        """Places of the nodes in pixels, (nodes, 2)."""
        size = np.array([area.width() - 2 * MARGIN, area.height() - 2 * MARGIN - CAPTION])
        found: NDArray[np.float64] = self.places.points * np.maximum(size, 1) + [MARGIN, MARGIN + CAPTION]
        return found

    def radius(self, area: QRectF) -> float:
        """Of a node, in pixels."""
        count = max(len(self.places.points), 1)
        return min(max(0.16 * math.sqrt(area.width() * area.height() / count), 3.0), 15.0)

    def tip_at(self, where: QPointF) -> str:
        """What the node or edge at this place says; empty where there is nothing."""
        self.under = None
        growth = self._frame.growth if self._frame is not None else None
        if growth is None or self._frame is None or not len(self.places.points):
            return ""
        area = QRectF(self.rect())
        points, spot = self.points(area), np.array([where.x(), where.y()])
        gaps = np.linalg.norm(points - spot, axis=1)
        node = int(gaps.argmin())
        if gaps[node] <= self.radius(area) + 2:
            return self._node_tip(self._frame, growth, node)
        if len(growth.edges):
            start, end = points[growth.edges[:, 1]], points[growth.edges[:, 0]]
            along = end - start
            part = np.einsum("ek,ek->e", spot - start, along) / np.maximum(np.einsum("ek,ek->e", along, along), 1e-9)
            away = np.linalg.norm(start + np.clip(part, 0, 1)[:, None] * along - spot, axis=1)
            edge = int(away.argmin())
            if away[edge] <= NEAR:
                self.under = edge
                return self._edge_tip(growth, edge)
        return ""

    @staticmethod
    def _node_tip(frame: Frame, growth: Growth, node: int) -> str:
        red, green, blue = node_values(frame)[node]
        reads = int((growth.edges[:, 0] == node).sum())
        read = int((growth.edges[:, 1] == node).sum())
        return (
            f"node {node}: reads {reads}, read by {read}\n"
            f"activation {red:.3g}, change {green:.2e}, error {blue:.2e}\n"
            f"tokens {growth.tokens[node]}, gain per token {growth.cgpt[node]:.2g}, loss {growth.loss[node]:.3g}"
        )

    @staticmethod
    def _edge_tip(growth: Growth, edge: int) -> str:
        reader, read = map(int, growth.edges[edge])
        heat = Heat(int(growth.edge_heat[edge])).name.capitalize()
        lines = [
            f"{reader} reads {read}: largest |w| {growth.strengths[edge]:.3g}",
            f"{heat}, committed at step {growth.edge_born[edge]} of {growth.steps}",
        ]
        if growth.truth is not None:
            lines.append("a true edge" if growth.truth[reader, read] else "not among the true edges")
        return "\n".join(lines)

    # -- painting

    def _paint(self, painter: QPainter, area: QRectF) -> None:
        painter.fillRect(area, QColor("#0b0d12"))
        frame = self._frame
        if frame is None or frame.growth is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        points, radius = self.points(area), self.radius(area)
        self._paint_edges(painter, frame.growth, points, radius)
        self._paint_nodes(painter, frame, points, radius)
        self._paint_caption(painter, area, frame.growth)

    def _paint_edges(self, painter: QPainter, growth: Growth, points: NDArray[np.float64], radius: float) -> None:
        if not len(growth.edges):
            return
        strength = growth.strengths / max(float(growth.strengths.max()), 1e-9)
        start, end = points[growth.edges[:, 1]], points[growth.edges[:, 0]]
        along = end - start
        length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        unit = along / length
        start, end = start + unit * radius, end - unit * (radius + 2)
        age = growth.steps - growth.edge_born
        fresh = set(np.argsort(age, kind="stable")[:FLASHES]) if growth.steps else set()
        for i in np.argsort(strength, kind="stable"):
            colour = QColor(HEATS[Heat(int(growth.edge_heat[i]))])
            colour.setAlphaF(0.30 + 0.55 * float(strength[i]))
            width = 0.8 + 2.2 * float(strength[i])
            if i in fresh and age[i] < FRESH:
                glow = 1 - float(age[i]) / FRESH
                colour = QColor.fromRgbF(1.0, 0.95, 0.75, 0.4 + 0.6 * glow)
                width += 2 * glow
            if i == self.under:
                colour, width = QColor(palette.TEXT), width + 1
            tip, back, side = end[i], end[i] - unit[i] * 6, np.array([-unit[i, 1], unit[i, 0]]) * 2.6
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(*start[i]), QPointF(*back))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawPolygon(QPolygonF([QPointF(*tip), QPointF(*(back + side)), QPointF(*(back - side))]))

    def _paint_nodes(self, painter: QPainter, frame: Frame, points: NDArray[np.float64], radius: float) -> None:
        light = lights(node_values(frame), self._view, self._exposure)
        light *= [channel.on for channel in self._view.channels]
        colours = np.clip(REST + light @ MIXED, 0, 1)
        font = painter.font()
        font.setPointSizeF(max(radius * 0.55, 5.0))
        painter.setFont(font)
        for node, (point, colour) in enumerate(zip(points, colours, strict=False)):
            painter.setPen(QPen(QColor(palette.EDGE), 1))
            painter.setBrush(QColor.fromRgbF(*map(float, colour)))
            painter.drawEllipse(QPointF(*point), radius, radius)
            if len(points) <= NUMBERED and radius >= 9:
                bright = float(colour @ [0.3, 0.59, 0.11]) > 0.45
                painter.setPen(QColor(palette.VOID if bright else palette.TEXT))
                box = QRectF(point[0] - radius, point[1] - radius, 2 * radius, 2 * radius)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(node))

    @staticmethod
    def _paint_caption(painter: QPainter, area: QRectF, growth: Growth) -> None:
        font = painter.font()
        font.setPointSizeF(9)
        painter.setFont(font)
        box = QRectF(12, 6, area.width() - 24, CAPTION)
        painter.setPen(QColor(palette.MUTED))
        aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(box, aligned, f"{growth.nodes} nodes, {len(growth.edges)} edges, step {growth.steps}")
        x = box.right()
        there = [heat for heat in HEATS if (growth.edge_heat == heat).any()]
        words = [(heat.name.capitalize(), QColor(HEATS[heat])) for heat in there]
        for word, colour in [("new", QColor.fromRgbF(1.0, 0.95, 0.75)), *words]:
            wide = painter.fontMetrics().horizontalAdvance(word)
            x -= wide
            painter.setPen(colour)
            painter.drawText(QRectF(x, box.y(), wide + 2, box.height()), aligned, word)
            x -= 14

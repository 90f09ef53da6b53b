"""The node-link picture of a growing graph, on any painter: nodes in three colours, edges by weight and heat.

Edges are opaque and drawn by strength, all of one strength and heat in one call: Qt blends translucent lines ten times
slower, and a Python loop over thousands of edges takes half a second.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter, QPen

from engine.frame import UNUSED, Frame
from engine.networks.growing.core import Heat
from engine.networks.growing.outlook import CACHED, NASCENT
from engine.networks.growing.report import Growth
from observatory import palette
from observatory.panels.graph_places import Places
from observatory.panels.strokes import draw_lines
from observatory.view import Exposure, ViewSettings, lights

MIXED = np.array([[0.88, 0.11, 0.09], [0.10, 1.0, 0.32], [0.16, 0.38, 1.0]])
"""Full red, green and blue light, as on the canvases."""
REST = np.array([0.10, 0.12, 0.15])
GROUND = QColor("#0b0d12")
HEATS = {Heat.WARM: "#f2b84b", Heat.HOT: "#e8604c", Heat.COOLING: "#4f86e8"}
NEW = (1.0, 0.95, 0.75)
NEWS = 3.0
"""Standard deviations of novelty that are ringed."""
RINGS = {NASCENT: palette.ACCENT, CACHED: palette.BLUE}
"""Of a node with a transient module, by what that began with."""
FRESH = 40
"""Learning steps for which a new edge flashes."""
FLASHES = 12
"""At most so many of the newest edges flash."""
LEVELS = 8
"""Strengths that are told apart."""
CROWD = 600
"""More edges than this are drawn thinner."""
MARGIN, CAPTION = 26, 24
HEAD, WIDE = 6.0, 2.6
"""Length and half width of an arrow head in pixels."""
NUMBERED = 64
"""More nodes than this are drawn without their numbers."""

Points = NDArray[np.float64]


def node_values(frame: Frame) -> NDArray[np.float32]:
    """Activation, change and error of each node, float32 (nodes, 3): RMS over its features."""
    used = (frame.flags[0] & UNUSED) == 0
    channels = np.stack([frame.activation, frame.velocity, frame.nudge], -1)[:, used]
    found: NDArray[np.float32] = np.sqrt(np.square(channels).mean(0))
    return found


class GraphPicture:
    """`follow(frame)` takes a frame that has a growth in, `paint` draws it; whom each node reads points at it."""

    def __init__(self, view: ViewSettings, exposure: Exposure) -> None:
        self._view, self._exposure = view, exposure
        self.frame: Frame | None = None
        self.places = Places()
        self.under: int | None = None
        """Number of the edge that is lit up."""
        self.chosen: int | None = None
        """The node that is ringed."""
        self._epoch = -1

    def follow(self, frame: Frame) -> None:
        """The next frame; one without a growth is passed over."""
        if frame.growth is None:
            return
        if frame.epoch != self._epoch:
            self._epoch, self.places, self.chosen = frame.epoch, Places(), None
        self._exposure.observe(frame)
        self.frame, self.under = frame, None
        self.places.follow(frame.growth.nodes, frame.growth.edges)

    def points(self, area: QRectF) -> Points:
        """Places of the nodes in pixels, (nodes, 2); together they fill the area."""
        places = self.places.points
        if not len(places):
            return places
        low, high = places.min(0), places.max(0)
        part = np.where(high > low, (places - low) / np.where(high > low, high - low, 1), 0.5)
        size = np.array([area.width() - 2 * MARGIN, area.height() - 2 * MARGIN - CAPTION])
        found: Points = part * np.maximum(size, 1) + [MARGIN, MARGIN + CAPTION]
        return found

    def radius(self, area: QRectF) -> float:
        """Of a node, in pixels."""
        count = max(len(self.places.points), 1)
        return min(max(0.16 * math.sqrt(area.width() * area.height() / count), 3.0), 15.0)

    def capture(self, size: tuple[int, int], unit: float = 1.0) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3); lines and letters are `unit` times as large."""
        picture = QImage(QSize(*size), QImage.Format.Format_RGB32)
        painter = QPainter(picture)
        painter.scale(unit, unit)
        self.paint(painter, QRectF(0, 0, size[0] / unit, size[1] / unit))
        painter.end()
        bits = picture.constBits()
        assert bits is not None
        pixels = np.frombuffer(bits.asstring(picture.sizeInBytes()), np.uint8).reshape(size[1], size[0], 4)
        return np.ascontiguousarray(pixels[..., 2::-1])

    def paint(self, painter: QPainter, area: QRectF) -> None:
        """The graph as it is."""
        painter.fillRect(area, GROUND)
        frame = self.frame
        if frame is None or frame.growth is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        points, radius = self.points(area), self.radius(area)
        self._paint_edges(painter, frame.growth, points, radius)
        self._paint_nodes(painter, frame, points, radius)
        _paint_caption(painter, area, frame.growth)

    def _paint_edges(self, painter: QPainter, growth: Growth, points: Points, radius: float) -> None:
        if not len(growth.edges):
            return
        strength = growth.strengths / max(float(growth.strengths.max()), 1e-9)
        shafts = _arrows(points[growth.edges[:, 1]], points[growth.edges[:, 0]], radius)
        age = growth.steps - growth.edge_born
        flashing = np.zeros(len(age), bool)
        newest = np.argsort(age, kind="stable")[:FLASHES]
        flashing[newest] = (age[newest] < FRESH) & (growth.steps > 0)
        level = np.minimum((strength * LEVELS).astype(int), LEVELS - 1)
        slim = min(1.0, CROWD / len(age))
        for step in range(LEVELS):
            share = (step + 0.5) / LEVELS
            for heat, name in HEATS.items():
                some = (level == step) & (growth.edge_heat == heat) & ~flashing
                if some.any():
                    painter.setPen(
                        QPen(
                            _dimmed(QColor(name), (0.30 + 0.55 * share) * (0.6 + 0.4 * slim)), 0.9 + 2.1 * share * slim
                        )
                    )
                    draw_lines(painter, shafts[some].reshape(-1, 4))
        for edge in np.flatnonzero(flashing):
            glow = 1 - float(age[edge]) / FRESH
            colour = _dimmed(QColor.fromRgbF(*NEW), 0.4 + 0.6 * glow)
            painter.setPen(QPen(colour, 0.8 + 2.2 * float(strength[edge]) + 2 * glow))
            draw_lines(painter, shafts[edge])
        if self.under is not None and self.under < len(age):
            painter.setPen(QPen(QColor(palette.TEXT), 1.8 + 2.2 * float(strength[self.under])))
            draw_lines(painter, shafts[self.under])

    def _paint_nodes(self, painter: QPainter, frame: Frame, points: Points, radius: float) -> None:
        light = lights(node_values(frame), self._view, self._exposure)
        light *= [channel.on for channel in self._view.channels]
        colours = np.clip(REST + light @ MIXED, 0, 1)
        bright = colours @ [0.3, 0.59, 0.11] > 0.45
        font = painter.font()
        font.setPointSizeF(max(radius * 0.55, 5.0))
        painter.setFont(font)
        numbered = len(points) <= NUMBERED and radius >= 9
        edge = QPen(QColor(palette.EDGE), 1)
        painter.setPen(edge)
        for node, ((x, y), colour) in enumerate(zip(points.tolist(), colours.tolist(), strict=False)):
            painter.setBrush(QColor.fromRgbF(*colour))
            painter.drawEllipse(QPointF(x, y), radius, radius)
            if numbered:
                painter.setPen(QColor(palette.VOID if bright[node] else palette.TEXT))
                box = QRectF(x - radius, y - radius, 2 * radius, 2 * radius)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(node + 1))
                painter.setPen(edge)
        _paint_troubles(painter, frame.growth, points, radius)
        if self.chosen is not None and self.chosen < len(points):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(palette.ACCENT), 2))
            painter.drawEllipse(QPointF(*points[self.chosen]), radius + 3, radius + 3)


def _arrows(start: Points, end: Points, radius: float) -> Points:
    """Shaft and two barbs of each arrow from node to node, (n, 3, 4)."""
    along = end - start
    unit = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-unit[:, 1], unit[:, 0]], 1) * WIDE
    start, tip = start + unit * radius, end - unit * (radius + 2)
    back = tip - unit * HEAD
    return np.stack([np.concatenate(ends, 1) for ends in ((start, tip), (tip, back + side), (tip, back - side))], 1)


def _dimmed(colour: QColor, light: float) -> QColor:
    """A colour as it looks when it covers the ground by this share."""
    parts = zip(colour.getRgbF()[:3], GROUND.getRgbF()[:3], strict=True)
    return QColor.fromRgbF(*(light * (one or 0.0) + (1 - light) * (other or 0.0) for one, other in parts))


def _paint_troubles(painter: QPainter, growth: Growth | None, points: Points, radius: float) -> None:
    """A red ring round a node whose residuals are news; a dotted one round a node that has a transient module, in the
    colour of what that began with."""
    if growth is None:
        return
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if growth.novelty is not None:
        painter.setPen(QPen(QColor(palette.RED), 1.6))
        for node in np.flatnonzero(growth.novelty[: len(points)] > NEWS):
            painter.drawEllipse(QPointF(*points[node]), radius + 1, radius + 1)
    if growth.transients is not None:
        origin = growth.transients.origin[: len(points)]
        for node in np.flatnonzero(origin):
            painter.setPen(QPen(QColor(RINGS[int(origin[node])]), 2, Qt.PenStyle.DotLine))
            painter.drawEllipse(QPointF(*points[node]), radius + 4, radius + 4)


def _paint_caption(painter: QPainter, area: QRectF, growth: Growth) -> None:
    font = painter.font()
    font.setPointSizeF(9)
    painter.setFont(font)
    box = QRectF(12, 6, area.width() - 24, CAPTION)
    painter.setPen(QColor(palette.MUTED))
    aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    counted = [
        f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((growth.nodes, "node"), (len(growth.edges), "edge"))
    ]
    painter.drawText(box, aligned, f"{', '.join(counted)}, step {growth.steps}")
    x = box.right()
    there = [heat for heat in HEATS if (growth.edge_heat == heat).any()]
    words = [(heat.name.capitalize(), QColor(HEATS[heat])) for heat in there]
    for word, colour in [("new", QColor.fromRgbF(*NEW)), *words]:
        wide = painter.fontMetrics().horizontalAdvance(word)
        x -= wide
        painter.setPen(colour)
        painter.drawText(QRectF(x, box.y(), wide + 2, box.height()), aligned, word)
        x -= 14

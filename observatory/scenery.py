"""Paints a world: things with a place as dots with trails, or what the network looks at as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QPolygonF

from engine.worlds.world import Scene
from observatory import palette
from observatory.panels.picture import to_qimage

Trails = Mapping[str, Sequence[tuple[float, float]]]
_LOOKS = {"agent": (palette.ACCENT, 0.034), "target": (palette.TEXT, 0.028)}
"""Colour, and radius in sides of the square."""


def paint_scene(painter: QPainter, square: QRectF, scene: Scene, trails: Trails) -> None:
    """Fill a square with this moment of a world; `trails` are where its things have been."""
    if scene.kind == "chase":
        _paint_places(painter, square, scene, trails)
    else:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(square, to_qimage(scene.picture))


def _paint_places(painter: QPainter, square: QRectF, scene: Scene, trails: Trails) -> None:
    def at(place: tuple[float, float]) -> QPointF:
        return QPointF(square.left() + place[0] * square.width(), square.bottom() - place[1] * square.height())

    for name, trail in trails.items():
        faint = QColor(_LOOKS[name][0])
        faint.setAlphaF(0.35)
        painter.setPen(QPen(faint, 1.5))
        painter.drawPolyline(QPolygonF([at(place) for place in trail]))
    painter.setPen(Qt.PenStyle.NoPen)
    for name, place in scene.points.items():
        colour, radius = _LOOKS[name]
        painter.setBrush(QColor(colour))
        painter.drawEllipse(at(place), radius * square.width(), radius * square.width())

"""The world that a tween chain lives in: the arena of the game, the field, or the picture, and how it does."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.worlds.world import WINDOW, Scene
from observatory import palette
from observatory.panels.picture import to_qimage

TRAIL = 120
"""Ticks that things leave a trail for."""
_COLOURS = {"agent": palette.ACCENT, "target": palette.TEXT, "digit": palette.ACCENT}


class Arena(QWidget):
    """Things with a place as dots with trails, or what the network looks at as a picture."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.scene: Scene | None = None
        self.trails: dict[str, list[tuple[float, float]]] = {}
        self.setMinimumSize(140, 140)
        self.setAccessibleName("the world of the network")

    def follow(self, scene: Scene | None) -> None:
        """Show this moment."""
        if scene is None or self.scene is None or scene.kind != self.scene.kind:
            self.trails.clear()
        self.scene = scene
        for name, place in (scene.points if scene is not None else {}).items():
            trail = self.trails.setdefault(name, [])
            trail.append(place)
            del trail[:-TRAIL]
        self.update()

    def square(self) -> QRectF:
        """The largest square in the middle."""
        side = min(self.width(), self.height()) - 8.0
        return QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """The square of the world and what is in it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        square = self.square()
        painter.fillRect(square, QColor(palette.BASE))
        scene = self.scene
        if scene is None:
            painter.setPen(QColor(palette.MUTED))
            painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "this network\nlooks at the input panel")
        elif scene.kind == "chase":
            self._paint_places(painter, square, scene)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.drawImage(square, to_qimage(scene.picture))
        painter.setPen(QPen(QColor(palette.EDGE), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(square)
        painter.end()

    def _paint_places(self, painter: QPainter, square: QRectF, scene: Scene) -> None:
        def at(place: tuple[float, float]) -> QPointF:
            return QPointF(square.left() + place[0] * square.width(), square.bottom() - place[1] * square.height())

        for name, trail in self.trails.items():
            colour = QColor(_COLOURS.get(name, palette.TEXT))
            colour.setAlphaF(0.35)
            painter.setPen(QPen(colour, 1.5))
            painter.drawPolyline(QPolygonF([at(place) for place in trail]))
        for name, place in scene.points.items():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(_COLOURS.get(name, palette.TEXT)))
            radius = 6.0 if name == "agent" else 5.0
            painter.drawEllipse(at(place), radius, radius)


class WorldPanel(QWidget):
    """Arena, task, what is right, what the network does, and how often it is right."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.arena = Arena()
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.words.setToolTip(f"Share of right answers over the last {WINDOW}; each counts before the truth is told")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.arena, 1)
        column.addWidget(self.words)

    def follow(self, frame: Frame) -> None:
        """Show this frame's world."""
        scene = frame.scene
        self.arena.follow(scene)
        self.words.setText("" if scene is None else _told(scene))


def _told(scene: Scene) -> str:
    mark = palette.GREEN if scene.right else palette.MUTED
    share = "" if scene.accuracy is None else f"<b style='font-size: large'>{scene.accuracy:.0%}</b> right<br>"
    return (
        f"{share}{scene.task}: <b>{scene.answer}</b> is right<br>it answers <b style='color: {mark}'>{scene.action}</b>"
    )

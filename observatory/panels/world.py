"""The world that a tween chain lives in: the arena of the game, the field, or the picture, and how it does."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.worlds.world import WINDOW, Scene
from observatory import palette
from observatory.scenery import paint_scene

TRAIL = 120
"""Ticks that things leave a trail for."""


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
        else:
            paint_scene(painter, square, scene, self.trails)
        painter.setPen(QPen(QColor(palette.EDGE), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(square)
        painter.end()


class WorldPanel(QWidget):
    """Arena, task, what is right, what the network does, and how often it is right."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.arena = Arena()
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.words.setToolTip(f"Share of correct answers over the last {WINDOW}; each counts before the truth is told")
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
    colour = palette.GREEN if scene.right else palette.RED
    share = "" if scene.accuracy is None else f"<b style='font-size: large'>{scene.accuracy:.0%}</b> correct<br>"
    return (
        f"{share}task: <b>{scene.task}</b><br>wanted <b>{scene.wanted}</b>, "
        f"answered <b style='color: {colour}'>{scene.action}</b>"
    )

"""The line icons in `assets/icons`, painted in the palette's colours."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from PyQt6.QtCore import QByteArray, Qt
from PyQt6.QtGui import QIcon, QPainter, QPixmap
from PyQt6.QtSvg import QSvgRenderer

from observatory import palette

SIZES = (16, 20, 24, 32, 48, 64)


def _pixmap(svg: str, colour: str, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.replace("currentColor", colour).encode())).render(painter)
    painter.end()
    return pixmap


@cache
def icon(name: str, colour: str = palette.TEXT) -> QIcon:
    """The icon called `name` in `colour`, dimmed when disabled; raises FileNotFoundError when there is none."""
    svg = (files("assets") / "icons" / f"{name}.svg").read_text("utf-8")
    result = QIcon()
    for size in SIZES:
        result.addPixmap(_pixmap(svg, colour, size))
        result.addPixmap(_pixmap(svg, palette.EDGE, size), QIcon.Mode.Disabled)
    return result

"""Many lines or boxes in one call of a painter, from arrays: no Python object is made for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter

_array: Any = sip.array
_address: Any = sip.voidptr
"""Their stubs do not tell their arguments."""


def _made(kind: type, numbers: NDArray[np.floating]) -> Any:
    """An array of Qt objects of four doubles each, from (n, 4)."""
    found = _array(kind, len(numbers))
    np.frombuffer(_address(found, numbers.size * 8), np.float64)[:] = numbers.ravel()
    return found


def draw_lines(painter: QPainter, segments: NDArray[np.float64]) -> None:
    """Draw segments (n, 4), x1 y1 x2 y2, with the painter's pen."""
    if len(segments):
        painter.drawLines(_made(QLineF, segments))


def fill_boxes(painter: QPainter, boxes: NDArray[np.floating], colour: QColor) -> None:
    """Fill boxes (n, 4), left top width height."""
    if len(boxes):
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRects(_made(QRectF, boxes))

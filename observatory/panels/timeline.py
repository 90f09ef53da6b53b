"""A slider over the frames of a history: how much changed when, in which phase, and where one looks."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QSlider, QToolTip, QWidget

from observatory import palette

INSET = 7
BAND = 5
"""Pixels of the band that shows phases."""
PAGE = 60
FULL = 40.0
"""A change-point SNR that reaches the top; the scale is logarithmic."""
SMALLEST_VIEW = 60
"""Frames that the wheel zooms in to, at most."""
PHASES = {
    "free": palette.GREEN,
    "nudged": palette.BLUE,
    "hold": palette.EDGE,
    "persistent": palette.ACCENT,
    "streaming": palette.MUTED,
    "listening": "#5fc9c0",
    "dream": "#c58af9",
}


class Timeline(QSlider):
    """Values are the numbers of frames. `sought(number)` is emitted when a person moves the handle.

    Click or drag to look at a moment, turn the wheel to see fewer frames, larger; a double click shows all again. With
    the focus, arrows go one frame, Page Up and Down sixty, Home to the oldest.
    """

    sought = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setPageStep(PAGE)
        self.setRange(0, 0)
        self.setAccessibleName("time")
        self.past = False
        self._index: NDArray[np.void] | None = None
        self._snr: NDArray[np.float64] = np.zeros(0)
        self._tags: Sequence[str] = ()
        self._first = 0
        self._frames_seen: int | None = None
        self._left = 0
        self._picture: QPixmap | None = None
        self.valueChanged.connect(self.sought)

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(300, 32)

    def minimumSizeHint(self) -> QSize:
        """Smallest useful size."""
        return QSize(120, 28)

    # what it shows

    def show_log(self, first: int, index: NDArray[np.void], snr: NDArray[np.float64], tags: Sequence[str]) -> None:
        """Other rows of a history's index, the first of which is frame `first`, and the SNR of each."""
        self._first, self._index, self._snr, self._tags = first, index, snr, tags
        with QSignalBlocker(self):
            self.setRange(first, first + max(len(index) - 1, 0))
        self._picture = None
        self.update()

    def show_at(self, number: int, past: bool) -> None:
        """Put the handle there without asking for that frame."""
        with QSignalBlocker(self):
            self.setValue(number)
        self.past = past
        if self._view() is None or not self._left <= number < self._left + (self._view() or 0):
            self._picture = None
        self.update()

    def zoom(self, factor: float) -> None:
        """Show this many times fewer frames, round the handle."""
        count = self.maximum() - self.minimum() + 1
        wanted = round((self._view() or count) / factor)
        self._frames_seen = None if wanted >= count else max(wanted, SMALLEST_VIEW)
        self._left = self.value() - (self._frames_seen or 0) // 2
        self._picture = None
        self.update()

    def _view(self) -> int | None:
        """Frames that are visible, None for all."""
        count = self.maximum() - self.minimum() + 1
        return self._frames_seen if self._frames_seen is not None and self._frames_seen < count else None

    def _range(self) -> tuple[int, int]:
        """First visible frame and the one behind the last; the handle is always among them."""
        view, low, high = self._view(), self.minimum(), self.maximum() + 1
        if view is None:
            return low, high
        if self.value() < self._left:
            self._left = self.value() - view // 4
        elif self.value() >= self._left + view:
            self._left = self.value() - view + 1 + (view // 4 if self.past else 0)
        self._left = min(max(self._left, low), high - view)
        return self._left, self._left + view

    def x_of(self, number: float) -> float:
        """Where a frame lies, in pixels."""
        low, high = self._range()
        return INSET + (number - low) / max(1, high - 1 - low) * (self.width() - 2 * INSET)

    def number_at(self, x: float) -> int:
        """The frame at this place."""
        low, high = self._range()
        share = (x - INSET) / max(1, self.width() - 2 * INSET)
        return low + round(min(1.0, max(0.0, share)) * (high - 1 - low))

    def tip_at(self, x: float) -> str:
        """What there is at this place, in words."""
        if self._index is None or not len(self._index):
            return "nothing is logged yet"
        number = self.number_at(x)
        row = self._index[number - self._first]
        clock = time.strftime("%H:%M:%S", time.localtime(float(row["time"])))
        return (
            f"tick {row['tick']}  ·  {self._tag(int(row['tag']))}  ·  {clock}\n"
            f"change-point SNR {self._snr[number - self._first]:.1f}"
        )

    def _tag(self, number: int) -> str:
        return self._tags[number] if number < len(self._tags) else ""

    # what a person does

    def mousePressEvent(self, ev: QMouseEvent | None) -> None:
        """Look there."""
        if ev is not None and ev.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setValue(self.number_at(ev.position().x()))

    def mouseMoveEvent(self, ev: QMouseEvent | None) -> None:
        """Follow the pointer, or tell what is under it."""
        if ev is None:
            return
        if self.isSliderDown():
            self.setValue(self.number_at(ev.position().x()))
        QToolTip.showText(ev.globalPosition().toPoint(), self.tip_at(ev.position().x()), self)

    def mouseReleaseEvent(self, ev: QMouseEvent | None) -> None:
        """Let go."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, a0: QMouseEvent | None) -> None:
        """Show all frames again."""
        self.zoom(1e-9)

    def wheelEvent(self, e: QWheelEvent | None) -> None:
        """Show fewer frames, or more."""
        if e is not None:
            self.zoom(1.3 ** (e.angleDelta().y() / 120))
            e.accept()

    # how it looks

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        """Paint the curve anew."""
        super().resizeEvent(a0)
        self._picture = None

    def paintEvent(self, ev: QPaintEvent | None) -> None:
        """The curve, kept as a picture, and the handle over it."""
        low, high = self._range()
        if self._picture is None or self._picture.size() != self.size() * self.devicePixelRatioF():
            self._picture = self._painted(low, high)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = self.x_of(self.value())
        colour = QColor(palette.ACCENT if self.past else palette.TEXT)
        if self.past:
            shade = QColor(palette.VOID)
            shade.setAlphaF(0.55)
            painter.fillRect(QRectF(x, 2, self.width() - INSET - x, self.height() - 4), shade)
        painter.setPen(QPen(colour, 2))
        painter.drawLine(QPointF(x, 2), QPointF(x, self.height() - 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawPolygon(QPolygonF([QPointF(x - 6, 0), QPointF(x + 6, 0), QPointF(x, 8)]))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(palette.ACCENT), 1))
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))
        painter.end()

    def _painted(self, low: int, high: int) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(palette.BASE))
        index = self._index
        if index is None or len(index) < 2:
            return picture
        rows = slice(max(0, low - self._first), high - self._first)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_phases(painter, index[rows], low)
        self._paint_curve(painter, self._snr[rows], low)
        painter.end()
        return picture

    def _paint_phases(self, painter: QPainter, index: NDArray[np.void], low: int) -> None:
        """One piece of the band for each run of frames with the same tag, a line where another run begins."""
        tags, epochs = index["tag"], index["epoch"]
        width = self.width() - 2 * INSET
        edges = np.flatnonzero(np.diff(tags)) + 1
        if len(edges) > 2 * width:  # finer than a pixel
            edges = edges[:: len(edges) // width + 1]
        top = self.height() - BAND - 2
        begins, ends = [0, *edges.tolist()], [*edges.tolist(), len(tags)]
        for begin, end in zip(begins, ends, strict=True):
            left, right = self.x_of(low + begin), self.x_of(low + end)
            colour = QColor(PHASES.get(self._tag(int(tags[begin])), palette.MUTED))
            painter.fillRect(QRectF(left, top, min(right, self.width() - INSET) - left, BAND), colour)
        painter.setPen(QPen(QColor(palette.TEXT), 1, Qt.PenStyle.DotLine))
        for edge in (np.flatnonzero(np.diff(epochs)) + 1)[:200]:
            x = self.x_of(low + int(edge))
            painter.drawLine(QPointF(x, 2), QPointF(x, top))

    def _paint_curve(self, painter: QPainter, snr: NDArray[np.float64], low: int) -> None:
        """The largest SNR of all frames of a pixel, on a logarithmic scale."""
        bottom, room = self.height() - BAND - 3.0, self.height() - BAND - 6.0
        height = np.clip(np.log1p(snr) / np.log1p(FULL), 0, 1)
        width = self.width() - 2 * INSET
        if len(height) > width:
            starts = np.linspace(0, len(height), width, endpoint=False).astype(int)
            height, numbers = np.maximum.reduceat(height, starts), low + starts
        else:
            numbers = low + np.arange(len(height))
        xs = [self.x_of(float(number)) for number in numbers]
        points = [QPointF(x, bottom - room * float(h)) for x, h in zip(xs, height, strict=True)]
        fill = QColor(palette.ACCENT)
        fill.setAlphaF(0.28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF([QPointF(xs[0], bottom), *points, QPointF(xs[-1], bottom)]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(palette.ACCENT), 1.1))
        painter.drawPolyline(QPolygonF(points))

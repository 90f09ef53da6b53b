"""A horizontal slider that jumps where it is clicked, can carry a labelled mark, and shows its focus."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PyQt6.QtWidgets import QSlider, QWidget

from observatory import palette


class Slider(QSlider):
    """Positions 0 to `steps`; `double_clicked` asks for the preset value."""

    double_clicked = pyqtSignal()

    def __init__(self, steps: int, colour: str = palette.ACCENT, large: bool = False, parent: QWidget | None = None):
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(0, steps)
        self.setSingleStep(max(1, steps // 200))
        self.setPageStep(max(1, steps // 20))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._colour = QColor(colour)
        self._radius = 9 if large else 6
        self._mark: tuple[float, str] | None = None

    def set_mark(self, fraction: float, label: str) -> None:
        """Draw a labelled line at `fraction` (0 to 1) of the way."""
        self._mark = (fraction, label)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(120, 2 * self._radius + 8 + (14 if self._mark else 0))

    def minimumSizeHint(self) -> QSize:
        """Smallest useful size."""
        return QSize(50, self.sizeHint().height())

    def x_of(self, fraction: float) -> float:
        """Where that fraction of the way lies, in pixels."""
        inset = self._radius + 2
        return inset + fraction * (self.width() - 2 * inset)

    def _value_at(self, x: float) -> int:
        inset = self._radius + 2
        fraction = (x - inset) / max(1, self.width() - 2 * inset)
        return round(min(1.0, max(0.0, fraction)) * self.maximum())

    def mousePressEvent(self, ev: QMouseEvent | None) -> None:
        """Take the handle, or jump to the pointer."""
        if ev is not None and ev.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            if abs(ev.position().x() - self.x_of(self.value() / self.maximum())) > self._radius:
                self.setValue(self._value_at(ev.position().x()))

    def mouseMoveEvent(self, ev: QMouseEvent | None) -> None:
        """Follow the pointer."""
        if ev is not None and self.isSliderDown():
            self.setValue(self._value_at(ev.position().x()))

    def mouseReleaseEvent(self, ev: QMouseEvent | None) -> None:
        """Let go."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, a0: QMouseEvent | None) -> None:
        """Ask for the preset value."""
        self.double_clicked.emit()

    def wheelEvent(self, e: QWheelEvent | None) -> None:
        """Turn only with the focus, so that scrolling past changes nothing."""
        if e is None:
            return
        if self.hasFocus():
            super().wheelEvent(e)
        else:
            e.ignore()

    def paintEvent(self, ev: QPaintEvent | None) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self._radius + 4.0
        left, right = self.x_of(0), self.x_of(1)
        at = self.x_of(self.value() / max(1, self.maximum()))
        colour = self._colour if self.isEnabled() else QColor(palette.LINE)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(palette.LINE))
        painter.drawRoundedRect(QRectF(left, middle - 2, right - left, 4), 2, 2)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(left, middle - 2, at - left, 4), 2, 2)
        if self._mark is not None:
            self._paint_mark(painter, middle, *self._mark)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(palette.TEXT), 1.5))
            painter.drawEllipse(QPointF(at, middle), self._radius + 2, self._radius + 2)
        painter.setPen(QPen(QColor(palette.BASE), 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(at, middle), self._radius - 1, self._radius - 1)
        painter.end()

    def _paint_mark(self, painter: QPainter, middle: float, fraction: float, label: str) -> None:
        x = self.x_of(fraction)
        painter.setPen(QPen(QColor(palette.TEXT), 1.5))
        painter.drawLine(QPointF(x, middle - self._radius), QPointF(x, middle + self._radius + 1))
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * 0.85)
        painter.setFont(font)
        painter.setPen(QColor(palette.MUTED))
        width = painter.fontMetrics().horizontalAdvance(label)
        start = min(max(0.0, x - width / 2), self.width() - width)
        painter.drawText(QPointF(start, self.height() - 2.0), label)

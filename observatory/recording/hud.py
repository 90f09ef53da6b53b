"""The strip under a headless recording: what is shown, in figures, bars and colours."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QImage, QPainter

from engine.frame import Frame
from observatory.scenery import paint_scene

_BACKGROUND = QColor(17, 20, 28)
_EDGE = QColor(38, 44, 58)
_TEXT = QColor(226, 231, 242)
_DIM = QColor(138, 147, 168)
_BAR = QColor(70, 79, 102)
_ACCENT = QColor(255, 196, 84)
_LEGEND = (QColor(236, 64, 54), QColor(60, 226, 110), QColor(84, 134, 255))
_SETTLING, _STREAMING = ("state", "change", "nudge / credit"), ("activation", "change", "gap")
_GROWING = ("state", "change", "error")
_PHASES = {
    "free": "free phase", "nudged": "nudged phase", "hold": "at rest", "persistent": "all phases at once",
    "dream": "dreaming", "streaming": "learning at every tick", "listening": "following a stream",
}  # fmt: skip


def strip_height(size: tuple[int, int]) -> int:
    """Height of the strip in a picture of this (width, height): even, legible, and at most a fifth."""
    return max(2, min(round(size[1] * 0.125 / 2) * 2, 132))


def drawing_application() -> QCoreApplication:
    """What fonts need: the application that there is, or an offscreen one, to be kept as long as one draws."""
    return QGuiApplication.instance() or QGuiApplication([sys.argv[0], "-platform", "offscreen"])


class Hud:
    """Paints the strip for one preset at one size. Makes an offscreen QGuiApplication when there is none."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self._app = drawing_application()
        self._title = title
        self._image = QImage(width, height, QImage.Format.Format_RGB32)
        self._unit = height / 90
        self._bold = self._font(19, QFont.Weight.DemiBold)
        self._plain = self._font(15)
        self._small = self._font(12)

    def _font(self, pixels: float, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
        font = QFont("DejaVu Sans")
        font.setStyleHint(QFont.StyleHint.SansSerif)
        font.setPixelSize(max(round(pixels * self._unit), 7))
        font.setWeight(weight)
        return font

    def paint(self, frame: Frame) -> NDArray[np.uint8]:
        """The strip for a frame, uint8 (height, width, 3)."""
        image, unit = self._image, self._unit
        image.fill(_BACKGROUND)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(QRectF(0, 0, image.width(), 1), _EDGE)
        left = self._input(painter, frame, 14 * unit)
        left = self._heading(painter, frame, left)
        right = self._legend(painter, frame, image.width() - 16 * unit, left)
        right = self._classes(painter, frame, right, left)
        self._figures(painter, [*self._knobs(frame), *_figures(frame)], left, right)
        painter.end()
        bits = image.constBits()
        assert bits is not None
        pixels = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(
            image.height(), image.bytesPerLine() // 4, 4
        )
        return np.ascontiguousarray(pixels[:, : image.width(), 2::-1])

    @staticmethod
    def _knobs(frame: Frame) -> list[tuple[str, str]]:
        symbols = (("sigma", "\N{GREEK SMALL LETTER SIGMA}"), ("beta", "\N{GREEK SMALL LETTER BETA}"))
        return [(symbol, f"{frame.knobs[name].value:g}") for name, symbol in symbols if name in frame.knobs]

    def _input(self, painter: QPainter, frame: Frame, left: float) -> float:
        if frame.growth is not None:
            return left
        side = 62 * self._unit
        if frame.scene is not None:
            square = QRectF(left, 14 * self._unit, side, side)
            painter.fillRect(square, Qt.GlobalColor.black)
            paint_scene(painter, square, frame.scene, {})
            return left + side + 16 * self._unit
        rows, columns = frame.image.shape
        grey = np.ascontiguousarray(np.clip(np.nan_to_num(frame.image) * 255, 0, 255).astype(np.uint8))
        picture = QImage(grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
        painter.drawImage(QRectF(left, 14 * self._unit, side, side), picture)
        return left + side + 16 * self._unit

    def _heading(self, painter: QPainter, frame: Frame, left: float) -> float:
        counted = "" if frame.scene is not None else f" {frame.metrics.phase_ticks}"
        phase = f"tick {frame.tick}  ·  {_PHASES.get(frame.metrics.phase, frame.metrics.phase)}{counted}"
        return (
            max(
                self._line(painter, self._title, self._bold, _TEXT, left, 38),
                self._line(painter, phase, self._plain, _DIM, left, 64),
                left + QFontMetricsF(self._plain).horizontalAdvance("tick 0000  ·  all phases at once 0000"),
            )
            + 28 * self._unit
        )

    def _figures(self, painter: QPainter, figures: Sequence[tuple[str, str]], left: float, right: float) -> None:
        for name, value in figures:
            width = max(QFontMetricsF(self._small).horizontalAdvance(name), 34 * self._unit)
            if left + width > right:
                return
            self._line(painter, name, self._small, _DIM, left, 36)
            self._line(painter, value, self._plain, _TEXT, left, 62)
            left += width + 18 * self._unit

    def _classes(self, painter: QPainter, frame: Frame, right: float, limit: float) -> float:
        if frame.growth is not None:
            return right
        chances, label = frame.metrics.probabilities, frame.label if frame.scene is None else frame.scene.due
        step, width, height = 17 * self._unit, 12 * self._unit, 46 * self._unit
        left = right - step * len(chances)
        if left < limit:
            return right
        base = 14 * self._unit + height
        best = int(np.argmax(chances)) if np.isfinite(chances).all() else -1
        painter.setFont(self._small)
        for i, chance in enumerate(chances):
            x, share = left + i * step, float(np.clip(np.nan_to_num(chance), 0, 1))
            painter.fillRect(QRectF(x, base - height, width, height), _EDGE)
            colour = _ACCENT if i == label else (_TEXT if i == best else _BAR)
            painter.fillRect(QRectF(x, base - height * share, width, height * share), colour)
            painter.setPen(_ACCENT if i == label else _DIM)
            place = QRectF(x - step, base, width + 2 * step, 20 * self._unit)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(i))
        return left - 28 * self._unit

    def _legend(self, painter: QPainter, frame: Frame, right: float, limit: float) -> float:
        names = _GROWING if frame.growth is not None else _SETTLING if frame.scene is None else _STREAMING
        widest = max(QFontMetricsF(self._small).horizontalAdvance(text) for text in names)
        left = right - widest - 16 * self._unit
        if left < limit:
            return right
        for i, (text, colour) in enumerate(zip(names, _LEGEND, strict=True)):
            y = (24 + 21 * i) * self._unit
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            painter.drawEllipse(QPointF(left, y), 4.5 * self._unit, 4.5 * self._unit)
            self._line(painter, text, self._small, _TEXT, left + 13 * self._unit, 28 + 21 * i)
        return left - 28 * self._unit

    def _line(self, painter: QPainter, text: str, font: QFont, colour: QColor, x: float, baseline: float) -> float:
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(QPointF(x, baseline * self._unit), text)
        return x + QFontMetricsF(font).horizontalAdvance(text)


def _figures(frame: Frame) -> list[tuple[str, str]]:
    """What there is to say of a network that settles, of one that lives in a world, and of one that grows."""
    if frame.growth is not None:
        growth = frame.growth
        figures = [
            ("edges", str(len(growth.edges))),
            ("cells and taps", f"{growth.struct} / {growth.limit}"),
            ("gamma", f"{growth.gamma:.3g}"),
            ("decisions", str(growth.decided)),
            ("loss", f"{growth.mean_loss:.3g}"),
        ]
        return figures if growth.edge_f1 is None else [*figures, ("edge F1", f"{growth.edge_f1:.2f}")]
    metrics, scene, links = frame.metrics, frame.scene, frame.links
    if scene is None or links is None:
        return [
            ("T_relax", _known(metrics.t_relax)),
            ("D_nudge", str(metrics.d_nudge)),
            ("T_nudge", _known(metrics.t_nudge)),
            ("max velocity", f"{metrics.velocity_max:.2g}"),
        ]
    lowest = links.bottleneck - 1
    return [
        ("task", scene.task),
        ("correct", "\N{EN DASH}" if scene.accuracy is None else f"{scene.accuracy:.0%}"),
        ("bottleneck", f"{links.bottleneck} {links.names[lowest]}"),
        ("link budget", f"{links.budget[lowest]:.3f}"),
        ("gap", f"{links.gap[lowest]:.2g}"),
    ]


def _known(value: int | None) -> str:
    return "\N{EN DASH}" if value is None else str(value)

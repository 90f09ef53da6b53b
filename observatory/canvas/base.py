"""What every canvas shares: one frame, the view settings, and a context that may go at any time."""

from __future__ import annotations

from typing import Any, ClassVar

from psygnal import Signal
from PyQt6 import sip
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QWidget
from vispy import app

from engine.frame import Frame
from observatory.canvas.geometry import Size
from observatory.canvas.lifetime import ContextLifetime
from observatory.canvas.pointer import LeaveWatch, Neuron
from observatory.view import Exposure, ViewSettings


class FrameCanvas(app.Canvas):  # type: ignore[misc]
    """Shows the newest frame; `native` is the QWidget to put into a layout.

    While the widget is hidden nothing is uploaded. Canvases that show the same frames in turn share an `exposure`.
    """

    hovered: ClassVar[Signal] = Signal(object)
    """The Neuron under the pointer, or None; also when its values change."""

    def __init__(self, settings: ViewSettings, exposure: Exposure | None = None, parent: QWidget | None = None) -> None:
        application = app.Application("pyqt6")
        super().__init__(app=application, parent=parent, size=(960, 600), show=False, autoswap=False, dpi=96)
        self._settings = settings
        self._exposure = exposure or Exposure()
        self._frame: Frame | None = None
        self._pointer: tuple[float, float] | None = None
        self._neuron: Neuron | None = None
        self.events.draw.ignore_callback_errors = False
        self._widget.setMinimumSize(160, 120)
        self._widget.setCursor(Qt.CursorShape.CrossCursor)
        self._lifetime = ContextLifetime(self._release)
        self._leave = LeaveWatch(self._widget, lambda: self.point_at(None))
        settings.changed.connect(self._redraw)

    @property
    def exposure(self) -> Exposure:
        """The automatic exposure as it is now."""
        return self._exposure

    def show_frame(self, frame: Frame) -> None:
        """Show a frame at the next repaint; its arrays must not be written again."""
        self._frame = frame
        self._exposure.observe(frame)
        self._hover()
        self.update()

    def neuron_at(self, x: float, y: float) -> Neuron | None:
        """The neuron at logical pixel (x, y) of the widget."""
        raise NotImplementedError

    def point_at(self, position: tuple[float, float] | None) -> None:
        """The pointer is at this logical pixel, or (None) elsewhere."""
        self._pointer = position
        self._hover()

    def update(self, event: Any = None) -> None:
        """Ask for a repaint; nothing happens once the widget has been deleted by its owner."""
        if self._backend is not None and not sip.isdeleted(self._widget):
            super().update(event)

    def close(self) -> None:
        """Give everything back; it does no harm when the widget is already gone."""
        self._settings.changed.disconnect(self._redraw, missing_ok=True)
        if not sip.isdeleted(self._widget):
            super().close()

    def on_initialize(self, event: Any) -> None:
        """A context was made, at first or after undocking; its objects go when it goes."""
        self._lifetime.watch(self._widget.context())

    @property
    def _widget(self) -> Any:
        return self.native

    @property
    def _ratio(self) -> float:
        return float(self._widget.devicePixelRatioF())

    @property
    def _pixels(self) -> Size:
        ratio = self._ratio
        return max(round(self._widget.width() * ratio), 1), max(round(self._widget.height() * ratio), 1)

    def _redraw(self) -> None:
        self.update()

    def _require_context(self) -> None:
        if not self._widget.isValid():
            raise RuntimeError("the canvas has no OpenGL context before it is shown")

    def _hover(self) -> None:
        neuron = self.neuron_at(*self._pointer) if self._pointer is not None else None
        if neuron != self._neuron:
            self._neuron = neuron
            self.hovered.emit(neuron)

    def _release_objects(self) -> None:
        """Give all GL objects back; the context is current."""
        raise NotImplementedError

    def _release(self) -> None:
        self._release_objects()
        self.context.glir.flush(self.context.shared.parser)

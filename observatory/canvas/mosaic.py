"""The synapse eye as a widget: pan, zoom, hover and click over the mosaic of layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from PyQt6.QtWidgets import QWidget
from vispy import gloo
from vispy.util.keys import SHIFT

from engine.frame import Frame
from observatory.canvas.base import FrameCanvas
from observatory.canvas.colours import PAGE
from observatory.canvas.geometry import Camera, Grid, Rectangle, Size, best_columns
from observatory.canvas.pointer import Neuron, neuron_of
from observatory.canvas.renderer import MosaicRenderer, View
from observatory.view import Exposure, ViewSettings

_CLICK_SLACK = 5
"""A press that moved no more logical pixels than this is a click, not a drag."""
_WHEEL_FACTOR = 1.2
_ARROW_PIXELS = 80
_ARROWS = {"Left": (1, 0), "Right": (-1, 0), "Up": (0, 1), "Down": (0, -1)}


class MosaicCanvas(FrameCanvas):
    """All layers of the newest frame; `native` is the QWidget to put into a layout.

    Drag pans, the wheel zooms about the pointer, a click zooms on a layer, another click, a double click or Escape
    shows all again; arrows, + and - do the same from the keyboard. A drag with Shift held draws a rectangle, Escape
    drops it again. While the widget is hidden nothing is uploaded.
    """

    layer_clicked: ClassVar[Signal] = Signal(int)
    """A layer, counted from 1, on which the view zooms."""
    region_drawn: ClassVar[Signal] = Signal(object)
    """The neurons that a rectangle drawn with Shift touches, bool (layers, neurons); never none."""

    def __init__(self, settings: ViewSettings, exposure: Exposure | None = None, parent: QWidget | None = None) -> None:
        super().__init__(settings, exposure, parent)
        self._renderer = MosaicRenderer()
        self._camera: Camera | None = None
        self._layer: int | None = None
        self._press: tuple[float, float] | None = None
        self._drag: tuple[float, float] | None = None
        self._region: tuple[tuple[float, float], tuple[float, float]] | None = None

    # what the window calls

    @property
    def fitted(self) -> bool:
        """Whether the whole mosaic is shown."""
        return self._camera is None

    def show_frame(self, frame: Frame) -> None:
        """Show a frame at the next repaint; its arrays must not be written again."""
        if self._frame is not None and frame.layout != self._frame.layout:
            self.fit()
        super().show_frame(frame)

    def fit(self) -> None:
        """Show the whole mosaic."""
        self._camera = self._layer = None
        self._redraw()

    def zoom_to(self, layer: int) -> None:
        """Show one layer, counted from 1; nothing happens where there is no such layer."""
        grid = self._grid()
        if grid is None or not 1 <= layer <= grid.layout.layers:
            return
        self._camera = Camera.on_layer(grid, layer, self._pixels)
        self._layer = layer
        self._redraw()

    def capture(self, size: Size) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3), without the pointer's marks.

        A fitted mosaic is laid out anew for that size; a zoomed one keeps its middle. Raises RuntimeError before
        the widget was shown.
        """
        self._require_context()
        width, height = size
        frame, grid = self._frame, self._grid(size)
        if frame is None or grid is None:
            return np.full((height, width, 3), np.rint(np.array(PAGE) * 255), np.uint8)
        camera = self._camera
        if camera is not None:
            now = self._pixels
            camera = Camera(camera.x, camera.y, camera.cell * min(width / now[0], height / now[1]))
        self.set_current()
        view = View(grid, camera or Camera.fit(grid, size), size)
        return self._renderer.read(frame, self._settings, self._exposure, view)

    def neuron_at(self, x: float, y: float) -> Neuron | None:
        """The neuron at logical pixel (x, y) of the widget."""
        frame, grid = self._frame, self._grid()
        if frame is None or grid is None:
            return None
        place = grid.neuron_at(*self._world(grid, x, y))
        return None if place is None else neuron_of(frame, *place)

    def position_of(self, layer: int) -> tuple[float, float]:
        """The middle of a layer's tile in logical pixels; raises LookupError before the first frame."""
        grid = self._grid()
        if grid is None:
            raise LookupError("no frame has been shown yet")
        left, top = grid.tile(layer)
        middle = left + grid.layout.width / 2, top + grid.layout.height / 2
        x, y = self._seen(grid).to_screen(*middle, self._pixels)
        return x / self._ratio, y / self._ratio

    def point_at(self, position: tuple[float, float] | None) -> None:
        """The pointer is at this logical pixel, or (None) elsewhere."""
        before = self._hover_layer()
        super().point_at(position)
        if self._hover_layer() != before:
            self.update()

    # vispy's events

    def on_draw(self, event: Any) -> None:
        """Paint the newest frame."""
        gloo.set_viewport(0, 0, *self._pixels)
        gloo.set_clear_color((*PAGE, 1.0))
        frame, grid = self._frame, self._grid()
        if frame is None or grid is None:
            gloo.clear()
            return
        view = View(grid, self._seen(grid), self._pixels, self._hover_layer() or 0, self._rectangle(grid))
        self._renderer.draw(frame, self._settings, self._exposure, view)

    def on_resize(self, event: Any) -> None:
        """Keep a zoomed layer in view."""
        grid = self._grid()
        if grid is not None and self._layer is not None:
            self._camera = Camera.on_layer(grid, self._layer, self._pixels)

    def on_mouse_press(self, event: Any) -> None:
        """Begin a click, a drag or, with Shift, a rectangle."""
        if event.button == 1 and SHIFT in event.modifiers:
            here = float(event.pos[0]), float(event.pos[1])
            self._region = here, here
            event.handled = True
        elif event.button in (1, 3):
            self._press = self._drag = (float(event.pos[0]), float(event.pos[1]))
            event.handled = True

    def on_mouse_move(self, event: Any) -> None:
        """Drag the picture or a rectangle's corner, or say which neuron is under the pointer."""
        x, y = float(event.pos[0]), float(event.pos[1])
        if self._region is not None:
            self._region = self._region[0], (x, y)
            self.update()
        if self._drag is not None and self._press is not None:
            slack = max(abs(x - self._press[0]), abs(y - self._press[1]))
            if self._drag != self._press or slack > _CLICK_SLACK:
                self._pan(x - self._drag[0], y - self._drag[1])
                self._drag = (x, y)
        self.point_at((x, y))
        event.handled = True

    def on_mouse_release(self, event: Any) -> None:
        """End a rectangle or a drag; without one, zoom on the layer or show all again."""
        if self._region is not None and event.button == 1:
            self._region = self._region[0], (float(event.pos[0]), float(event.pos[1]))
            self._finish_region()
        clicked = self._press is not None and self._drag == self._press
        self._press = self._drag = None
        if clicked and event.button == 1:
            self._click(float(event.pos[0]), float(event.pos[1]))
        event.handled = True

    def on_mouse_double_click(self, event: Any) -> None:
        """Show all; with Shift it is no more than two clicks."""
        if SHIFT in event.modifiers:
            return
        self._press = self._drag = None
        self.fit()
        event.handled = True

    def on_mouse_wheel(self, event: Any) -> None:
        """Zoom about the pointer."""
        self._zoom(_WHEEL_FACTOR ** float(event.delta[1]), float(event.pos[0]), float(event.pos[1]))
        event.handled = True

    def on_key_press(self, event: Any) -> None:
        """Arrows pan, + and - zoom, Escape drops a rectangle, Escape and Home show all; others go to the window."""
        name = event.key.name if event.key is not None else ""
        middle = self._widget.width() / 2, self._widget.height() / 2
        if name in _ARROWS and not self.fitted:
            self._pan(*(step * _ARROW_PIXELS for step in _ARROWS[name]))
        elif event.text in ("+", "="):
            self._zoom(_WHEEL_FACTOR, *middle)
        elif event.text == "-":
            self._zoom(1 / _WHEEL_FACTOR, *middle)
        elif name == "Escape" and self._region is not None:
            self._region = None
            self.update()
        elif name in ("Escape", "Home") and not self.fitted:
            self.fit()
        else:
            return
        event.handled = True

    # the parts

    def _grid(self, size: Size | None = None) -> Grid | None:
        if self._frame is None:
            return None
        layout = self._frame.layout
        fresh = size if size is not None and self._camera is None else self._pixels
        return Grid(layout, min(self._settings.columns, layout.layers) or best_columns(layout, fresh))

    def _seen(self, grid: Grid) -> Camera:
        return self._camera or Camera.fit(grid, self._pixels)

    def _world(self, grid: Grid, x: float, y: float) -> tuple[float, float]:
        return self._seen(grid).to_world(x * self._ratio, y * self._ratio, self._pixels)

    def _rectangle(self, grid: Grid) -> Rectangle | None:
        if self._region is None:
            return None
        (x0, y0), (x1, y1) = (self._world(grid, *corner) for corner in self._region)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def _finish_region(self) -> None:
        grid = self._grid()
        region = None if grid is None else self._rectangle(grid)
        self._region = None
        self.update()
        if grid is not None and region is not None:
            neurons = grid.neurons_in(region)
            if neurons.any():
                self.region_drawn.emit(neurons)

    def _release_objects(self) -> None:
        self._renderer.release()

    def _hover_layer(self) -> int | None:
        grid = self._grid()
        if grid is None or self._pointer is None:
            return None
        return grid.layer_at(*self._world(grid, *self._pointer))

    def _move_to(self, camera: Camera, grid: Grid) -> None:
        held = camera.held(grid, self._pixels)
        self._camera = None if held == Camera.fit(grid, self._pixels) else held
        self._layer = None
        self._redraw()

    def _pan(self, dx: float, dy: float) -> None:
        grid = self._grid()
        if grid is not None:
            self._move_to(self._seen(grid).panned(dx * self._ratio, dy * self._ratio), grid)

    def _zoom(self, factor: float, x: float, y: float) -> None:
        grid = self._grid()
        if grid is not None:
            camera = self._seen(grid).zoomed(factor, x * self._ratio, y * self._ratio, self._pixels)
            self._move_to(camera, grid)

    def _click(self, x: float, y: float) -> None:
        grid = self._grid()
        if grid is None:
            return
        layer = grid.layer_at(*self._world(grid, x, y))
        if layer is None or layer == self._layer:
            self.fit()
            return
        self.zoom_to(layer)
        self.layer_clicked.emit(layer)

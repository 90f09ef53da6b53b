"""The volume as a widget: orbit, zoom, slices to drag, and the voxel under the pointer."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtWidgets import QWidget
from vispy import gloo
from vispy.util.keys import SHIFT

from observatory.canvas.base import FrameCanvas
from observatory.canvas.colours import PAGE
from observatory.canvas.furniture import FLAT_AXES, flat_place, rim_of
from observatory.canvas.geometry import Size
from observatory.canvas.orbit import HOME, Orbit
from observatory.canvas.picking import Voxel, pick
from observatory.canvas.pointer import Neuron, neuron_of
from observatory.canvas.volume_renderer import VolumeRenderer
from observatory.canvas.volume_scene import VolumeView
from observatory.view import Exposure, ViewSettings
from observatory.volume_view import AXES, TURN, Axis, VolumeSettings

_DEGREES = 0.4
"""Degrees of orbit for each logical pixel of a drag."""
_WHEEL_FACTOR = 1.12
_KEY_DEGREES = 10.0
_ARROWS = {"Left": (1, 0), "Right": (-1, 0), "Up": (0, 1), "Down": (0, -1)}
_REACH = 7.0
"""Logical pixels from a slice's rim at which it can be taken."""
_TURN_MS = 33


class VolumeCanvas(FrameCanvas):
    """The voxels of the newest frame; `native` is the QWidget to put into a layout.

    Drag turns the body, the wheel zooms, a double click, Escape or Home goes back to the first view; + and - zoom,
    arrows with Shift turn. A slice is moved by dragging its rim, by dragging in another one's flat picture, or by the
    wheel over its own. While the widget is hidden nothing is uploaded.
    """

    def __init__(
        self,
        settings: ViewSettings,
        volume: VolumeSettings,
        exposure: Exposure | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, exposure, parent)
        self._volume = volume
        self._renderer = VolumeRenderer()
        self._orbit = HOME
        self._held: Axis | None = None
        self._drag: tuple[float, float] | None = None
        self._grip: _Grip | None = None
        self._flat: Axis | None = None
        self._turned_at = 0.0
        self._timer = QTimer(self._widget)
        self._timer.setInterval(_TURN_MS)
        self._timer.timeout.connect(self._turn)
        volume.events.connect(self._follow_volume)
        self._follow_volume()

    # what the window calls

    @property
    def orbit(self) -> Orbit:
        """Where the camera is."""
        return self._orbit

    def look(self, orbit: Orbit) -> None:
        """Move the camera."""
        self._orbit = orbit
        self._hover()
        self._redraw()

    def fit(self) -> None:
        """Back to the first view."""
        self.look(HOME)

    def close(self) -> None:
        """Give everything back; it does no harm when the widget is already gone."""
        self._volume.events.disconnect(self._follow_volume, missing_ok=True)
        if not sip.isdeleted(self._timer):
            self._timer.stop()
        super().close()

    def capture(self, size: Size) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3), without the pointer's marks.

        Raises RuntimeError before the widget was shown.
        """
        self._require_context()
        width, height = size
        if self._frame is None:
            return np.full((height, width, 3), np.rint(np.array(PAGE) * 255), np.uint8)
        unit = self._ratio * min(width / self._pixels[0], height / self._pixels[1])
        view = VolumeView(self._frame.layout, self._orbit, self._volume, size, max(unit, 1.0))
        self.set_current()
        return self._renderer.read(self._frame, self._settings, self._exposure, view)

    def neuron_at(self, x: float, y: float) -> Neuron | None:
        """The voxel that gives most of the light at logical pixel (x, y), or the one on the slice there."""
        frame, view = self._frame, self._view()
        if frame is None or view is None:
            return None
        px, py = x * self._ratio, y * self._ratio
        voxel = self._on_flat(view, px, py)
        if voxel is None and view.lens.pane.holds(px, py):
            voxel = pick(frame, self._settings, self._exposure, view, (px, py))
        return None if voxel is None else neuron_of(frame, voxel[2] + 1, voxel[1], voxel[0])

    def position_of(self, voxel: Voxel) -> tuple[float, float]:
        """Where the middle of a voxel is seen, in logical pixels; raises LookupError before the first frame."""
        view = self._view()
        if view is None:
            raise LookupError("no frame has been shown yet")
        (x, y), *_ = view.lens.project(view.body.to_world(np.array([voxel]) + 0.5))
        return float(x) / self._ratio, float(y) / self._ratio

    def point_at(self, position: tuple[float, float] | None) -> None:
        """The pointer is at this logical pixel, or (None) elsewhere."""
        super().point_at(position)
        held = None if position is None else self._rim_at(*position) or self._flat_at(*position)
        if held != self._held and self._grip is None:
            self._held = held
            self._widget.setCursor(Qt.CursorShape.CrossCursor if held is None else Qt.CursorShape.SizeAllCursor)
            self.update()

    # vispy's events

    def on_draw(self, event: Any) -> None:
        """Paint the newest frame."""
        view = self._view()
        if self._frame is None or view is None:
            gloo.set_viewport(0, 0, *self._pixels)
            gloo.set_clear_color((*PAGE, 1.0))
            gloo.clear()
            return
        self._renderer.draw(self._frame, self._settings, self._exposure, view)

    def on_mouse_press(self, event: Any) -> None:
        """Take a slice by its rim, point into a flat picture, or begin to turn."""
        if event.button != 1:
            return
        x, y = float(event.pos[0]), float(event.pos[1])
        rim, self._flat = self._rim_at(x, y), self._flat_at(x, y)
        if self._flat is not None:
            self._put_cross(x, y)
        elif rim is not None:
            self._grip = self._take(rim, x, y)
        else:
            self._drag = x, y
        event.handled = True

    def on_mouse_move(self, event: Any) -> None:
        """Move what was taken, or say which voxel is under the pointer."""
        x, y = float(event.pos[0]), float(event.pos[1])
        if self._flat is not None:
            self._put_cross(x, y)
        elif self._grip is not None:
            self._volume.put_plane(self._grip.axis, self._grip.voxel_at(x, y), self._grip.count)
        elif self._drag is not None:
            dx, dy = x - self._drag[0], y - self._drag[1]
            self._drag = x, y
            self.look(self._orbit.turned(-_DEGREES * dx, _DEGREES * dy))
        self.point_at((x, y))
        event.handled = True

    def on_mouse_release(self, event: Any) -> None:
        """Let go."""
        self._drag = self._grip = self._flat = None
        self.point_at((float(event.pos[0]), float(event.pos[1])))
        event.handled = True

    def on_mouse_double_click(self, event: Any) -> None:
        """Back to the first view."""
        if self._rim_at(*event.pos) is None and self._flat_at(*event.pos) is None:
            self.fit()
        event.handled = True

    def on_mouse_wheel(self, event: Any) -> None:
        """Zoom; over a flat picture, move its slice."""
        x, y, steps = float(event.pos[0]), float(event.pos[1]), float(event.delta[1])
        axis, view = self._flat_at(x, y), self._view()
        if axis is not None and view is not None:
            forward = 1 if steps > 0 else -1
            self._volume.put_plane(axis, view.planes[axis] + forward, view.body.counts[AXES.index(axis)])
        else:
            self.look(self._orbit.zoomed(_WHEEL_FACTOR**steps))
        event.handled = True

    def on_key_press(self, event: Any) -> None:
        """Arrows with Shift turn, + and - zoom, Escape and Home go back; others go to the window."""
        name = event.key.name if event.key is not None else ""
        if name in _ARROWS and SHIFT in event.modifiers:
            right, up = _ARROWS[name]
            self.look(self._orbit.turned(_KEY_DEGREES * right, _KEY_DEGREES * up))
        elif event.text in ("+", "="):
            self.look(self._orbit.zoomed(_WHEEL_FACTOR))
        elif event.text == "-":
            self.look(self._orbit.zoomed(1 / _WHEEL_FACTOR))
        elif name in ("Escape", "Home") and self._orbit != HOME:
            self.fit()
        else:
            return
        event.handled = True

    # the parts

    def _view(self) -> VolumeView | None:
        if self._frame is None:
            return None
        return VolumeView(self._frame.layout, self._orbit, self._volume, self._pixels, self._ratio, self._held)

    def _release_objects(self) -> None:
        self._renderer.release()

    def _follow_volume(self) -> None:
        if self._volume.turning and not self._timer.isActive():
            self._turned_at = time.monotonic()
            self._timer.start()
        elif not self._volume.turning:
            self._timer.stop()
        self._redraw()

    def _turn(self) -> None:
        now = time.monotonic()
        elapsed, self._turned_at = now - self._turned_at, now
        if self._widget.isVisible() and self._drag is None and self._grip is None:
            self.look(self._orbit.turned(TURN * min(elapsed, 0.5)))

    def _flat_at(self, x: float, y: float) -> Axis | None:
        view = self._view()
        px, py = x * self._ratio, y * self._ratio
        flats = {} if view is None else view.flats
        return next((axis for axis, pane in flats.items() if pane.holds(px, py)), None)

    def _on_flat(self, view: VolumeView, px: float, py: float) -> Voxel | None:
        """The voxel of a flat slice at a pixel."""
        for axis, pane in view.flats.items():
            place = flat_place(view.body, axis, pane)
            if place.holds(px, py):
                across, down = FLAT_AXES[axis]
                found = [0, 0, 0]
                found[AXES.index(axis)] = view.planes[axis]
                found[across] = int((px - place.left) * view.body.counts[across] / place.width)
                found[down] = int((py - place.top) * view.body.counts[down] / place.height)
                return found[0], found[1], found[2]
        return None

    def _put_cross(self, x: float, y: float) -> None:
        """Move the other two slices to the voxel under the pointer in the flat picture that was pressed."""
        view = self._view()
        if view is None or self._flat is None or self._flat not in view.flats:
            return
        place = flat_place(view.body, self._flat, view.flats[self._flat])
        px = (x * self._ratio - place.left) / place.width
        py = (y * self._ratio - place.top) / place.height
        for share, own in zip((px, py), FLAT_AXES[self._flat], strict=True):
            count = view.body.counts[own]
            self._volume.put_plane(AXES[own], int(np.floor(share * count)), count)

    def _rim_at(self, x: float, y: float) -> Axis | None:
        """The slice whose rim is nearest to a logical pixel, within reach."""
        view = self._view()
        if view is None:
            return None
        pointer, best, nearest = np.array([x, y]) * self._ratio, None, _REACH * self._ratio
        for axis, voxel in view.planes.items():
            rim = view.lens.project(view.body.to_world(rim_of(view.body, axis, voxel).reshape(-1, 3)))
            away = min(_distance(pointer, *side) for side in rim.reshape(4, 2, 2))
            if away < nearest:
                best, nearest = axis, away
        return best

    def _take(self, axis: Axis, x: float, y: float) -> _Grip | None:
        view = self._view()
        if view is None:
            return None
        own = AXES.index(axis)
        ends = np.repeat(np.array(view.body.counts, float)[None] / 2, 2, axis=0)
        ends[:, own] = 0, view.body.counts[own]
        low, high = view.lens.project(view.body.to_world(ends)) / self._ratio
        return _Grip(axis, view.planes[axis], view.body.counts[own], (x, y), high - low)


class _Grip:
    """A slice that is being dragged: how far the pointer went along its axis, as it is seen."""

    def __init__(
        self, axis: Axis, voxel: int, count: int, start: tuple[float, float], way: NDArray[np.float64]
    ) -> None:
        self.axis = axis
        self.count = count
        self._voxel = voxel
        self._start = np.array(start)
        if float(np.hypot(*way)) < 40.0:  # the axis points at the camera: up and down will do
            way = np.array([0.0, -200.0])
        self._way = way

    def voxel_at(self, x: float, y: float) -> int:
        """The voxel of the slice while the pointer is at a logical pixel."""
        gone = float((np.array([x, y]) - self._start) @ self._way / (self._way @ self._way))
        return self._voxel + round(gone * self.count)


def _distance(point: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> float:
    """From a pixel to a stroke."""
    along = end - start
    share = float(np.clip((point - start) @ along / max(float(along @ along), 1e-9), 0, 1))
    return float(np.hypot(*(point - start - share * along)))

"""A body of voxels in OpenGL: shaded once per voxel, followed ray by ray at half resolution, enlarged and framed.

The layers stay in one 2D texture, one under the other, as the mosaic's first pass makes it: the ray-caster blends two
of them for each step, and the colours are the mosaic's own. Works in any current vispy canvas, in a window or through
EGL. GL objects are made at the first draw.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vispy import gloo

from engine.frame import Frame
from engine.layout import Layout
from observatory.canvas.colours import CROSS, PAGE, REST, Colour
from observatory.canvas.furniture import FLAT_AXES, draw_flats, draw_frame, draw_labels, draw_rims, flat_place
from observatory.canvas.orbit import Body, Lens, Pane
from observatory.canvas.shading import Look, Shading, delete_program, full_quad, source
from observatory.canvas.strokes import Pen, Strokes
from observatory.canvas.targets import PictureTarget, RoomyTarget
from observatory.canvas.volume_scene import VolumeView, depth_of, shows_density, weights_of
from observatory.view import Exposure, ViewSettings
from observatory.volume_view import AXES

_DARK: Colour = (0.0, 0.0, 0.0)
_SLICE_REST: Colour = (0.030, 0.034, 0.046)
"""A voxel without light on a slice: a pane of dark glass, lighter than the page."""
_FINEST = 48
"""An edge is followed in at least this many steps where it is interpolated."""
_FEW = 16
"""Sharp voxels this large are worth every pixel of the screen, and cheap: up to so many along an edge."""


class _Objects:
    """The GL objects for one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.shading = Shading(layout, 1, rest=_DARK, page=_DARK)
        self.cast_target = RoomyTarget()
        self.quad = full_quad()
        self.cast = gloo.Program(source("quad.vert"), source("ray.glsl", "cast.frag"))
        self.compose = gloo.Program(source("quad.vert"), source("ray.glsl", "compose.frag"))
        self.flat = gloo.Program(source("quad.vert"), source("flat.frag"))
        self.back, self.front = Pen(), Pen()
        counts = tuple(float(count) for count in Body(layout).counts)
        for program in (self.cast, self.compose, self.flat):
            program["a_position"] = self.quad
            program["u_lights"] = self.shading.lights
            program["u_counts"] = counts
        for program in (self.cast, self.compose):
            program["u_edge"] = float(max(counts))
        self.compose["u_cast"] = self.cast_target.texture
        self.compose["u_rest"] = _SLICE_REST
        self.flat["u_rest"] = REST
        self.flat["u_cross"] = CROSS

    def delete(self) -> None:
        self.shading.delete()
        self.cast_target.delete()
        for program in (self.cast, self.compose, self.flat):
            delete_program(program)
        self.back.delete()
        self.front.delete()
        self.quad.delete()


class VolumeRenderer:
    """Draws frames into the current framebuffer, or reads them back as pictures."""

    def __init__(self) -> None:
        self._objects: _Objects | None = None
        self._uploaded: tuple[Frame, bool] | None = None
        self._picture = PictureTarget()

    def draw(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: VolumeView) -> None:
        """Queue all passes; the frame's arrays are read when the context is flushed.

        A frame is uploaded once, however often it is drawn.
        """
        objects = self._objects_for(view.layout)
        synapses = shows_density(frame, view.settings)
        self._shade(objects, frame, settings, exposure, synapses)
        objects.cast["u_weights"] = weights_of(frame, settings, exposure, synapses)
        lens, body = view.lens, view.body
        about = lens.around(body.to_world(body.corners()))
        self._aim(objects, view, lens, about)
        self._cast(objects, view, lens.pane, about)
        back, front = Strokes(), Strokes()
        draw_frame(body, lens, view.unit, back, front)
        draw_rims(body, lens, view.planes, view.held, view.unit, back, front)
        draw_labels(body, lens, bool(view.planes), view.unit, front)
        gloo.set_clear_color((*PAGE, 1.0))
        gloo.clear(depth=False)
        objects.back.draw(back, view.size)
        self._compose(objects, view, about)
        self._draw_flats(objects, view)
        draw_flats(body, view.flats, view.planes, view.held, view.unit, front)
        objects.front.draw(front, view.size)

    def read(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: VolumeView) -> NDArray[np.uint8]:
        """The picture as uint8 (height, width, 3), top row first."""
        with self._picture.of(view.size):
            self.draw(frame, settings, exposure, view)
            return self._picture.read()

    def release(self) -> None:
        """Delete all GL objects; the next draw makes new ones. Needs the context that they were made in."""
        if self._objects is not None:
            self._objects.delete()
        self._picture.delete()
        self._objects = self._uploaded = None

    def _objects_for(self, layout: Layout) -> _Objects:
        if self._objects is None or self._objects.layout != layout:
            if self._objects is not None:
                self._objects.delete()
            self._objects = _Objects(layout)
            self._uploaded = None
        return self._objects

    def _shade(
        self, objects: _Objects, frame: Frame, settings: ViewSettings, exposure: Exposure, synapses: bool
    ) -> None:
        if self._uploaded is None or self._uploaded[0] is not frame or self._uploaded[1] != synapses:
            (objects.shading.upload_density if synapses else objects.shading.upload)(frame)
            self._uploaded = frame, synapses
        if synapses:
            assert frame.density is not None
            objects.shading.draw(Look.of_density(float(frame.density.max())))
        else:
            objects.shading.draw(Look.of(settings, exposure))

    @staticmethod
    def _aim(objects: _Objects, view: VolumeView, lens: Lens, about: Pane) -> None:
        """Rays are followed through the part of the pane about the body only."""
        right, up, forward = (np.array([v[2], -v[1], v[0]]) for v in lens.orbit.basis)
        planes, (x, y) = view.planes, lens.middle
        for program in (objects.cast, objects.compose):
            program["u_corner"] = ((about.left - x) / lens.scale, (about.top - y) / lens.scale)
            program["u_span"] = (about.width / lens.scale, about.height / lens.scale)
            program["u_eye"] = tuple(view.body.to_grid(lens.orbit.eye[None])[0])
            program["u_right"], program["u_up"], program["u_forward"] = tuple(right), tuple(up), tuple(forward)
            program["u_planes"] = tuple(planes[axis] + 0.5 if axis in planes else -1.0 for axis in AXES)

    @staticmethod
    def _cast(objects: _Objects, view: VolumeView, pane: Pane, about: Pane) -> None:
        program, target, settings = objects.cast, objects.cast_target, view.settings
        share = 1 if view.body.edge <= _FEW and not settings.smooth else 2
        width, height = -(-about.width // share), -(-about.height // share)
        if target.require((-(-pane.width // share), -(-pane.height // share))):
            objects.compose["u_cast"] = target.texture
        edge = view.body.edge
        program["u_smooth"] = float(settings.smooth)
        program["u_brightest"] = float(settings.show == "brightest")
        program["u_threshold"] = settings.threshold if settings.show == "clouds" else -1.0
        program["u_opacity"] = depth_of(settings)
        steps = edge * -(-_FINEST // edge)
        program["u_step"] = 1.0 / (2 * steps if settings.show == "clouds" else steps)
        with target.frame:
            gloo.set_viewport(0, 0, width, height)
            program.draw("triangle_strip")
        objects.compose["u_used"] = (float(width), float(height))
        objects.compose["u_room"] = tuple(float(side) for side in target.size)

    @staticmethod
    def _compose(objects: _Objects, view: VolumeView, about: Pane) -> None:
        gloo.set_viewport(about.left, view.size[1] - about.top - about.height, about.width, about.height)
        gloo.set_state(blend=True, blend_func=("one", "one_minus_src_alpha"), depth_test=False, cull_face=False)
        objects.compose.draw("triangle_strip")

    @staticmethod
    def _draw_flats(objects: _Objects, view: VolumeView) -> None:
        program, body, planes = objects.flat, view.body, view.planes
        gloo.set_state(blend=False, depth_test=False, cull_face=False)
        for axis, pane in view.flats.items():
            place, (across, down) = flat_place(body, axis, pane), FLAT_AXES[axis]
            program["u_corner"] = (0.0, 0.0)
            program["u_span"] = (float(body.counts[across]), float(body.counts[down]))
            program["u_cell"] = place.width / body.counts[across]
            program["u_origin"] = tuple(float(planes[axis]) if name == axis else 0.0 for name in AXES)
            program["u_across"] = tuple(float(i == across) for i in range(3))
            program["u_down"] = tuple(float(i == down) for i in range(3))
            gloo.set_viewport(place.left, view.size[1] - place.top - place.height, place.width, place.height)
            program.draw("triangle_strip")

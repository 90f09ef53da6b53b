"""The mosaic and the volume without a window, through EGL; they need no display."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from observatory.canvas.geometry import Camera, Grid, Size, best_columns
from observatory.canvas.orbit import HOME, Orbit
from observatory.canvas.volume_scene import VolumeView
from observatory.view import Exposure, ViewSettings
from observatory.volume_view import VolumeSettings

if TYPE_CHECKING:
    from observatory.canvas.renderer import MosaicRenderer
    from observatory.canvas.volume_renderer import VolumeRenderer


class OffscreenError(RuntimeError):
    """There is no way to draw without a window here; the message says why."""


class OffscreenEye(ABC):
    """Pictures of frames; a context manager that gives its GL objects back."""

    def __init__(self, settings: ViewSettings) -> None:
        if sys.platform == "linux" and not os.environ.get("EGL_PLATFORM"):
            os.environ["EGL_PLATFORM"] = "surfaceless"
        try:
            from vispy import app

            application = app.Application("egl")
            self._canvas = app.Canvas(app=application, size=(16, 16), show=False, autoswap=False, dpi=96)
            self._renderer: Any = self._make_renderer()
        except Exception as error:
            raise OffscreenError(f"cannot draw without a window: EGL is not available ({error})") from error
        self._settings = settings
        self._exposure = Exposure()

    @staticmethod
    @abstractmethod
    def _make_renderer() -> MosaicRenderer | VolumeRenderer: ...

    @abstractmethod
    def _read(self, frame: Frame, size: Size) -> NDArray[np.uint8]: ...

    def render(self, frame: Frame, size: Size) -> NDArray[np.uint8]:
        """The next frame as uint8 (height, width, 3); frames must come in order, as the exposure follows them."""
        self._canvas.set_current()
        self._exposure.observe(frame)
        return self._read(frame, size)

    def close(self) -> None:
        """Give the GL objects back."""
        self._canvas.set_current()
        self._renderer.release()
        self._canvas.context.flush_commands()
        self._canvas.close()

    def __enter__(self) -> OffscreenEye:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class OffscreenMosaic(OffscreenEye):
    """All layers of a frame, fitted."""

    @staticmethod
    def _make_renderer() -> MosaicRenderer:
        from observatory.canvas.renderer import MosaicRenderer

        return MosaicRenderer()

    def _read(self, frame: Frame, size: Size) -> NDArray[np.uint8]:
        from observatory.canvas.renderer import View

        grid = Grid(frame.layout, self._settings.columns or best_columns(frame.layout, size))
        view = View(grid, Camera.fit(grid, size), size)
        picture: NDArray[np.uint8] = self._renderer.read(frame, self._settings, self._exposure, view)
        return picture


class OffscreenVolume(OffscreenEye):
    """The voxels of a frame, seen from an orbit that turns by `turn` degrees from one picture to the next."""

    def __init__(self, settings: ViewSettings, volume: VolumeSettings, orbit: Orbit = HOME, turn: float = 0.0) -> None:
        super().__init__(settings)
        self._volume = volume
        self._orbit = orbit
        self._turn = turn

    @staticmethod
    def _make_renderer() -> VolumeRenderer:
        from observatory.canvas.volume_renderer import VolumeRenderer

        return VolumeRenderer()

    def _read(self, frame: Frame, size: Size) -> NDArray[np.uint8]:
        unit = max(1.0, min(size) / 600)
        view = VolumeView(frame.layout, self._orbit, self._volume, size, unit)
        self._orbit = self._orbit.turned(self._turn)
        picture: NDArray[np.uint8] = self._renderer.read(frame, self._settings, self._exposure, view)
        return picture

"""The mosaic without a window, through EGL; needs no display."""

from __future__ import annotations

import os
import sys
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from observatory.canvas.geometry import Camera, Grid, Size, best_columns
from observatory.view import Exposure, ViewSettings


class OffscreenError(RuntimeError):
    """There is no way to draw without a window here; the message says why."""


class OffscreenMosaic:
    """Pictures of frames, all layers fitted; a context manager that gives its GL objects back."""

    def __init__(self, settings: ViewSettings) -> None:
        if sys.platform == "linux" and not os.environ.get("EGL_PLATFORM"):
            os.environ["EGL_PLATFORM"] = "surfaceless"
        try:
            from vispy import app

            from observatory.canvas.renderer import MosaicRenderer

            application = app.Application("egl")
            self._canvas = app.Canvas(app=application, size=(16, 16), show=False, autoswap=False, dpi=96)
        except Exception as error:
            raise OffscreenError(f"cannot draw without a window: EGL is not available ({error})") from error
        self._renderer = MosaicRenderer()
        self._settings = settings
        self._exposure = Exposure()

    def render(self, frame: Frame, size: Size) -> NDArray[np.uint8]:
        """The next frame as uint8 (height, width, 3); frames must come in order, as the exposure follows them."""
        from observatory.canvas.renderer import View

        self._canvas.set_current()
        self._exposure.observe(frame)
        grid = Grid(frame.layout, self._settings.columns or best_columns(frame.layout, size))
        view = View(grid, Camera.fit(grid, size), size)
        return self._renderer.read(frame, self._settings, self._exposure, view)

    def close(self) -> None:
        """Give the GL objects back."""
        self._canvas.set_current()
        self._renderer.release()
        self._canvas.context.flush_commands()
        self._canvas.close()

    def __enter__(self) -> OffscreenMosaic:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

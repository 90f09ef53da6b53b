"""The graph of a growing network without a window: as the window shows it, painted by Qt, so it needs no OpenGL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from observatory.panels.graph_picture import GraphPicture
from observatory.recording.hud import drawing_application
from observatory.view import Exposure, ViewSettings

PLAIN = 600
"""Pixels of the shorter side at which it looks as in a window."""


class GraphEye:
    """Pictures of frames that have a growth; a context manager like the other eyes."""

    def __init__(self, settings: ViewSettings) -> None:
        self._app = drawing_application()
        self._picture = GraphPicture(settings, Exposure())

    def render(self, frame: Frame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The next frame as uint8 (height, width, 3); frames must come in order: nodes go to their places."""
        self._picture.follow(frame)
        return self._picture.capture(size, max(1.0, min(size) / PLAIN))

    def close(self) -> None:
        """There is nothing to give back."""

    def __enter__(self) -> GraphEye:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

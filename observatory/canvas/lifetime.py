"""The last moment at which the GL objects of a context can be given back."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6 import sip
from PyQt6.QtGui import QOffscreenSurface, QOpenGLContext


class ContextLifetime:
    """Calls `release` with the context current just before it is destroyed, by undocking or by closing.

    The widget may be half destroyed by then, so the context is made current on a surface of its own.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._watched: tuple[QOpenGLContext, QOffscreenSurface] | None = None

    def watch(self, context: QOpenGLContext) -> None:
        """Take over a context that was just made; the one before is gone."""
        surface = QOffscreenSurface()
        surface.setFormat(context.format())
        surface.create()
        self._watched = context, surface  # PyQt drops the connection with the last reference to the context
        context.aboutToBeDestroyed.connect(self._going)

    def _going(self) -> None:
        if self._watched is None:
            return
        (context, surface), self._watched = self._watched, None
        if sip.isdeleted(surface):  # the application itself is going
            return
        context.makeCurrent(surface)
        self._release()
        context.doneCurrent()

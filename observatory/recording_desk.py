"""The actions of recording: start and end a video, take a picture, show the folder, choose what is recorded."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QObject, QUrl
from PyQt6.QtGui import QAction, QDesktopServices

from engine.frame import Frame
from observatory import palette
from observatory.capture import Capture, What, stamped
from observatory.panels.banner import Banner
from observatory.panels.icons import icon
from observatory.recording.sidecar import Origin, RecordingError
from observatory.settings import Settings


class RecordingDesk(QObject):
    """Keeps the record action, the settings and the capture in step; says in the banner where files went.

    `frame` tells what is shown, `past` whether that is a replay.
    """

    def __init__(
        self,
        capture: Capture,
        settings: Settings,
        banner: Banner,
        frame: Callable[[], Frame | None],
        past: Callable[[], bool],
        parent: QObject,
    ):
        super().__init__(parent)
        self.capture = capture
        self._action: QAction | None = None
        self._settings = settings
        self._banner = banner
        self._frame = frame
        self._past = past
        capture.ended.connect(self._ended)

    def attach(self, action: QAction) -> None:
        """The action that starts and ends a video shows from now on which of the two it does."""
        self._action = action
        self._show()

    def toggle(self) -> None:
        """Start a video, or end it."""
        if self.capture.recorder is not None:
            self.capture.stop()
            return
        frame = self._frame()
        try:
            if frame is None:
                raise RecordingError("there is nothing to record yet")
            path = stamped(self._settings.recordings_folder(), frame.preset, ".mp4")
            origin = Origin.of(frame, self._past())
            self.capture.start(self._settings.record_what, path, self._settings.record_fps, origin)
        except RecordingError as error:
            self._banner.error(str(error))
        self._show()

    def screenshot(self) -> None:
        """Save a PNG of what would be recorded."""
        frame = self._frame()
        try:
            path = stamped(self._settings.recordings_folder(), "picture" if frame is None else frame.preset, ".png")
            self.capture.screenshot(self._settings.record_what, path)
        except RecordingError as error:
            self._banner.error(str(error))
            return
        self._banner.news(f"Picture saved: {path}")

    def open_folder(self) -> None:
        """Open the folder of videos and pictures."""
        folder = self._settings.recordings_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._banner.error(f"{folder}: {error.strerror or error}")
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self._banner.news(f"Videos and pictures are in {folder}")

    def choose(self, what: What) -> None:
        """What the next video or picture shows."""
        self._settings.record_what = what

    def _show(self) -> None:
        on = self.capture.recorder is not None
        if self._action is not None:
            self._action.setChecked(on)
            self._action.setText("Stop recording" if on else "Record video")
            self._action.setIcon(icon("stop" if on else "record", palette.RED))

    def _ended(self, error: str, path: str) -> None:
        self._show()
        if error:
            self._banner.error(error)
        else:
            self._banner.news(f"Video saved: {path}")

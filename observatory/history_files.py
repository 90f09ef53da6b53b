"""The actions of history files: save what is logged, open what was saved. A thread of their own does the work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject, QTimer
from PyQt6.QtWidgets import QFileDialog, QWidget

from engine.history import History, HistoryError
from engine.history.file import SUFFIX, read_history, write_history
from engine.mailbox import Mailbox
from observatory.history_desk import HistoryDesk
from observatory.panels.banner import Banner
from observatory.settings import Settings

POLL_MS = 50
JOIN_SECONDS = 2.0
_FILTER = f"Histories (*{SUFFIX})"
_log = logging.getLogger(__name__)


class HistoryFiles(QObject):
    """One file at a time."""

    def __init__(self, desk: HistoryDesk, settings: Settings, banner: Banner, window: QWidget):
        super().__init__(window)
        self._desk, self._settings, self._banner, self._window = desk, settings, banner, window
        self._done: Mailbox[Callable[[], None]] = Mailbox()
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def busy(self) -> bool:
        """Whether a file is being read or written."""
        return self._thread is not None

    def save(self) -> None:
        """Ask for a file and write the history that is looked at."""
        folder = self._settings.recordings_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._banner.error(f"{folder}: cannot be made: {error.strerror or error}")
            return
        suggested = str(folder / f"{self._settings.preset.rpartition('/')[2].removesuffix('.toml')}{SUFFIX}")
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Save history", suggested, _FILTER)
        if chosen:
            path = Path(chosen)
            self.save_to(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX))

    def open(self) -> None:
        """Ask for a file and look into it."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, "Open history", str(self._settings.recordings_folder()), _FILTER
        )
        if chosen:
            self.open_from(Path(chosen))

    def save_to(self, path: Path) -> None:
        """Write the history that is looked at; the banner says how that went."""
        history = self._desk.history

        def work() -> Callable[[], None]:
            frames = write_history(path, history)
            return lambda: self._banner.news(f"History saved: {frames} frames in {path}")

        self._begin(f"Saving {path.name}", work)

    def open_from(self, path: Path) -> None:
        """Look into a file; what is wrong with it is shown in the banner."""

        def work() -> Callable[[], None]:
            history: History = read_history(path)
            return lambda: self._desk.look_into(history, path.name)

        self._begin(f"Opening {path.name}", work)

    def _begin(self, doing: str, work: Callable[[], Callable[[], None]]) -> None:
        if self.busy:
            self._banner.error("Another history is being read or written; try again in a moment")
            return

        def run() -> None:
            try:
                self._done.put(work())
            except HistoryError as error:
                message = str(error)
                self._done.put(lambda: self._banner.error(message))
            except Exception as error:
                _log.exception("history file")
                message = f"{doing} failed with {type(error).__name__}: {error}"
                self._done.put(lambda: self._banner.error(message))

        self._banner.news(f"{doing} …")
        self._thread = threading.Thread(target=run, name="history", daemon=True)
        self._thread.start()
        self._timer.start()

    def _poll(self) -> None:
        tell = self._done.take()
        if tell is None or self._thread is None:
            return
        self._timer.stop()
        self._thread.join(JOIN_SECONDS)
        self._thread = None
        tell()

    def stop(self) -> bool:
        """Wait for the thread; False when it did not end within two seconds."""
        self._timer.stop()
        if self._thread is None:
            return True
        self._thread.join(JOIN_SECONDS)
        return not self._thread.is_alive()

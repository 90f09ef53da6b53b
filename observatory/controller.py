"""Between the engine thread and the window: pulls the newest frame at display rate, carries commands the other way."""

from __future__ import annotations

from typing import Protocol

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from engine.commands import Command
from engine.frame import Frame
from engine.history import History
from engine.mailbox import Mailbox

POLL_MS = 16


class Engine(Protocol):
    """What the window needs of an engine thread."""

    mailbox: Mailbox[Frame]
    errors: Mailbox[str]
    news: Mailbox[str]
    history: History

    @property
    def backend(self) -> str:
        """Name of what computes the ticks."""
        ...

    def start(self) -> None:
        """Begin to tick."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; acts between two ticks."""
        ...

    def stop(self, timeout: float = 2.0) -> bool:
        """End the thread; False when it did not end in time."""
        ...


class Controller(QObject):
    """Emits `arrived(frame)`, `failed(text)` for an error and `told(text)` for news, all in the window's thread."""

    arrived = pyqtSignal(object)
    failed = pyqtSignal(str)
    told = pyqtSignal(str)

    def __init__(self, engine: Engine, parent: QObject | None = None):
        super().__init__(parent)
        self.engine = engine
        self.frame: Frame | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)

    def start(self) -> None:
        """Start the engine and the pulling."""
        self.engine.start()
        self._timer.start()

    def send(self, command: Command) -> None:
        """Pass a command on."""
        self.engine.send(command)

    def poll(self) -> None:
        """Take what is new."""
        message = self.engine.errors.take()
        if message is not None:
            self.failed.emit(message)
        news = self.engine.news.take()
        if news is not None:
            self.told.emit(news)
        frame = self.engine.mailbox.take()
        if frame is not None:
            self.frame = frame
            self.arrived.emit(frame)

    def stop(self) -> bool:
        """Stop pulling, then the engine; False when it did not end within two seconds."""
        self._timer.stop()
        return self.engine.stop(2.0)

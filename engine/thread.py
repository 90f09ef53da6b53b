"""The engine thread: owns a session, carries out commands between ticks, publishes the newest frame and logs it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from engine.commands import Command
from engine.frame import Frame
from engine.history import History
from engine.mailbox import Mailbox
from engine.preset import Preset
from engine.session import Session
from kernels.backends import AUTO
from kernels.cuda.device import DeviceError

T = TypeVar("T")
FRAME_INTERVAL = 1 / 75
"""Seconds between two published frames at the least, unless ticks are held to that pace or below: then each of them is
published, and so logged. A view that polls at display rate gets all it can show; the log keeps what it was offered."""
LOG_SHARE = 0.03
"""Share of the engine's time that the history may take while ticks run as fast as they can."""
_log = logging.getLogger(__name__)


class EngineThread:
    """Runs a session until stopped.

    `mailbox` holds the newest frame, `errors` and `news` the newest messages for the person; after an exception the
    engine is paused and goes on serving commands. `history` logs every frame that is published. If a device fails, the
    session moves to the host, paused. The constructor builds the network and raises what `Session` raises.
    """

    def __init__(self, preset: Preset, backend: str = AUTO, history: History | None = None) -> None:
        self.mailbox: Mailbox[Frame] = Mailbox()
        self.errors: Mailbox[str] = Mailbox()
        self.news: Mailbox[str] = Mailbox()
        self.history = History() if history is None else history
        self._logging = True
        self._log_due = 0.0
        self._session = Session(preset, backend)
        self._commands: deque[Command] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def backend(self) -> str:
        """Name of the backend in use."""
        return self._session.backend

    @property
    def backend_reason(self) -> str:
        """What it computes with, and if it is not the first choice, why."""
        return self._session.backend_reason

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def send(self, command: Command) -> None:
        """Queue a command; it is carried out before the next tick."""
        self._commands.append(command)
        self._wake.set()

    def stop(self, timeout: float = 2.0) -> bool:
        """Stop and join; False if the thread did not end within `timeout` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _report(self, doing: str, error: Exception) -> None:
        if isinstance(error, ValueError):
            self.errors.put(str(error))
        else:
            _log.exception("engine: %s", doing)
            self.errors.put(f"The engine is paused: {doing} failed with {type(error).__name__}: {error}")

    def _leave_device(self, error: DeviceError) -> None:
        _log.warning("engine: %s", error)
        self.errors.put(self._session.leave_device(error))

    def _on_any_device(self, do: Callable[[], T]) -> T:
        """`do`, and if the device fails in it, once more on the host."""
        try:
            return do()
        except DeviceError as error:
            self._leave_device(error)
            return do()

    def _obey(self) -> bool:
        """Carry out all waiting commands; whether there were any."""
        obeyed = False
        while self._commands and not self._stopping:
            command = self._commands.popleft()
            obeyed = True
            try:
                news = self._on_any_device(partial(self._session.apply, command))
                if news:
                    self.news.put(news)
            except Exception as error:
                self._report(type(command).__name__, error)
        return obeyed

    def _tick(self) -> None:
        session = self._session
        try:
            session.tick()
        except DeviceError as error:
            self._leave_device(error)
            return
        except Exception as error:
            session.paused, session.steps_left = True, 0
            self._report("a tick", error)
            return
        if session.paused:
            session.steps_left -= 1

    def _publish(self, spare_time: bool = True) -> None:
        """Offer a frame, and log it; without spare time only if the history has not had its share."""
        try:
            frame = self._on_any_device(self._session.frame)
        except Exception as error:
            self._session.paused = True
            self._report("a frame", error)
            return
        self.mailbox.put(frame)
        if self._logging and (spare_time or time.perf_counter() >= self._log_due):
            self._log(frame)

    def _log(self, frame: Frame) -> None:
        begun = time.thread_time()
        try:
            self.history.append(frame)
            self._log_due = time.perf_counter() + (time.thread_time() - begun) / LOG_SHARE
        except Exception as error:
            self._logging = False
            _log.exception("engine: the history")
            self.errors.put(f"The history has ended: {type(error).__name__}: {error}")

    def _run(self) -> None:
        session = self._session
        published = due = time.perf_counter()
        self._publish()
        while not self._stopping:
            self._wake.clear()
            changed = self._obey()
            if session.paused and not session.steps_left:
                if changed:
                    self._publish()
                if not self._commands and not self._stopping:
                    self._wake.wait()
                due = time.perf_counter()
                continue
            self._tick()
            now = time.perf_counter()
            last_step = session.paused and not session.steps_left  # or an exception has paused it
            slow = 0 < session.throttle * FRAME_INTERVAL <= 1
            if slow or last_step or now - published >= FRAME_INTERVAL:
                self._publish(spare_time=slow or last_step)
                published = now
            if session.throttle > 0:
                due = max(due + 1 / session.throttle, now - 0.1)
                if due > now and not self._commands:
                    self._wake.wait(due - now)

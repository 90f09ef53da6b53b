"""Measures the alignment of the running network on a thread of its own, which neither engine nor window waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QObject, QTimer

from engine.commands import Command, TakeSnapshot
from engine.learning.align import Alignment, align_snapshot
from engine.mailbox import Mailbox
from engine.snapshot import Snapshot
from observatory.panels.alignment import AlignmentPanel

POLL_MS = 100
PAUSE_SECONDS = 1.0
"""Between two measurements that repeat."""
JOIN_SECONDS = 2.0
_log = logging.getLogger(__name__)


class _CancelledError(Exception):
    """Nobody waits for the result any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a measurement has come to: an alignment and what it was measured on, or why there is none."""

    alignment: Alignment | None
    snapshot: Snapshot
    error: str = ""


class Measurement:
    """One measurement, begun at once. `ask` passes a mailbox on to the engine, which puts a snapshot into it."""

    def __init__(self, ask: Callable[[Mailbox[Snapshot]], None]):
        self.outcome: Mailbox[Outcome] = Mailbox()
        self.begun = time.monotonic()
        self._reply: Mailbox[Snapshot] = Mailbox()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alignment", daemon=True)
        ask(self._reply)
        self._thread.start()

    def cancel(self) -> None:
        """End within a tick or two, without a result."""
        self._cancelled.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False if it did not come within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _run(self) -> None:
        while (snapshot := self._reply.take()) is None:
            if self._cancelled.wait(0.02):
                return
        try:
            self.outcome.put(Outcome(align_snapshot(snapshot, self._check), snapshot))
        except _CancelledError:
            return
        except ValueError as error:
            self.outcome.put(Outcome(None, snapshot, str(error)))
        except Exception as error:
            _log.exception("alignment")
            self.outcome.put(Outcome(None, snapshot, f"{type(error).__name__}: {error}"))


class AlignmentDesk(QObject):
    """Begins and ends measurements for the panel, and hands their outcomes over in the window's thread."""

    def __init__(
        self, panel: AlignmentPanel, send: Callable[[Command], None], visible: Callable[[], bool], parent: QObject
    ):
        super().__init__(parent)
        self._panel = panel
        self._send = send
        self._visible = visible
        self._running: Measurement | None = None
        self._ended: list[Measurement] = []
        self._next = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        panel.asked.connect(self._asked)
        panel.repeat.toggled.connect(self._repeat)

    def _asked(self) -> None:
        if self._running is None:
            self._begin()
        else:
            self._panel.repeat.setChecked(False)
            self._drop()
            self._panel.show_idle()

    def _repeat(self, on: bool) -> None:
        if on:
            self._timer.start()

    def _begin(self) -> None:
        self._running = Measurement(lambda reply: self._send(TakeSnapshot(reply)))
        self._panel.show_busy(0.0)
        self._timer.start()

    def _drop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            self._ended.append(self._running)
            self._running = None

    def _poll(self) -> None:
        self._ended = [old for old in self._ended if not old.join(0)]
        running = self._running
        if running is not None:
            outcome = running.outcome.take()
            if outcome is None:
                self._panel.show_busy(time.monotonic() - running.begun)
                return
            self._drop()
            self._next = time.monotonic() + PAUSE_SECONDS
            if outcome.alignment is None:
                self._panel.show_error(outcome.error)
            else:
                self._panel.show_alignment(outcome.alignment, outcome.snapshot)
        if not self._panel.repeat.isChecked():
            self._timer.stop()
        elif time.monotonic() >= self._next and self._visible():
            self._begin()

    def forget(self) -> None:
        """Another network runs: end the measurement of the old one and clear the panel."""
        self._drop()
        self._panel.clear()

    def stop(self) -> bool:
        """End everything; False when a measurement did not end within two seconds."""
        self._timer.stop()
        self._drop()
        deadline = time.monotonic() + JOIN_SECONDS
        ended = [old.join(max(0.0, deadline - time.monotonic())) for old in self._ended]
        self._ended.clear()
        return all(ended)

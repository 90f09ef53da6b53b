"""Starts Qt, shows the window and makes sure that nothing that goes wrong inside it ends the program.

OPENBLAS_NUM_THREADS=1 belongs into the environment before NumPy is imported; `observatory.__main__` sees to it.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from types import FrameType, TracebackType

from PyQt6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import QApplication

from engine.history import History
from engine.history.ring import MIB
from engine.preset import Preset, PresetError, load_preset
from engine.thread import EngineThread
from observatory import palette
from observatory.commands.screen import why_no_window
from observatory.panels.icons import icon
from observatory.settings import config_folder, load_settings
from observatory.window import Window

log = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005
"""Seconds a Python thread keeps the interpreter: short, so that the window does not starve the engine."""


def display_available() -> tuple[bool, str]:
    """Whether a window can be opened, and if not, why. Ask before a QApplication is made: Qt aborts without one."""
    reason = why_no_window()
    return reason is None, reason or ""


def make_application() -> QApplication:
    """The one QApplication, in our dark dress. OpenGL contexts are shared, so that undocking does not lose them."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        application = existing
    else:
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
        application = QApplication(sys.argv[:1])
    application.setApplicationName("TorEq Observatory")
    application.setDesktopFileName("toreq-observatory")
    application.setStyle("Fusion")
    application.setPalette(palette.dark_palette())
    application.setStyleSheet(palette.STYLE)
    application.setWindowIcon(icon("logo", palette.ACCENT))
    return application


class ErrorRelay(QObject):
    """Logs uncaught exceptions of any thread and emits `raised(text)`, which Qt carries to the window's thread."""

    raised = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self._last = ""

    def caught(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        """Take one exception; the same one again is not logged again."""
        where = traceback.extract_tb(trace)
        line = f" ({where[-1].filename.rpartition('/')[2]}, line {where[-1].lineno})" if where else ""
        text = f"Something went wrong: {kind.__name__}: {error}{line}"
        if text != self._last:
            self._last = text
            log.error("uncaught exception", exc_info=(kind, error or kind(), trace))
        self.raised.emit(text)


@contextmanager
def exceptions_to(relay: ErrorRelay) -> Iterator[None]:
    """Uncaught exceptions go to `relay` instead of ending the program; the old hooks come back afterwards."""
    before, before_thread = sys.excepthook, threading.excepthook

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit:
            relay.caught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook, threading.excepthook = relay.caught, in_thread
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = before, before_thread


@contextmanager
def _interrupt_closes(window: Window) -> Iterator[None]:
    """Ctrl-C in the terminal closes the window; its polling timer lets Python see the signal."""

    def close(_number: int, _frame: FrameType | None) -> None:
        # Python runs this between any two bytecodes, in the middle of a paintEvent too: closing waits for the loop.
        QTimer.singleShot(0, window.close)

    before = signal.signal(signal.SIGINT, close)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _destroy(window: Window) -> None:
    """Delete the window's widgets and their wrappers now.

    What is left goes through PyQt's own clean-up when the interpreter ends, which follows wrappers that it has just
    deleted and crashed in one run out of fifteen.
    """
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()


def _log_to_file() -> logging.Handler | None:
    try:
        config_folder().mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            config_folder() / "observatory.log", maxBytes=1_000_000, backupCount=1, delay=True
        )
    except OSError as error:
        log.warning("no log file: %s", error)
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    return handler


def run_window(preset: Preset | None, backend: str = "auto") -> int:
    """Open the window on `preset` (None: the one of last time) and return the exit code when it is closed.

    Raises PresetError or BackendError when the first network cannot be built, RuntimeError without a display.
    """
    available, reason = display_available()
    if not available:
        raise RuntimeError(f"no window can be opened: {reason}")
    handler = _log_to_file()
    settings = load_settings()
    source = settings.preset if preset is None else preset.name
    asked = preset is not None
    if preset is None:
        try:
            preset = load_preset(settings.preset)
        except PresetError as error:
            log.warning("last preset not loaded: %s", error)
            preset, source = load_preset("deep-100"), "deep-100"
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    log_of_frames = History(settings.history_mib * MIB)
    try:
        engine = EngineThread(preset, backend, log_of_frames)
    except PresetError as error:
        if asked:
            raise
        log.warning("last preset not built: %s", error)
        preset, source = load_preset("deep-100"), "deep-100"
        engine = EngineThread(preset, backend, log_of_frames)
    application = make_application()
    relay = ErrorRelay()
    try:
        with exceptions_to(relay):
            window = Window(engine, preset, settings, source)
            relay.raised.connect(window.report)
            window.show()
            window.activateWindow()
            try:
                with _interrupt_closes(window):
                    return application.exec()
            finally:
                _destroy(window)
    finally:
        engine.stop(2.0)
        sys.setswitchinterval(interval)
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            handler.close()

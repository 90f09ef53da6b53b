"""The actions of learning: switch it on and off, save the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QFileDialog, QWidget

from engine.commands import Command, Learn, SaveWeights, SetParameter
from engine.frame import Frame
from observatory.panels.banner import Banner
from observatory.settings import Settings

SUFFIX = ".safetensors"


class LearningDesk(QObject):
    """Keeps the switch in step with the engine, which may refuse to learn or to write."""

    def __init__(self, send: Callable[[Command], None], settings: Settings, banner: Banner, window: QWidget):
        super().__init__(window)
        self._send = send
        self._settings = settings
        self._banner = banner
        self._window = window
        self._action: QAction | None = None
        self._preset = "weights"
        self._streams = False

    def attach(self, action: QAction) -> None:
        """The action that switches learning shows from now on whether the engine learns."""
        self._action = action

    def follow(self, frame: Frame) -> None:
        """Show what the engine does."""
        self._preset = frame.preset
        self._streams = "freeze" in frame.knobs
        learns = not frame.knobs["freeze"].value if self._streams else frame.learning is not None
        if self._action is not None:
            self._action.setChecked(learns)

    def toggle(self) -> None:
        """Learn, or stop learning."""
        if self._action is not None:
            on = self._action.isChecked()
            self._send(SetParameter("freeze", float(not on)) if self._streams else Learn(on))

    def save_weights(self) -> None:
        """Ask for a file and have the weights written to it; the engine says in the banner how that went."""
        folder = self._settings.recordings_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._banner.error(f"{folder}: cannot be made: {error.strerror or error}")
            return
        suggested = str(folder / f"{self._preset}{SUFFIX}")
        chosen, _ = QFileDialog.getSaveFileName(self._window, "Save weights", suggested, f"Weights (*{SUFFIX})")
        if chosen:
            path = Path(chosen)
            self._send(SaveWeights(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)))

"""Every action of the window as one record; menus, toolbar, palette and shortcut page are made from these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QWidget

from observatory.panels.icons import icon

Menu = Literal["File", "Run", "Past", "Input", "View", "Record", "Help"]
MENUS: tuple[Menu, ...] = ("File", "Run", "Past", "Input", "View", "Record", "Help")


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """One thing a person can do.

    `call` is the dotted name of the window's method that does it; `keys` lists shortcuts, the main one first.
    """

    call: str
    menu: Menu
    text: str
    tip: str
    keys: tuple[str, ...]
    icon: str = ""
    toolbar: bool = False
    checkable: bool = False

    @property
    def tooltip(self) -> str:
        """The tip with its main shortcut."""
        return f"{self.tip}  ({self.keys[0]})"


ACTIONS: tuple[ActionInfo, ...] = (
    ActionInfo("open_preset", "File", "Open preset…", "Open a preset file (TOML)", ("Ctrl+O",), "open"),
    ActionInfo(
        "learning.save_weights", "File", "Save weights…", "Save the weights as they are now", ("Ctrl+S",), "save"
    ),
    ActionInfo(
        "history_files.open",
        "File",
        "Open history…",
        "Look into a history that was saved",
        ("Ctrl+H",),
        "history-open",
    ),
    ActionInfo(
        "history_files.save",
        "File",
        "Save history…",
        "Save what the network did over the last minutes",
        ("Ctrl+Shift+S",),
        "history-save",
    ),
    ActionInfo("close", "File", "Quit", "Close the observatory", ("Ctrl+Q",), "quit"),
    ActionInfo(
        "toggle_play", "Run", "Play / pause", "Let the network tick, or hold it still", ("Space",), "pause", True
    ),
    ActionInfo("step_one", "Run", "One step", "Advance by one tick, then pause", (".",), "step", True),
    ActionInfo("step_ten", "Run", "Ten steps", "Advance by ten ticks, then pause", ("K", "Shift+."), "step-ten", True),
    ActionInfo("reset", "Run", "Reset", "Back to rest: same weights, same input", ("R",), "reset", True),
    ActionInfo("toggle_nudge", "Run", "Nudge", "Switch the nudge on or off", ("N",), "nudge", True, True),
    ActionInfo(
        "learning.toggle",
        "Run",
        "Learn",
        "Let the weights learn from training samples, or leave them as they are",
        ("L",),
        "learn",
        True,
        True,
    ),
    ActionInfo(
        "toggle_dream",
        "Run",
        "Dream",
        "Let the input go: it moves towards the class that is nudged to; again to hold what is dreamt",
        ("Z",),
        "dream",
        True,
        True,
    ),
    ActionInfo(
        "ablate",
        "Run",
        "Ablate 15 %",
        "Cut out 15 % of every layer's neurons; Shift+drag on the picture cuts out what it touches",
        ("X",),
        "ablate",
        True,
    ),
    ActionInfo("heal", "Run", "Heal", "Bring back all neurons that were cut out", ("H",), "heal", True),
    ActionInfo("history.back", "Past", "One frame back", "Look at the frame before", ("Alt+Left", "["), "past-back"),
    ActionInfo(
        "history.forward", "Past", "One frame forward", "Look at the frame after", ("Alt+Right", "]"), "past-forward"
    ),
    ActionInfo(
        "history.previous_change",
        "Past",
        "Previous change",
        "Look at the moment before this one at which much changed",
        ("Alt+Up", "Shift+["),
        "change-back",
    ),
    ActionInfo(
        "history.next_change",
        "Past",
        "Next change",
        "Look at the moment after this one at which much changed",
        ("Alt+Down", "Shift+]"),
        "change-forward",
    ),
    ActionInfo(
        "history.play", "Past", "Replay", "Replay from here, or stop; the network runs on meanwhile", ("P",), "replay"
    ),
    ActionInfo(
        "history.record", "Past", "Record this replay", "Replay from here into a video", ("Shift+V",), "record-past"
    ),
    ActionInfo("history.to_live", "Past", "Back to live", "Show the running network again", ("End",), "live"),
    ActionInfo("input.previous", "Input", "Previous sample", "Clamp the previous sample", ("Left",), "previous"),
    ActionInfo("input.next", "Input", "Next sample", "Clamp the next sample", ("Right",), "next"),
    ActionInfo("input.random", "Input", "Random sample", "Clamp a sample picked at random", ("D",), "random"),
    ActionInfo("input.pad.clear", "Input", "Clear the pad", "Wipe the drawing pad", ("C",), "clear"),
    ActionInfo("stage.fit", "View", "Fit all layers", "Show every layer, or the whole volume", ("0",), "fit", True),
    ActionInfo(
        "volume.toggle",
        "View",
        "Volume",
        "See a volume, or the graph that grows, or their layers as tiles",
        ("M",),
        "cube",
        True,
        True,
    ),
    ActionInfo("volume.slice", "View", "Slices", "Lay three slices through the volume", ("S",), "slices", False, True),
    ActionInfo("volume.turn", "View", "Turn", "Let the volume turn by itself", ("T",), "turn", False, True),
    ActionInfo("volume.corner", "View", "From the corner", "See the volume from its corner", ("1",), "bookmark"),
    ActionInfo("volume.input", "View", "Input face", "See the volume from the input", ("2",), "bookmark"),
    ActionInfo("volume.side", "View", "From the side", "See signals run from left to right", ("3",), "bookmark"),
    ActionInfo("volume.readout", "View", "Read-out face", "See the volume from the read-out", ("4",), "bookmark"),
    ActionInfo("volume.top", "View", "From the top", "See the volume from above", ("5",), "bookmark"),
    ActionInfo("volume.own", "View", "Kept view", "See the volume as it was kept", ("6",), "bookmark"),
    ActionInfo("volume.keep", "View", "Keep this view", "Remember this view of the volume", ("B",), "bookmark"),
    ActionInfo(
        "full_screen", "View", "Full screen", "Fill the screen, or leave it", ("F", "F11"), "fullscreen", True, True
    ),
    ActionInfo(
        "docks.arrange", "View", "Default layout", "Put all panels back in their places", ("Ctrl+Shift+L",), "layout"
    ),
    ActionInfo("recording.toggle", "Record", "Record video", "Start or stop recording", ("V",), "record", True, True),
    ActionInfo("recording.screenshot", "Record", "Screenshot", "Save a picture (PNG)", ("Alt+S",), "camera", True),
    ActionInfo(
        "recording.open_folder",
        "Record",
        "Show recordings folder",
        "Open the folder of videos and pictures",
        ("Ctrl+Shift+O",),
        "folder",
    ),
    ActionInfo("command_palette", "Help", "Command palette…", "Find an action by typing", ("Ctrl+Shift+P",), "palette"),
    ActionInfo("shortcuts", "Help", "Keyboard shortcuts", "List every key", ("F1",), "keyboard"),
)


def build_actions(window: QWidget) -> dict[str, QAction]:
    """One QAction per record, keyed by `call`, connected to `window` (they must exist by now)."""
    actions: dict[str, QAction] = {}
    for info in ACTIONS:
        action = QAction(icon(info.icon), info.text, window)
        action.setToolTip(info.tooltip)
        action.setStatusTip(info.tip)
        action.setShortcuts([QKeySequence(key) for key in info.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(info.checkable)
        action.triggered.connect(_caller(window, info.call))
        window.addAction(action)
        actions[info.call] = action
    return actions


def _caller(window: QWidget, name: str) -> Callable[[bool], None]:
    method = attrgetter(name)(window)

    def call(_checked: bool = False) -> None:
        method()

    return call

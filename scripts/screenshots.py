"""Takes the documentation's pictures from the running program: docs/images/*.png. Needs a screen.

scripts/virtual_screen.sh python scripts/screenshots.py [NAME ...]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["OBSERVATORY_CONFIG_DIR"] = tempfile.mkdtemp(prefix="observatory-screenshots-")

import numpy as np
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtWidgets import QApplication

from engine.commands import Pause, Reset, Step, Throttle
from engine.dreams import dream_all
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.recording.dreams import sheet_png
from observatory.settings import Settings
from observatory.window import Window

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = (1440, 900)
MOMENTS = {
    "deep-100": 196, "edge-of-chaos": 400, "hopfield-100": 180, "tween-100": 155, "tween-chase": 900,
    "tween-vision-motion": 2500, "cube-8": 40, "cube-28": 24, "cube-32": 66, "nested-27": 12, "conv-digits": 30,
    "rhythm": 160, "resonance": 6000, "last-cue": 1400, "grow-fhn": 400, "grow-lorenz96": 700, "grow-doublewell": 3000,
}  # fmt: skip
"""Preset, and the tick at which its picture is taken: the nudge on its way down, the boiling, the decay; errors
half-way down a hundred layers, a chase, a digit that is followed; in cubes a nudge that has come down, a front on its
way up, a nudge that has sunk half-way; a nudge on its way into chains within chains and convolutional maps; entrained
to a bar, beating against sines, a cue long gone; a graph
in the middle of its growth, one whose equations can be read, and one that expects either of two outcomes."""
VOLUMES: dict[str, dict[str, Any]] = {"cube-28": {"slices": True, "x": 0.6}}
"""How a volume is looked at, where that is not the usual way."""
TALL = {
    "rhythm": "Rhythm",
    "resonance": "Rhythm",
    "last-cue": "Rhythm",
    "grow-fhn": "Growth",
    "grow-lorenz96": "Equations",
    "grow-doublewell": "Outcomes",
}
"""Docks that are drawn up to TALL_SIDE."""
TALL_SIDE = 320
DREAMER = "deep-100"
PAST = ("history", "deep-100", 1050, 652)
"""Name, preset, the tick it has come to, and the tick that is looked back to: a digit on its way up."""
LOGGED = 60.0
"""Ticks a second at which every tick is logged."""
TIMEOUT = 300.0


def turn(application: QApplication) -> None:
    """One turn of the event loop; what was to be deleted later goes too, which it would not without a running loop."""
    application.processEvents()
    application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    time.sleep(0.002)


def take(application: QApplication, name: str, preset_name: str, ticks: int, past: int | None = None) -> bool:
    """Stop a preset after so many ticks, look back to one of them, and save the window; whether it got there."""
    preset = load_preset(preset_name)
    window = Window(EngineThread(preset), preset, Settings(volume=VOLUMES.get(name, {})))
    window.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    window.resize(*SIZE)
    window.show()
    if name in TALL:
        window.docks.by_title[TALL[name]].raise_()
        window.resizeDocks([window.docks.by_title[TALL[name]]], [TALL_SIDE], Qt.Orientation.Vertical)
    speed = preset.ticks_per_second if past is None else LOGGED
    for command in (Pause(True), Reset(), Throttle(speed), Step(ticks)):
        window.controller.send(command)
    deadline = time.monotonic() + TIMEOUT
    reached = False
    while not reached and time.monotonic() < deadline:
        turn(application)
        frame = window.controller.frame
        reached = frame is not None and frame.paused and frame.tick >= ticks
    if past is not None:
        window.history.refresh()
        first, index = window.history.history.index()
        window.history.show(first + int(np.flatnonzero(index["tick"] == past)[-1]))
    drawn = time.monotonic() + 1.0
    while time.monotonic() < drawn:
        turn(application)
    saved = reached and window.grab().save(str(IMAGES / f"{name}.png"))
    window.close()
    return saved


def main() -> int:
    """Take every picture; the exit code tells whether all were taken."""
    application = make_application()
    IMAGES.mkdir(parents=True, exist_ok=True)
    names = sys.argv[1:] or ["dreams", *MOMENTS, PAST[0]]
    if "dreams" in names:
        (IMAGES / "dreams.png").write_bytes(sheet_png(dream_all(load_preset(DREAMER), {})))
    taken = [take(application, name, name, MOMENTS[name]) for name in names if name in MOMENTS]
    if PAST[0] in names:
        taken.append(take(application, *PAST))
    return 0 if all(taken) else 1


if __name__ == "__main__":
    sys.exit(main())

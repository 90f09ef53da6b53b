"""What a frame costs the GUI thread: pull, upload and draw calls; rasterising apart. Needs a display.

    python benchmarks/gui_frame.py            (or: xvfb-run -s "-screen 0 1600x1000x24" python benchmarks/gui_frame.py)

work: mailbox, exposure, upload and draw calls, up to but not including glFinish. raster: glFinish.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication
from vispy.gloo import gl

from engine.frame import Frame
from engine.mailbox import Mailbox
from engine.preset import load_preset
from engine.session import Session
from observatory.canvas.mosaic import MosaicCanvas
from observatory.view import settings_for

SIZE = (1280, 800)
WARM_UP = 30


def frames_of(preset_name: str, count: int) -> list[Frame]:
    """Consecutive frames of a preset, computed before anything is timed."""
    session = Session(load_preset(preset_name))
    frames = []
    for _ in range(count):
        session.tick()
        frames.append(session.frame())
    return frames


def measure(preset_name: str, count: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Name, work and raster times in ms, each (count,)."""
    preset = load_preset(preset_name)
    canvas = MosaicCanvas(settings_for(preset.network))
    canvas.native.resize(*SIZE)
    canvas.native.show()
    while not canvas.native.isValid():
        QApplication.processEvents()
    mailbox: Mailbox[Frame] = Mailbox()
    work, raster = [], []
    for frame in frames_of(preset_name, count + WARM_UP):
        mailbox.put(frame)
        begun = time.perf_counter()
        taken = mailbox.take()
        assert taken is not None
        canvas.show_frame(taken)
        canvas.set_current()
        canvas.events.draw(region=None)
        drawn = time.perf_counter()
        gl.glFinish()
        work.append(1e3 * (drawn - begun))
        raster.append(1e3 * (time.perf_counter() - drawn))
    canvas.close()
    return f"{preset.layers} x {preset.neurons}", np.array(work[WARM_UP:]), np.array(raster[WARM_UP:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="frames to time (300)")
    count = parser.parse_args().frames
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = QApplication(sys.argv[:1])
    print(f"{SIZE[0]} x {SIZE[1]}, {count} frames, ms      work median    p95      raster median    p95")
    for preset_name in ("deep-100", "deep-100-wide"):
        name, work, raster = measure(preset_name, count)
        figures = [f"{np.percentile(times, share):9.2f}" for times in (work, raster) for share in (50, 95)]
        print(f"{name:<32}{figures[0]:>10}{figures[1]}{figures[2]:>16}{figures[3]}")
    del application


if __name__ == "__main__":
    main()

"""What a frame costs the GUI thread: pull, upload and draw calls; rasterising apart. Needs a display.

    python benchmarks/gui_frame.py            (or: xvfb-run -s "-screen 0 1600x1000x24" python benchmarks/gui_frame.py)

work: processor time of the GUI thread for mailbox, exposure, upload and draw calls, glFinish included.
raster: processor time of all other threads meanwhile: Mesa's rasteriser, where there is no graphics card.
whole: what the clock says, which depends on what else the machine does.
The volumes are noise in 48^3 voxels.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication
from vispy.gloo import gl

from engine.frame import Frame
from engine.layout import Layout
from engine.mailbox import Mailbox
from engine.preset import load_preset
from engine.session import Session
from observatory.canvas.mosaic import MosaicCanvas
from observatory.canvas.volume import VolumeCanvas
from observatory.view import ViewSettings, settings_for
from observatory.volume_view import VolumeSettings

SIZE = (1280, 800)
WARM_UP = 30
SIDE = 48
VOLUMES = {
    "light": VolumeSettings(),
    "light, sharp": VolumeSettings(smooth=False),
    "brightest": VolumeSettings(show="brightest"),
    "clouds": VolumeSettings(show="clouds"),
    "slices": VolumeSettings(slices=True),
}


def frames_of(preset_name: str, count: int) -> list[Frame]:
    """Consecutive frames of a preset, computed before anything is timed."""
    session = Session(load_preset(preset_name))
    frames = []
    for _ in range(count):
        session.tick()
        frames.append(session.frame())
    return frames


def noise(count: int) -> list[Frame]:
    """Frames of a cube in which every voxel has something of each colour; eight of them, over and over."""
    rng = np.random.default_rng(0)
    first = Session(load_preset("tiny")).frame()
    layout, shape = Layout(SIDE, SIDE, SIDE, True), (SIDE, SIDE * SIDE)

    def channel(scale: float) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(np.float32)

    different = [
        replace(
            first,
            layout=layout,
            activation=np.tanh(channel(0.5)),
            velocity=channel(0.01),
            nudge=channel(0.001),
            flags=np.zeros(shape, np.uint8),
        )
        for _ in range(8)
    ]
    return [replace(different[i % 8], tick=i) for i in range(count)]


def measure(canvas: MosaicCanvas | VolumeCanvas, frames: list[Frame]) -> np.ndarray:
    """Work, raster and whole times in ms, (3, frames after the warm-up)."""
    canvas.native.resize(*SIZE)
    canvas.native.show()
    while not canvas.native.isValid():
        QApplication.processEvents()
    mailbox: Mailbox[Frame] = Mailbox()
    times = []
    for frame in frames:
        mailbox.put(frame)
        begun = clocks()
        taken = mailbox.take()
        assert taken is not None
        canvas.show_frame(taken)
        canvas.set_current()
        canvas.events.draw(region=None)
        gl.glFinish()
        work, everything, whole = 1e3 * (clocks() - begun)
        times.append((work, everything - work, whole))
    canvas.close()
    return np.array(times[WARM_UP:]).T


def clocks() -> np.ndarray:
    """Processor time of this thread, of the process, and the clock, in seconds."""
    return np.array([time.thread_time(), time.process_time(), time.perf_counter()])


def show(name: str, times: np.ndarray) -> None:
    """Print a line of the table."""
    work, raster, whole = times
    figures = [np.percentile(work, 50), np.percentile(work, 95), np.percentile(raster, 50), np.percentile(whole, 50)]
    print(f"{name:<28}" + "".join(f"{figure:14.2f}" for figure in figures), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="frames to time (300)")
    count = parser.parse_args().frames
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = QApplication(sys.argv[:1])
    print(
        f"{f'{SIZE[0]} x {SIZE[1]}, {count} frames, ms':<28}{'work median':>14}{'p95':>14}{'raster':>14}{'whole':>14}"
    )
    for preset_name in ("deep-100", "deep-100-wide"):
        preset = load_preset(preset_name)
        canvas = MosaicCanvas(settings_for(preset.network))
        show(f"{preset.layers} x {preset.neurons}", measure(canvas, frames_of(preset_name, count + WARM_UP)))
    frames = noise(count + WARM_UP)
    for name, volume in VOLUMES.items():
        show(f"{SIDE}^3 {name}", measure(VolumeCanvas(ViewSettings(), volume), frames))
    del application


if __name__ == "__main__":
    main()

"""A video without a window: every K-th tick is drawn and written, so the same seed gives the same frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from engine.commands import SetParameter
from engine.frame import Frame
from engine.preset import Preset
from engine.session import Session
from observatory.canvas.offscreen import OffscreenError, OffscreenEye, OffscreenMosaic, OffscreenVolume
from observatory.recording.encoder import VideoWriter
from observatory.recording.graph_eye import GraphEye
from observatory.recording.hud import Hud, strip_height
from observatory.recording.sidecar import Origin, RecordingError
from observatory.view import settings_for
from observatory.volume_view import TURN, Show, VolumeSettings

Progress = Callable[[int, int], None]

View = Show | Literal["graph", "mosaic"]
VIEWS: tuple[View, ...] = (*get_args(Show), "graph", "mosaic")
"""What a video can show; a graph needs a network that grows, all others but the mosaic one that is a volume."""
Eye = OffscreenEye | GraphEye


@dataclass(frozen=True, slots=True)
class Shot:
    """How a network is filmed: one of `VIEWS` (None: light for a volume, the graph of one that grows, else the mosaic),
    with slices through the volume or not, turning by so many degrees a second."""

    view: View | None = None
    slices: bool = False
    turn: float = TURN


class ViewError(ValueError):
    """This network cannot be filmed in that way; the message says why."""


def eye_for(frame: Frame, network: str, fps: int, shot: Shot) -> Eye:
    """What draws pictures of frames like this one, of a network of that kind, at `fps`.

    Raises ViewError for a view that these frames do not have and OffscreenError where nothing can be drawn.
    """
    settings = settings_for(network)
    grows = frame.growth is not None
    view: View = shot.view or ("light" if frame.layout.volume else "graph" if grows else "mosaic")
    if view == "mosaic":
        return OffscreenMosaic(settings)
    if view == "graph" and grows:
        return GraphEye(settings)
    if view == "graph":
        raise ViewError(f"{frame.preset} does not grow, so there is no graph to show")
    if not frame.layout.volume:
        only = "as its graph or the mosaic" if grows else "as the mosaic"
        raise ViewError(f"{frame.preset} is no volume: it can be shown {only} only, not as {view}")
    if view == "density" and frame.density is None:
        raise ViewError(f"{frame.preset} does not count the synapses of its voxels, so there is no density to show")
    return OffscreenVolume(settings, VolumeSettings(show=view, slices=shot.slices), turn=shot.turn / fps)


def record(
    preset: Preset,
    out: Path,
    seconds: float,
    fps: int,
    size: tuple[int, int],
    overrides: dict[str, float],
    every: int = 2,
    backend: str = "auto",
    progress: Progress | None = None,
    shot: Shot = Shot(),
) -> dict[str, Any]:
    """Render `seconds` of video at `fps`, `every` ticks per frame, and return the metrics as a JSON-ready table.

    size is (width, height), both even. `progress(done, total)` counts frames. Needs neither display nor window.
    Raises ValueError for what cannot be (sizes, knobs, ViewError) and RecordingError when the file cannot be written or
    nothing can be drawn; an interrupt ends the video where it stands, and what was written plays.
    """
    session = Session(preset, backend)
    for name, value in overrides.items():
        session.apply(SetParameter(name, value))
    frame = session.frame()
    total = max(1, round(seconds * fps))
    width, height = size
    found = _Findings()
    try:
        eye = eye_for(frame, preset.network, fps, shot)
    except OffscreenError as error:
        raise RecordingError(str(error)) from error
    with eye, VideoWriter(out, size, fps, Origin.of(frame)) as video:
        strip = strip_height(size)
        hud = Hud(preset.title, width, strip)
        picture = np.empty((height, width, 3), np.uint8)
        for done in range(total):
            if done:
                for _ in range(every):
                    session.tick()
                frame = session.frame()
            picture[: height - strip] = eye.render(frame, (width, height - strip))
            picture[height - strip :] = hud.paint(frame)
            video.write(picture)
            found.look_at(frame)
            if progress is not None:
                progress(done + 1, total)
    return {
        "preset": preset.name,
        "backend": session.backend,
        "video": str(out),
        "frames": video.frames,
        "fps": fps,
        "size": [width, height],
        "every": every,
        **found.table(frame),
    }


class _Findings:
    """The last known value of what is measured once a phase; at the end another phase may just have begun."""

    def __init__(self) -> None:
        self.t_relax: int | None = None
        self.t_nudge: int | None = None
        self.d_nudge = 0

    def look_at(self, frame: Frame) -> None:
        metrics = frame.metrics
        self.t_relax = self.t_relax if metrics.t_relax is None else metrics.t_relax
        self.t_nudge = self.t_nudge if metrics.t_nudge is None else metrics.t_nudge
        self.d_nudge = metrics.d_nudge or self.d_nudge

    def table(self, last: Frame) -> dict[str, Any]:
        metrics = last.metrics
        return {
            "ticks": last.tick,
            "sigma": last.knobs["sigma"].value if "sigma" in last.knobs else None,
            "t_relax": self.t_relax,
            "t_nudge": self.t_nudge,
            "d_nudge": self.d_nudge,
            "velocity_max": metrics.velocity_max,
            "accuracy": None if last.scene is None else last.scene.accuracy,
            "saturated_share": metrics.saturated_share,
            "finite": metrics.finite,
            "seed": last.seed,
        }

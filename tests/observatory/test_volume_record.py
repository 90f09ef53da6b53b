"""Volumes on a machine without a display, through EGL: their pixels, and videos in which they turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from observatory.recording.headless import VIEWS
from observatory.recording.hud import strip_height

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="EGL")

PIXELS = """
import json, sys
import numpy as np
from volumes import manual, volume_frame
from observatory.canvas.offscreen import OffscreenVolume
from observatory.canvas.orbit import Body, Lens, Orbit, panes_of
from observatory.volume_view import VolumeSettings

size, found = (400, 300), []
for voxel, name in (((7, 1, 2), "activation"), ((0, 6, 7), "velocity"), ((4, 4, 0), "nudge")):
    frame = volume_frame(**{name: {voxel: 1.0}})
    for orbit in (Orbit(-34, 20, 4), Orbit(150, -40, 3)):
        with OffscreenVolume(manual(), VolumeSettings(opacity=1.0, smooth=False), orbit, turn=30.0) as eye:
            for step in range(2):
                picture = eye.render(frame, size)
                lens, body = Lens(orbit.turned(30.0 * step), panes_of(size, False)[0]), Body(frame.layout)
                ((x, y),) = lens.project(body.to_world(np.array([voxel]) + 0.5))
                found.append([name, picture[round(y), round(x)].tolist(), int((picture.max(axis=2) > 150).sum())])
print(json.dumps(found))
"""

FILM = """
import json, sys
from dataclasses import replace
from pathlib import Path
from engine.preset import parse_preset
from engine.session import Session
from observatory.recording.headless import Shot, ViewError, record

plain = Session.frame
def as_volume(self):
    frame = plain(self)
    return replace(frame, layout=replace(frame.layout, volume=True))
Session.frame = as_volume
text = 'title = "Chain as a cube"\\nnetwork = "recursive"\\nlayers = 8\\nneurons = 64'
preset = parse_preset(text, "chain-8", "chain-8")
for number, shot in enumerate(json.loads(sys.argv[2])):
    out = Path(sys.argv[1]) / f"{number}.mp4"
    try:
        record(preset, out, 0.5, 20, (320, 240), {}, 3, "numpy", None, Shot(**shot))
    except ViewError as error:
        print(error)
"""


def run_headless(source: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "QT_QPA_PLATFORM", "EGL_PLATFORM")}
    environment["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[2])))
    return subprocess.run(
        [sys.executable, "-c", source, *words], env=environment, capture_output=True, text=True, timeout=120
    )


def films(folder: Path, *shots: dict[str, Any]) -> list[list[NDArray[np.int64]]]:
    """The pictures of each recording, without the strip."""
    process = run_headless(FILM, str(folder), json.dumps(shots))
    assert process.returncode == 0, process.stderr
    found = []
    for number in range(len(shots)):
        with av.open(str(folder / f"{number}.mp4")) as container:
            frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
        assert len(frames) == 10
        found.append([frame[: 240 - strip_height((320, 240))] for frame in frames])
    return found


def test_voxels_are_lit_where_the_camera_says_without_a_window() -> None:
    process = run_headless(PIXELS)
    assert process.returncode == 0, process.stderr
    tints = {"activation": (0.88, 0.11, 0.09), "velocity": (0.10, 1.0, 0.32), "nudge": (0.16, 0.38, 1.0)}
    found = json.loads(process.stdout)
    assert len(found) == 12
    for name, seen, bright in found:
        np.testing.assert_allclose(seen, 255 * np.array(tints[name]), atol=4, err_msg=name)
        assert bright < 2500


def test_a_turning_film_is_the_same_twice_and_turns(tmp_path: Path) -> None:
    """But for some pixels that a renderer of several threads may round otherwise, by 3 of 255 when it was seen."""
    one, other, still = films(tmp_path, {"turn": 60.0}, {"turn": 60.0}, {"turn": 0.0})
    again = [np.abs(a - b) for a, b in zip(one, other, strict=True)]
    assert max(off.max() for off in again) <= 8
    assert max(off.mean() for off in again) < 0.02
    apart = [np.abs(a - b).mean() for a, b in zip(one, still, strict=True)]  # the same ticks, seen from elsewhere
    assert apart[0] < 0.5
    assert min(apart[2:]) > 1


@pytest.mark.slow
def test_the_volume_can_be_filmed_in_every_way(tmp_path: Path) -> None:
    shots: list[dict[str, Any]] = [{}, {"view": "brightest"}, {"view": "clouds"}, {"view": "mosaic"}, {"slices": True}]
    last = [film[-1] for film in films(tmp_path, *({"turn": 0.0, **shot} for shot in shots))]
    for i, one in enumerate(last):
        for j, other in enumerate(last[:i]):
            assert np.abs(one - other).mean() > 1, (shots[i], shots[j])


def test_synapses_that_nobody_counts_are_not_filmed(tmp_path: Path) -> None:
    process = run_headless(FILM, str(tmp_path), json.dumps([{"view": "density"}]))
    assert process.stdout.startswith("chain-8 does not count the synapses of its voxels")
    assert not list(tmp_path.iterdir())


def test_a_chain_is_no_volume(cli: Callable[..., Any], tmp_path: Path) -> None:
    answer = cli("record", "tiny", "--out", "film.mp4", "--seconds", "0.1", "--view", "clouds")
    assert answer.returncode == 2
    told = "observatory record: tiny is no volume: it can be shown as the mosaic only, not as clouds"
    assert answer.stderr.strip() == told
    assert not list(tmp_path.glob("film*"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--view", "smoke"), "'smoke' is not one of light, brightest, clouds, density, graph, mosaic"),
        (("--turn", "fast"), "'fast' is not a number of degrees a second, at most 3600"),
        (("--turn", "nan"), "'nan' is not a number of degrees a second"),
    ],
)
def test_what_cannot_be_filmed_is_one_line(cli: Callable[..., Any], words: tuple[str, ...], problem: str) -> None:
    answer = cli("record", "tiny", "--out", "film.mp4", *words)
    assert answer.returncode == 2
    assert len(answer.stderr.splitlines()) == 1
    assert problem in answer.stderr


def test_the_help_names_every_view(cli: Callable[..., Any]) -> None:
    told = cli("record", "--help").stdout
    assert all(view in told for view in VIEWS)

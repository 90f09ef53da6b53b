"""The headless recorder, on a machine without a display: in a process of its own, as the command line runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from frames import fake_frame
from numpy.typing import NDArray

from observatory.recording.hud import Hud, strip_height

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="EGL")

SOURCE = """
import json, sys
from pathlib import Path
from engine.preset import load_preset
from observatory.recording.headless import record
out, seconds, every, overrides = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
preset = load_preset(sys.argv[5])
def progress(done, total):
    print(f"{done}/{total}", file=sys.stderr, flush=True)
print(json.dumps(record(preset, Path(out), seconds, 20, (320, 240), overrides, every, "numpy", progress)))
"""


def start(
    out: Path, seconds: float = 1.0, every: int = 2, preset: str = "tiny", **overrides: float
) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "QT_QPA_PLATFORM", "EGL_PLATFORM")}
    command = [sys.executable, "-c", SOURCE, str(out), str(seconds), str(every), json.dumps(overrides), preset]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def record(out: Path, seconds: float = 1.0, every: int = 2, preset: str = "tiny", **overrides: float) -> dict[str, Any]:
    process = start(out, seconds, every, preset, **overrides)
    answer, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    table: dict[str, Any] = json.loads(answer)
    return table


def frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def test_a_recording_has_the_promised_frames_and_size_and_is_the_same_twice(tmp_path: Path) -> None:
    one = record(tmp_path / "one.mp4")
    other = record(tmp_path / "other.mp4")
    assert one["frames"] == 20
    assert one["size"] == [320, 240]
    assert one["finite"] is True
    assert {**one, "video": ""} == {**other, "video": ""}
    first, second = list(frames(tmp_path / "one.mp4")), list(frames(tmp_path / "other.mp4"))
    assert len(first) == len(second) == 20
    assert all(picture.shape == (240, 320, 3) for picture in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert json.loads((tmp_path / "one.json").read_text())["frames"] == 20


def test_the_first_frames_are_dark_and_the_settled_ones_red(tmp_path: Path) -> None:
    record(tmp_path / "film.mp4", seconds=1.5)
    strip = strip_height((320, 240))
    mosaics = [picture[: 240 - strip].astype(float).mean(axis=(0, 1)) for picture in frames(tmp_path / "film.mp4")]
    assert mosaics[0].max() < 20
    assert mosaics[-1][0] > 40


def test_images_that_settle_can_be_filmed(tmp_path: Path) -> None:
    """A convolutional chain: dark, then red feature maps, then blue ones."""
    made = record(tmp_path / "film.mp4", 1.2, 2, "conv-digits")
    assert (made["preset"], made["frames"], made["d_nudge"]) == ("conv-digits", 24, 10)
    assert made["finite"] is True
    strip = strip_height((320, 240))
    mosaics = [picture[: 240 - strip].astype(float).mean(axis=(0, 1)) for picture in frames(tmp_path / "film.mp4")]
    assert mosaics[0].max() < 20
    assert mosaics[12][0] > 1.5 * mosaics[12][2]
    assert mosaics[-1][2] > 2 * mosaics[12][2]


def test_knobs_and_ticks_per_frame_reach_the_engine(tmp_path: Path) -> None:
    slow = record(tmp_path / "slow.mp4", 0.5, 1, sigma=0.3)
    fast = record(tmp_path / "fast.mp4", 0.5, 3, sigma=0.3)
    assert slow["sigma"] == 0.3
    assert slow["ticks"] < fast["ticks"]
    assert json.loads((tmp_path / "slow.json").read_text())["knobs"]["sigma"] == 0.3
    first, other = list(frames(tmp_path / "slow.mp4")), list(frames(tmp_path / "fast.mp4"))
    assert not np.array_equal(first[5], other[5])


def test_an_interrupt_leaves_a_playable_file(tmp_path: Path) -> None:
    process = start(tmp_path / "film.mp4", seconds=600)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("40/"):
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=60)
    assert process.returncode != 0
    kept = sum(1 for _ in frames(tmp_path / "film.mp4"))
    assert 40 <= kept < 12000
    assert json.loads((tmp_path / "film.json").read_text())["frames"] == kept


def test_a_file_that_cannot_be_made_is_refused_before_rendering(tmp_path: Path) -> None:
    process = start(tmp_path / "nowhere" / "film.mp4")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "RecordingError" in errors
    assert "cannot be written: No such file or directory" in errors
    assert "1/20" not in errors


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (64, 64), (3840, 2160), (720, 1280)])
def test_the_strip_fits_every_size_and_shows_what_changes(qapp: object, size: tuple[int, int]) -> None:
    height = strip_height(size)
    assert height % 2 == 0
    hud = Hud("Deep 100", size[0], height)
    quiet = hud.paint(fake_frame())
    assert quiet.shape == (height, size[0], 3)
    lit = hud.paint(fake_frame(image=np.ones((8, 8), np.float32)))
    assert not np.array_equal(quiet, lit)


def test_the_strip_shows_tick_figures_and_probabilities(qapp: object) -> None:
    hud = Hud("Deep 100", 1280, 90)
    plain = hud.paint(fake_frame())
    sure = np.eye(10, dtype=np.float32)[3]
    changes = [
        fake_frame(tick=999),
        fake_frame(metrics={"t_relax": 136}),
        fake_frame(metrics={"d_nudge": 55}),
        fake_frame(metrics={"phase": "nudged"}),
        fake_frame(metrics={"probabilities": sure}),
        fake_frame(metrics={"probabilities": np.full(10, np.nan, np.float32)}),
        fake_frame(label=3),
    ]
    for frame in changes:
        assert not np.array_equal(hud.paint(frame), plain)
    assert np.array_equal(hud.paint(fake_frame()), plain)

"""`observatory replay`: a saved history as a video, and one line for what is none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from engine.history import History
from engine.history.file import write_history
from engine.layout import Layout
from engine.preset import load_preset
from engine.session import Session
from tests.observatory.frames import fake_frame

Cli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="EGL")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Sixty frames of tiny, logged twenty a second."""
    session, history = Session(load_preset("tiny"), "numpy"), History()
    for number in range(60):
        session.tick()
        history.append(session.frame(), when=1000 + number / 20)
    write_history(tmp_path / "tiny.history", history)
    return tmp_path / "tiny.history"


def test_every_frame_becomes_a_picture(cli: Cli, saved: Path, tmp_path: Path) -> None:
    done = cli("replay", "tiny.history", "--out", "film.mp4", "--size", "320x240", "--fps", "20")
    assert (done.returncode, done.stderr) == (0, "")
    assert "60 of 320x240" in done.stdout
    with av.open(str(tmp_path / "film.mp4")) as video:
        pictures = [picture.to_ndarray(format="rgb24").astype(int) for picture in video.decode(video=0)]
    assert len(pictures) == 60
    assert np.abs(pictures[0] - pictures[-1])[:200].mean() > 1
    told = json.loads((tmp_path / "film.json").read_text())
    assert told["replay"] is True
    assert told["complete"] is True
    assert told["preset"] == "tiny"


def test_the_last_seconds_and_every_kth_frame(cli: Cli, saved: Path, tmp_path: Path) -> None:
    done = cli("replay", "tiny.history", "--out", "end.mp4", "--size", "64x64", "--last", "1", "--every", "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "frames  5 of" in done.stdout
    assert json.loads((tmp_path / "end.json").read_text())["frames"] == 5


def test_a_volume_is_filmed_as_one_and_what_comes_after_it_as_a_mosaic(cli: Cli, tmp_path: Path) -> None:
    history = History()
    for number in range(4):
        body = number < 2
        lit = np.full((6, 16), 0.5, np.float32)
        history.append(
            fake_frame(activation=lit, layout=Layout(6, 4, 4, volume=body), epoch=int(not body), tick=number)
        )
    write_history(tmp_path / "both.history", history)
    done = cli("replay", "both.history", "--out", "both.mp4", "--size", "320x240")
    assert (done.returncode, done.stderr) == (0, "")
    with av.open(str(tmp_path / "both.mp4")) as video:
        pictures = [picture.to_ndarray(format="rgb24").astype(int)[:200] for picture in video.decode(video=0)]
    assert np.abs(pictures[1] - pictures[2]).mean() > 5 * np.abs(pictures[0] - pictures[1]).mean() + 1


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["none.history", "--out", "x.mp4"], "none.history: no such file"),
        (["odd.history", "--out", "x.mp4"], "odd.history: not a history of the observatory"),
        (["tiny.history", "--out", "x.avi"], "x.avi: the file must end in .mp4"),
        (["tiny.history", "--out", "x.mp4", "--last", "0"], "'0' is not a number of seconds above 0"),
        (["tiny.history"], "required: --out"),
    ],
)
def test_bad_use_is_one_line_and_code_2(cli: Cli, saved: Path, tmp_path: Path, words: list[str], what: str) -> None:
    (tmp_path / "odd.history").write_bytes(b"odd" * 100)
    done = cli("replay", *words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert what in done.stderr
    assert not (tmp_path / "x.mp4").exists()

"""The window's recorder never waits, counts what it leaves out and finishes its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from observatory.recording import recorder as module
from observatory.recording.encoder import VideoWriter
from observatory.recording.recorder import QUEUE, Recorder
from observatory.recording.sidecar import Origin, RecordingError

SIZE = (64, 48)
ORIGIN = Origin("tiny")
PICTURE = np.full((48, 64, 3), 120, np.uint8)


class GatedWriter(VideoWriter):
    """Writes only while the gate is open."""

    gate = threading.Event()

    def write(self, image: np.ndarray) -> None:
        self.gate.wait()
        super().write(image)


class FullDisk(VideoWriter):
    """Fails at the third picture."""

    def write(self, image: np.ndarray) -> None:
        if self.frames == 2:
            raise RecordingError("film.mp4: cannot be written: No space left on device")
        super().write(image)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    monkeypatch.setattr(module, "VideoWriter", GatedWriter)
    GatedWriter.gate.clear()
    yield GatedWriter.gate
    GatedWriter.gate.set()


def count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_every_picture_taken_becomes_a_frame(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "film.mp4", SIZE, 10, ORIGIN)
    taken = sum(recorder.offer(PICTURE) for _ in range(20))
    assert recorder.stop()
    assert recorder.error is None
    assert recorder.frames == taken
    assert recorder.seconds == taken / 10
    assert recorder.dropped == 20 - taken
    assert count(tmp_path / "film.mp4") == taken
    assert not recorder.offer(PICTURE)


def test_a_full_queue_drops_and_counts(tmp_path: Path, gate: threading.Event) -> None:
    recorder = Recorder(tmp_path / "film.mp4", SIZE, 10, ORIGIN)
    offered = QUEUE + 10
    taken = sum(recorder.offer(PICTURE) for _ in range(offered))
    assert QUEUE <= taken <= QUEUE + 1
    assert recorder.dropped == offered - taken
    gate.set()
    assert recorder.stop()
    assert count(tmp_path / "film.mp4") == taken
    facts = json.loads((tmp_path / "film.json").read_text())
    assert (facts["frames"], facts["dropped"], facts["complete"]) == (taken, offered - taken, True)


def test_an_encoder_that_hangs_does_not_hold_the_window(tmp_path: Path, gate: threading.Event) -> None:
    recorder = Recorder(tmp_path / "film.mp4", SIZE, 10, ORIGIN)
    for _ in range(5):
        recorder.offer(PICTURE)
    assert not recorder.stop(timeout=0.1)
    gate.set()
    assert recorder.stop()
    assert count(tmp_path / "film.mp4") == 1
    assert recorder.dropped == 4


def test_a_full_disk_ends_the_recording_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VideoWriter", FullDisk)
    recorder = Recorder(tmp_path / "film.mp4", SIZE, 10, ORIGIN)
    for _ in range(5):
        recorder.offer(PICTURE)
    recorder._thread.join(10)
    assert recorder.error == "film.mp4: cannot be written: No space left on device"
    assert not recorder.offer(PICTURE)
    assert recorder.stop()


def test_odd_sizes_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="both must be even"):
        Recorder(tmp_path / "film.mp4", (63, 48), 10, ORIGIN)

"""Videos decode as promised, and stay playable when the writer is killed or the disk is full."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from observatory import __version__
from observatory.recording.encoder import VideoWriter
from observatory.recording.sidecar import Origin, RecordingError, write_atomically

SIZE = (160, 96)
ORIGIN = Origin("tiny", {"sigma": 0.8}, 7)

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and file size limits of POSIX")


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    """All frames that can be read, the last fragment may be cut."""
    frames = []
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                frames.append(frame.to_ndarray(format="rgb24"))
        except av.error.InvalidDataError:
            pass
    return frames


def run_python(source: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", source, *words], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("speed", ["ultrafast", "veryfast"])
def test_a_video_has_the_promised_frames_size_and_colours(tmp_path: Path, speed: str) -> None:
    path = tmp_path / "film.mp4"
    tints = [(200, 30, 20), (20, 200, 60), (30, 60, 220), (12, 13, 18)]
    with VideoWriter(path, SIZE, 25, ORIGIN, speed) as video:  # type: ignore[arg-type]
        for i in range(40):
            video.write(np.full((SIZE[1], SIZE[0], 3), tints[i % 4], np.uint8))
    frames = decoded(path)
    assert len(frames) == 40
    for i, frame in enumerate(frames):
        assert frame.shape == (SIZE[1], SIZE[0], 3)
        np.testing.assert_allclose(frame.reshape(-1, 3).mean(axis=0), tints[i % 4], atol=8)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 25
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"


def test_the_json_beside_a_video_says_how_it_was_made(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "film.mp4", SIZE, 30, ORIGIN) as video:
        assert json.loads((tmp_path / "film.json").read_text())["complete"] is False
        for i in range(5):
            video.write(noise(i))
        video.dropped = 2
    assert json.loads((tmp_path / "film.json").read_text()) == {
        "video": "film.mp4",
        "preset": "tiny",
        "knobs": {"sigma": 0.8},
        "seed": 7,
        "version": __version__,
        "fps": 30,
        "size": list(SIZE),
        "frames": 5,
        "dropped": 2,
        "complete": True,
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.json", "film.mp4"]


@pytest.mark.parametrize("size", [(161, 96), (160, 97), (0, 96)])
def test_sizes_that_h264_cannot_hold_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]} pixels cannot be written: both must be even"):
        VideoWriter(tmp_path / "film.mp4", size, 30, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_another_size_is_refused_and_the_video_goes_on(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "film.mp4", SIZE, 30, ORIGIN) as video:
        with pytest.raises(ValueError, match="does not fit"):
            video.write(np.zeros((SIZE[1] + 2, SIZE[0], 3), np.uint8))
        video.write(noise(0))
    assert len(decoded(tmp_path / "film.mp4")) == 1


def test_a_folder_that_does_not_exist_is_one_readable_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"film\.\w+: cannot be written: No such file or directory"):
        VideoWriter(tmp_path / "nowhere" / "film.mp4", SIZE, 30, ORIGIN)


@needs_posix
def test_a_killed_recording_plays(tmp_path: Path) -> None:
    source = """
import sys, time, numpy as np
from pathlib import Path
from observatory.recording.encoder import VideoWriter
from observatory.recording.sidecar import Origin
video = VideoWriter(Path(sys.argv[1]), (160, 96), 10, Origin("tiny"), "ultrafast")
rng = np.random.default_rng(0)
for i in range(100):
    video.write(rng.integers(0, 256, (96, 160, 3), np.uint8))
print("written", flush=True)
time.sleep(600)
"""
    process = run_python(source, str(tmp_path / "film.mp4"))
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "written"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(decoded(tmp_path / "film.mp4")) >= 70
    assert json.loads((tmp_path / "film.json").read_text())["complete"] is False


@needs_posix
def test_a_full_disk_is_one_error_and_what_was_written_plays(tmp_path: Path) -> None:
    source = """
import resource, sys, numpy as np
from pathlib import Path
from observatory.recording.encoder import VideoWriter
from observatory.recording.sidecar import Origin, RecordingError
video = VideoWriter(Path(sys.argv[1]), (160, 96), 10, Origin("tiny"), "ultrafast")
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
rng = np.random.default_rng(0)
try:
    for i in range(2000):
        video.write(rng.integers(0, 256, (96, 160, 3), np.uint8))
except RecordingError as error:
    print(error)
video.close()
print(video.frames)
"""
    process = run_python(source, str(tmp_path / "film.mp4"))
    message, frames = process.communicate(timeout=120)[0].splitlines()
    assert process.returncode == 0
    assert message == f"{tmp_path / 'film.mp4'}: cannot be written: File too large"
    assert 10 < int(frames) < 2000
    assert len(decoded(tmp_path / "film.mp4")) > int(frames) / 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_disk_that_is_full_from_the_start_says_so(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.symlink_to("/dev/full")

    def film() -> None:
        with VideoWriter(path, SIZE, 10, ORIGIN, "ultrafast") as video:
            for i in range(100):
                video.write(noise(i))

    with pytest.raises(RecordingError, match="No space left on device"):
        film()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "note.json"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RecordingError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

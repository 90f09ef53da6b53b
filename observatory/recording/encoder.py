"""H.264 video that stays playable whatever happens: a fragmented MP4, one fragment a second, written as it comes."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from observatory.recording.sidecar import Origin, RecordingError, readable, write_sidecar

Speed = Literal["ultrafast", "veryfast", "medium"]

_CONTAINER = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_CRF = {"ultrafast": "18", "veryfast": "18", "medium": "17"}
_BT709 = 1


class VideoWriter:
    """Writes pictures of one size at a constant rate, and a JSON beside the video; a context manager.

    size is (width, height), both even: 4:2:0 chroma needs it. A full disk or a vanished folder raises RecordingError
    once; what was written until then plays.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int, origin: Origin, speed: Speed = "veryfast") -> None:
        width, height = size
        if width < 2 or height < 2 or width % 2 or height % 2:
            raise ValueError(f"a video of {width} x {height} pixels cannot be written: both must be even")
        if fps < 1:
            raise ValueError(f"{fps} frames per second cannot be written: at least 1 is needed")
        self.path = path
        self.size = size
        self.fps = fps
        self.frames = 0
        self.dropped = 0
        """Frames that whoever feeds this writer had to leave out; noted in the JSON."""
        self._origin = origin
        self._speed = speed
        self._open = False
        self._note(complete=False)
        try:
            self._container: Any = av.open(str(path), "w", format="mp4", options=_CONTAINER)
        except OSError as error:
            raise readable(error, path) from error
        self._stream = self._add_stream()
        self._open = True

    def _add_stream(self) -> Any:
        options = {"preset": self._speed, "crf": _CRF[self._speed]}
        stream = self._container.add_stream("libx264", rate=self.fps, options=options)
        stream.width, stream.height = self.size
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, self.fps)
        codec = stream.codec_context
        codec.gop_size = self.fps
        codec.color_range = ColorRange.MPEG
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        return stream

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one picture, uint8 (height, width, 3). Raises ValueError when its shape is another."""
        width, height = self.size
        if image.shape != (height, width, 3):
            raise ValueError(f"a picture of shape {image.shape} does not fit a video of {width} x {height} pixels")
        if not self._open:
            raise RecordingError(f"{self.path}: the video is closed")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
        frame.pts, frame.time_base = self.frames, Fraction(1, self.fps)
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            self._abandon()
            raise readable(error, self.path) from error
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder still holds and complete the JSON; doing it twice does no harm."""
        if not self._open:
            return
        self._open = False
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        except OSError as error:
            self._abandon()
            raise readable(error, self.path) from error
        self._note(complete=True)

    def _abandon(self) -> None:
        self._open = False
        with suppress(OSError):
            self._container.close()
        with suppress(RecordingError):
            self._note(complete=False)

    def _note(self, complete: bool) -> None:
        width, height = self.size
        facts = {"fps": self.fps, "size": [width, height], "frames": self.frames, "dropped": self.dropped}
        write_sidecar(self.path, self._origin, **facts, complete=complete)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

"""The window's recorder: pictures go into a short queue, a thread encodes them, nothing ever waits."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from observatory.recording.encoder import VideoWriter
from observatory.recording.sidecar import Origin, RecordingError

QUEUE = 24
"""Pictures that may wait; at 1280 x 720 they take 66 MB."""

Image = NDArray[np.uint8]


class Recorder:
    """Records from its creation to `stop`. Each picture taken becomes one video frame, at the constant rate `fps`.

    Raises ValueError for odd sizes and RecordingError when the file cannot be made. Later trouble (a full disk) is
    found in `error` and ends the recording; what was written plays.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int, origin: Origin) -> None:
        self.path = path
        self.dropped = 0
        """Pictures left out because the queue was full."""
        self._writer = VideoWriter(path, size, fps, origin, speed="ultrafast")
        self._queue: queue.Queue[Image] = queue.Queue(QUEUE)
        self._error: str | None = None
        self._ending = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._encode, name="recorder", daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        """Frames encoded so far."""
        return self._writer.frames

    @property
    def seconds(self) -> float:
        """Length of the video so far, pictures in the queue included."""
        return (self._writer.frames + self._queue.qsize()) / self._writer.fps

    @property
    def error(self) -> str | None:
        """One readable line when the recording has failed."""
        return self._error

    def offer(self, image: Image) -> bool:
        """Hand over a picture, uint8 (height, width, 3), that nobody writes to again; False when it was dropped."""
        if self._error is not None or self._ending.is_set():
            return False
        try:
            self._queue.put_nowait(image)
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def stop(self, timeout: float = 2.0) -> bool:
        """Encode what waits and finish the file; after `timeout` seconds the rest of the queue is dropped.

        False when the encoder is still busy half a second later; it then finishes the file by itself.
        """
        self._ending.set()
        self._thread.join(timeout)
        self._hurry.set()
        self._thread.join(0.5)
        return not self._thread.is_alive()

    def _encode(self) -> None:
        try:
            while (image := self._next()) is not None:
                self._writer.write(image)
            self.dropped += self._queue.qsize()
            self._writer.dropped = self.dropped
            self._writer.close()
        except (RecordingError, ValueError) as error:
            self._error = str(error)

    def _next(self) -> Image | None:
        while not self._hurry.is_set():
            try:
                return self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._ending.is_set():
                    return None
        return None

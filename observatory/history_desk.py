"""Looking back: which frame of the history is shown, and how one moves through them.

The engine runs on meanwhile and its frames go on being logged; every command acts on the running network. What is shown
stays put until the handle is moved, even when the ring has let go of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from engine.frame import Frame
from engine.history import History, HistoryError, Replay
from engine.history.change import change_points, change_snr
from engine.history.ring import MIB
from engine.history.tolerance import TOLERANCES
from observatory.panels.banner import Banner
from observatory.panels.past_frame import PastFrame
from observatory.panels.time_bar import TimeBar
from observatory.recording_desk import RecordingDesk
from observatory.settings import Settings

REFRESH_MS = 400
PLAY_MS = 16
LONGEST_STEP = 0.25
"""Seconds that a replay waits for a frame, at most: pauses are cut short."""
LOOK_BACK = 10.0
"""Seconds before now at which a replay begins that was asked for while live."""


class HistoryDesk(QObject):
    """`frame` is the past frame that is shown, None while live. Emits `changed` when it is another."""

    changed = pyqtSignal()

    def __init__(
        self,
        history: History,
        bar: TimeBar,
        mark: PastFrame,
        recording: RecordingDesk,
        settings: Settings,
        banner: Banner,
        parent: QObject,
    ):
        super().__init__(parent)
        self.frame: Frame | None = None
        self.number = -1
        """The frame that is shown, -1 while live."""
        self.jumped = True
        """Whether what is shown now does not follow what was shown before."""
        self.history = history
        """What is looked at: the running network's, or one from a file."""
        self._live = history
        self._replay = Replay(history)
        self._aside = Replay(history)
        self._lowest: dict[int, float] = {}
        self._bar, self._mark, self._recording = bar, mark, recording
        self._settings, self._banner = settings, banner
        self._title = ""
        self._films = False
        self._first, self._index = history.index()
        self._snr: NDArray[np.float64] = np.zeros(0)
        self._played = 0.0
        self._timer = self._made_timer(REFRESH_MS, self.refresh)
        self._player = self._made_timer(PLAY_MS, self._play_on)
        self._player.setTimerType(Qt.TimerType.PreciseTimer)
        self._seeking = self._made_timer(0, self._seek)
        self._seeking.setSingleShot(True)
        self._wanted = -1
        bar.timeline.sought.connect(self._sought)
        bar.cap_chosen.connect(self._resize)
        self.refresh()
        self._timer.start()

    def _made_timer(self, milliseconds: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(milliseconds)
        timer.timeout.connect(call)
        return timer

    # what the window and the actions call

    @property
    def past(self) -> bool:
        """Whether the past is shown."""
        return self.frame is not None

    @property
    def playing(self) -> bool:
        """Whether a replay runs."""
        return self._player.isActive()

    def show(self, number: int) -> None:
        """Show this frame, or the nearest there is; what cannot be read is told in the banner."""
        first, end = self.history.span
        if end <= first:
            self._banner.news("Nothing is logged yet")
            return
        number = min(max(number, first), end - 1)
        try:
            frame = self._replay.frame(number)
        except LookupError:  # just gone
            return
        except HistoryError as error:
            self._player.stop()
            self._banner.error(f"{self._title or 'The history'}: {error}")
            return
        self.jumped = number != self.number + 1 or not self.past
        self.frame, self.number = frame, number
        self._tell()
        self.changed.emit()

    def back(self) -> None:
        """The frame before the one that is shown."""
        self._pause()
        self.show((self.number if self.past else self.history.span[1] - 1) - 1)

    def forward(self) -> None:
        """The frame after it; behind the newest lies the present."""
        self._pause()
        if self.past:
            self._onward(self.number + 1)

    def previous_change(self) -> None:
        """The change point before."""
        self._jump(-1)

    def next_change(self) -> None:
        """The change point after; behind the last lies the present."""
        self._jump(1)

    def play(self) -> None:
        """Replay from here, at the pace at which it was logged, or stop there; while live, from ten seconds ago."""
        if self.playing:
            self._pause()
            return
        self.refresh()
        if not self.past:
            times = self._index["time"]
            self.show(self._first + int(np.searchsorted(times, times[-1] - LOOK_BACK)) if len(times) else -1)
        elif self.number >= self.history.span[1] - 1:
            self.show(self.history.span[0])
        if self.past:
            self._played = time.monotonic()
            self._player.start()
            self._tell()

    def record(self) -> None:
        """Replay from here into a video, or end that."""
        if self._films:
            self._pause()
            return
        if not self.past:
            self._banner.news("Drag the time slider to where the video is to begin")
            return
        if self._recording.capture.recorder is None:
            self._recording.toggle()
        self._films = self._recording.capture.recorder is not None
        if self._films and not self.playing:
            self.play()

    def to_live(self) -> None:
        """Show the running network again; a history from a file is put away."""
        self._pause()
        self._seeking.stop()
        if self.history is not self._live:
            self._look_at(self._live, "")
        self.frame, self.number, self.jumped = None, -1, True
        self.refresh()
        self.changed.emit()

    def look_into(self, history: History, title: str) -> None:
        """Show another history, such as one from a file, from its beginning."""
        self._pause()
        self._look_at(history, title)
        self.refresh()
        self.show(history.span[0])

    def series(self, names: Sequence[str], frames: int) -> NDArray[np.float64]:
        """Figures of as many frames up to the one shown, those of the same run, float64 (frames, names)."""
        try:
            return self._replay.series(names, self._run(frames), self.number + 1)
        except HistoryError:
            return np.zeros((0, len(names)))

    def lowest(self, path: str, frames: int) -> NDArray[np.float64]:
        """The lowest value of an array in each of these frames, float64 (frames,); what was read is remembered."""
        numbers = range(self._run(frames), self.number + 1)
        self._lowest = {number: self._lowest[number] for number in numbers if number in self._lowest}
        missing = [number for number in numbers if number not in self._lowest]
        try:
            for number in missing:
                self._lowest[number] = float(self._aside.trajectory(number, number + 1, path=path).states.min())
        except (HistoryError, LookupError):
            return np.full(len(numbers), np.nan)
        return np.array([self._lowest[number] for number in numbers])

    def _run(self, frames: int) -> int:
        """The first of as many frames up to the one shown that belong to its run."""
        first = max(self.number - frames + 1, self._first)
        epochs = self._index["epoch"][first - self._first : self.number + 1 - self._first]
        others = np.flatnonzero(epochs != epochs[-1]) if len(epochs) else epochs
        return first + int(others[-1]) + 1 if len(others) else first

    def refresh(self) -> None:
        """Show what has been logged meanwhile, and what it takes."""
        self._first, self._index = self.history.index()
        self._snr = change_snr(self._index)
        self._bar.timeline.show_log(self._first, self._index, self._snr, self.history.tags)
        self._tell()
        self._tell_cost()

    def stop(self) -> None:
        """End the replay and its video."""
        self._pause()
        self._timer.stop()
        self._seeking.stop()

    # how it moves

    def _sought(self, number: int) -> None:
        self._pause()
        self._wanted = number
        self._seeking.start()

    def _seek(self) -> None:
        """One frame for all the places that the handle has passed in the meantime; the right end is the present."""
        if self.history is self._live and self._wanted >= self._bar.timeline.maximum():
            self.to_live()
        else:
            self.show(self._wanted)

    def _onward(self, number: int) -> None:
        """A frame after the one that is shown, or the present."""
        if self.history is self._live and number >= self.history.span[1]:
            self.to_live()
        else:
            self.show(number)

    def _jump(self, direction: int) -> None:
        self._pause()
        self.refresh()
        points = self._first + change_points(self._snr)
        here = self.number if self.past else self.history.span[1]
        found = points[points < here][-1:] if direction < 0 else points[points > here][:1]
        if len(found):
            self.show(int(found[0]))
        elif direction < 0:
            self._banner.news("No earlier change stands out")
        elif self.past:
            self._onward(self.history.span[1])

    def _play_on(self) -> None:
        """As many frames on as the time since the last call is worth; only the last of them is shown."""
        now = time.monotonic()
        due = (now - self._played) * self._bar.factor
        if self.number + 1 - self._first >= len(self._index):
            self.refresh()
        times = self._index["time"]
        at = self.number
        while at + 1 - self._first < len(times):
            here = max(0, at - self._first)
            step = min(max(float(times[here + 1] - times[here]), 1e-3), LONGEST_STEP)
            if step > due:
                break
            due -= step
            at = self._first + here + 1
        if at != self.number:
            self._played = now - due / self._bar.factor
            self.show(at)
        if at + 1 - self._first >= len(times):
            self._pause()
            if self.history is self._live:
                self.to_live()

    def _pause(self) -> None:
        self._player.stop()
        if self._films:
            self._films = False
            if self._recording.capture.recorder is not None:
                self._recording.toggle()
        self._tell()

    def _look_at(self, history: History, title: str) -> None:
        self.history, self._title = history, title
        self._replay, self._aside = Replay(history), Replay(history)
        self._lowest = {}

    def _resize(self, mib: int) -> None:
        self._live.resize(mib * MIB)
        self._settings.history_mib = mib
        self.refresh()

    # what it says

    def _tell(self) -> None:
        timeline = self._bar.timeline
        frame = self.frame
        if frame is None:
            timeline.show_at(self.history.span[1] - 1, False)
            self._bar.show_where(f"live  ·  {self._length()}", False)
            self._mark.mark("")
            return
        timeline.show_at(self.number, True)
        row = min(max(self.number - self._first, 0), len(self._index) - 1)
        ago = time.time() - float(self._index["time"][row]) if len(self._index) else 0.0
        metrics = frame.metrics
        source = self._title or f"{ago:.1f} s ago"
        shown = "" if frame.label is None else f"  ·  shown: {frame.data.class_name(frame.label)}"
        where = f"tick {frame.tick}  ·  {metrics.phase} {metrics.phase_ticks}"
        self._bar.show_where(f"PAST  ·  {where}{shown}  ·  {source}  ·  commands act on the live network", True)
        self._mark.mark(f"PAST  ·  {where}  ·  {source}")

    def _length(self) -> str:
        if self.history.refused and not len(self._index):
            return "this network is too large for the memory of the history: give it more at the right"
        times = self._index["time"]
        seconds = float(times[-1] - times[0]) if len(times) else 0.0
        return f"{seconds:.0f} s logged" if seconds < 120 else f"{seconds / 60:.1f} min logged"

    def _tell_cost(self) -> None:
        history, worst = self.history, self.history.worst()
        state, used = worst.get("activation", 0.0), history.used
        epsilon = history.tolerances["activation"].epsilon
        words = [
            f"{name}: at most {worst.get(name, 0.0):.0%} of {_allowed(name)}" for name in TOLERANCES if name in worst
        ]
        tip = "Largest difference between what was live and its replay, measured as it is logged:\n" + "\n".join(words)
        memory = f"{used / MIB:.1f} of {history.cap / MIB:.0f} MiB"
        self._bar.show_cost(f"error \N{LESS-THAN OR EQUAL TO} {state * epsilon:.1e}", tip, memory, history.cap // MIB)


def _allowed(name: str) -> str:
    tolerance = TOLERANCES[name]
    below = f"{tolerance.epsilon:.1e}" if tolerance.epsilon > 1e-12 else ""
    relative = f"{tolerance.relative:.2g} of the value"
    return f"{below}, above {tolerance.knee:g} {relative}" if below else relative

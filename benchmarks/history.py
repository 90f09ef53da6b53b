"""What the history costs: bytes and time a frame, and whether half an hour stays under the cap.

    python benchmarks/history.py                             30 minutes of deep-100 at 30 frames a second, really run
    python benchmarks/history.py --presets deep-100 edge-of-chaos --minutes 1

Every tick is a frame and is logged, as in the window while ticks are slow. `log` is the time of `History.append`,
beside the tick and the frame that the engine makes in any case.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from engine.history import History, Replay
from engine.history.ring import MIB
from engine.history.tolerance import TOLERANCES
from engine.preset import load_preset
from engine.session import Session

KEPT = 100
"""Live frames that are kept to compare their replay with."""


def measure(name: str, frames: int, cap: int) -> None:
    """Run and log a preset, then print one row."""
    session, history = Session(load_preset(name)), History(cap)
    for _ in range(20):
        session.tick()
        History().append(session.frame())
    spent = np.zeros((frames, 3))
    kept = set(np.random.default_rng(0).integers(0, frames, KEPT).tolist())
    live = {}
    for number in range(frames):
        marks = [time.thread_time()]
        session.tick()
        marks.append(time.thread_time())
        frame = session.frame()
        marks.append(time.thread_time())
        history.append(frame)
        marks.append(time.thread_time())
        spent[number] = np.diff(marks)
        if number in kept:
            live[number] = frame
        if history.used > history.cap:
            raise AssertionError(f"the cap is exceeded at frame {number}")
    first, _ = history.span
    replay = Replay(history)
    worst, seeks = 0.0, []
    for number, frame in live.items():
        if number >= first:
            begun = time.perf_counter()
            replayed = replay.frame(number)
            seeks.append(time.perf_counter() - begun)
            worst = max(worst, float(np.abs(replayed.activation - frame.activation).max()))
    tick, make, log = 1e6 * np.median(spent, 0)
    print(
        f"{name:<16}{frames:>8}{history.used / len(history):>10.0f}{history.used / MIB:>9.1f}{cap / MIB:>7.0f}"
        f"{len(history):>9}{tick:>8.0f}{make:>8.0f}{log:>7.0f}{1e6 * np.percentile(spent[:, 2], 95):>9.0f}"
        f"{60 * spent[:, 2].mean():>9.2%}{1e3 * np.median(seeks):>9.2f}{worst:>11.1e}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["deep-100"])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=30.0, help="frames a second that the minutes are made of (30)")
    parser.add_argument("--cap", type=int, default=256, metavar="MiB")
    asked = parser.parse_args()
    frames = round(asked.minutes * 60 * asked.fps)
    print(
        "preset            frames   bytes/f      MiB    cap     held  tick us frame us log us  p95 us"
        "  at 60/s  seek ms      error"
    )
    for name in asked.presets:
        measure(name, frames, asked.cap * MIB)
    print(f"error: largest |replayed - live| activation of {KEPT} frames; allowed {TOLERANCES['activation'].epsilon:g}")


if __name__ == "__main__":
    main()

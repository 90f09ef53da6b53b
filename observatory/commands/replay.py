"""`observatory replay`: render a saved history as a video, without a display."""

from __future__ import annotations

import argparse
from pathlib import Path

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError
from observatory.commands.folders import require_writable_file
from observatory.commands.parser import Subcommands, add_command, positive_integer
from observatory.commands.record import (
    frames_per_second,
    progress_bar,
    seconds_of_video,
    size_of_video,
)

_EXAMPLES = """\
  observatory replay deep-100.history --out deep-100.mp4
  observatory replay deep-100.history --out last.mp4 --last 20 --fps 60 --size 1920x1080
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "replay", "render a saved history as a video, without a display", _EXAMPLES)
    parser.add_argument("history", type=Path, metavar="FILE", help="a history that the window has saved")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the video, FILE.mp4; overwritten")
    parser.add_argument("--last", type=seconds_of_video, metavar="S", help="only what was logged in the last S seconds")
    parser.add_argument("--fps", type=frames_per_second, default=30, metavar="F", help="frames a second (30)")
    parser.add_argument(
        "--size", type=size_of_video, default=(1280, 720), metavar="WxH", help="pixels, even (1280x720)"
    )
    parser.add_argument("--every", type=positive_integer, default=1, metavar="K", help="show every K-th frame (1)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Render the video and print what is in it."""
    from engine.history import HistoryError
    from engine.history.file import read_history

    require_writable_file(arguments.out, ".mp4")
    try:
        history = read_history(arguments.history)
        from observatory.recording.replay import record_history

        with progress_bar(arguments.out.name) as progress:
            found = record_history(
                history, arguments.out, arguments.fps, arguments.size, arguments.every, arguments.last, progress
            )
    except HistoryError as error:
        raise UsageError(str(error)) from error
    width, height = found["size"]
    print_columns(
        {
            "video": found["video"],
            "frames": f"{found['frames']} of {width}x{height}, {found['fps']} a second",
            "ticks": f"{found['first_tick']} to {found['last_tick']}",
            "preset": found["preset"],
        }
    )
    return 0

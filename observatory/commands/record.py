"""`observatory record`: render a video without a display, the same frames for the same seed."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError, refusals_are_usage_errors
from observatory.commands.folders import require_writable_file
from observatory.commands.parser import Subcommands, add_backend, add_command, add_overrides, positive_integer

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.preset import Preset
    from observatory.recording.headless import Shot, View

MAX_SECONDS = 3600.0
MAX_FPS = 120
MAX_TURN = 3600.0
SMALLEST_SIDE, LARGEST_SIDE = 64, 4096

_EXAMPLES = """\
  observatory record deep-100 --out deep-100.mp4
  observatory record edge-of-chaos --out edge.mp4 --seconds 20 --fps 60 --size 1920x1080
  observatory record deep-100 --out slow.mp4 --every 1 --set sigma=0.5
  observatory record cube-8 --out cube.mp4 --view clouds --turn 20
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "record", "render a video, without a display", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset's name, or a .toml, .csv or .npz file")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the video, FILE.mp4; overwritten")
    parser.add_argument("--seconds", type=seconds_of_video, default=10.0, metavar="S", help="length of the video (10)")
    parser.add_argument("--fps", type=frames_per_second, default=30, metavar="F", help="frames a second (30)")
    parser.add_argument(
        "--size", type=size_of_video, default=(1280, 720), metavar="WxH", help="pixels, even (1280x720)"
    )
    parser.add_argument(
        "--every", type=positive_integer, metavar="K", help="ticks between two frames (as many as the live view makes)"
    )
    parser.add_argument(
        "--view",
        type=_view,
        metavar="VIEW",
        help="of a volume: light (the usual), brightest, clouds, density; of a growing graph: graph (usual); mosaic",
    )
    parser.add_argument("--slices", action="store_true", help="lay three slices through a volume")
    parser.add_argument("--turn", type=_degrees, metavar="DEG", help="degrees a second that a volume turns by (12)")
    add_overrides(parser)
    add_backend(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Render the video and print what is in it."""
    from engine.preset import load_preset
    from observatory.recording.headless import Shot
    from observatory.volume_view import TURN

    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
    found = render(
        preset,
        arguments.out,
        arguments.seconds,
        arguments.fps,
        arguments.size,
        dict(arguments.overrides),
        arguments.every,
        arguments.backend,
        Shot(arguments.view, arguments.slices, TURN if arguments.turn is None else arguments.turn),
    )
    width, height = found["size"]
    rows = {
        "video": found["video"],
        "frames": f"{found['frames']} of {width}x{height}, {found['fps']} a second, {found['every']} ticks apart",
        "ticks": found["ticks"],
        **_measured(found),
        "finite": "yes" if found["finite"] else "NO: there is NaN or infinity",
    }
    print_columns(rows)
    return 0


def _measured(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["accuracy"] is not None:
        return {"correct": f"{found['accuracy']:.0%}"}
    return {"T_relax": found["t_relax"] or "-", "T_nudge": found["t_nudge"] or "-", "D_nudge": found["d_nudge"]}


def render(
    preset: Preset,
    out: Path,
    seconds: float,
    fps: int,
    size: tuple[int, int],
    overrides: Mapping[str, float],
    every: int | None,
    backend: str,
    shot: Shot | None = None,
) -> dict[str, Any]:
    """Render with a progress bar on stderr and return what `headless.record` found.

    Without `every`, the video runs at the preset's own ticks per second; without `shot`, it is filmed as usual.
    """
    require_writable_file(out, ".mp4")
    from observatory.recording.headless import Shot, ViewError, record

    if every is None:
        every = max(1, round(preset.ticks_per_second / fps))
    with refusals_are_usage_errors(), progress_bar(out.name) as progress:
        try:
            return record(preset, out, seconds, fps, size, dict(overrides), every, backend, progress, shot or Shot())
        except ViewError as error:
            raise UsageError(str(error)) from error


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; the yielded function takes frames done and frames in all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(f"rendering {title}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def seconds_of_video(text: str) -> float:
    """Seconds above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds above 0, at most {MAX_SECONDS:g}")
    return value


def frames_per_second(text: str) -> int:
    """A whole number of frames a second."""
    value = positive_integer(text)
    if value > MAX_FPS:
        raise argparse.ArgumentTypeError(f"{value} frames a second are more than {MAX_FPS}")
    return value


def size_of_video(text: str) -> tuple[int, int]:
    """Width and height, both even."""
    match = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form WIDTHxHEIGHT, such as 1280x720")
    width, height = int(match[1]), int(match[2])
    if any(side % 2 or not SMALLEST_SIDE <= side <= LARGEST_SIDE for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text}: both must be even, from {SMALLEST_SIDE} to {LARGEST_SIDE}")
    return width, height


def _view(text: str) -> View:
    from observatory.recording.headless import VIEWS

    for view in VIEWS:
        if view == text:
            return view
    raise argparse.ArgumentTypeError(f"'{text}' is not one of {', '.join(VIEWS)}")


def _degrees(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= MAX_TURN:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of degrees a second, at most {MAX_TURN:g}")
    return value

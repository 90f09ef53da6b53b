"""`observatory`: the window, or a rendered video where no window can be opened."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.commands.errors import refusals_are_usage_errors
from observatory.commands.parser import Subcommands, add_backend, add_command
from observatory.commands.screen import why_no_window

if TYPE_CHECKING:
    from engine.preset import Preset

HEADLESS_PRESET = "deep-100"
VIDEO_SECONDS = 12.0
VIDEO_FPS = 30
VIDEO_SIZE = (1280, 720)

_EXAMPLES = """\
  observatory
  observatory edge-of-chaos
  observatory my-network.toml --backend numpy

Without a display the preset is measured and rendered to recordings/PRESET.mp4
(12 s, 1280x720) instead.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "window", "open the window; what `observatory` does without a command", _EXAMPLES)
    words = f"a preset's name or a .toml, .csv or .npz file (the one of last time, at first {HEADLESS_PRESET})"
    parser.add_argument("preset", nargs="?", metavar="PRESET", help=words)
    add_backend(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the window and return its exit code, or render the preset and say why."""
    from engine.preset import load_preset
    from kernels.backends import load_backend

    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset) if arguments.preset else None
        load_backend(arguments.backend)
    reason = why_no_window()
    if reason is not None:
        return _render_instead(preset or load_preset(HEADLESS_PRESET), arguments.backend, reason)

    from observatory.app import run_window

    with refusals_are_usage_errors():
        return run_window(preset, arguments.backend)


def _render_instead(preset: Preset, backend: str, reason: str) -> int:
    from engine.probe import probe
    from observatory.commands.probe import MAX_TICKS, print_report
    from observatory.commands.record import render

    out = Path("recordings") / f"{preset.name}.mp4"
    print(f"No window: {reason}. Measuring {preset.name}, then rendering {out} instead.", flush=True)
    with refusals_are_usage_errors():
        print_report(probe(preset, {}, None, MAX_TICKS, backend))
    render(preset, out, VIDEO_SECONDS, VIDEO_FPS, VIDEO_SIZE, {}, None, backend)
    print(f"video             {out}")
    return 0

"""All commands under one parser, and which of them runs when none is named."""

from __future__ import annotations

import argparse

from observatory import __version__
from observatory.commands import (
    align,
    bench,
    dream,
    grow_bench,
    info,
    presets,
    probe,
    recall,
    record,
    replay,
    suite,
    train,
    tween_bench,
    window,
)
from observatory.commands.errors import UsageError
from observatory.commands.parser import OneLineParser

_COMMANDS = {
    "window": window,
    "presets": presets,
    "info": info,
    "record": record,
    "replay": replay,
    "probe": probe,
    "train": train,
    "align": align,
    "dream": dream,
    "recall": recall,
    "bench": bench,
    "tween-bench": tween_bench,
    "grow-bench": grow_bench,
    "suite": suite,
}
_OPTIONS_OF_ALL = ("-h", "--help", "--version")

_EXAMPLES = """\
examples:
  observatory                       open the window on deep-100
  observatory edge-of-chaos         open it on another preset
  observatory my-network.toml       open it on a file of your own
  observatory probe deep-100        settle, nudge and measure, without graphics
  observatory record tiny --out tiny.mp4 --seconds 5

`observatory COMMAND --help` tells more about each command. Without a display, the
window's preset is rendered to recordings/PRESET.mp4 instead.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; its result has `command` and `run`."""
    parser = OneLineParser(
        prog="observatory",
        description="Watch a deep equilibrium network settle, live.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS.values():
        command.add(subcommands)
    return parser


def with_default_command(words: list[str]) -> list[str]:
    """Put `window` in front unless the first word names a command or an option of them all.

    Raises UsageError for two plain words of which the first is no command: the window takes one.
    """
    if words and (words[0] in _COMMANDS or words[0] in _OPTIONS_OF_ALL):
        return words
    if len(words) > 1 and not words[0].startswith("-") and not words[1].startswith("-"):
        raise UsageError(f"unknown command '{words[0]}'; there are: {', '.join(_COMMANDS)}")
    return ["window", *words]

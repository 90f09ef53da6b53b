"""argparse with this program's manners, and the arguments that several commands share."""

from __future__ import annotations

import argparse
import math
from contextlib import suppress
from typing import NoReturn, TypeAlias

Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


class OneLineParser(argparse.ArgumentParser):
    """Says what was wrong in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_command(subcommands: Subcommands, name: str, summary: str, examples: str) -> argparse.ArgumentParser:
    """A subcommand's parser, with examples under its help."""
    return subcommands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_backend(parser: argparse.ArgumentParser) -> None:
    """`--backend`, checked by the engine, which knows what this machine has."""
    parser.add_argument(
        "--backend", default="auto", help="auto (default), or one of those that `observatory info` lists"
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """`--set name=value`, any number of times."""
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="NAME=VALUE",
        action="append",
        type=_assignment,
        default=[],
        help="move a knob, such as sigma=1.2 or dynamics=lazy; may be given several times",
    )


def positive_integer(text: str) -> int:
    """A whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 1")
    return value


def natural_number(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least 0")
    return int(text)


def _assignment(text: str) -> tuple[str, float | str]:
    """A knob and its number, or the name of its choice, which the engine knows."""
    name, _, word = text.partition("=")
    value: float | str = word.strip()
    with suppress(ValueError):
        value = float(value)
    if not name.strip() or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form name=value, such as sigma=1.2")
    return name.strip(), value

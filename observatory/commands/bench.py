"""`observatory bench`: this machine's timings, the program's ticks beside their rivals."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from observatory.commands.errors import UsageError
from observatory.commands.parser import Subcommands, add_command

if TYPE_CHECKING:
    from engine.bench.suite import Progress

_IN_CHECKOUT = Path("benchmarks") / "results"
_ELSEWHERE = Path("bench-results")

_EXAMPLES = """\
  observatory bench --quick
  observatory bench --out results
  observatory bench --json > bench.json

Leave the machine alone meanwhile: whatever else runs is measured with it. A full run
takes a few minutes and 5 GB of memory, --quick less than a minute.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "bench", "time this machine's ticks beside NumPy's and torch's", _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, digits and repeats")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"where the JSON, Markdown and curve go ({_IN_CHECKOUT} in a checkout, else {_ELSEWHERE})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, write the files, print the tables or the JSON object."""
    out = arguments.out or (_IN_CHECKOUT if _IN_CHECKOUT.is_dir() else _ELSEWHERE)
    _require_writable(out)
    from engine.bench import report, suite

    with _progress_bar() as progress:
        result = suite.run(suite.QUICK if arguments.quick else suite.FULL, progress)
    written = report.write(result, out)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print(report.as_text(result))
        print(f"\nwritten: {', '.join(map(str, written))}")
    return 0


def _require_writable(out: Path) -> None:
    """Refuse before minutes of measuring. Makes the folder when there is none."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=2) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)

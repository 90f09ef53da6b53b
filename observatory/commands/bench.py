"""`observatory bench`: this machine's timings, the program's ticks beside their rivals."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from observatory.commands.folders import require_writable_folder
from observatory.commands.parser import Subcommands, add_command
from observatory.commands.progress import progress_bar

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
    require_writable_folder(out)
    from engine.bench import report, suite

    with progress_bar() as progress:
        result = suite.run(suite.QUICK if arguments.quick else suite.FULL, progress)
    written = report.write(result, out)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print(report.as_text(result))
        print(f"\nwritten: {', '.join(map(str, written))}")
    return 0

"""`observatory grow-bench`: grown graphs beside dense, pruned and random ones, an echo state network and PySINDy."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from observatory.commands.errors import UsageError
from observatory.commands.folders import require_writable_folder
from observatory.commands.parser import Subcommands, add_command, positive_integer
from observatory.commands.progress import progress_bar

_IN_CHECKOUT = Path("benchmarks") / "results"
_ELSEWHERE = Path("bench-results")

_EXAMPLES = """\
  observatory grow-bench --quick
  observatory grow-bench --data lorenz96 fhn --seeds 3
  observatory grow-bench --data my-sensors.csv
  observatory grow-bench --json > growing.json

A stream is lorenz63, lorenz96, fhn, heat, wave, doublewell, black-hole, or a .csv or .npz
file. Every method is tuned first, on validation data. What is done is kept, so a bench that
was stopped goes on where it was. Rivals that are not installed are left out, with a note:
pip install 'toreq-observatory[bench]' brings them. A full run takes hours, --quick a minute.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "grow-bench", "let graphs grow on streams, beside their rivals", _EXAMPLES)
    parser.add_argument("--data", nargs="+", metavar="STREAM", help="streams to learn (all)")
    parser.add_argument("--seeds", type=positive_integer, metavar="K", help="streams and networks a row (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="few streams, ticks, steps and settings; one seed")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"where the JSON, Markdown and chart go ({_IN_CHECKOUT} in a checkout, else {_ELSEWHERE})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune, measure, write the files, print the tables or the JSON object."""
    from engine.dynamics import StreamError
    from engine.grow_bench import report, suite

    plan = suite.QUICK if arguments.quick else suite.FULL
    try:
        plan = plan.asked(arguments.data, arguments.seeds)
    except StreamError as error:
        raise UsageError(f"--data: {error}") from error
    out = arguments.out or (_IN_CHECKOUT if _IN_CHECKOUT.is_dir() else _ELSEWHERE)
    require_writable_folder(out)
    with progress_bar() as progress:
        result = suite.run(plan, progress, out / "grow-jobs")
    written = report.write(result, out)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print(report.as_text(result))
        print(f"\nwritten: {', '.join(map(str, written))}")
    return 0

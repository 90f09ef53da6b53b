"""`observatory tween-bench`: tween chains and backpropagation play chase and avoid while they learn."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from observatory.commands.errors import UsageError
from observatory.commands.folders import require_writable_folder
from observatory.commands.parser import Subcommands, add_command, positive_integer
from observatory.commands.progress import progress_bar

_IN_CHECKOUT = Path("benchmarks") / "results"
_ELSEWHERE = Path("bench-results")

_EXAMPLES = """\
  observatory tween-bench --quick
  observatory tween-bench --nets dense-3 lstm-3:regulated --seeds 50
  observatory tween-bench --json > tween.json

A network is FAMILY-LAYERS: dense, relu, conv2d, rnn, lstm or attention, 2 to 100 layers;
with :regulated it sees the target's direction at one length. Every mode is tuned first, by
as many settings. A full run takes about half an hour of processor time, --quick ten seconds.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "tween-bench", "let tween chains and backpropagation play a game", _EXAMPLES)
    parser.add_argument("--nets", nargs="+", metavar="NET", help="networks to play with, by the late rule only")
    parser.add_argument("--seeds", type=positive_integer, metavar="K", help="games and networks a row (20)")
    parser.add_argument("--jobs", type=positive_integer, metavar="N", help="rows at once (one a core)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="few networks, games, ticks and settings")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"where the JSON, Markdown and chart go ({_IN_CHECKOUT} in a checkout, else {_ELSEWHERE})",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune, play, write the files, print the tables or the JSON object."""
    from engine.tween_bench import report, suite
    from engine.tween_bench.nets import NetError

    plan = suite.QUICK if arguments.quick else suite.FULL
    jobs = arguments.jobs or (1 if arguments.quick else os.cpu_count())
    try:
        plan = plan.asked(arguments.nets, arguments.seeds, jobs)
    except NetError as error:
        raise UsageError(f"--nets: {error}") from error
    out = arguments.out or (_IN_CHECKOUT if _IN_CHECKOUT.is_dir() else _ELSEWHERE)
    require_writable_folder(out)
    with progress_bar() as progress:
        result = suite.run(plan, progress)
    written = report.write(result, out)
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print(report.as_text(result))
        print(f"\nwritten: {', '.join(map(str, written))}")
    return 0

"""`observatory suite`: every experiment, over seeds and depths, and the master chart."""

from __future__ import annotations

import argparse
import shlex
from datetime import UTC, datetime
from pathlib import Path

from observatory.commands.errors import UsageError
from observatory.commands.folders import require_writable_folder
from observatory.commands.parser import Subcommands, add_command
from observatory.commands.progress import progress_bar

OUT = Path("suite-results")

_EXAMPLES = """\
  observatory suite --quick
  observatory suite --tracks depth,memory --out results
  observatory suite --scheduler tcp://192.0.2.7:8786

Finished jobs are kept in the folder; the same command goes on where it was stopped.
A full run takes hours on two cores, --quick a few minutes.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "suite", "run the experiments and draw the master chart", _EXAMPLES)
    parser.add_argument("--tracks", metavar="A,B", help="only these experiments (default: all)")
    parser.add_argument("--quick", action="store_true", help="small networks, one seed")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where results go (default {OUT})")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="an existing Dask cluster instead of threads here")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run what is not done yet, then write everything; 1 if a job failed."""
    from engine.experiments.registry import TRACKS, track
    from engine.suite.schedule import Failure, SchedulerError, connected, run_jobs
    from engine.suite.store import Done, Job, Store
    from observatory.suite.results import Results, write

    chosen = TRACKS if arguments.tracks is None else tuple(dict.fromkeys(arguments.tracks.split(",")))
    try:
        jobs = [Job(name, params) for name in chosen for params in track(name).jobs(arguments.quick)]
    except ValueError as error:
        raise UsageError(f"--tracks: {error}") from None
    require_writable_folder(arguments.out)
    store = Store(arguments.out / "jobs")
    results = Results(chosen, _about(arguments))
    found = [store.find(job) for job in jobs]
    results.done += [done for done in found if done is not None]
    waiting = [job for job, done in zip(jobs, found, strict=True) if done is None]

    with progress_bar() as progress:

        def finished(outcome: Done | Failure) -> None:
            if isinstance(outcome, Done):
                store.keep(outcome)
                results.done.append(outcome)
            else:
                results.failures.append(outcome)
            progress(outcome.job.track, len(results.done) + len(results.failures), len(jobs))

        progress("starting", len(results.done), len(jobs))
        if waiting:
            try:
                with connected(arguments.scheduler) as (client, threads):
                    run_jobs(waiting, client, threads, finished)
            except SchedulerError as error:
                raise UsageError(str(error)) from None
        progress("drawing", len(jobs), len(jobs))
        written = write(results, arguments.out)
    for failure in results.failures:
        print(f"failed: {failure.job.track} {failure.job.params}: {failure.why}")
    kept = len(jobs) - len(waiting)
    print(f"{len(results.done)} of {len(jobs)} jobs done{f', {kept} of them before' if kept else ''}")
    print(f"written: {', '.join(map(str, written))}")
    return 1 if results.failures else 0


def _about(arguments: argparse.Namespace) -> dict[str, object]:
    from engine.bench.machine import describe

    words = ["observatory", "suite"]
    if arguments.tracks is not None:
        words += ["--tracks", arguments.tracks]
    words += ["--quick"] if arguments.quick else []
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(words),
        "quick": arguments.quick,
        **describe(),
    }

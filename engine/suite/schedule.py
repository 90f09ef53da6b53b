"""Jobs on Dask: in threads of this process, or on a cluster that is there already.

The kernels are parallel themselves, so few jobs run side by side here, and each gets its share of the processors.
Numba's `workqueue` layer must not be entered by two threads at once; where that is all there is, jobs run one by one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.experiments.registry import track
from engine.suite.store import Done, Job

if TYPE_CHECKING:
    from distributed import Client

CORES_PER_JOB = 2
CONNECT_SECONDS = 10


class SchedulerError(ValueError):
    """A cluster that cannot be reached; one readable line."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that did not end well, and why in one line."""

    job: Job
    why: str


def work(name: str, params: dict[str, Any], threads: int | None) -> tuple[list[dict[str, Any]], float]:
    """Run one job with at most `threads` threads of the kernels; rows and seconds."""
    import numba

    if threads is not None:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    started = time.perf_counter()
    rows = track(name).run(**params)
    return rows, time.perf_counter() - started


def side_by_side() -> int:
    """How many jobs run at once in this process."""
    return max(1, (os.cpu_count() or 1) // CORES_PER_JOB) if _threads_may_meet() else 1


def _threads_may_meet() -> bool:
    import numba
    from numba import njit, prange

    def touch(n: int) -> int:
        total = 0
        for i in prange(n):
            total += i
        return total

    njit(parallel=True)(touch)(2)
    return str(numba.threading_layer()) != "workqueue"


@contextmanager
def connected(address: str | None) -> Iterator[tuple[Client, int | None]]:
    """A Dask client, and the kernel threads that a job may use; without an address threads of this process.

    Raises SchedulerError.
    """
    import dask
    from distributed import Client

    if address is None:
        many = side_by_side()
        dask.config.set({"distributed.worker.memory.target": False, "distributed.worker.memory.spill": False})
        client = Client(
            processes=False,
            n_workers=1,
            threads_per_worker=many,
            dashboard_address=None,
            silence_logs=50,
            set_as_default=False,
        )
        threads: int | None = max(1, (os.cpu_count() or 1) // many)
    else:
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise SchedulerError(f"--scheduler {address}: no Dask scheduler answers there: {_line(error)}") from None
        threads = None
    with client:
        yield client, threads


def run_jobs(jobs: list[Job], client: Client, threads: int | None, finished: Callable[[Done | Failure], None]) -> None:
    """Run them all; each is reported as it ends. What has not begun is dropped when this is interrupted."""
    from distributed import as_completed

    futures = {
        client.submit(work, job.track, job.params, threads, key=job.key, pure=False, retries=0): job for job in jobs
    }
    try:
        for future in as_completed(futures, loop=client.loop, raise_errors=False):
            job = futures[future]
            if future.status == "finished":
                rows, seconds = future.result()
                finished(Done(job, rows, seconds))
            else:
                finished(Failure(job, _line(future.exception())))
            future.release()
    except BaseException:
        client.cancel(list(futures), force=True)
        raise


def _line(error: BaseException | None) -> str:
    words = " ".join(str(error).split())[:300] or "no message"
    return words if error is None else f"{type(error).__name__}: {words}"

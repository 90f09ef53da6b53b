"""One problem, every contestant: a row each, with what was measured in the same rounds set beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, Protocol, TypeAlias

import numba

from engine.bench import gpu
from engine.bench.floor import Reader
from engine.bench.multipliers import NumpyMultiplier
from engine.bench.ours import NumbaTick
from engine.bench.problem import Array, Problem
from engine.bench.rivals import Multiplier, Rival
from engine.bench.timing import Duration, Effort, Timed, interleaved, turn
from engine.bench.torch_multiplier import TorchMultiplier
from kernels.cuda import Device

Row: TypeAlias = dict[str, Any]
_FLOOR, _HALF_FLOOR = "floor", "half floor"


def thread_counts() -> tuple[int, ...]:
    """The settings that a rival may choose from: one thread, or all."""
    cores: int = numba.config.NUMBA_NUM_THREADS
    return (1, cores) if cores > 1 else (1,)


def numpy_variants(problem: Problem) -> list[Multiplier]:
    """Ways to write the loop over layers that are worth a trial."""
    columns = problem.shape.columns * problem.shape.batch
    ways: list[Multiplier] = []
    for threads in thread_counts():
        if columns <= 3:
            ways.append(NumpyMultiplier("gemv", 1, threads))
        if columns > 1:
            ways += [NumpyMultiplier("gemm", axis, threads) for axis in (1, 2)]
    return ways


def matmul_variants(problem: Problem) -> list[Multiplier]:
    """Ways to write np.matmul over the stack."""
    axes = (1, 2) if problem.shape.columns * problem.shape.batch > 1 else (1,)
    return [NumpyMultiplier("matmul", axis, threads) for threads in thread_counts() for axis in axes]


def torch_variants(torch: Any) -> list[Multiplier]:
    """Ways to write torch.bmm over the stack."""
    return [TorchMultiplier(torch, axis, threads) for threads in thread_counts() for axis in (1, 2)]


def best(problem: Problem, variants: Iterable[Multiplier], effort: Effort) -> Rival:
    """The fastest of a rival's variants in a turn each, at its start again."""
    return Rival(problem, min(variants, key=lambda by: _trial(Rival(problem, by), effort)))


def _trial(contestant: Timed, effort: Effort) -> float:
    return median(turn(contestant, effort))


def floor_of(arrays: list[Array], effort: Effort) -> Reader:
    """The reader with the better number of threads."""
    return min((Reader(arrays, threads) for threads in thread_counts()), key=lambda reader: _trial(reader, effort))


class Contestant(Timed, Protocol):
    """What gets a row."""

    @property
    def note(self) -> str:
        """Which variant, threads or way it is."""

    def first(self) -> int:
        """Advance as little as possible; the number of ticks."""

    def states(self) -> list[Array]:
        """Where the states are now, each (L, B, columns, N)."""


def first_error(problem: Problem, contestant: Contestant) -> float:
    """Error of the first ticks from the problem's own state, most often of one."""
    contestant.prepare()
    ticks = contestant.first()
    return problem.error(contestant.states(), ticks)


def measure(problem: Problem, halves: list[Array], torch: Any, device: Device | None, effort: Effort) -> list[Row]:
    """Rows of a problem. Ratios and floor shares come from the same interleaved rounds.

    `halves` are the couplings in half precision; `torch` and `device` may be None. A device's rows have no floor: what
    is measured is this machine's memory.
    """
    contestants: dict[str, Contestant] = {
        "numpy": best(problem, numpy_variants(problem), effort),
        "matmul": best(problem, matmul_variants(problem), effort),
    }
    if torch is not None:
        contestants["torch"] = best(problem, torch_variants(torch), effort)
    contestants["numba"] = NumbaTick(problem, problem.matrices)
    contestants["float16"] = NumbaTick(problem, halves)
    if device is not None:
        contestants |= gpu.contestants(problem, device)
    errors = {name: first_error(problem, contestant) for name, contestant in contestants.items()}
    full, half = floor_of(problem.matrices, effort), floor_of(halves, effort)
    durations = interleaved({**contestants, _FLOOR: full, _HALF_FLOOR: half}, effort)
    rows = []
    for name, contestant in contestants.items():
        size, floor = (half.size, _HALF_FLOOR) if name.endswith("float16") else (full.size, _FLOOR)
        rows.append({
            **_figures(name, durations, size, None if name.startswith("cuda") else durations[floor].seconds),
            "max_error": errors[name],
            "variant": contestant.note,
        })  # fmt: skip
    shape = problem.shape
    about = {
        "network": shape.network,
        "layers": shape.layers,
        "neurons": shape.neurons,
        "batch": shape.batch,
        "columns": shape.columns,
    }
    return [{"backend": row["backend"], **about, **row} for row in rows]


def _figures(name: str, durations: Mapping[str, Duration], size: int, floor: float | None) -> Row:
    """Times of a contestant whose weights take `size` bytes, which are read in `floor` seconds, where that is known."""
    seconds = durations[name].seconds
    return {
        "backend": name,
        "ms_per_tick": seconds * 1e3,
        "spread": durations[name].spread,
        "gb_per_s": size / seconds / 1e9,
        "floor_gb_s": None if floor is None else size / floor / 1e9,
        "floor_share": None if floor is None else floor / seconds,
        "speedup_vs_numpy": durations["numpy"].seconds / seconds,
        "speedup_vs_torch": durations["torch"].seconds / seconds if "torch" in durations else None,
    }

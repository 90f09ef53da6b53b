"""The whole bench: what is measured in a full and in a quick run, in which order, with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.bench import acceleration, lazy, machine, rows, scaling
from engine.bench.gpu import open_device
from engine.bench.ours import NumbaTick, half_matrices
from engine.bench.plot import has_matplotlib
from engine.bench.problem import Problem, Shape, random_matrices
from engine.bench.timing import Effort
from engine.bench.torch_multiplier import import_torch

Progress = Callable[[str, int, int], None]
"""Takes what is being measured, steps done and steps in all."""

_THOROUGH = Effort()

CASES = ((1, 1), (1, 3), (32, 1))
"""Batch and columns: settling, settling with both nudged copies beside it (the live case), a training batch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    neurons: tuple[int, ...] = (64, 256, 1024)
    layers: int = 100
    effort: Effort = _THOROUGH
    digits: int = 100
    sigmas: tuple[float, ...] = acceleration.SIGMAS
    epsilons: tuple[float, ...] = lazy.EPSILONS
    depths: tuple[int, ...] = scaling.DEPTHS
    widths: tuple[int, ...] = scaling.WIDTHS
    largest_batched: int = 1024
    """Layers of more neurons than this are left out of the batches."""
    quick: bool = False

    def shapes(self) -> list[list[Shape]]:
        """What is timed; in each list shapes that share their weights."""
        return [
            [
                Shape(network, self.layers, neurons, batch, columns)
                for batch, columns in CASES
                if batch == 1 or neurons <= self.largest_batched
            ]
            for network in ("recursive", "hopfield")
            for neurons in self.neurons
        ]


FULL = Plan()
QUICK = Plan(
    neurons=(64, 256),
    effort=Effort(4, 0.015, 0.005),
    digits=10,
    widths=scaling.QUICK_WIDTHS,
    largest_batched=64,
    quick=True,
)


def run(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Measure everything; the result is JSON-ready."""
    groups = plan.shapes()
    steps = _Steps(progress, 2 + sum(map(len, groups)) + len(plan.sigmas) + plan.digits)
    notes = []
    if plan.quick:
        notes.append("--quick: few turns and sizes, batches of the smallest networks only, 10 digits; ratios are rough")
    steps.begin("compiling")
    _compile()
    torch, why = import_torch()
    if torch is None:
        notes.append(why)
    if not has_matplotlib():
        notes.append("no curve of the lazy engine: matplotlib is missing; pip install 'toreq-observatory[bench]'")
    device, why = open_device()
    if device is None:
        notes.append(why)
    table = []
    for group in groups:
        matrices = random_matrices(group[0])
        halves = half_matrices(matrices)
        for shape in group:
            steps.begin(_words(shape))
            table += rows.measure(Problem(shape, matrices), halves, torch, device, plan.effort)
    steps.begin("accelerated relaxation")
    accelerated = acceleration.measure(plan.sigmas, done=lambda: steps.begin("accelerated relaxation"))
    lazily = lazy.measure(plan.digits, plan.epsilons, done=lambda: steps.begin("lazy ticks"))
    steps.say("scaling")
    scaled = scaling.measure(plan.widths, plan.effort, plan.depths)
    steps.begin("done")
    return {
        "machine": machine.describe(),
        "quick": plan.quick,
        "floor_gb_s": _largest_floor(table),
        "rows": table,
        "acceleration": accelerated,
        "lazy": lazily,
        "scaling": scaled,
        "notes": notes,
    }


class _Steps:
    """Counts what has been begun."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._begun = progress, total, 0

    def begin(self, what: str) -> None:
        """The step before is done, this one runs."""
        self._progress(what, self._begun, self._total)
        self._begun += 1

    def say(self, what: str) -> None:
        """Rename the step that runs."""
        self._progress(what, self._begun - 1, self._total)


def _words(shape: Shape) -> str:
    case = (
        f"batch of {shape.batch}" if shape.batch > 1 else ("live, three columns" if shape.columns == 3 else "settling")
    )
    return f"{shape.network} chain, {shape.neurons} neurons, {case}"


def _compile() -> None:
    """Have Numba compile, or load from its cache, what will be timed."""
    for network in ("recursive", "hopfield"):
        problem = Problem(Shape(network, 2, 8))
        for matrices in (problem.matrices, half_matrices(problem.matrices)):
            NumbaTick(problem, matrices).tick()
    lazy.measure(1, (1e-3,), "tiny")


def _largest_floor(table: list[rows.Row]) -> float:
    """Read bandwidth for the largest float32 couplings."""
    settling = [row for row in table if row["backend"] == "numba" and row["batch"] == row["columns"] == 1]
    weights = {id(row): Shape(row["network"], row["layers"], row["neurons"]).weights for row in settling}
    return float(max(settling, key=lambda row: weights[id(row)])["floor_gb_s"])

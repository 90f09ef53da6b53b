"""What stencils are worth: graphs that grow without and with them, and with nodes in random order as a control.

    python benchmarks/stencils.py                     # all cases, seeds 0 to 2, about a quarter of an hour
    python benchmarks/stencils.py --only "heat, noise" wave --seeds 1

Each graph grows on the first 60 % of a stream (or fewer ticks of it) and is judged on its last quarter, freed of noise.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from rich.progress import track

from engine.dynamics.scores import edge_f1
from engine.grow_bench.grown import Grown
from engine.grow_bench.problem import DATA, Problem, score


@dataclass(frozen=True, slots=True)
class Case:
    """A stream and how a graph is to learn from it."""

    stream: str
    how: dict[str, Any]
    parameters: dict[str, float] = field(default_factory=dict)
    ticks: int | None = None
    """To learn from."""


LINEAR = {"rate": 0.01, "memory": 1, "shapes": "hinges"}
CASES = {
    "lorenz96": Case("lorenz96", {"rate": 0.01, "memory": 2, "shapes": "products"}),
    "lorenz96, 600 ticks": Case("lorenz96", {"rate": 0.01, "memory": 1, "shapes": "products"}, ticks=600),
    "heat, noise": Case("heat", LINEAR, {"noise": 0.02}),
    "heat, flicker": Case("heat", LINEAR, {"flicker": 1.0, "dt": 0.002}),
    "wave": Case("wave", LINEAR),
}
WAYS = ("without", "with", "with, random order")


def problem_of(case: Case, seed: int, shuffled: bool) -> Problem:
    """A case's problem, its nodes in random order if wanted."""
    data = replace(
        DATA[case.stream], parameters=tuple({**dict(DATA[case.stream].parameters), **case.parameters}.items())
    )
    found = data.problem(seed)
    if case.ticks is not None:
        found = replace(found, first=case.ticks)
    if not shuffled:
        return found
    stream, order = found.stream, np.random.default_rng((seed, 45)).permutation(found.stream.nodes)
    assert stream.truth.adjacency is not None
    truth = replace(stream.truth, adjacency=stream.truth.adjacency[np.ix_(order, order)])
    return replace(
        found, stream=replace(stream, states=stream.states[:, order], clean=stream.clean[:, order], truth=truth)
    )


def measured(case: Case, way: str, seed: int, steps: int) -> tuple[float, float, float, int, int]:
    """Edge F1, one-step error, valid time, cells and taps, tied weights."""
    problem = problem_of(case, seed, way.endswith("order"))
    model = Grown(problem, steps, seed, **case.how, stencils=way != "without")
    found, true, stencils = (
        score(model, problem, test=True),
        problem.stream.truth.adjacency,
        model.planner.learner.stencils,
    )
    assert true is not None
    tied = 0 if stencils is None else int(stencils.tied.sum())
    return edge_f1(model.adjacency(), true), found.one_step, found.valid or 0.0, model.weights, tied


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(CASES), choices=list(CASES), metavar="CASE")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    asked = parser.parse_args()
    print("| stream | stencils | edge F1 | one step | valid | cells and taps | tied cells |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in asked.only:
        for way in track(WAYS, name, transient=True, disable=not sys.stderr.isatty()):
            rows = [measured(CASES[name], way, seed, asked.steps) for seed in range(asked.seeds)]
            f1, one_step, valid, cells, tied = (
                ", ".join(f"{value:{shape}}" for value in column)
                for column, shape in zip(zip(*rows, strict=True), (".2f", ".4f", ".2f", "d", "d"), strict=True)
            )
            print(f"| {name} | {way} | {f1} | {one_step} | {valid} | {cells} | {tied} |", flush=True)


if __name__ == "__main__":
    main()

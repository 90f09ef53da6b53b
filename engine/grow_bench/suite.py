"""The whole bench: every method on every stream, tuned first, over seeds; what is done is kept and not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.bench.machine import describe
from engine.dynamics.scores import edge_f1
from engine.grow_bench.methods import GROWN, METHODS, Budget, Settings, applies
from engine.grow_bench.outcomes import told as likelihood
from engine.grow_bench.outcomes import true_density
from engine.grow_bench.problem import DATA, Data, Model, Problem, Score, score
from engine.suite.store import Done, Job, Store

Progress = Callable[[str, int, int], None]
"""Takes what was done last, steps done and steps in all."""
Measure = Callable[["Plan", Data, str, Budget, int, Settings], dict[str, Any]]
TUNING_SEED = 10_007
"""Of the stream and the weights that settings are chosen on; no row is of that seed."""
TRUTH = "true density"
MEASURED = ("one_step_nrmse", "valid_time", "nnz", "tokens_used", "edge_f1", "nll", "ks_p", "seconds")
VERSION = 3
"""Of what a kept job means; one more makes old ones be done anew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is run."""

    data: tuple[Data, ...] = tuple(DATA.values())
    methods: tuple[str, ...] = tuple(METHODS)
    seeds: int = 5
    steps: int = 2000
    units: int = 1000
    ticks: int | None = None
    """Of every stream, in place of its own length."""
    tries: int = 100
    """Settings of each method, at most."""
    quick: bool = False

    def asked(self, data: Sequence[str] | None, seeds: int | None) -> Plan:
        """With what was asked for; None leaves a part as it is. Raises StreamError for a stream that cannot be made."""
        chosen = tuple(DATA.get(name, Data(name)) for name in dict.fromkeys(data)) if data else self.data
        for one in chosen:
            if one.name not in DATA:
                one.problem(0)
        return replace(self, data=chosen, seeds=seeds or self.seeds)


FULL = Plan()
QUICK = Plan(
    data=(DATA["lorenz63"], DATA["doublewell"]), seeds=1, steps=300, units=100, ticks=5000, tries=2,
    quick=True,
)  # fmt: skip


def run(plan: Plan, progress: Progress, folder: Path) -> dict[str, Any]:
    """Tune and measure; jobs are kept in `folder`. The result is JSON-ready."""
    store = Store(folder)
    notes = [f"{name}: left out, {why}" for name, method in METHODS.items() if (why := method.missing()) is not None]
    todo = [(data, method) for data in plan.data for method in plan.methods if METHODS[method].missing() is None]
    steps, done = sum(len(_grid(plan, method)) + plan.seeds for _, method in todo), 0
    progress("starting", 0, steps)
    rows: list[dict[str, Any]] = []
    tuning: list[dict[str, Any]] = []
    budget = Budget(plan.steps, 0, plan.units)
    for data, method in todo:
        if not applies(method, data, data.problem(TUNING_SEED, plan.ticks)):
            notes.append(f"{method} on {data.name}: left out, it does not apply")
            done += len(_grid(plan, method)) + plan.seeds
            continue
        found: list[dict[str, Any]] = []
        for what, row in _measured(plan, data, method, budget, store):
            done += 1
            progress(f"{method} on {data.name}, {what}", done, steps)
            (tuning if what == "tuning" else found).append(row)
        if method == GROWN:
            budget = replace(budget, weights=max(round(np.mean([row["nnz"] for row in found])), 1))
        rows.append(together(data.name, method, found))
    rows += [_truth(plan, data) for data in plan.data if data.problem(0, plan.ticks).stream.truth.density is not None]
    return {
        "quick": plan.quick,
        "machine": describe(),
        "seeds": plan.seeds,
        "steps": plan.steps,
        "units": plan.units,
        "rows": rows,
        "tuning": tuning,
        "notes": notes,
    }


def _grid(plan: Plan, method: str) -> tuple[Settings, ...]:
    return METHODS[method].grid[: plan.tries]


def _measured(
    plan: Plan, data: Data, method: str, budget: Budget, store: Store
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row for each of the settings that were tried, and one for each seed with the best of them."""
    common = {
        "version": VERSION, "data": data.name, "method": method, "steps": budget.steps,
        "weights": budget.weights if METHODS[method].sparse else None, "units": budget.units, "ticks": plan.ticks,
    }  # fmt: skip

    def kept(make: Measure, seed: int, settings: Settings) -> dict[str, Any]:
        job = Job("grow-bench", {**common, "seed": seed, "settings": dict(settings)})
        found = store.find(job)
        if found is None or len(found.rows) != 1:
            start = time.perf_counter()
            found = Done(job, [make(plan, data, method, budget, seed, settings)], time.perf_counter() - start)
            store.keep(found)
        return found.rows[0]

    tries = []
    for settings in _grid(plan, method):
        tries.append(kept(tried, TUNING_SEED, settings))
        yield "tuning", tries[-1]
    best = chosen(tries)
    for seed in range(plan.seeds):
        yield f"seed {seed}", kept(one, seed, best)


def tuned(plan: Plan, data: Data, method: str, budget: Budget) -> Settings:
    """Of the method's settings the best."""
    return chosen([tried(plan, data, method, budget, TUNING_SEED, settings) for settings in _grid(plan, method)])


def chosen(tries: Sequence[dict[str, Any]]) -> Settings:
    """The settings of the largest merit."""
    found: Settings = max(tries, key=lambda row: Score(row["one_step_nrmse"], row["valid_time"]).merit)["settings"]
    return found


def tried(plan: Plan, data: Data, method: str, budget: Budget, seed: int, settings: Settings) -> dict[str, Any]:
    """How good settings are, on the validation part."""
    problem = data.problem(seed, plan.ticks)
    found = score(METHODS[method].make(problem, budget, seed, settings), problem, test=False)
    told = {"data": data.name, "method": method, "settings": dict(settings)}
    return {**told, "one_step_nrmse": found.one_step, "valid_time": found.valid}


def one(plan: Plan, data: Data, method: str, budget: Budget, seed: int, settings: Settings) -> dict[str, Any]:
    """A row of one seed."""
    problem = data.problem(seed, plan.ticks)
    start = time.perf_counter()
    model = METHODS[method].make(problem, budget, seed, settings)
    seconds = time.perf_counter() - start
    found = score(model, problem, test=True)
    return {"settings": dict(settings), "seconds": seconds, **_numbers(model, problem, found, method)}


def _numbers(model: Model, problem: Problem, found: Score, method: str) -> dict[str, Any]:
    adjacency, truth = model.adjacency(), problem.stream.truth.adjacency
    known = adjacency is not None and truth is not None and problem.stream.nodes > 1
    chance = problem.stream.truth.density is not None
    outcomes = likelihood(model, problem, head=method == GROWN) if chance else None
    return {
        "one_step_nrmse": found.one_step,
        "valid_time": found.valid,
        "nnz": model.weights,
        "tokens_used": model.tokens,
        "edge_f1": edge_f1(adjacency, truth) if known and adjacency is not None and truth is not None else None,
        "nll": None if outcomes is None else outcomes.nll,
        "ks_p": None if outcomes is None else outcomes.p_value,
        "components": None if outcomes is None else outcomes.components,
    }


def together(data: str, method: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds, and standard deviations with `_sd` behind the name."""
    found: dict[str, Any] = {"data": data, "method": method, "seeds": len(rows)}
    for name in MEASURED:
        values = [row[name] for row in rows if row[name] is not None]
        found[name] = float(np.mean(values)) if values else None
        found[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    found["each"] = rows
    return found


def _truth(plan: Plan, data: Data) -> dict[str, Any]:
    """The row of the true density."""
    rows: list[dict[str, Any]] = []
    for seed in range(plan.seeds):
        outcomes = true_density(data.problem(seed, plan.ticks))
        assert outcomes is not None
        rows.append({**dict.fromkeys(MEASURED), "settings": {}, "nll": outcomes.nll, "ks_p": outcomes.p_value})
    return together(data.name, TRUTH, rows)

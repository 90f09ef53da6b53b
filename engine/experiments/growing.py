"""Growing: what a graph that grows on evidence makes of a stream, beside its rivals: the bench in small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.grow_bench.methods import GROWN, METHODS, Budget, applies
from engine.grow_bench.plot import draw
from engine.grow_bench.problem import DATA
from engine.grow_bench.report import settings_text
from engine.grow_bench.suite import FULL, one, together, tuned

TITLE = "Growing: forecasts of a graph that grows on evidence"
QUESTION = (
    "How long do free forecasts last, of how many weights, and are the true edges found? A graph that grows on "
    "evidence beside a dense network of its family with the same training, the same after magnitude pruning, an echo "
    "state network and PySINDy. Controls: as many weights at random places; the state as it was."
)


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per stream and seed: the sparse rivals are given as many weights as the graph has grown."""
    names, seeds = (("lorenz63",), 1) if quick else (("lorenz63", "lorenz96", "fhn"), 3)
    size = {"steps": 300, "ticks": 2500, "units": 100} if quick else {"steps": 2000, "ticks": None, "units": 1000}
    return [{"data": data, "seed": seed, "tries": 2 if quick else 4, **size} for data in names for seed in range(seeds)]


def run(data: str, seed: int, steps: int, ticks: int | None, units: int, tries: int) -> list[dict[str, Any]]:
    """A row per method that is installed and applies; columns as in the bench, settings in words."""
    plan = replace(FULL, steps=steps, ticks=ticks, units=units, tries=tries)
    stream = DATA[data]
    problem = stream.problem(seed, ticks)
    budget = Budget(steps, 1, units)
    rows = []
    for name, method in METHODS.items():
        if method.missing() is not None or not applies(name, stream, problem):
            continue
        found = one(plan, stream, name, budget, seed, tuned(plan, stream, name, budget))
        if name == GROWN:
            budget = replace(budget, weights=max(found["nnz"], 1))
        settings = settings_text(found.pop("settings"))
        rows.append({"track": "growing", "data": data, "method": name, "seed": seed, **found, "settings": settings})
    return rows


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Valid time over weights, of Lorenz-96 if it is there."""
    names = list(dict.fromkeys(row["data"] for row in rows))
    shown = "lorenz96" if "lorenz96" in names else names[0]
    here = [row for row in rows if row["data"] == shown]
    methods = dict.fromkeys(row["method"] for row in here)
    handles = draw(axes, [together(shown, m, [row for row in here if row["method"] == m]) for m in methods])
    axes.set_xlabel(f"weights ({shown})")
    axes.legend(handles.values(), handles.keys(), fontsize=7)

"""The whole tween bench: which networks play in which modes, side by side on several cores, tuned first."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from engine.bench.machine import describe
from engine.tween_bench.measures import measured, parts
from engine.tween_bench.nets import FRESH_NETS, NETS, parse_net
from engine.tween_bench.play import TICKS, play
from engine.tween_bench.players import MODES, Mode, Rule, Settings
from engine.tween_bench.reference import blind_learner, delayed_policy
from engine.tween_bench.tune import GRIDS, told, tune

Progress = Callable[[str, int, int], None]
"""Takes what was done last, steps done and steps in all."""
SEED = 1
BLIND_RATES = (0.1, 0.3, 1.0)
PUBLISHED = {
    "dense-3": {"backprop": 0.391, "stepped": 0.438, "stc": 0.640},
    "dense-9": {"backprop": 0.322, "stepped": 0.473, "stc": 0.587},
    "lstm-3": {"backprop": 0.459, "stepped": 0.597, "stc": 0.579},
    "attention-3": {"backprop": 0.323, "stepped": 0.565, "stc": 0.463},
}
"""Loom, 100 runs each. Actions were late and training passes fresh: a yardstick, not a like-for-like rival."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is played."""

    nets: tuple[str, ...] = NETS
    fresh_nets: tuple[str, ...] = FRESH_NETS
    seeds: int = 20
    ticks: int = TICKS
    tuning_seeds: int = 5
    final_seeds: int = 24
    variants: int = len(GRIDS["stc"])
    timed: int = 300
    """Ticks of one lane that outputs per second are told from."""
    jobs: int = 1
    quick: bool = False

    def asked(self, nets: Sequence[str] | None, seeds: int | None, jobs: int | None) -> Plan:
        """With what was asked for; None leaves a part as it is. Raises NetError."""
        for net in nets or ():
            parse_net(net)
        return replace(
            self,
            nets=tuple(dict.fromkeys(nets)) if nets else self.nets,
            fresh_nets=() if nets else self.fresh_nets,
            seeds=seeds or self.seeds,
            jobs=jobs or self.jobs,
        )

    def games(self) -> list[tuple[Rule, str, Mode]]:
        """One for each row."""
        late: list[tuple[Rule, str, Mode]] = [("late", net, mode) for net in self.nets for mode in MODES]
        return late + [("fresh", net, mode) for net in self.fresh_nets for mode in MODES]


FULL = Plan()
QUICK = Plan(
    nets=("dense-3", "lstm-3"), fresh_nets=("relu-3:regulated",), seeds=4, ticks=600, tuning_seeds=1, final_seeds=2,
    variants=2, timed=100, quick=True,
)  # fmt: skip


def run(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Tune, play and time every game; the result is JSON-ready."""
    games = plan.games()
    steps = 2 * len(games)
    rows: list[dict[str, Any]] = []
    tuning: list[dict[str, Any]] = []
    progress("starting", 0, steps)
    found: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for number, row, table in _side_by_side(plan, games):
        found[number] = row, table
        progress(f"{row['net']} {row['mode']}, {row['rule']}", len(found), steps)
    for number in range(len(games)):
        rows.append(found[number][0])
        tuning += found[number][1]
    for number, row in enumerate(rows, 1):
        row["outputs_per_second"] = _outputs_per_second(row, plan)
        progress(f"timing {row['net']} {row['mode']}", len(rows) + number, steps)
    return {
        "quick": plan.quick,
        "machine": describe(),
        "ticks": plan.ticks,
        "seeds": plan.seeds,
        "tuning_seeds": plan.tuning_seeds,
        "final_seeds": plan.final_seeds,
        "settings_tried": sum(len(rates) for rates, _ in GRIDS["stc"][: plan.variants]),
        "rows": rows,
        "tuning": tuning,
        "bounds": bounds(plan),
    }


def _side_by_side(
    plan: Plan, games: list[tuple[Rule, str, Mode]]
) -> Iterator[tuple[int, dict[str, Any], list[dict[str, Any]]]]:
    """Numbers, rows and tuning of the games, as they are done. Whoever stops early stops all."""
    job = partial(_row, plan)
    deepest_first = sorted(enumerate(games), key=lambda numbered: -parse_net(numbered[1][1]).depth)
    if plan.jobs == 1:
        with threadpool_limits(1):
            yield from map(job, deepest_first)
        return
    with _ctrl_c_ignored():
        pool = get_context("spawn").Pool(min(plan.jobs, len(games)), threadpool_limits, (1,))
    with pool:
        yield from pool.imap_unordered(job, deepest_first)


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Processes that are started meanwhile leave Ctrl-C to this one."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _row(plan: Plan, numbered: tuple[int, tuple[Rule, str, Mode]]) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    number, (rule, net, mode) = numbered
    games = {"lanes": plan.tuning_seeds, "final_lanes": plan.final_seeds, "ticks": plan.ticks}
    settings, table = tune(net, mode, rule, variants=plan.variants, **games)
    right = play(net, mode, settings, lanes=plan.seeds, seed=SEED, ticks=plan.ticks, rule=rule)
    latency = parse_net(net).depth if rule == "late" else 0
    policy = delayed_policy(latency, lanes=plan.seeds, seed=SEED, ticks=plan.ticks)
    found = {"net": net, "mode": mode, "rule": rule, "seeds": plan.seeds, **measured(right, policy)}
    published = PUBLISHED.get(net, {}).get(mode) if rule == "late" else None
    return number, found | {"published": published, "settings": told(mode, settings)}, table


def _outputs_per_second(row: dict[str, Any], plan: Plan) -> float:
    """Of one network alone, learning, all else idle."""
    settings = Settings(**row["settings"])
    with threadpool_limits(1):
        play(row["net"], row["mode"], settings, lanes=1, seed=SEED, ticks=plan.timed // 10, rule=row["rule"])
        start = time.perf_counter()
        play(row["net"], row["mode"], settings, lanes=1, seed=SEED, ticks=plan.timed, rule=row["rule"])
        return plan.timed / (time.perf_counter() - start)


def bounds(plan: Plan) -> list[dict[str, Any]]:
    """What is to be had in the same games by others: at every latency by the delayed policy and by one that knows its
    own moves, and by a learner that sees nothing.
    """
    games = {"lanes": plan.seeds, "seed": SEED, "ticks": plan.ticks}
    found: list[tuple[str, int | None, NDArray[np.bool_]]] = []
    for latency in sorted({0, *(parse_net(net).depth for net in plan.nets)}):
        for who, knows_moves in (("delayed policy", False), ("delayed policy, knows its moves", True)):
            found.append((who, latency, delayed_policy(latency, knows_moves=knows_moves, **games)))
    found += [(f"blind learner, rate {rate:g}", None, blind_learner(rate, **games)) for rate in BLIND_RATES]
    return [
        {"who": who, "latency": latency, "accuracy_mean": float(right.mean()), "thirds": parts(right, 3)}
        for who, latency, right in found
    ]

"""The same tuning for every mode: as many settings, in games and with weights that no result is reported of.

Two rounds: every setting plays a few games of half the length, then the best FINALISTS play as many whole games as are
reported. A step size at the edge of what is stable fails in one game of twenty, and a few games seldom show that.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.tween_bench.play import play
from engine.tween_bench.players import Mode, Rule, Settings

SEEDS = 10_007, 10_008
"""Of the two rounds; reported runs have another."""
FINALISTS = 3
_SMALL = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_LARGE = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_ADAM = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
GRIDS: dict[Mode, tuple[tuple[tuple[float, ...], Settings], ...]] = {
    "stc": (
        (_SMALL, Settings(0, momentum=0.9)),
        (_SMALL, Settings(0, momentum=0.0)),
        (_SMALL, Settings(0, momentum=0.0, matched=False)),
        (_SMALL, Settings(0, momentum=0.0, liquid=True)),
    ),
    "stepped": (
        (_SMALL, Settings(0, momentum=0.9)),
        (_SMALL, Settings(0, momentum=0.0)),
        (_SMALL, Settings(0, momentum=0.0, aligned=True)),
        (_ADAM, Settings(0, adam=True)),
    ),
    "backprop": (
        (_LARGE, Settings(0, momentum=0.0, interval=5)),
        (_ADAM, Settings(0, adam=True, interval=5)),
        (_LARGE, Settings(0, momentum=0.0, interval=20)),
        (_ADAM, Settings(0, adam=True, interval=20)),
    ),
}
"""Step sizes, and what they are tried with: 24 settings a mode."""
READS = {
    "stc": ("momentum", "matched", "liquid"),
    "stepped": ("momentum", "adam", "aligned"),
    "backprop": ("momentum", "adam", "interval"),
}
"""What a mode reads of its settings, beside the step size."""


def tune(
    net: str, mode: Mode, rule: Rule, *, lanes: int, final_lanes: int, ticks: int, variants: int
) -> tuple[Settings, list[dict[str, Any]]]:
    """The best settings, and what each reached. Step sizes play side by side.

    `lanes` games of half the `ticks` for each setting of the first round, `final_lanes` games of all `ticks` for each
    of the second; of the grid the first `variants`.
    """
    table: list[dict[str, Any]] = []
    tried: list[tuple[float, Settings, dict[str, Any]]] = []
    for rates, settings in GRIDS[mode][:variants]:
        side_by_side = settings.with_rate(tuple(rate for rate in rates for _ in range(lanes)))
        right = play(net, mode, side_by_side, lanes=lanes * len(rates), seed=SEEDS[0], ticks=ticks // 2, rule=rule)
        for index, rate in enumerate(rates):
            chosen = settings.with_rate(rate)
            reached = _reached(right[:, index * lanes : (index + 1) * lanes])
            table.append({"net": net, "mode": mode, "rule": rule, **told(mode, chosen), **reached, "final": None})
            tried.append((_worth(reached), chosen, table[-1]))
    tried.sort(key=lambda entry: -entry[0])
    best, most = tried[0][1], -math.inf
    for _, settings, entry in tried[:FINALISTS]:
        entry["final"] = _reached(play(net, mode, settings, lanes=final_lanes, seed=SEEDS[1], ticks=ticks, rule=rule))
        if _worth(entry["final"]) > most:
            best, most = settings, _worth(entry["final"])
    return best, table


def _reached(right: NDArray[np.bool_]) -> dict[str, float]:
    games = right.mean(0)
    return {"accuracy": float(games.mean()), "accuracy_sd": float(games.std())}


def _worth(reached: dict[str, float]) -> float:
    """What fails in one game of many is not what anybody would choose."""
    return reached["accuracy"] - reached["accuracy_sd"]


def told(mode: Mode, settings: Settings) -> dict[str, Any]:
    """The settings that a mode reads."""
    every = asdict(settings)
    return {name: every[name] for name in ("rate", *READS[mode])}

"""The same tuning for every mode: as many settings, in games and with weights that no result is reported of."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from engine.tween_bench.play import play
from engine.tween_bench.players import Mode, Rule, Settings

SEED = 10_007
"""Of all tuning; reported runs have another."""
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
    net: str, mode: Mode, rule: Rule, *, lanes: int, ticks: int, variants: int
) -> tuple[Settings, list[dict[str, Any]]]:
    """The best settings, and what each reached. Step sizes play side by side.

    Best is the largest mean accuracy minus its standard deviation over the games: what fails in one game of many is
    not what anybody would choose. `lanes` games and `ticks` for each setting; of the grid the first `variants`.
    """
    table: list[dict[str, Any]] = []
    best, reached = Settings(0), -math.inf
    for rates, settings in GRIDS[mode][:variants]:
        side_by_side = settings.with_rate(tuple(rate for rate in rates for _ in range(lanes)))
        right = play(net, mode, side_by_side, lanes=lanes * len(rates), seed=SEED, ticks=ticks, rule=rule)
        for index, rate in enumerate(rates):
            games = right[:, index * lanes : (index + 1) * lanes].mean(0)
            accuracy, spread = float(games.mean()), float(games.std())
            chosen = settings.with_rate(rate)
            found = {"net": net, "mode": mode, "rule": rule, **told(mode, chosen)}
            table.append(found | {"accuracy": accuracy, "accuracy_sd": spread})
            if accuracy - spread > reached:
                best, reached = chosen, accuracy - spread
    return best, table


def told(mode: Mode, settings: Settings) -> dict[str, Any]:
    """The settings that a mode reads."""
    every = asdict(settings)
    return {name: every[name] for name in ("rate", *READS[mode])}

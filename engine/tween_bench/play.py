"""One run of the game: many lanes play side by side and learn while they play."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.tween_bench.game import ACTIONS, Game, task_at
from engine.tween_bench.nets import parse_net
from engine.tween_bench.players import Mode, Rule, Settings, make_player

TICKS = 3000


def play(
    net: str,
    mode: Mode,
    settings: Settings,
    *,
    lanes: int,
    seed: int,
    ticks: int = TICKS,
    rule: Rule = "late",
) -> NDArray[np.bool_]:
    """Whether the action was right, (ticks, lanes). Lanes differ in their weights and in their game."""
    network = parse_net(net)
    game = Game(lanes, seed)
    right = np.zeros((ticks, lanes), bool)
    eye = np.eye(ACTIONS, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        player = make_player(mode, network.layers(), lanes, seed, settings, rule)
        for tick in range(ticks):
            game.task = task_at(tick, ticks)
            x, answer = network.seen(game.observe()), game.answer()
            actions = player.actions(x)
            right[tick] = actions == answer
            player.learn(x, eye[answer])
            game.move(actions)
    return right

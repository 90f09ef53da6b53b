"""What the game gives away: to policies that know its rule but see it late, and to a learner that sees nothing."""

from __future__ import annotations

from collections import deque
from copy import copy

import numpy as np
from numpy.typing import NDArray

from engine.tween_bench.game import ACTIONS, Game, task_at
from engine.tween_bench.play import TICKS


def delayed_policy(
    latency: int, *, lanes: int, seed: int, ticks: int = TICKS, knows_moves: bool = False
) -> NDArray[np.bool_]:
    """Whether the action was right, (ticks, lanes), when it is the right answer to the moment `latency` ticks ago.

    With `knows_moves` the policy adds the moves that it has made since to what it saw: only the target's jitter and
    the switch of the task surprise it. No network of that latency can know more.
    """
    game = Game(lanes, seed)
    right = np.zeros((ticks, lanes), bool)
    seen: deque[Game] = deque(maxlen=latency + 1)
    made: deque[NDArray[np.int64]] = deque(maxlen=latency)
    for tick in range(ticks):
        game.task = task_at(tick, ticks)
        past = copy(game)
        past.agent, past.target = game.agent.copy(), game.target.copy()
        seen.append(past)
        believed = copy(seen[0])
        if knows_moves:
            for actions in made:
                believed.push(actions)
        actions = believed.answer()
        right[tick] = actions == game.answer()
        game.move(actions)
        made.append(actions)
    return right


def blind_learner(rate: float, *, lanes: int, seed: int, ticks: int = TICKS) -> NDArray[np.bool_]:
    """Whether the action was right, (ticks, lanes), of a learner that sees nothing: four running means of the answers.

    It has no latency, for there is nothing that would have to cross any layers: its action is the answer that was
    right most often lately. It is the control for whatever a network seems to have understood of the game.
    """
    game = Game(lanes, seed)
    right = np.zeros((ticks, lanes), bool)
    often = np.zeros((lanes, ACTIONS))
    for tick in range(ticks):
        game.task = task_at(tick, ticks)
        actions, answer = often.argmax(1), game.answer()
        right[tick] = actions == answer
        often += rate * (np.eye(ACTIONS)[answer] - often)
        game.move(actions)
    return right

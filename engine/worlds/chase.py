"""The chase/avoid game as a live world; the task is a knob."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob, choice_knob
from engine.tween_bench.game import ACTIONS, FEATURES, Game
from engine.worlds.score import Score
from engine.worlds.world import GROUP, Scene

NAMES = ("right", "left", "up", "down")


class ChaseWorld:
    """One agent, one target (see `engine.tween_bench.game`)."""

    kind = "chase"
    shape = (FEATURES,)
    answers = NAMES

    def __init__(self, seed: int) -> None:
        self.parameters: dict[str, Knob] = {"task": choice_knob(("chase", "avoid"), "What the agent should do.", GROUP)}
        self.latency = 0
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """A new game."""
        self._game = Game(1, seed)
        self._score = Score()

    def observe(self) -> NDArray[Any]:
        """The eight features."""
        self._game.task = int(self.parameters["task"].value)
        seen: NDArray[Any] = self._game.observe()[0]
        return seen

    def answer(self) -> int:
        """The right move."""
        return int(self._game.answer()[0])

    def act(self, action: int) -> None:
        """Move."""
        assert 0 <= action < ACTIONS
        self._score.note(self.answer(), action)
        self._game.move(np.array([action]))

    def scene(self) -> Scene:
        """Places of agent and target."""
        game = self._game
        places = {"agent": game.agent[0], "target": game.target[0]}
        points = {name: (float(at[0]), float(at[1])) for name, at in places.items()}
        picture = np.asarray(game.observe(), np.float32).clip(0, 1)
        score = self._score
        return Scene(
            self.kind, picture, points, self.parameters["task"].choice, NAMES, self.answer(),
            NAMES[score.wanted], NAMES[score.action], score.last, score.accuracy,
        )  # fmt: skip

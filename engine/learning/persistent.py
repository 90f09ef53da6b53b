"""Clockless learning: a weak target pulls all the time, all copies tick together, the weights move at every tick.

There is no free phase and no nudged one. The force follows the running free copy, and each link reads its two ends
as they are at this tick, whether or not anything has settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network
from engine.learning.equilibrium import Equilibrium
from engine.learning.from_ticks import tick_gradients
from engine.learning.teachers import Lesson, Update, lesson_from
from engine.networks.chain import Chain
from engine.preset import Preset

Array = NDArray[Any]
TICKS_PER_LAYER = 2.5
"""How long a batch is shown: light goes up and credit comes down one layer a tick, then both come to rest."""
TICKS_AT_LEAST = 40


class PersistentTeacher:
    """Teaches the weights of `equilibrium` through a ticking chain of `preset` that holds the very same arrays.

    Batches of another size than `batch` are skipped (the last one of an epoch); states run on from batch to batch.
    """

    def __init__(self, equilibrium: Equilibrium, preset: Preset, batch: int) -> None:
        fresh = preset.model_copy(update={"weights_file": None, "weights": None, "knobs": {}})
        chain = build_network(fresh, samples=batch)
        assert isinstance(chain, Chain)
        for name in ("sigma", "input_gain", "beta"):
            chain.set_parameter(name, getattr(equilibrium, name))
        chain.adopt(equilibrium.weights)
        self.equilibrium, self._chain = equilibrium, chain
        self.ticks = round(TICKS_PER_LAYER * preset.layers) + TICKS_AT_LEAST

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """Show a batch for `ticks` ticks, with a small update at each of them."""
        chain = self._chain
        if len(x) != chain.samples:
            return Lesson(0.0, 0)
        chain.clamp(x, labels)
        for _ in range(self.ticks):
            chain.aim()
            chain.tick(nudged=True)
            update(tick_gradients(chain, labels), 1 / self.ticks)
            chain.weights_changed()
        return lesson_from(chain.logits(), labels)

    def updated(self) -> None:
        """Transposes are made anew, and the chain reads its clipped couplings."""
        self.equilibrium.refresh()
        self._chain.weights_changed()

    def state_dict(self) -> dict[str, Array]:
        """The states of all copies: nothing ever brings them back to rest."""
        states = {f"state{index}": columns.copy() for index, columns in enumerate(self._chain.columns())}
        return {**self.equilibrium.state_dict(), **states}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take the states over again."""
        self.equilibrium.load_state_dict(state)
        for index, columns in enumerate(self._chain.columns()):
            columns[...] = state[f"state{index}"]

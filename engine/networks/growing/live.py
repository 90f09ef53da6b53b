"""What stands beside a graph while it lives on its stream: heads, the watch on one number, modules for troubles.

Nothing of it changes what the graph learns, but for one thing: what is seen in trouble is left to the module, so that
the graph does not forget what is usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.networks.growing.learner import Learner
from engine.networks.growing.outlook import CACHED, NASCENT, NONE, OutcomeView, TransientView
from engine.networks.growing.prototypes import Prototype, PrototypeCache
from engine.networks.growing.trouble import Troubles
from engine.networks.growing.watch import Watch

Array = NDArray[Any]
REACH = 8.0
"""Unit of length that a module sees places in: spreads of a usual node."""
PLACES = 2
"""Numbers of a node that make up its place: the first."""
LEAST = 1e-12
"""Energy, in squared spreads of a usual node, below which no error counts."""
LONG = 2000
"""Ticks of one trouble after which the graph learns of it too."""
FARTHEST = 3.0
"""Spreads at which the novelty signal's inputs are cut off."""
OWN = -1
"""A source: every node looks at itself."""


def live_knobs(states: int) -> dict[str, Knob]:
    """Switches of what stands beside the graph."""
    return {
        "head": Knob(1, 0, 1, "", "Let distribution heads grow where one state has several outcomes.", "switch"),
        "cache": Knob(1, 0, 1, "", "Begin a trouble with the prototype of the nearest signature.", "switch"),
        "watch": Knob(-1, -1, states - 1, "", "Number of the state whose outcomes are told: node * features + feature. "
                      "-1: of the most ambiguous node.", "integer"),
    }  # fmt: skip


class Live:
    """Beside one graph. `tick` wants `correct` before and `observe` after what is seen."""

    def __init__(self, learner: Learner, seed: int) -> None:
        graph = self.graph = learner.graph
        self.watch = Watch(learner, seed)
        self.heads = self.watch.heads
        self.head, self.cache, self.watched = True, True, OWN
        spread = graph.spread.astype(np.float64).reshape(graph.nodes, -1)
        usual = np.median(spread, 0)
        self._reach = REACH * usual[:PLACES]
        self._common = spread / usual
        """What makes the graph's units of each node those of a usual one, (nodes, d)."""
        self.troubles = Troubles(
            graph.nodes, graph.features, self._places, (*range(graph.nodes), OWN), choose=self._chosen
        )
        self._correction = np.zeros(graph.states)
        self._learner = learner

    def correct(self) -> None:
        """Let the module of a trouble correct the next state."""
        graph = self.graph
        self._correction = (self.troubles.correct(graph.state) / self._common).reshape(-1)
        if self.troubles.rivals:
            graph.next = (graph.next + self._correction).astype(graph.dtype)

    def observe(self, before: Array, predicted: Array, hidden: NDArray[np.bool_], *, learn: bool) -> None:
        """What followed a state is the graph's state now; `hidden` numbers are not seen."""
        graph = self.graph
        self.watch.note(before, predicted, graph.state)
        residuals = np.where(hidden, 0, graph.state - predicted + self._correction)
        expected = 2 * self._learner.lately * np.square(graph.unit, dtype=np.float64)
        left, energy = (a.reshape(self._common.shape) for a in (residuals, expected))
        inputs = np.clip(before, -FARTHEST, FARTHEST).reshape(self._common.shape)
        self.troubles.observe(
            before, left * self._common, inputs, np.maximum((energy * self._common**2).sum(1), LEAST), learn=learn
        )
        if not learn:
            return
        if self.troubles.novelty.troubled and self.troubles.novelty.ticks <= LONG:
            graph.memory.shun()
        self.watch.remember()
        if self.head:
            self.heads.step()
        self.watch.watch(self.watch.most_ambiguous() if self.watched < 0 else self.watched)

    def view(self) -> tuple[OutcomeView | None, Array, Array, TransientView]:
        """The watched number's outcomes, components and novelty of each node, and troubles."""
        troubles, members = self.troubles, self.troubles.members
        began = NASCENT if troubles.origin is None else CACHED
        source, cells = (troubles.rivals[0].source, troubles.rivals[0].module.cells) if troubles.rivals else (NONE, 0)
        transients = TransientView(
            origin=np.where(members, began, NONE).astype(np.uint8),
            source=np.where(members, source, -1).astype(np.int32),
            cells=np.where(members, cells, 0).astype(np.int32),
            cached=len(troubles.cache),
            hits=troubles.hits,
            spawned=troubles.spawned,
        )
        return self.watch.view(), self.heads.components, troubles.novelty.levels.astype(np.float32), transients

    def _places(self, state: Array, source: int) -> Array:
        """Where nodes are, as seen from another or from their own usual place, (nodes, at most PLACES)."""
        graph = self.graph
        own = (state * graph.spread).reshape(graph.nodes, -1)[:, :PLACES].astype(np.float64)
        if source != OWN:
            own += graph.centre.reshape(graph.nodes, -1)[:, :PLACES]
            own = own[source] - own
        found: Array = own / self._reach
        return found

    def _chosen(
        self, cache: PrototypeCache, signature: Array, explains: Callable[[Prototype], float]
    ) -> Prototype | None:
        return cache.recall(signature, explains) if self.cache else None

"""What every edit of the planner works with: the graph and its learner, tokens, what fades, and the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import abroad
from engine.networks.growing.economy import Tokens
from engine.networks.growing.fade import Fading
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.learner import Learner
from engine.networks.growing.ledger import Commit, Kind, Ledger
from engine.networks.growing.probe import Prices

Array = NDArray[Any]


@dataclass(slots=True)
class Desk:
    """One graph's. Draws of edits are their own, so an edit that is never made changes nothing else."""

    learner: Learner
    fading: Fading
    ledger: Ledger
    tokens: Tokens
    labels: tuple[str, ...]
    rng: np.random.Generator

    @property
    def graph(self) -> Graph:
        """The learner's."""
        return self.learner.graph

    def look(self, batches: int, lags: int = 1) -> tuple[list[Pass], list[Array]]:
        """Fresh batches of evidence: passes, which see `lags` latencies at least, and errors (S, B)."""
        both = [self.learner.errors(self.graph.settings.evidence, self.rng, lags) for _ in range(batches)]
        return [done for done, _ in both], [error for _, error in both]

    def afford(self, node: int, needed: int) -> bool:
        """Give a node so many tokens out of the pool, all or none."""
        if needed > self.tokens.pool:
            return False
        self.tokens.pool -= needed
        self.tokens.held[node] += needed
        return True

    def note(self, kind: Kind, node: int, what: str, **evidence: Any) -> Commit:
        """Write a decision about a whole node down."""
        return self.ledger.note(Commit(0, self.learner.steps, kind, node, -1, what, **evidence))


def costs_of_cells(graph: Graph, price: Prices) -> Array:
    """What each cell must earn, (nnz,)."""
    rows = graph.core.M_idx[:, 0]
    found: Array = np.where(abroad(graph), price.abroad[rows], price.within[rows])
    return found


def judged(gains: Array) -> tuple[Array, Array]:
    """Mean and standard error over batches, of gains (batches, ...)."""
    return gains.mean(0), gains.std(0, ddof=1) / np.sqrt(len(gains))

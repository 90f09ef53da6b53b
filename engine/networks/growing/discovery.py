"""Structure discovery: which nodes are alike, and which are like no other.

Now and then nodes are clustered (HDBSCAN; Campello, Moulavi & Sander 2013) by

    energy     log10 of the loss that is left, and of the gradient
    rarity     log10 of E r^4 / (E r^2)^2: whether errors come often or seldom and hard
    routing    Jaccard distance of whom nodes read and are read by, themselves included

so a factor of ten counts as much as to have no neighbour in common. Clusters become modules, with pools that any node
can read if the graph has room for them; nobody reads a new one, so it changes no output, and one that nobody has read
by the next time goes. Outliers with more loss than three quarters may add twice as many regions in a meta-step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.desk import Desk
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.modules import GraphModule, SuperGraph
from engine.networks.growing.probe import Probe

Array = NDArray[Any]
RARELY = 10
"""Meta-steps between two discoveries."""
FEWEST = 6
"""Nodes for which there is something to discover."""
OUTLIER = -1


class Discovery:
    """Clusters of one graph."""

    def __init__(self, desk: Desk, modules: SuperGraph, probe: Probe) -> None:
        self.desk, self.graph, self.modules, self.probe = desk, desk.graph, modules, probe
        self.labels = np.zeros(desk.graph.nodes, np.int64)
        """Cluster of each node, -1 for outliers."""
        self._turn = 0
        self._made: list[GraphModule] = []

    def settle(self) -> None:
        """Once in `RARELY` times."""
        self._turn += 1
        if self._turn % RARELY or self.graph.nodes < FEWEST:
            return
        _, errors = self.desk.look(1)
        apart = distances(self.graph, self.desk.learner, errors[0])
        self.labels = clusters(apart)
        self._raise_ceilings()
        if self.graph.pools >= self.graph.features:
            self._form(apart)

    def _raise_ceilings(self) -> None:
        loss = self.desk.learner.loss.reshape(self.graph.nodes, -1).mean(1)
        chosen = np.flatnonzero((self.labels == OUTLIER) & (loss > np.quantile(loss, 0.75))).tolist()
        most = 2 * self.graph.settings.commits
        self.probe.ceilings = dict.fromkeys(chosen, most)
        if chosen:
            self.desk.note("cluster", chosen[0], f"outliers: {_names(chosen)}; {most} regions each", cells=0)

    def _form(self, apart: Array) -> None:
        """Clusters that lie well apart first, as long as there are pools."""
        for old in self._made:
            if not self._read(old):
                self.modules.dissolve(old)
        self._made = [old for old in self._made if old.places]
        found = [np.flatnonzero(self.labels == label) for label in range(int(self.labels.max()) + 1)]
        for nodes in sorted(found, key=lambda nodes: _looseness(apart, nodes)):
            free = sum(members is None for members in self.graph.memory.members)
            loose = [m for m in self.modules.root.inside if m.nodes and not m.inside and set(m.nodes) <= {*nodes}]
            if free < self.graph.features or not 1 < len(loose) < self.graph.nodes:
                continue
            self._made.append(self.modules.cluster(loose))
            members = [node for m in loose for node in m.nodes]
            words = f"{_names(members)}; {_looseness(apart, nodes):.2f} as far apart as from others"
            self.desk.note("cluster", members[0], words, cells=0)

    def _read(self, cluster: GraphModule) -> bool:
        places = [self.graph.states + place for place in cluster.places]
        return bool(np.isin(self.graph.connectors.source, places).any())


def distances(graph: Graph, learner: Learner, errors: Array) -> Array:
    """Of all pairs of nodes, (nodes, nodes), from errors (S, B)."""
    square = np.square(errors.reshape(graph.nodes, -1), dtype=np.float64)
    energy = [np.log10(square.mean(1) + 1e-12), np.log10(learner.gradient_square + 1e-12)]
    rarity = np.log10(np.square(square).mean(1) / (np.square(square.mean(1)) + 1e-24) + 1e-12)
    near = (graph.adjacency() > 0) | np.eye(graph.nodes, dtype=bool)
    near = (near | near.T).astype(float)
    both = near @ near.T
    routing = 1 - both / (near.sum(1)[:, None] + near.sum(1) - both)
    parts = [np.abs(found[:, None] - found) for found in (*energy, rarity)] + [routing]
    found: Array = np.sqrt(sum(np.square(part) for part in parts))
    return found


def clusters(apart: Array) -> NDArray[np.int64]:
    """Label of each node, -1 for those that are like no other."""
    from sklearn.cluster import HDBSCAN

    least = max(2, round(len(apart) ** 0.5))
    method = HDBSCAN(min_cluster_size=least, min_samples=2, metric="precomputed", copy=True)
    found: NDArray[np.int64] = method.fit_predict(apart)
    return found


def _looseness(apart: Array, nodes: NDArray[np.int64]) -> float:
    """Mean distance within a cluster over that to all others."""
    others = np.setdiff1d(np.arange(len(apart)), nodes)
    within = apart[np.ix_(nodes, nodes)][~np.eye(len(nodes), dtype=bool)]
    return float(within.mean() / apart[np.ix_(nodes, others)].mean()) if len(others) else 1.0


def _names(nodes: list[int]) -> str:
    return "nodes " + " ".join(str(node + 1) for node in nodes)

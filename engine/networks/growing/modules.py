"""Modules of modules: what gathers and commits together, and the clusters that others can read as one.

A GraphModule is a set of nodes and of modules inside it. Above level 0, a module may have a place in the scratch vector
(the "mind's eye"), which every node can read: the mean of its nodes' states. A new module is an exact identity: nobody
reads it, and it costs no cells, until the planner finds that reading it pays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.graph import Graph

Array = NDArray[Any]


def most_levels(nodes: int) -> int:
    """Levels above the nodes, at most: ceil(log2(nodes)), since clusters have two members at least."""
    return ceil(log2(nodes)) if nodes > 1 else 0


@dataclass(slots=True)
class GraphModule:
    """Nodes of its own and modules inside; level 0 is a module of nodes alone."""

    nodes: tuple[int, ...] = ()
    inside: list[GraphModule] = field(default_factory=list)
    places: tuple[int, ...] = ()
    """Its pools in the scratch vector, one for each feature; none while it has none."""

    @property
    def level(self) -> int:
        """One above the highest module inside."""
        return 1 + max((module.level for module in self.inside), default=-1)

    def all_nodes(self) -> NDArray[np.int64]:
        """Its nodes and those of all modules inside, sorted."""
        return np.array(sorted({*self.nodes, *(n for module in self.inside for n in module.all_nodes())}), np.int64)

    def walk(self) -> Iterator[GraphModule]:
        """This module and all inside it."""
        yield self
        for module in self.inside:
            yield from module.walk()

    def gather(self, graph: Graph) -> None:
        """All modules inside, then its own nodes, work out their next state."""
        for module in self.inside:
            module.gather(graph)
        if self.nodes:
            graph.gather(np.array(self.nodes))


class SuperGraph:
    """A graph with modules above it. It owns the scratch vector: one pool for each feature of each cluster."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.root = GraphModule(inside=[GraphModule((node,)) for node in range(graph.nodes)])

    @property
    def scratch(self) -> Array:
        """The scratch vector as it is committed, (pools,)."""
        memory = self.graph.memory
        found: Array = memory.differences[(memory.count - 1) % len(memory.differences), 0, self.graph.states :]
        return found

    def cluster(self, modules: Sequence[GraphModule]) -> GraphModule:
        """Put modules that lie in one and the same module into a new one inside it. Raises ValueError."""
        chosen = list(modules)
        if len(chosen) < 2:
            raise ValueError("a cluster has two members at least")
        parent = next((m for m in self.root.walk() if all(any(c is i for i in m.inside) for c in chosen)), None)
        if parent is None:
            raise ValueError("members of a cluster must lie in one and the same module")
        if len(chosen) == len(parent.inside) and parent is not self.root:
            raise ValueError("this module is such a cluster already")
        new = GraphModule(inside=chosen)
        before = parent.inside
        parent.inside = [m for m in before if not any(m is c for c in chosen)] + [new]
        if self.root.level > most_levels(self.graph.nodes) + 1:
            parent.inside = before
            raise ValueError(f"no more than {most_levels(self.graph.nodes)} levels for {self.graph.nodes} nodes")
        self._give_place(new)
        return new

    def dissolve(self, cluster: GraphModule) -> None:
        """Take a cluster away that nobody reads. Raises ValueError."""
        read = {int(s) for s in self.graph.connectors.source if s >= self.graph.states}
        if read & {self.graph.states + place for place in cluster.places}:
            raise ValueError("some node still reads this cluster")
        parent = next((m for m in self.root.walk() if any(cluster is i for i in m.inside)), None)
        if parent is None:
            raise ValueError("no such cluster")
        parent.inside = [m for m in parent.inside if m is not cluster] + cluster.inside
        for place in cluster.places:
            self.graph.memory.pool(place, None)
        cluster.places = ()

    def tick(self, seen: Array | None = None) -> None:
        """All modules gather, then all commit."""
        self.graph.begin_tick()
        self.root.gather(self.graph)
        self.graph.commit(seen)

    def _give_place(self, cluster: GraphModule) -> None:
        free = [i for i, members in enumerate(self.graph.memory.members) if members is None]
        features = self.graph.features
        if len(free) < features:
            return
        nodes = cluster.all_nodes()
        for feature, place in enumerate(free[:features]):
            self.graph.memory.pool(place, nodes * features + feature)
        cluster.places = tuple(free[:features])

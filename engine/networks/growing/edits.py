"""All structural edits that the planner makes by itself; each has a switch in `GrowthSettings`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.desk import Desk
from engine.networks.growing.discovery import Discovery
from engine.networks.growing.modules import SuperGraph
from engine.networks.growing.probe import Probe
from engine.networks.growing.sleep import Sleep
from engine.networks.growing.splits import Splits


class Edits:
    """Of one graph."""

    def __init__(self, desk: Desk, modules: SuperGraph, probe: Probe) -> None:
        self.graph = desk.graph
        self.splits, self.sleep = Splits(desk), Sleep(desk)
        self.discovery = Discovery(desk, modules, probe)

    def step(self) -> None:
        """After each learning step: what wakes comes nearer to what it was."""
        self.sleep.hibernation.step()

    def settle(self) -> None:
        """At a meta-step, when what does not pay has been shed."""
        settings = self.graph.settings
        if settings.clones:
            self.splits.settle()
        if settings.sleeps:
            self.sleep.settle()
        if settings.discovers:
            self.discovery.settle()

    def renumber(self, terms: NDArray[np.int64], lines: NDArray[np.int64]) -> None:
        """Term f is now terms[f], line k lines[k]; -1 for what is gone."""
        self.sleep.hibernation.renumber(terms)
        self.splits.renumber(lines)

    def awake(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those that may grow."""
        return np.setdiff1d(nodes, self.sleep.resting)

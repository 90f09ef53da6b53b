"""A growing graph as a network of the observatory: it lives on a stream, and learns and grows while it ticks.

Red is the state of every node, green its change since the last tick, blue the error of what was predicted for this
moment, all in thirds of the spread of each number, so that most lie within -1 and 1. There is a tile for each feature.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.dynamics import Stream
from engine.knobs import Knob, set_knob
from engine.network import Observation
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.live import Live, live_knobs
from engine.networks.growing.outcomes import Futures
from engine.networks.growing.planner import Planner
from engine.networks.growing.report import Growth, report
from engine.networks.growing.settings import GrowthSettings
from engine.networks.growing.wiring import Wiring
from engine.tiles import Tiles
from kernels import SUMS

Array = NDArray[Any]
SHOWN = 3.0
"""Spreads that are shown as 1."""
LOST = 20.0
"""A free run this many spreads away has left the attractor; it starts again from what is seen."""


def growing_knobs(settings: GrowthSettings) -> dict[str, Knob]:
    """How the graph learns and grows."""
    found = {
        "rate": Knob(settings.rate, 1e-5, 0.3, "", "Step size of Adam.", "log"),
        "shrink": Knob(0, 0, 1, "", "Soft threshold on weights after each step, in step sizes."),
        "doubt": Knob(settings.doubt, 0, 10, "", "Standard errors that are taken off a measured gain."),
        "price": Knob(settings.price, 0, 100, "", "What a cell must earn, in units of the extended BIC's price."),
        "curvature": Knob(1, 0.1, 10, "", "Scale of the barrier gamma."),
        "pace": Knob(1, 0.01, 1, "", "Chance that a node updates in a tick."),
        "reliability": Knob(1, 0.01, 1, "", "Chance that a message arrives in a tick."),
        "free": Knob(0, 0, 1, "", "Run freely: each tick starts from the graph's own prediction.", "switch"),
        "grow": Knob(1, 0, 1, "", "Let the planner add and take away structure.", "switch"),
        "freeze": Knob(0, 0, 1, "", "Stop learning; everything else goes on.", "switch"),
    }
    if settings.stencils:
        found["attraction"] = Knob(settings.attraction, 0, 100, "", "Pull of like stencils on each other.")
    return found


class GrowingNetwork:
    """One graph and the stream it lives on. At the stream's end it begins again, and what was learned stays."""

    kind = "growing"
    samples = 1
    backend = "numba"
    backend_reason = "one call for all modules of the graph"

    def __init__(
        self, stream: Stream, settings: GrowthSettings, *, pools: int = 0, listened: int = 1000, seed: int = 0,
        dtype: Any = "float32",
    ) -> None:  # fmt: skip
        self.stream = stream
        self.dtype = np.dtype(dtype)
        self._made: dict[str, Any] = {"settings": settings, "pools": pools, "dtype": self.dtype}
        self._listened = min(listened, len(stream) // 2)
        tiles = Tiles([(stream.nodes,)] * stream.features)
        self.layout, self.places, self.first, self.unused = tiles.layout, tiles.places, tiles.first, tiles.unused
        self._own = growing_knobs(settings) | live_knobs(stream.nodes * stream.features)
        shape = (self.layout.layers, self.layout.neurons)
        self._dead = np.zeros(stream.nodes * stream.features, bool)
        self._sums = np.zeros((stream.features, 1, SUMS))
        self._channels = np.zeros((3, *shape), np.float32)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """A graph without a single cell at the stream's beginning, which has listened for a while."""
        graph = Graph(self.stream.nodes, self.stream.features, seed=seed, **self._made)
        self.graph = graph
        self.learner = Learner(graph, seed)
        self.planner = Planner(self.learner, seed, self.stream.names)
        graph.measure(self.stream.states[: self._listened])
        scaled = graph.scaled(self.stream.states.reshape(len(self.stream), -1))
        self._scaled = scaled
        for state in scaled[: self._listened]:
            graph.memory.push(state)
        graph.memory.measure()
        graph.state = scaled[self._listened - 1].copy()
        self.live = Live(self.learner, seed)
        self._at = self._listened
        self.ticks = 0
        self._change, self._error = np.zeros_like(graph.state), np.zeros_like(graph.state)
        self.dense_flops = self.effective_flops = 0.0
        self._apply_knobs()

    @property
    def parameters(self) -> dict[str, Knob]:
        """The knobs."""
        return self._own

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""
        set_knob(self._own, name, value)
        self._apply_knobs()

    def _apply_knobs(self) -> None:
        knob = {name: found.value for name, found in self._own.items()}
        graph = self.graph
        graph.settings = replace(
            graph.settings, threshold=knob["shrink"], doubt=knob["doubt"], price=knob["price"], scale=knob["curvature"],
            attraction=knob.get("attraction", graph.settings.attraction),
        )  # fmt: skip
        self.learner.rate, self.learner.barrier.scale = knob["rate"], knob["curvature"]
        graph.pace[:] = knob["pace"]
        graph.reliability = knob["reliability"]
        self.live.head, self.live.cache = bool(knob["head"]), bool(knob["cache"])
        self.live.watched = int(knob["watch"])

    def tick(self, nudged: bool) -> None:
        """Predict, see what comes, learn from it (if `nudged`), and now and then grow."""
        graph, before = self.graph, self.graph.state
        graph.begin_tick()
        graph.gather()
        self.live.correct()
        seen = np.where(self._dead, 0, self._scaled[self._at])
        predicted = np.where(self._dead, 0, graph.next)
        self._error = seen - predicted
        free, learns = bool(self._own["free"].value), nudged and not self._own["freeze"].value
        ahead = np.where(self._dead, 0, self.live.heads.draw(predicted)) if free else predicted
        lost = not np.abs(ahead).max() < LOST
        graph.commit(ahead if free and not lost else seen)
        self._change = graph.state - before
        if free:
            graph.memory.cut()
        else:
            self.live.observe(before, predicted, self._dead, learn=learns)
            if learns and graph.memory.usable >= graph.settings.batch:
                self.planner.step(grow=bool(self._own["grow"].value), spread=True)
        self._at += 1
        if self._at == len(self._scaled):
            self._at = 0
            graph.memory.cut()
        self.ticks += 1
        width = graph.states + graph.pools
        self.dense_flops += 2.0 * graph.states * width * (1 + (width if graph.settings.products else 0) / 2)
        self.effective_flops += 2.0 * graph.struct

    def growth(self) -> Growth:
        """Edges, heat, budgets and decisions, expectations and troubles."""
        wiring = Wiring.of(self.graph, self.stream)
        return report(self.planner, self.live, self.stream.truth.adjacency, wiring)

    def futures(self, horizon: int) -> Futures:
        """A branching roll-out of the watched node, as its own past alone tells it; up to `outcomes.HORIZON` ticks."""
        return self.live.watch.futures(horizon)

    def _laid_out(self, values: Array) -> Array:
        by_feature = values.reshape(self.stream.nodes, self.stream.features).T / SHOWN
        found: Array = np.where(self.unused, 0, np.take_along_axis(by_feature, np.maximum(self.places, 0), 1))
        return found

    def channels(self, sample: int) -> tuple[Array, Array, Array]:
        """State, change and error, each (features, places of a tile)."""
        for channel, values in enumerate((self.graph.state, self._change, self._error)):
            self._channels[channel] = self._laid_out(values)
        activation, velocity, nudge = self._channels
        return activation, velocity, nudge

    def observe(self) -> Observation:
        """Reductions of the last tick, of each feature over all nodes."""
        room = self.layout.neurons
        for channel, values in enumerate((self.graph.state, self._change, self._error)):
            by_feature = values.reshape(self.stream.nodes, -1) / SHOWN
            self._sums[:, 0, channel] = np.square(by_feature, dtype=np.float64).mean(0) * room
            if channel == 1:
                self._sums[:, 0, 3] = np.abs(by_feature).max(0)
        return Observation(self._sums, room)

    def state_dict(self) -> dict[str, Array]:
        """Cells, taps, terms and units: everything a prediction needs."""
        g, c, t = self.graph, self.graph.connectors, self.graph.terms
        return {
            "cells": g.core.M_idx, "values": g.core.W_vals, "source": c.source, "reader": c.reader,
            "latency": c.latency, "taps": np.where(c.active, c.taps, 0), "kinds": t.kinds, "left": t.left,
            "right": t.right, "knots": t.knots, "owner": t.owner, "centre": g.centre, "spread": g.spread,
            "unit": g.unit, "scale": g.memory.scale,
        }  # fmt: skip

    def load_state_dict(self, weights: dict[str, Array]) -> None:
        """A graph comes with its structure, so weights alone cannot be taken over. Raises ValueError."""
        raise ValueError("a growing graph starts without a cell; weights cannot be loaded into it")

    def logits(self) -> Array:
        """There are no classes, (1, 1)."""
        return np.zeros((1, 1), self.dtype)

    def clamp(self, x: Array, labels: NDArray[np.int64] | None) -> None:
        """A graph on a stream cannot be shown pictures."""
        raise ValueError(f"this network lives on the stream {self.stream.name}; its input cannot be chosen")

    def aim(self) -> None:
        """The target follows the stream."""

    @property
    def pull(self) -> float:
        """Largest error of the last prediction."""
        return max(float(np.abs(self._error).max()) / SHOWN, float(np.finfo(self.dtype).tiny))

    def release(self) -> None:
        """Take the error back."""
        self._error = np.zeros_like(self._error)

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Hide these numbers (features, places): they are seen as their mean. Raises ValueError."""
        if where.shape != self.places.shape:
            raise ValueError(f"neurons to cut out have shape {where.shape}, this network's is {self.places.shape}")
        for feature, (cut, places) in enumerate(zip(where, self.places, strict=True)):
            nodes = places[cut & (places >= 0)]
            self._dead[nodes * self.stream.features + feature] = True

    def heal(self) -> None:
        """All numbers are seen again."""
        self._dead[:] = False

    @property
    def ablated(self) -> NDArray[np.bool_]:
        """What is hidden, (features, places)."""
        found: NDArray[np.bool_] = self._laid_out(self._dead.astype(np.float32)) > 0
        return found

    def skipped(self, sample: int) -> NDArray[np.bool_]:
        """Nodes without a cell are identities, and cost nothing."""
        k = self.graph.core
        empty = (np.diff(k.starts) == 0).astype(np.float32)
        found: NDArray[np.bool_] = self._laid_out(empty) > 0
        return found

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Not told: the stream moves at every tick."""
        return np.zeros((self.layout.layers, self.layout.neurons), bool)

    def energy(self) -> NDArray[np.float64] | None:
        """There is none."""
        return None

    def decay_theory(self) -> float | None:
        """There is none."""
        return None

    def spectral_radius(self) -> float | None:
        """Not measured."""
        return None

    def density(self) -> NDArray[np.float32] | None:
        """Cells of each predicted number, (features, places)."""
        cells = np.diff(self.graph.core.starts).astype(np.float32)
        return (self._laid_out(cells) * SHOWN).astype(np.float32)

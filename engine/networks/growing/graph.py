"""The graph: nodes whose next states are predicted from what their edges bring them.

A node's core says by how much its state will change, in units of the usual change:

    state_r(t + 1) = state_r(t) + unit_r sum_f W[r, f] term_f

so a node without cells is an exact identity: it keeps its state and costs nothing. A tick has two halves. Modules
*gather*: they read what is committed and work out their next state; then all *commit*. Nothing that is read changes
while modules gather, so their order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import SparseCore
from engine.networks.growing.crossover import Crossover, OnThisDevice
from engine.networks.growing.edges import Connectors
from engine.networks.growing.memory import Memory
from engine.networks.growing.settings import GrowthSettings
from engine.networks.growing.terms import Terms
from kernels import sparse
from kernels.sparse import CONSTANT, LINE, PRODUCT

Array = NDArray[Any]


@dataclass(slots=True)
class Pass:
    """A forward pass over samples: what was seen (lags, H, S, B), lines (L, B), terms (F, B), outputs y (S, B)."""

    seen: Array
    lines: Array
    terms: Array
    y: Array


class Graph:
    """Nodes with `features` numbers each: number r = node * features + feature. `pools` more numbers can be read that
    are means over clusters. Arrays are of `dtype`; states are in units of `spread` round `centre`, both (S,)."""

    def __init__(
        self, nodes: int, features: int, settings: GrowthSettings | None = None, *, pools: int = 0, seed: int = 0,
        dtype: Any = np.float32,
    ) -> None:  # fmt: skip
        self.settings = settings = GrowthSettings() if settings is None else settings
        self.nodes, self.features, self.pools = nodes, features, pools
        self.states = nodes * features
        self.dtype = np.dtype(dtype)
        self.connectors = Connectors(settings.memory, settings.taps, dtype)
        self.terms = Terms(settings.shapes, dtype)
        self.core = SparseCore(self.states, 1, settings.cells, dtype)
        self.crossover = Crossover(OnThisDevice(settings.batch), self.states, 1)
        self.memory = Memory(settings.window, settings.memory, self.states, pools, dtype)
        self.centre, self.spread = np.zeros(self.states, dtype), np.ones(self.states, dtype)
        self.unit = np.ones(self.states, dtype)
        self.pace = np.ones(nodes)
        """Update frequency: chance that a node updates in a tick."""
        self.reliability = 1.0
        """Of all edges, times their own."""
        self.rng = np.random.default_rng((seed, 31))
        self.state, self.next = np.zeros(self.states, dtype), np.zeros(self.states, dtype)
        self._mailbox = np.zeros(0, dtype)
        self.awake = np.ones(nodes, bool)
        """Who updates in this tick."""

    # ---- units

    def measure(self, states: Array) -> None:
        """Take units from these states (T, nodes, features), and forget what was remembered in other units."""
        flat = np.asarray(states, np.float64).reshape(len(states), self.states)
        self.centre = flat.mean(0).astype(self.dtype)
        self.spread = _unit(flat.std(0)).astype(self.dtype)
        self.unit = _unit(np.sqrt(np.square(np.diff(flat, axis=0) / self.spread).mean(0))).astype(self.dtype)
        self.memory.clear()

    def scaled(self, states: Array) -> Array:
        """States (..., nodes, features) or (..., S) in the graph's own units, (..., S)."""
        flat = np.asarray(states, np.float64)
        flat = flat.reshape(*flat.shape[:-2], self.states) if flat.shape[-1] != self.states else flat
        found: Array = ((flat - self.centre) / self.spread).astype(self.dtype)
        return found

    def unscaled(self, states: Array) -> Array:
        """The other way: (..., S) to (..., nodes, features) float64."""
        found = states.astype(np.float64) * self.spread + self.centre
        return found.reshape(*states.shape[:-1], self.nodes, self.features)

    # ---- structure

    @property
    def struct(self) -> int:
        """Everything that is trained: cells and taps."""
        return self.core.struct + self.connectors.struct

    def node_of(self, row: int) -> int:
        """The node that a state number belongs to; of a pool the node count."""
        return min(row // self.features, self.nodes)

    def line(self, reader: int, source: int, **how: Any) -> int:
        """The number of a reader's line from a state number, made if there is none."""
        found = self.connectors.find(reader, source, how.get("latency", 0))
        if found < 0:
            found = self.connectors.add(reader, source, **how)
        return found

    def term(self, kind: int, owner: int, left: int, right: int = 0, knot: float = 0.0) -> int:
        """The number of a term, made if there is none."""
        found = self.terms.add(kind, owner, left, right, knot)
        if len(self.terms) > self.core.shape[1]:
            self.core.widen(len(self.terms))
        return found

    def connect(self, row: int, source: int, weight: float = 0.0, tick: int = 0) -> None:
        """Let a predicted number read a state number, linearly. Raises BudgetError."""
        node = self.node_of(row)
        term = self.term(LINE, node, self.line(node, source))
        self.core.add(np.array([[row, term]]), np.array([weight]), tick)

    def compact(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Forget terms without cells and lines without terms, and see whether cells are now dense; predictions stay
        as they are.

        Returns the new number of each term and each line, -1 for a forgotten one.
        """
        terms = np.union1d([0], self.core.M_idx[:, 1])
        new_terms = np.full(len(self.terms), -1)
        new_terms[terms] = np.arange(len(terms))
        self.terms.keep(terms)
        self.core.renumber(new_terms)
        lines = self.terms.lines_used()
        new_lines = np.full(len(self.connectors), -1)
        new_lines[lines] = np.arange(len(lines))
        if len(self._mailbox) == len(self.connectors):
            self._mailbox = self._mailbox[lines]
        self.connectors.keep(lines)
        self.terms.renumber(new_lines)
        if self.settings.crossover:
            self.core.form = self.crossover.check(self.core.struct, len(self.terms))
        return new_terms, new_lines

    def adjacency(self, eps: float = 0.0) -> Array:
        """How strongly each node reads each other, (nodes, nodes): largest |w| over their cells, in scaled units; 0
        where there is no edge. Only what is stronger than `eps` counts."""
        strength = np.zeros((self.nodes, self.nodes))
        terms, (rows, columns) = self.terms, self.core.M_idx.T
        size = np.abs(self.core.W_vals)
        for ends, some in ((terms.left, terms.kinds != CONSTANT), (terms.right, terms.kinds == PRODUCT)):
            counted = some[columns] & (size > eps)
            if counted.any():
                sources = self.connectors.source[ends[columns[counted]]]
                inside = sources < self.states
                at = rows[counted][inside] // self.features, sources[inside] // self.features
                np.maximum.at(strength, at, size[counted][inside])
        return strength

    # ---- prediction

    def forward(self, seen: Array) -> Pass:
        """Lines, terms and predicted changes of samples, for `seen` (lags, H, S, B) of `Memory.seen`."""
        found = self._room(seen)
        c, t, k = self.connectors, self.terms, self.core
        if k.form == "dense":
            sparse.read_lines(seen, c.source, c.latency, c.taps, c.active, found.lines)
            sparse.make_terms(t.kinds, t.left, t.right, t.knots, found.lines, found.terms)
            found.y = k.forward(found.terms)
            return found
        sparse.forward(
            seen, c.source, c.latency, c.taps, c.active, t.kinds, t.left, t.right, t.knots, k.starts, k.columns,
            k.W_vals, found.lines, found.terms, found.y,
        )  # fmt: skip
        return found

    def backward(self, done: Pass, e: Array) -> tuple[Array, Array]:
        """Gradients of cells (nnz,) and of all taps (L, H), absent ones too, where e = dL/dy (S, B)."""
        c, t, k = self.connectors, self.terms, self.core
        taps = np.empty(c.taps.shape, self.dtype)
        if k.form == "dense":
            cells, back = k.gradient(done.terms, e)
            back_lines = np.empty_like(done.lines)
            sparse.terms_back(t.kinds, t.left, t.right, t.knots, done.lines, back, back_lines)
            sparse.tap_gradients(done.seen, c.source, c.latency, back_lines, taps)
            return cells, taps
        cells = np.empty(k.struct, self.dtype)
        sparse.backward(
            done.seen, c.source, c.latency, t.kinds, t.left, t.right, t.knots, k.starts, k.columns, k.W_vals,
            k.column_starts, k.order, k.rows, e, done.lines, done.terms, np.empty_like(done.terms),
            np.empty_like(done.lines), cells, taps,
        )  # fmt: skip
        return cells, taps

    def _room(self, seen: Array) -> Pass:
        samples = seen.shape[-1]
        sizes = (len(self.connectors), len(self.terms), self.states)
        return Pass(seen, *(np.empty((size, samples), self.dtype) for size in sizes))

    def targets(self, ticks: NDArray[np.int64]) -> Array:
        """What should have been predicted at these ticks, (S, B)."""
        change: Array = self.memory.states_at(ticks + 1) - self.memory.states_at(ticks)
        return change / self.unit[:, None]

    def losses(self, batches: Sequence[tuple[Array, Array]]) -> Array:
        """Of each node the sum of its numbers' half mean squares, (nodes,), on what was seen (lags, H, S, B) and the
        change that was wanted (S, B); not finite where it overflows."""
        found = np.zeros(self.states)
        with np.errstate(over="ignore", invalid="ignore"):
            for seen, wanted in batches:
                found += 0.5 * np.square(self.forward(seen).y - wanted, dtype=np.float64).mean(1) / len(batches)
        summed: Array = found.reshape(self.nodes, -1).sum(1)
        return summed

    def roll_out(self, past: Array, steps: int) -> Array:
        """Run freely from the last states seen: past (..., T, nodes, features), T at least H + the longest latency.

        Every node updates and every message arrives. Returns (..., steps, nodes, features).
        """
        lead = past.shape[:-3]
        scaled = self.scaled(past.reshape(-1, past.shape[-3], self.states))
        lags = self.connectors.lags
        ahead = np.empty((len(scaled), steps, self.states), self.dtype)
        kept = scaled[:, -(self.memory.depth + lags - 1) :]
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(steps):
                seen = self._remembered(kept, lags)
                y = self.forward(seen).y
                ahead[:, step] = kept[:, -1] + (self.unit[:, None] * y).T
                kept = np.concatenate([kept[:, 1:], ahead[:, step, None]], 1)
        return self.unscaled(ahead).reshape(*lead, steps, self.nodes, self.features)

    def _remembered(self, past: Array, lags: int) -> Array:
        """`seen` of states (B, T, S)."""
        batch, ticks, _ = past.shape
        width = self.states + self.pools
        full = np.zeros((batch, ticks, width), self.dtype)
        full[..., : self.states] = past
        for column, members in enumerate(self.memory.members, self.states):
            if members is not None:
                full[..., column] = past[..., members].mean(-1)
        seen = np.zeros((lags, self.memory.depth, width, batch), self.dtype)
        for lag in range(lags):
            window = full[:, : ticks - lag]
            for h in range(self.memory.depth):
                seen[lag, h] = window[:, -1].T / self.memory.scale[h][:, None]
                window = np.diff(window, axis=1)
                if window.shape[1] == 0:
                    break
        return seen

    # ---- ticks

    def begin_tick(self) -> None:
        """Draw who updates and which messages arrive in the coming tick."""
        self.awake = self.rng.random(self.nodes) < self.pace
        chance = self.connectors.reliability * self.reliability
        arrived = self.rng.random(len(self.connectors)) < chance
        lags = self.connectors.lags
        now = self.memory.seen(np.array([self.memory.count - 1]), lags)
        fresh = np.empty((len(self.connectors), 1), self.dtype)
        c = self.connectors
        sparse.read_lines(now, c.source, c.latency, c.taps, c.active, fresh)
        if len(self._mailbox) != len(arrived):
            grown = np.zeros(len(arrived), self.dtype)
            grown[: min(len(self._mailbox), len(grown))] = self._mailbox[: len(grown)]
            self._mailbox = grown
        self._mailbox = np.where(arrived, fresh[:, 0], self._mailbox)
        self.next = self.state.copy()

    def gather(self, nodes: NDArray[np.int64] | None = None) -> None:
        """Work out the next state of these nodes, or of all, from what is committed."""
        t, k = self.terms, self.core
        terms, y = np.empty((len(t), 1), self.dtype), np.empty((self.states, 1), self.dtype)
        sparse.make_terms(t.kinds, t.left, t.right, t.knots, self._mailbox[:, None], terms)
        sparse.weigh(k.starts, k.columns, k.W_vals, terms, y)
        chosen = self.awake.copy()
        if nodes is not None:
            chosen[:] = False
            chosen[nodes] = self.awake[nodes]
        rows = np.repeat(chosen, self.features)
        self.next[rows] = (self.state + self.unit * y[:, 0])[rows]

    def copy_mail(self, line: int, into: int) -> None:
        """What arrived last through a line has arrived through this new one too."""
        if line < len(self._mailbox) == into:
            self._mailbox = np.append(self._mailbox, self._mailbox[line])

    def commit(self, seen: Array | None = None) -> None:
        """The next state becomes the state; what is remembered is `seen` (S,), scaled, or else that state."""
        self.state = self.next if seen is None else np.asarray(seen, self.dtype)
        self.memory.push(self.state)


def _unit(size: Array) -> Array:
    return np.where(size > 1e-12, size, 1.0)

"""Which lines are overloaded, and whether their clones pay: clone-and-split by the planner.

The taps of a line serve all cells on it. A line is overloaded where its cells want different taps: with t_k (H - 1,)
the gradient of the taps beyond the first that comes through cell k,

    overload = (sum_k |t_k|^2 - |sum_k t_k|^2 / n) / noise

how much of the gradient cancels out, in units of its variance over batches. At a meta-step the most overloaded line of
each node is probed: taps of its own for either half of the cells (the halves: the sign of t_k along their first
principal axis), fitted to two batches, are compared on four others with taps that all share. If that pays the price of
all those taps, the line is cloned and either half of the cells has a line to itself, which changes no output and takes
no more cells.

A trial lasts a few meta-steps, in which the planner may grow taps of either. Then fresh batches say by how much the
loss would rise if the line had to do for both, once its row's other cells have adapted. The clone stays if that is
more than the price of its taps beyond doubt, or than twice the price if the node's gradient has become more restless;
else it is merged: at once if the taps are still the same, and if not its cells fade and hand over. What was merged is
left in peace for a while, twice as long each time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import name_of, slope_of_cell
from engine.networks.growing.clone import cells_on, merge, split, twins
from engine.networks.growing.core import BudgetError
from engine.networks.growing.desk import Desk, judged
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.probe import Prices, prices
from engine.networks.growing.relax import Base, own_terms
from engine.networks.growing.terms import made_of

Array = NDArray[Any]
FIT, JUDGE = 2, 4
"""Batches that taps are fitted to, and that they are judged on."""
TRIAL = 4
"""Meta-steps that a clone is given."""
PEACE = 5
"""Meta-steps for which a line is not cloned again after a merger."""
RESTLESS = 1.5
"""Times the share of variance in the node's gradient before the trial, above which it has become more restless."""
TWICE = 2
"""Times its price that a clone must then be worth."""
OVERLOAD = 4.0
"""Below this much cancelling gradient, in units of noise, a line is not probed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A line and its clone, until the learning step `due`."""

    number: int
    node: int
    line: int
    copy: int
    due: int
    unrest: float


class Splits:
    """Clones of one graph that are on trial."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.graph = desk, desk.graph
        self.trials: list[Trial] = []
        self._tabu: dict[tuple[int, int, int], int] = {}
        self._peace: dict[tuple[int, int, int], int] = {}

    def settle(self) -> None:
        """Judge the trials that are due, and clone each node's most overloaded line if that promises to pay."""
        now = self.desk.learner.steps
        due = [t for t in self.trials if t.due <= now]
        self.trials = [t for t in self.trials if t.due > now]
        for trial in due:
            self._judge(trial)
        self._look_for_overload()

    def renumber(self, lines: NDArray[np.int64]) -> None:
        """Line k is now lines[k]; a trial of which a line is gone is over."""
        moved = [replace(t, line=int(lines[t.line]), copy=int(lines[t.copy])) for t in self.trials]
        self.trials = [t for t in moved if min(t.line, t.copy) >= 0]

    # ---- cloning

    def _look_for_overload(self) -> None:
        graph, now = self.graph, self.desk.learner.steps
        if graph.connectors.memory < 2:
            return
        passes, errors = self.desk.look(FIT + JUDGE)
        busy = {line for t in self.trials for line in (t.line, t.copy)}
        worst: dict[int, tuple[float, int, NDArray[np.bool_]]] = {}
        for line in np.unique(graph.terms.lines_used()).tolist():
            if line in busy or len(cells_on(graph, line)) < 2 or self._tabu.get(self._key(line), -1) > now:
                continue
            load, half = overload(graph, line, passes[:JUDGE], errors[:JUDGE])
            node = int(graph.connectors.reader[line])
            if load > max(OVERLOAD, worst.get(node, (0.0,))[0]) and not half.all():
                worst[node] = load, line, half
        for node, (load, line, half) in worst.items():
            gain, error = judged(_tap_gains(graph, line, half, passes, errors))
            cost = _cost(graph, prices(self.desk.learner), line, 2 * (graph.connectors.memory - 1))
            if gain - graph.settings.doubt * error > cost:
                evidence = {"snr": load, "predicted": float(gain), "spread": float(error), "price": cost}
                self._clone(node, line, half, evidence)

    def _clone(self, node: int, line: int, half: NDArray[np.bool_], evidence: dict[str, float]) -> None:
        graph, desk = self.graph, self.desk
        needed = int(graph.connectors.active[line, 1:].sum())
        if needed > desk.tokens.pool:
            return
        try:
            copy = split(graph, line, ~half, desk.learner.steps)
        except BudgetError:
            return
        desk.afford(node, needed)
        made = desk.note("clone", node, self._words(line), cells=needed, **evidence)
        due = desk.learner.steps + TRIAL * graph.settings.cycle
        self.trials.append(Trial(made.number, node, line, copy, due, self._unrest(node)))

    def _words(self, line: int) -> str:
        c = self.graph.connectors
        return f"node {c.reader[line] + 1} <- {name_of(self.graph, int(c.source[line]), self.desk.labels)}"

    def _key(self, line: int) -> tuple[int, int, int]:
        c = self.graph.connectors
        return int(c.reader[line]), int(c.source[line]), int(c.latency[line])

    def _unrest(self, node: int) -> float:
        """Share of the variance in the node's gradient energy."""
        learner = self.desk.learner
        energy = learner.gradient_square[node]
        return float(1 - learner.gradient_mean[node] ** 2 / energy) if energy > 0 else 0.0

    # ---- judging

    def _judge(self, trial: Trial) -> None:
        graph, desk = self.graph, self.desk
        if not len(cells_on(graph, trial.line)) or not len(cells_on(graph, trial.copy)):
            return
        passes, errors = desk.look(FIT + JUDGE)
        gain, error = judged(_worth_of_two(graph, trial, passes, errors))
        cost = _cost(graph, prices(desk.learner), trial.copy, int(graph.connectors.active[trial.copy, 1:].sum()))
        desk.ledger.realise(trial.number, float(gain))
        restless = self._unrest(trial.node) > RESTLESS * trial.unrest
        if gain - graph.settings.doubt * error > cost * (TWICE if restless else 1):
            return
        words, key = self._words(trial.line) + (", restless" if restless else ""), self._key(trial.line)
        taps = int(graph.connectors.active[trial.copy, 1:].sum())
        try:
            self._merge(trial)
        except BudgetError:
            self.trials.append(replace(trial, due=desk.learner.steps + 1))
            return
        self._peace[key] = 2 * self._peace.get(key, PEACE)
        self._tabu[key] = desk.learner.steps + self._peace[key] * graph.settings.cycle
        desk.note("merge", trial.node, words, cells=-taps, predicted=-float(gain), spread=float(error), price=cost)

    def _merge(self, trial: Trial) -> None:
        graph, c = self.graph, self.graph.connectors
        same = bool((c.active[trial.line] == c.active[trial.copy]).all())
        if same and np.array_equal(c.taps[trial.line], c.taps[trial.copy]):
            merge(graph, trial.line, trial.copy)
            return
        twins(graph, trial.line, trial.copy, self.desk.learner.steps)
        for cell in cells_on(graph, trial.copy):
            self.desk.fading.cell(int(cell))


def overload(graph: Graph, line: int, passes: list[Pass], errors: list[Array]) -> tuple[float, NDArray[np.bool_]]:
    """How much of its cells' tap gradients cancels out, in units of noise, and which cells make up one half (n,)."""
    cells = cells_on(graph, line)
    pulls = np.stack([_pulls(graph, line, cells, done, e) for done, e in zip(passes, errors, strict=True)])
    mean = pulls.mean(0)
    noise = pulls.var(0, ddof=1).sum() / len(pulls)
    cancelled = np.square(mean).sum() - np.square(mean.sum(0)).sum() / len(mean)
    axis = np.linalg.svd(mean - mean.mean(0))[0][:, 0]
    return float(cancelled / (noise + 1e-300)), axis > 0


def _pulls(graph: Graph, line: int, cells: NDArray[np.int64], done: Pass, errors: Array) -> Array:
    """Tap gradients (cells, H - 1) that come through each cell."""
    late = _late(graph, line, done)
    found = np.empty((len(cells), len(late)))
    for at, cell in enumerate(cells):
        row = graph.core.M_idx[cell, 0]
        found[at] = late @ (slope_of_cell(graph, int(cell), line, done) * errors[row]) / errors.shape[1]
    return found


def _through(graph: Graph, cells: NDArray[np.int64], line: int, done: Pass) -> dict[int, Array]:
    """d y / d line of each row through these cells, (B,)."""
    found: dict[int, Array] = {}
    for cell in cells:
        row = int(graph.core.M_idx[cell, 0])
        slope = slope_of_cell(graph, int(cell), line, done)
        if slope is not None:
            found[row] = found[row] + slope if row in found else slope
    return found


def _left(bases: dict[int, list[Array]], effects: list[dict[int, Array]], wanted: list[Array]) -> Array:
    """Loss of a node (JUDGE,) that is left of errors (S, B) once its rows' `bases` (K, B), a list over passes, and then
    the `effects` of taps that rows share, (taps, B) of each pass and row, are fitted to the first batches."""
    free: list[list[Array]] = [[] for _ in wanted]
    left: list[list[Array]] = [[] for _ in wanted]
    for row, signals in bases.items():
        base = Base(signals[:FIT])
        shares = base.explain([e[row] for e in wanted[:FIT]])
        feeds = [e[row] for e in effects]
        taps = base.explain(feeds[:FIT]) if feeds else np.empty((len(shares), 0))
        for at, f in enumerate(signals):
            left[at].append(wanted[at][row] - shares @ f)
            if feeds:
                free[at].append(feeds[at] - taps.T @ f)
    rest = [np.concatenate(e) for e in left]
    if effects:
        signals = [np.concatenate(f, 1) for f in free]
        fitted = Base(signals[:FIT]).explain(rest[:FIT])
        rest = [e - fitted @ f for f, e in zip(signals, rest, strict=True)]
    samples = wanted[0].shape[1]
    return np.array([0.5 * float(np.square(r, dtype=np.float64).sum()) / samples for r in rest[FIT:]])


def _tap_gains(graph: Graph, line: int, half: NDArray[np.bool_], passes: list[Pass], errors: list[Array]) -> Array:
    """Falls of the node's loss (JUDGE,) by taps of its own for each half of the cells, instead of taps for all."""
    cells = cells_on(graph, line)
    rows = [int(row) for row in np.unique(graph.core.M_idx[cells, 0])]
    bases = {row: own_terms(graph, row, passes) for row in rows}
    shared, apart = [], []
    for done in passes:
        late = _late(graph, line, done)
        halves = [_through(graph, some, line, done) for some in (cells[half], cells[~half])]
        both = _through(graph, cells, line, done)
        shared.append({row: late * both[row] for row in rows})
        apart.append({row: np.concatenate([late * one.get(row, 0) for one in halves]) for row in rows})
    return _left(bases, shared, errors) - _left(bases, apart, errors)


def _worth_of_two(graph: Graph, trial: Trial, passes: list[Pass], errors: list[Array]) -> Array:
    """By how much the node's loss (JUDGE,) would rise if the line did for its clone too."""
    terms, core = graph.terms, graph.core
    rows = [int(row) for row in np.unique(core.M_idx[cells_on(graph, trial.copy), 0])]
    two = {row: own_terms(graph, row, passes) for row in rows}
    one: dict[int, list[Array]] = {}
    wanted = [e.copy() for e in errors]
    for row in rows:
        own = core.hot_of_row(row)
        for e, signals in zip(wanted, two[row], strict=True):
            e[row] -= core.W_vals[own] @ signals
        columns = core.M_idx[own, 1]
        cloned = terms.reads(trial.copy)[columns]
        one[row] = []
        for done in passes:
            signals = done.terms[columns]
            signals[cloned] = [_as_if(graph, int(f), trial, done) for f in columns[cloned]]
            one[row].append(signals)
    return _left(one, [], wanted) - _left(two, [], wanted)


def _as_if(graph: Graph, column: int, trial: Trial, done: Pass) -> Array:
    """A clone's term, (B,), if it read the line."""
    terms = graph.terms
    a, b = (done.lines[trial.line if end == trial.copy else end] for end in (terms.left[column], terms.right[column]))
    return made_of(int(terms.kinds[column]), a, b, float(terms.knots[column]))


def _late(graph: Graph, line: int, done: Pass) -> Array:
    """What the taps of a line beyond the first would bring, (H - 1, B)."""
    c = graph.connectors
    found: Array = done.seen[c.latency[line], 1:, c.source[line]]
    return found


def _cost(graph: Graph, price: Prices, line: int, taps: int) -> float:
    """What so many taps of a line must earn: each serves all numbers of its node."""
    first = int(graph.connectors.reader[line]) * graph.features
    return float(taps * price.within[first : first + graph.features].sum())

"""Which lines are overloaded, and whether their clones pay: clone-and-split by the planner.

The taps of a line serve all cells on it. A line is overloaded where its cells want different taps: with t_k (H,) the
gradient of the taps that comes through cell k, freed of what the rows explain themselves,

    overload = (sum_k |t_k|^2 - |sum_k t_k|^2 / n) / noise

how much of the gradient cancels out, in units of its variance over batches. At a meta-step the most overloaded line is
probed: taps of its own for either half of the cells (the halves: the sign of t_k along their first principal axis),
fitted to two batches, are compared on four others with taps that all share. If that pays the price of the cells and
taps of a clone, the line is cloned and each half leans to a line of its own, which changes no output.

A trial lasts a few meta-steps. Then the same comparison, between the two lines as they have become and one line with
the best taps for both, says what the clone is worth. It stays if that is more than its price beyond doubt, and if the
node's gradient has become no more restless; else it is merged: at once if the taps are still the same, and if not its
cells fade and hand over to the row's others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import name_of, slope_of_cell
from engine.networks.growing.clone import cells_on, clone, merge, tilt
from engine.networks.growing.core import BudgetError, Heat
from engine.networks.growing.desk import Desk, judged
from engine.networks.growing.fade import heirs_of_cell
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.probe import Prices, prices
from engine.networks.growing.relax import Base, own_terms

Array = NDArray[Any]
FIT, JUDGE = 2, 4
"""Batches that taps are fitted to, and that they are judged on."""
TRIAL = 3
"""Meta-steps that a clone is given."""
LEAN = 0.25
"""Share of a weight that moves to where its half of the cells goes: three quarters against one."""
RESTLESS = 1.5
"""Times the share of variance in the node's gradient before the trial that it may have after it."""
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

    def settle(self) -> None:
        """Judge the trials that are due, and clone the most overloaded line if that promises to pay."""
        now = self.desk.learner.steps
        due = [t for t in self.trials if t.due <= now]
        self.trials = [t for t in self.trials if t.due > now]
        for trial in due:
            self._judge(trial)
        self._try_one()

    def renumber(self, lines: NDArray[np.int64]) -> None:
        """Line k is now lines[k]; a trial of which a line is gone is over."""
        moved = [replace(t, line=int(lines[t.line]), copy=int(lines[t.copy])) for t in self.trials]
        self.trials = [t for t in moved if min(t.line, t.copy) >= 0]

    @property
    def lines(self) -> NDArray[np.int64]:
        """Lines on trial, which nothing may be taken from."""
        return np.array([line for t in self.trials for line in (t.line, t.copy)], np.int64)

    @property
    def cells(self) -> NDArray[np.int64]:
        """Places of their cells in the list."""
        found = [cells_on(self.graph, int(line)) for line in self.lines]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    # ---- cloning

    def _try_one(self) -> None:
        graph, desk = self.graph, self.desk
        if graph.connectors.memory < 2:
            return
        passes, errors = desk.look(FIT + JUDGE)
        busy = set(self.lines.tolist())
        loads = {
            line: overload(graph, line, passes[:JUDGE], errors[:JUDGE])
            for line in np.unique(graph.terms.lines_used()).tolist()
            if line not in busy and len(cells_on(graph, line)) > 1
        }
        line = max(loads, key=lambda at: loads[at][0], default=-1)
        if line < 0 or loads[line][0] < OVERLOAD:
            return
        load, half = loads[line]
        shared, apart = [np.ones_like(half)], [half, ~half]
        gain, error = judged(
            _tap_gains(graph, line, apart, passes, errors) - _tap_gains(graph, line, shared, passes, errors)
        )
        node = int(graph.connectors.reader[line])
        cost = _cost(graph, prices(desk.learner), line)
        if gain - graph.settings.doubt * error <= cost:
            return
        needed = len(half) + int(graph.connectors.active[line, 1:].sum())
        if needed > desk.tokens.pool:
            return
        try:
            copy = clone(graph, line, desk.learner.steps)
        except BudgetError:
            return
        desk.afford(node, needed)
        tilt(graph, line, copy, np.where(half, -LEAN, LEAN) / 0.5)
        made = desk.note("clone", node, self._words(line), cells=len(half), snr=load, predicted=float(gain),
                         spread=float(error), price=cost)  # fmt: skip
        due = desk.learner.steps + TRIAL * graph.settings.cycle
        self.trials.append(Trial(made.number, node, line, copy, due, self._unrest(node)))

    def _words(self, line: int) -> str:
        c = self.graph.connectors
        return f"node {c.reader[line] + 1} <- {name_of(self.graph, int(c.source[line]), self.desk.labels)}"

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
        cost = _cost(graph, prices(desk.learner), trial.copy)
        desk.ledger.realise(trial.number, float(gain))
        restless = self._unrest(trial.node) > RESTLESS * trial.unrest
        if gain - graph.settings.doubt * error > cost and not restless:
            return
        words = self._words(trial.line) + (", restless" if restless else "")
        count = self._merge(trial, passes[:FIT])
        desk.note("merge", trial.node, words, cells=-count, predicted=-float(gain), spread=float(error), price=cost)

    def _merge(self, trial: Trial, passes: list[Pass]) -> int:
        graph = self.graph
        c, cells = graph.connectors, cells_on(graph, trial.copy)
        same = (c.active[trial.line] == c.active[trial.copy]).all()
        if same and np.array_equal(c.taps[trial.line], c.taps[trial.copy]):
            merge(graph, trial.line, trial.copy)
            return len(cells)
        graph.core.heat[cells] = Heat.COOLING
        for cell in cells:
            self.desk.fading.cell(int(cell), heirs_of_cell(graph, int(cell), passes))
        return len(cells)


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
    c = graph.connectors
    late = done.seen[c.latency[line], 1:, c.source[line]]
    found = np.empty((len(cells), len(late)))
    for at, cell in enumerate(cells):
        row = graph.core.M_idx[cell, 0]
        found[at] = late @ (slope_of_cell(graph, int(cell), line, done) * errors[row]) / errors.shape[1]
    return found


def _effects(
    graph: Graph, line: int, cells: NDArray[np.int64], groups: list[NDArray[np.bool_]], done: Pass
) -> dict[int, Array]:
    """Of each row what one unit of each tap beyond the first does, taps apart for each group: (groups (H - 1), B)."""
    c = graph.connectors
    late = done.seen[c.latency[line], 1:, c.source[line]]
    found: dict[int, Array] = {}
    for place, cell in enumerate(cells):
        row = int(graph.core.M_idx[cell, 0])
        into = found.setdefault(row, np.zeros((len(groups), *late.shape)))
        through = late * slope_of_cell(graph, int(cell), line, done)
        for at, group in enumerate(groups):
            if group[place]:
                into[at] += through
    return {row: value.reshape(-1, value.shape[-1]) for row, value in found.items()}


def _tap_gains(
    graph: Graph, line: int, groups: list[NDArray[np.bool_]], passes: list[Pass], errors: list[Array]
) -> Array:
    """Falls of the node's loss (JUDGE,) once each group of the line's cells has the taps that suit it best, all rows
    freed of what their own terms explain."""
    cells = cells_on(graph, line)
    effects = [_effects(graph, line, cells, groups, done) for done in passes]
    rows = list(effects[0])
    free: list[list[Array]] = [[] for _ in passes]
    left: list[list[Array]] = [[] for _ in passes]
    for row in rows:
        base = Base(own_terms(graph, row, passes))
        for into, signal in zip(free, base.without([e[row] for e in effects]), strict=True):
            into.append(signal)
        for into, signal in zip(left, base.without([e[row] for e in errors]), strict=True):
            into.append(signal)
    samples = errors[0].shape[1]
    signals, wanted = [np.concatenate(f, 1) for f in free], [np.concatenate(e) for e in left]
    fitted = Base(signals[:FIT]).explain(wanted[:FIT])
    rest = [e - fitted @ f for f, e in zip(signals[FIT:], wanted[FIT:], strict=True)]
    return np.array([0.5 * (e @ e - r @ r) / samples for e, r in zip(wanted[FIT:], rest, strict=True)], np.float64)


def _worth_of_two(graph: Graph, trial: Trial, passes: list[Pass], errors: list[Array]) -> Array:
    """By how much the node's loss (JUDGE,) would rise if one line, with taps and weights that suit it best, did for
    both."""
    c, terms, core = graph.connectors, graph.terms, graph.core
    both = np.union1d(cells_on(graph, trial.line), cells_on(graph, trial.copy))
    found = np.zeros(JUDGE)
    for row in np.unique(core.M_idx[both, 0]):
        own = core.hot_of_row(int(row))
        columns = core.M_idx[own, 1]
        mine = own[np.isin(own, both)]
        one = columns[~terms.reads(trial.copy)[columns]]
        wanted = [e[row] for e in errors]
        two = [done.terms[columns] for done in passes]
        merged = []
        for done in passes:
            late = done.seen[c.latency[trial.line], 1:, c.source[trial.line]]
            through = np.zeros_like(late[0])
            for cell in mine:
                for line in (trial.line, trial.copy):
                    slope = slope_of_cell(graph, int(cell), line, done)
                    through = through if slope is None else through + slope
            merged.append(np.concatenate((done.terms[one], late * through)))
        found += _left(merged, wanted) - _left(two, wanted)
    return found


def _left(signals: list[Array], wanted: list[Array]) -> Array:
    """Loss (JUDGE,) that is left of what is wanted when signals (K, B) are fitted to the first batches."""
    fitted = Base(signals[:FIT]).explain(wanted[:FIT])
    rest = [e - fitted @ f for f, e in zip(signals[FIT:], wanted[FIT:], strict=True)]
    return np.array([0.5 * float(np.square(r, dtype=np.float64).mean()) for r in rest])


def _cost(graph: Graph, price: Prices, line: int) -> float:
    """What the cells and grown taps of a line must earn. (The edge is there already, whoever is read.)"""
    rows = graph.core.M_idx[cells_on(graph, line), 0]
    node, features = int(graph.connectors.reader[line]), graph.features
    tap = price.within[node * features : (node + 1) * features].sum()
    return float(price.within[rows].sum() + tap * graph.connectors.active[line, 1:].sum())

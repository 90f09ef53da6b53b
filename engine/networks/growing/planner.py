"""Meta-steps: every `cycle` learning steps the planner sheds what does not pay and grows what promises to.

It deals in tokens, the right to hold a cell: idle ones go back to the pool, and nodes that want to grow are given some in
proportion to what they gained per token so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing import candidates, prune
from engine.networks.growing.core import BudgetError
from engine.networks.growing.economy import Tokens
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.ledger import Decision, Ledger
from engine.networks.growing.probe import Probe, Probed, prices

Array = NDArray[Any]
YOUNG = 2
"""Meta-steps that a cell is left in peace."""


class Planner:
    """Grows one graph with its learner. `ledger` says what was decided and why."""

    def __init__(self, learner: Learner, seed: int = 0, labels: tuple[str, ...] = ()) -> None:
        self.learner, self.graph, self.labels = learner, learner.graph, labels
        self.probe = Probe(learner)
        self.ledger = Ledger()
        self.rng = np.random.default_rng((seed, 33))
        settings = self.graph.settings
        self.tokens = Tokens(self.graph.nodes, settings.cells + settings.taps)
        self._open: list[tuple[int, Probed]] = []
        self._tabu: dict[Any, int] = {}

    def step(self) -> float:
        """One learning step, and a meta-step when it is time; the batch's loss."""
        loss = self.learner.step()
        prune.fade(self.learner)
        if self.learner.steps % self.graph.settings.cycle == 0:
            self.meta_step()
        return loss

    def meta_step(self, nodes: Any = None) -> list[Decision]:
        """Settle accounts, shed, grow; the new decisions."""
        begun = self.ledger.count
        self._realise()
        self._shed()
        self.graph.compact()
        self._grow(range(self.graph.nodes) if nodes is None else nodes)
        return [d for d in self.ledger.tail(self.ledger.count - begun) if d.number >= begun]

    def cells_of_nodes(self) -> NDArray[np.int64]:
        """Cells and grown taps of each node, (nodes,)."""
        graph = self.graph
        count = np.bincount(graph.core.M_idx[:, 0] // graph.features, minlength=graph.nodes)
        c = graph.connectors
        np.add.at(count, c.reader, c.active[:, 1:].sum(1))
        return count

    def _grow(self, nodes: Any) -> None:
        wanted = self.probe.probe(self.probe.shortlist(nodes))
        used = self.cells_of_nodes()
        self.tokens.deposit(used)
        need = np.zeros(self.graph.nodes, np.int64)
        for node, found in wanted.items():
            need[node] = len(found)
        self.tokens.allot(need)
        order = sorted(((p.score, node, p) for node, found in wanted.items() for p in found), key=lambda t: -t[0])
        for _, node, found in order:
            key = _key(self.graph, found.candidate)
            if used[node] >= self.tokens.held[node] or self._tabu.get(key, -1) > self.learner.steps:
                continue
            try:
                cells = candidates.commit(self.graph, found.candidate, found.value, self.learner.steps)
            except BudgetError:
                continue
            used[node] += cells
            self._note(found, cells)

    def _note(self, found: Probed, cells: int) -> None:
        c = found.candidate
        sources = c.sources if c.kind != "tap" else (int(self.graph.connectors.source[c.line]),)
        kept = self.ledger.note(
            Decision(0, self.learner.steps, c.kind, c.node, c.row, candidates.words(self.graph, c, self.labels), sources,
                     cells, c.snr, found.gain, found.error, found.price)
        )  # fmt: skip
        self._open.append((kept.number, found))

    def _realise(self) -> None:
        """What the last commits turned out to be worth: the loss that they save now."""
        if not self._open:
            return
        graph = self.graph
        rise, taps = prune.left_out(self.learner)
        gain, spent = np.zeros(graph.nodes), np.zeros(graph.nodes, np.int64)
        for number, found in self._open:
            c = found.candidate
            saved = self._saved(c, rise, taps)
            self.ledger.realise(number, saved)
            gain[c.node] += saved
            spent[c.node] += 1
        self._open.clear()
        self.tokens.learn(gain, spent)

    def _saved(self, c: candidates.Candidate, rise: Array, taps: Array) -> float:
        graph = self.graph
        if c.kind == "tap":
            return float(taps[c.line, c.tap])
        cell = candidates.cell_of(graph, c)
        return float(rise[cell]) if cell >= 0 else 0.0

    def _shed(self) -> None:
        price = prices(self.learner)
        cells = prune.condemn(self.learner, price, self.rng, YOUNG * self.graph.settings.cycle)
        if len(cells):
            rise, _ = prune.left_out(self.learner)
            for cell in cells:
                row, column = (int(i) for i in self.graph.core.M_idx[cell])
                what = candidates.words_of_cell(self.graph, row, column, self.labels)
                self._tabu[row, candidates.signature(self.graph, column)] = (
                    self.learner.steps + 10 * self.graph.settings.cycle
                )
                self.ledger.note(
                    Decision(0, self.learner.steps, "prune", row // self.graph.features, row, what, cells=-1,
                             realised=-float(rise[cell]), price=float(price[row]))
                )  # fmt: skip
            prune.cool(self.learner, cells)
        lines, rows = self.graph.connectors, price.reshape(self.graph.nodes, -1).sum(1)
        _, taps = prune.left_out(self.learner)
        old = lines.active & (lines.age >= YOUNG * self.graph.settings.cycle)
        old[:, 0] = False
        for line, tap in np.argwhere(old & (taps < rows[lines.reader][:, None]))[::-1]:
            lines.drop_tap(int(line), int(tap))
            node = int(lines.reader[line])
            what = candidates.words(self.graph, candidates.Candidate("tap", node, 0, line=int(line), tap=int(tap)),
                                    self.labels)  # fmt: skip
            self.ledger.note(
                Decision(0, self.learner.steps, "prune", node, node * self.graph.features, what, cells=-1,
                         realised=-float(taps[line, tap]), price=float(rows[node]))
            )  # fmt: skip


def _key(graph: Graph, c: candidates.Candidate) -> Any:
    return c.row, (c.kind, tuple(sorted(c.sources)), round(c.knot, 2))

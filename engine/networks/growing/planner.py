"""Meta-steps: every `cycle` learning steps the planner sheds what does not pay and grows what promises to.

It deals in tokens, the right to hold a cell: idle ones go back to the pool, and nodes that want to grow are given some
in proportion to what they gained per token so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from engine.networks.growing import candidates, prune
from engine.networks.growing.core import BudgetError
from engine.networks.growing.desk import Desk, costs_of_cells
from engine.networks.growing.economy import Tokens
from engine.networks.growing.edits import Edits
from engine.networks.growing.fade import Fading
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.ledger import Commit, Ledger
from engine.networks.growing.modules import SuperGraph
from engine.networks.growing.probe import Probe, Probed, prices
from engine.networks.growing.start import Start

Array = NDArray[Any]
TURN = 5
"""Steps between two turns of a meta-step that is spread."""
BANNED = 5
"""Meta-steps for which what was shed is not tried again, twice as many each time."""
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
        self.warm: dict[int, list[candidates.Candidate]] = {}
        """Of each node what its last probe looked at and left Cold."""
        self._open: list[tuple[int, Probed]] = []
        self._threads = ThreadpoolController()
        self.fading = Fading(self.graph)
        self.modules = SuperGraph(self.graph)
        desk = Desk(learner, self.fading, self.ledger, self.tokens, labels, np.random.default_rng((seed, 34)))
        self.edits = Edits(desk, self.modules, self.probe)
        self._tabu: dict[Any, int] = {}
        self._banned: dict[Any, int] = {}

    def step(self, *, grow: bool = True, spread: bool = False) -> float:
        """One learning step, and a meta-step when it is time; the batch's loss.

        With `spread` a meta-step is not done at once: nodes take turns over the steps of a cycle.
        """
        loss = self.learner.step()
        self.fading.step(self.learner.seen)
        self.edits.step()
        if not grow:
            return loss
        cycle, nodes = self.graph.settings.cycle, self.graph.nodes
        place = self.learner.steps % cycle
        if spread and cycle > TURN:
            turns = min(nodes, (cycle - 1) // TURN)
            if place == 0:
                self.settle()
            elif place % TURN == 0 and place // TURN <= turns:
                self.grow(np.arange(nodes)[place // TURN - 1 :: turns])
        elif place == 0:
            self.settle()
            self.grow(np.arange(nodes))
        return loss

    def settle(self) -> None:
        """See what the last commits were worth, and shed what does not pay."""
        with self._alone():
            self._realise()
            self._shed()
            self.edits.settle()
            terms, lines = self.graph.compact()
            self.fading.renumber(terms, lines)
            self.edits.renumber(terms, lines)
            self._tie()

    def _alone(self) -> Any:
        """Thousands of small matrix products: a second BLAS thread would only be waited for."""
        return self._threads.limit(limits=1, user_api="blas")

    def cells_of_nodes(self) -> NDArray[np.int64]:
        """Cells and grown taps of each node, (nodes,)."""
        graph = self.graph
        count = np.bincount(graph.core.M_idx[:, 0] // graph.features, minlength=graph.nodes)
        c = graph.connectors
        np.add.at(count, c.reader, c.active[:, 1:].sum(1))
        return count

    def grow(self, nodes: NDArray[np.int64]) -> None:
        """Probe these nodes, and commit what pays."""
        with self._alone():
            shortlists = self.probe.shortlist(self.edits.awake(nodes).tolist())
            wanted = self.probe.probe(shortlists)
        used = self.cells_of_nodes()
        self.tokens.deposit(used)
        need = np.zeros(self.graph.nodes, np.int64)
        for node, chosen in wanted.items():
            need[node] = len(chosen)
        self.tokens.allot(need)
        start, committed = Start(self.learner), []
        order = sorted(((p.score, node, p) for node, chosen in wanted.items() for p in chosen), key=lambda t: -t[0])
        for _, node, found in order:
            key = _key(self.graph, found.candidate)
            if used[node] >= self.tokens.held[node] or self._tabu.get(key, -1) > self.learner.steps:
                continue
            try:
                cells = candidates.commit(self.graph, found.candidate, 0.0, self.learner.steps)
            except BudgetError:
                continue
            committed.append(found)
            used[node] += cells
            self._note(found, cells)
        start.give(committed)
        grown = {found.candidate for found in committed}
        self.warm.update({node: [c for c in mine if c not in grown] for node, mine in shortlists.items()})

    def _note(self, found: Probed, cells: int) -> None:
        c = found.candidate
        sources = c.sources if c.kind != "tap" else (int(self.graph.connectors.source[c.line]),)
        words = candidates.words(self.graph, c, self.labels) + (", by help" if c.helped else "")
        kept = self.ledger.note(
            Commit(0, self.learner.steps, c.kind, c.node, c.row, words, sources, cells, c.snr, found.gain, found.error,
                   found.price, frozen=found.frozen)
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
        graph, settings = self.graph, self.graph.settings
        price = prices(self.learner)
        worth = costs_of_cells(graph, price)
        cells, saved = prune.condemn(self.learner, worth, YOUNG * settings.cycle)
        for cell in cells:
            row, column = (int(i) for i in graph.core.M_idx[cell])
            key = row, candidates.signature(graph, column)
            self._banned[key] = 2 * self._banned.get(key, BANNED)
            self._tabu[key] = self.learner.steps + self._banned[key] * settings.cycle
            self._note_loss(row, candidates.words_of_cell(graph, row, column, self.labels), saved[cell], worth[cell])
            self.fading.cell(int(cell))
        self._shed_taps(price.within.reshape(graph.nodes, -1).sum(1))

    def _shed_taps(self, price: Array) -> None:
        """Of each node the cheapest tap, since the others may be worth more without it."""
        learner, lines = self.learner, self.graph.connectors
        _, saved = prune.left_out(learner)
        old = lines.active & ~lines.cooling & (lines.age >= YOUNG * self.graph.settings.cycle)
        old[:, 0] = False
        cheap = np.argwhere(old & (saved < price[lines.reader][:, None]))
        cheap = cheap[np.argsort(saved[tuple(cheap.T)], kind="stable")]
        cheap = cheap[np.unique(lines.reader[cheap[:, 0]], return_index=True)[1]]
        evidence = [learner.errors(self.graph.settings.evidence) for _ in range(2 if len(cheap) else 0)]
        passes, errors = [done for done, _ in evidence], [error for _, error in evidence]
        for line, tap in ((int(line), int(tap)) for line, tap in cheap):
            node = int(lines.reader[line])
            cost = prune.cost_of_tap(self.graph, line, tap, passes, errors)
            if cost >= price[node]:
                continue
            gone = candidates.Candidate("tap", node, node * self.graph.features, line=line, tap=tap)
            words = candidates.words(self.graph, gone, self.labels)
            self.fading.tap(line, tap)
            self._note_loss(gone.row, words, cost, price[node])

    def _tie(self) -> None:
        """Let nodes with like stencils share weights, and let go those that pay for themselves."""
        stencils = self.learner.stencils
        if stencils is None:
            return
        graph, learner = self.graph, self.learner
        evidence = [learner.errors(graph.settings.evidence) for _ in range(2)]
        for found in stencils.review(evidence, prices(learner).within, learner.steps):
            row, words = self._words_of_weight(found.weight)
            shared = f", one weight for {found.members} nodes" if found.members > 1 else ""
            self.ledger.note(
                Commit(0, learner.steps, found.kind, row // graph.features, row, words + shared, cells=0,
                       realised=found.saved, price=found.price)
            )  # fmt: skip

    def _words_of_weight(self, weight: int) -> tuple[int, str]:
        """Row of a cell or grown tap, and what it is."""
        graph = self.graph
        if weight < graph.core.struct:
            row, column = (int(i) for i in graph.core.M_idx[weight])
            return row, candidates.words_of_cell(graph, row, column, self.labels)
        grown = np.argwhere(graph.connectors.active[:, 1:])
        line, tap = (int(i) for i in grown[weight - graph.core.struct])
        node = int(graph.connectors.reader[line])
        found = candidates.Candidate("tap", node, node * graph.features, line=line, tap=tap + 1)
        return found.row, candidates.words(graph, found, self.labels)

    def _note_loss(self, row: int, what: str, saved: float, price: float) -> None:
        self.ledger.note(
            Commit(0, self.learner.steps, "prune", row // self.graph.features, row, what, cells=-1,
                     realised=-float(saved), price=float(price))
        )  # fmt: skip


def _key(graph: Graph, c: candidates.Candidate) -> Any:
    return c.row, (c.kind, tuple(sorted(c.sources)), round(c.knot, 2))

"""What a growing graph tells a view: its edges, heat, budgets, decisions and spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.scores import edge_f1
from engine.networks.growing.core import Heat
from engine.networks.growing.ledger import Commit
from engine.networks.growing.outlook import OutcomeView, TransientView
from engine.networks.growing.wiring import Regions, Wiring
from kernels.sparse import CONSTANT, PRODUCT

if TYPE_CHECKING:
    from engine.networks.growing.graph import Graph
    from engine.networks.growing.live import Live
    from engine.networks.growing.planner import Planner

Array = NDArray[Any]
DECISIONS = 200
"""Of the newest, in a report."""
QUANTILES = 33


@dataclass(frozen=True, slots=True)
class Growth:
    """One moment of a growing graph. Its arrays belong to the reader."""

    nodes: int
    features: int
    edges: NDArray[np.int32]
    """(E, 2): reader and read, without loops."""
    strengths: NDArray[np.float32]
    """(E,): largest |w| of each edge."""
    edge_heat: NDArray[np.uint8]
    """(E,) of `core.Heat`: Hot where one of its cells is, else Cooling or Warm."""
    edge_born: NDArray[np.int32]
    """(E,): the learning step at which its oldest cell was committed."""
    cells: NDArray[np.int32]
    """(nnz, 2): row and column of what is not Cold."""
    values: NDArray[np.float32]
    heat: NDArray[np.uint8]
    """(nnz,) of `core.Heat`."""
    born: NDArray[np.int32]
    """(nnz,): the learning step at which each cell was committed."""
    kinds: NDArray[np.uint8]
    """(columns,): kind of term of each column (`kernels.sparse`)."""
    steps: int
    """Learning steps so far."""
    struct: int
    active: int
    limit: int
    """C_struct and C_active, cells and taps, and their limit."""
    gamma: float
    tokens: NDArray[np.int32]
    """(nodes,) held by each."""
    pool: int
    """Tokens that nobody holds."""
    cgpt: NDArray[np.float32]
    """(nodes,): moving-average gain per token."""
    loss: NDArray[np.float32]
    """(nodes,): moving average of half the mean square scaled error; 0.5 is an identity's."""
    mean_loss: float
    """Over all numbers."""
    spectrum: NDArray[np.float32]
    """Quantiles of the values, in order."""
    decisions: tuple[Commit, ...]
    """The newest, oldest first."""
    decided: int
    """Decisions so far."""
    foresight: float | None
    """Rank correlation of predicted and realised gains."""
    truth: NDArray[np.bool_] | None = None
    """(nodes, nodes): whom each node really reads, where that is known."""
    wiring: Wiring | None = None
    """What the columns of the cells are made of."""
    warm: Regions | None = None
    """What the last probe of each node looked at and left Cold."""
    edge_f1: float | None = None
    """How well the edges agree with the true ones, where these are known."""
    outcomes: OutcomeView | None = None
    """Of one number, the one that is watched."""
    components: NDArray[np.int32] | None = None
    """(nodes,): of each node's distribution head; 0 is Cold."""
    novelty: NDArray[np.float32] | None = None
    """(nodes,): standard deviations by which the energy of a node's residuals lies above what is usual."""
    transients: TransientView | None = None


def _of_edges(graph: Graph, edges: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Heat and birth of each edge, from its cells."""
    k, terms, sources = graph.core, graph.terms, graph.connectors.source
    hot, cooling = np.zeros((2, graph.nodes, graph.nodes), bool)
    born = np.full((graph.nodes, graph.nodes), np.iinfo(np.int32).max, np.int32)
    rows, columns = k.M_idx.T
    for ends, some in ((terms.left, terms.kinds != CONSTANT), (terms.right, terms.kinds == PRODUCT)):
        counted = np.flatnonzero(some[columns])
        read = sources[ends[columns[counted]]]
        counted, read = counted[read < graph.states], read[read < graph.states]
        at = rows[counted] // graph.features, read // graph.features
        np.logical_or.at(hot, at, k.heat[counted] == Heat.HOT)
        np.logical_or.at(cooling, at, k.heat[counted] == Heat.COOLING)
        np.minimum.at(born, at, k.born[counted].astype(np.int32))
    places = tuple(edges.T)
    heat = np.where(hot[places], Heat.HOT, np.where(cooling[places], Heat.COOLING, Heat.WARM))
    return heat.astype(np.uint8), born[places]


def report(
    planner: Planner, live: Live, truth: NDArray[np.bool_] | None = None, wiring: Wiring | None = None
) -> Growth:
    """Copied out of a running graph."""
    graph, learner = planner.graph, planner.learner
    strength = graph.adjacency()
    np.fill_diagonal(strength, 0)
    edges = np.argwhere(strength > 0).astype(np.int32)
    k = graph.core
    heat, born = _of_edges(graph, edges)
    levels = np.linspace(0, 1, QUANTILES)
    taps = graph.connectors.taps[:, 1:][graph.connectors.active[:, 1:]]
    outcomes, components, novelty, transients = live.view()
    return Growth(
        nodes=graph.nodes,
        features=graph.features,
        edges=edges,
        strengths=strength[tuple(edges.T)].astype(np.float32),
        edge_heat=heat,
        edge_born=born,
        cells=k.M_idx.astype(np.int32),
        values=k.W_vals.astype(np.float32),
        heat=k.heat.copy(),
        born=k.born.astype(np.int32),
        kinds=graph.terms.kinds.copy(),
        steps=learner.steps,
        struct=graph.struct,
        active=k.active() + int((np.abs(taps) > 1e-3).sum()),
        limit=graph.settings.cells + graph.settings.taps,
        gamma=learner.barrier.gamma(graph),
        tokens=planner.tokens.held.astype(np.int32),
        pool=planner.tokens.pool,
        cgpt=planner.tokens.cgpt.astype(np.float32),
        loss=learner.loss.reshape(graph.nodes, -1).mean(1).astype(np.float32),
        mean_loss=float(learner.loss.mean()),
        spectrum=np.quantile(k.W_vals, levels).astype(np.float32) if k.struct else np.zeros(QUANTILES, np.float32),
        decisions=planner.ledger.tail(DECISIONS),
        decided=planner.ledger.count,
        foresight=planner.ledger.foresight(),
        truth=truth,
        edge_f1=None if truth is None else edge_f1(strength > 0, truth),
        wiring=wiring,
        warm=Regions.of(c for mine in planner.warm.values() for c in mine),
        outcomes=outcomes,
        components=components,
        novelty=novelty,
        transients=transients,
    )

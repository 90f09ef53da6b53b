"""What cells are made of, for a view: terms, lines and units, and the regions that are under probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.dynamics import Stream
from engine.networks.growing.candidates import Candidate
from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE, PRODUCT

if TYPE_CHECKING:
    from engine.networks.growing.graph import Graph

Array = NDArray[Any]
NOTHING = -1
KINDS = {"constant": CONSTANT, "edge": LINE, "product": PRODUCT}


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything besides its cells that a prediction is made of (see `kernels.sparse`), with units and names."""

    kinds: NDArray[np.uint8]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    knots: NDArray[np.float64]
    """(columns,): terms."""
    source: NDArray[np.int32]
    latency: NDArray[np.int32]
    """(L,): lines."""
    taps: NDArray[np.float64]
    """(L, H), 0 where there is none."""
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    """(S,): where a state lies and how far it goes, in the stream's own units."""
    unit: NDArray[np.float64]
    """(S,): usual change in a tick, in spreads."""
    scale: NDArray[np.float64]
    """(H, S + pools): usual size of the backward differences, in spreads."""
    dt: float
    """Time between two ticks."""
    names: tuple[str, ...]
    """(S,)."""
    true: tuple[str, ...]
    """(S,): right sides of the true equations; empty where they are not known."""

    @classmethod
    def of(cls, graph: Graph, stream: Stream) -> Wiring:
        """Copied out of a running graph."""
        t, c = graph.terms, graph.connectors
        return cls(
            kinds=t.kinds.copy(),
            left=t.left.astype(np.int32),
            right=t.right.astype(np.int32),
            knots=t.knots.astype(np.float64),
            source=c.source.astype(np.int32),
            latency=c.latency.astype(np.int32),
            taps=np.where(c.active, c.taps, 0).astype(np.float64),
            centre=graph.centre.astype(np.float64),
            spread=graph.spread.astype(np.float64),
            unit=graph.unit.astype(np.float64),
            scale=graph.memory.scale.astype(np.float64),
            dt=stream.dt,
            names=stream.names,
            true=stream.truth.written,
        )

    @property
    def sources(self) -> NDArray[np.int32]:
        """Numbers that each column reads, (columns, 2): two of a product, else the second is -1; the constant, none."""
        found = np.full((len(self.kinds), 2), NOTHING, np.int32)
        some, both = self.kinds != CONSTANT, self.kinds == PRODUCT
        found[some, 0], found[both, 1] = self.source[self.left[some]], self.source[self.right[both]]
        return found

    def name(self, number: int) -> str:
        """Of a number, or of a pool."""
        states = len(self.names)
        return self.names[number] if number < states else f"pool {number - states + 1}"

    def words(self, kind: int, sources: NDArray[np.int32], knot: float) -> str:
        """What a term says: of a line with taps, the number that they are taps of."""
        if kind == CONSTANT:
            return "1"
        name = self.name(int(sources[0]))
        if kind == LINE:
            return name
        if kind == PRODUCT:
            return f"{name} {self.name(int(sources[1]))}" if sources[0] != sources[1] else f"{name}^2"
        number = int(sources[0])
        own = self.centre[number] + knot * self.spread[number] if number < len(self.centre) else knot
        return f"max(0, {own:.3g} - {name})" if kind == BELOW else f"max(0, {name} - {own:.3g})"


@dataclass(frozen=True, slots=True)
class Regions:
    """Cells that are not in the list."""

    rows: NDArray[np.int32]
    """(n,): the predicted number that each would serve."""
    kinds: NDArray[np.uint8]
    sources: NDArray[np.int32]
    """(n, 2): numbers read, -1 where none."""
    knots: NDArray[np.float32]
    snr: NDArray[np.float32]
    """Signal-to-noise ratio of the prospective gradient."""

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> Regions:
        """Taps are no cells and are left out."""
        cells = [c for c in candidates if c.kind != "tap"]
        sources = np.full((len(cells), 2), NOTHING, np.int32)
        for at, c in enumerate(cells):
            sources[at, : len(c.sources)] = c.sources
        return cls(
            rows=np.array([c.row for c in cells], np.int32),
            kinds=np.array([KINDS.get(c.kind, BELOW if c.below else ABOVE) for c in cells], np.uint8),
            sources=sources,
            knots=np.array([c.knot for c in cells], np.float32),
            snr=np.array([c.snr for c in cells], np.float32),
        )

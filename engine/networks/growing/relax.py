"""Relaxing the base of a probe: what the cells that a row has already could still do by themselves does not count.

While cells learn, the error holds much that they will take away without help, and any region alike them would seem to
promise it. So the error of a row, and what a region would feed to it, are freed of what the row's own terms explain by
least squares over the batches at hand: the gain is then that of the region once the row has adapted (orthogonal least
squares; Chen, Billings & Luo 1989). A frozen base keeps both as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.graph import Graph, Pass

Array = NDArray[Any]
RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Base:
    """A row's own terms: their columns and the inverse of their Gram matrix, summed over all samples."""

    columns: NDArray[np.int32]
    inverse: Array

    @classmethod
    def of(cls, graph: Graph, row: int, passes: list[tuple[Pass, Array]]) -> Base:
        """The base of a predicted number."""
        columns = graph.core.columns[graph.core.of_rows(row, row + 1)]
        gram = np.zeros((len(columns), len(columns)))
        for done, _ in passes:
            f = done.terms[columns]
            gram += f @ f.T
        gram[np.diag_indices_from(gram)] *= 1 + RIDGE
        return cls(columns, np.linalg.inv(gram + np.eye(len(gram)) * 1e-12))

    def without(self, signals: list[Array], passes: list[tuple[Pass, Array]]) -> list[Array]:
        """Signals (Q, B) or (B,), one of each pass, freed of what the base explains."""
        if not len(self.columns):
            return signals
        own = [done.terms[self.columns] for done, _ in passes]
        together = sum(f @ s.T for f, s in zip(own, signals, strict=True))
        coefficients = (self.inverse @ together).T.astype(own[0].dtype)
        return [s - coefficients @ f for f, s in zip(own, signals, strict=True)]


def relaxed_errors(graph: Graph, passes: list[tuple[Pass, Array]]) -> tuple[list[Array], list[Base]]:
    """Errors (S, B) of each pass if the base had adapted, and the bases of all rows."""
    errors = [error.copy() for _, error in passes]
    bases = [Base.of(graph, row, passes) for row in range(graph.states)]
    for row, base in enumerate(bases):
        freed = base.without([error[row] for _, error in passes], passes)
        for into, found in zip(errors, freed, strict=True):
            into[row] = found
    return errors, bases

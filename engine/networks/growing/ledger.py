"""Decisions and their evidence: what was added or taken away, when, why, and what it turned out to be worth."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["edge", "tap", "hinge", "product", "constant", "prune", "clone", "merge", "consolidate", "materialise",
               "cluster", "tie", "escape"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Commit:
    """One decision that was carried out. Gains are falls of the node's own loss (half the mean square of its scaled
    error), so they have no unit; a removal's gains are negative or 0. `realised` is None until it has been measured.
    """

    number: int
    tick: int
    kind: Kind
    node: int
    row: int
    """The predicted number it serves, node * features + feature; -1 for a whole node."""
    what: str
    """For people: `x <- y[7]`."""
    sources: tuple[int, ...] = ()
    """State numbers read."""
    cells: int = 1
    snr: float = 0.0
    predicted: float = 0.0
    spread: float = 0.0
    """Standard error of the prediction."""
    price: float = 0.0
    realised: float | None = None
    frozen: float | None = None
    """What the probe promised with its base frozen; `predicted` is with the base relaxed."""


class Ledger:
    """The last decisions, and counts of all."""

    def __init__(self, most: int = 5000) -> None:
        self._kept: deque[Commit] = deque(maxlen=most)
        self.count = 0

    def note(self, decision: Commit) -> Commit:
        """Number and keep a decision."""
        numbered = replace(decision, number=self.count)
        self._kept.append(numbered)
        self.count += 1
        return numbered

    def realise(self, number: int, gain: float) -> None:
        """Tell what a decision turned out to be worth."""
        at = number - (self.count - len(self._kept))
        if 0 <= at < len(self._kept):
            self._kept[at] = replace(self._kept[at], realised=gain)

    def tail(self, count: int) -> tuple[Commit, ...]:
        """The newest decisions, oldest of them first."""
        kept = list(self._kept)
        return tuple(kept[max(0, len(kept) - count) :])

    @property
    def decisions(self) -> tuple[Commit, ...]:
        """All that are kept, oldest first."""
        return tuple(self._kept)

    def foresight(self) -> float | None:
        """Rank correlation of predicted and realised gains; None with fewer than 8 of them."""
        return rank_correlation(
            [(d.predicted, d.realised) for d in self._kept if d.realised is not None and d.predicted > 0]
        )


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's, of at least 8 pairs that are not all alike, else None."""
    if len(pairs) < 8:
        return None
    ranks = [column.argsort().argsort().astype(float) for column in np.array(pairs).T]
    if min(rank.std() for rank in ranks) == 0:
        return None
    return float(np.corrcoef(*ranks)[0, 1])

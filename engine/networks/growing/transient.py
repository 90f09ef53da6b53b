"""A transient module: a small sparse network that is put beside a module in trouble and corrects its predictions.

    y = sum_k W_k prod_j hat((x_j - place_kj) / SPACING),   hat(t) = max(1 - |t|, 0)

Places k lie on a grid; of an input of m numbers only the 2^m nearest have a say (multilinear interpolation; the CMAC of
Albus 1975 with hats, which are three hinges each). W is zero at first: a nascent module is an identity, adding it
changes nothing until it learns. It learns at every tick by normalised least mean squares (Nagumo & Noda 1967).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REACH, SPACING = 2.0, 0.125
"""The grid goes from -REACH to REACH; farther inputs count as at its edge."""


class TransientModule:
    """From inputs (n, m) to corrections (n, d), the same function for all n samples."""

    def __init__(self, inputs: int, outputs: int, *, rate: float = 0.5) -> None:
        self._side = round(2 * REACH / SPACING) + 1
        self._rate = rate
        self._weights = np.zeros((self._side**inputs, outputs))

    @property
    def cells(self) -> int:
        """Places that have learned something."""
        return int((self._weights != 0).any(1).sum())

    def predict(self, inputs: Array) -> Array:
        """Corrections (n, d)."""
        places, shares = self._near(inputs)
        found: Array = (shares[:, :, None] * self._weights[places]).sum(1)
        return found

    def learn(self, inputs: Array, wanted: Array) -> None:
        """One step towards the wanted corrections (n, d)."""
        places, shares = self._near(inputs)
        errors = wanted - (shares[:, :, None] * self._weights[places]).sum(1)
        pull = shares / np.square(shares).sum(1, keepdims=True)
        crowd = np.zeros(len(self._weights))
        np.add.at(crowd, places, shares > 0)
        step = self._rate * pull / np.maximum(crowd[places], 1)
        np.add.at(self._weights, places, step[:, :, None] * errors[:, None])

    @property
    def template(self) -> dict[str, Array]:
        """What it has learned."""
        return {"weights": self._weights.copy()}

    def adopt(self, template: Mapping[str, Array]) -> None:
        """Begin with what another one of the same kind has learned."""
        self._weights[:] = template["weights"]

    def _near(self, inputs: Array) -> tuple[NDArray[np.int64], Array]:
        """Places and their hats' products, both (n, 2^m)."""
        at = np.clip((inputs + REACH) / SPACING, 0, self._side - 1 - 1e-9)
        low = at.astype(np.int64)
        over = at - low
        m = inputs.shape[1]
        places, shares = [], []
        for corner in product((0, 1), repeat=m):
            bits = np.array(corner)
            places.append(((low + bits) * self._side ** np.arange(m)).sum(1))
            shares.append(np.where(bits == 1, over, 1 - over).prod(1))
        return np.stack(places, 1), np.stack(shares, 1)

r"""The largest singular value of a convolution as it is applied, and how it is kept at 1.

A kernel's matrix has another norm than the operator that slides it over an H x W image with zeros beyond the border;
what contracts is the operator. Its largest singular pairs come from power iteration on the operator itself, on a few
vectors at once (subspace iteration: singular values of convolutions lie close together) and warm-started: a kernel
hardly changes at an update. The norm is a convex function of the kernel R, and the correlation G of the top pair u, v
is its subgradient, ||A(R')|| >= ||A(R)|| + <G, R' - R>. So while the norm is above 1,

    R <- R - (||A|| - aim) G / ||G||^2,      G[o, i, a, b] = sum_yx u[o, y, x] v[i, y + a, x + b]

subtracts the excess of the top pair, projected on the kernel: Polyak's subgradient step (1969), the smallest change of
the kernel that takes this pair down to the aim. It comes nearer to every kernel of norm `aim`, and all other
directions keep what they have; dividing by the norm would shrink them with the top one, update by update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.networks.conv.plan import Array, Plan
from kernels import conv_norm
from kernels.convolution import AT, OWN

AIM = 0.999
"""Where a norm above 1 is taken: iteration sees it a little too small."""
VECTORS = 8
"""Images that are iterated together."""
MOST = 1000
"""Subtractions at a time, at most."""
TRUSTED = 2e-3
"""Weights that are read keep their bits if no norm is above 1 by more than this: half precision rounds so far."""
CONVERGED, MOST_STEPS = 1e-6, 500
"""A norm is found once it grows by less than this share of itself at a step."""


class Recurrence:
    """The operator of one layer's own kernel, with its largest pairs."""

    def __init__(self, plan: Plan, layer: int, dtype: np.dtype[Any]) -> None:
        self._shape = plan.shapes[layer, OWN].copy()
        self._shape[AT] = 0
        neurons = plan.neurons[layer]
        drawn = np.random.default_rng(layer).standard_normal((neurons, min(VECTORS, neurons)))
        self.v = np.linalg.qr(drawn)[0].astype(dtype)
        """Orthonormal, (neurons, vectors), the largest first."""
        self._image = np.empty_like(self.v)
        self._room = np.empty(plan.neighbourhood * self.v.shape[1], dtype)

    def _iterate(self, kernel: Array) -> None:
        """v <- A^T A v, orthonormal."""
        flat, image = kernel.reshape(-1), self._image
        conv_norm.applied(flat, self._shape, self.v, self._room, image)
        conv_norm.applied_back(flat, self._shape, image, self._room, self.v)
        self.v[...] = np.linalg.qr(self.v)[0]

    def _seen(self, kernel: Array) -> float:
        """The largest singular value on the span of v, whose first vector becomes the one that has it."""
        conv_norm.applied(kernel.reshape(-1), self._shape, self.v, self._room, self._image)
        squares, turn = np.linalg.eigh((self._image.T @ self._image).astype(np.float64))
        turn = turn[:, ::-1].astype(self.v.dtype)
        self.v[...] = self.v @ turn
        self._image[...] = self._image @ turn
        return float(np.sqrt(max(squares[-1], 0.0)))

    def norm(self, kernel: Array) -> float:
        """The norm, to CONVERGED."""
        before, now = 0.0, self._seen(kernel)
        for _ in range(MOST_STEPS):
            if now - before <= CONVERGED * now:
                break
            self._iterate(kernel)
            before, now = now, self._seen(kernel)
        return now

    def _subtract(self, kernel: Array, norm: float) -> None:
        """Take the top pair, which has this norm, down to AIM."""
        slope = np.empty_like(kernel)
        u, v = (np.ascontiguousarray(vectors[:, 0]) for vectors in (self._image, self.v))
        conv_norm.slope(self._shape, u / u.dtype.type(norm), v, self._room, slope)
        kernel -= slope * kernel.dtype.type((norm - AIM) / np.square(slope).sum())

    def keep(self, kernel: Array) -> None:
        """Take a norm that an update has moved down to 1 if it is above, in place."""
        for _ in range(MOST):
            self._iterate(kernel)
            norm = self._seen(kernel)
            if norm <= 1:
                return
            self._subtract(kernel, norm)

    def bring_down(self, kernel: Array) -> None:
        """The same for any kernel: the norm is found anew before each subtraction."""
        for _ in range(MOST):
            norm = self.norm(kernel)
            if norm <= 1:
                return
            self._subtract(kernel, norm)


class Recurrences:
    """All layers' own operators of a plan."""

    def __init__(self, plan: Plan, dtype: np.dtype[Any]) -> None:
        self._of = {f"{n + 1}.R": Recurrence(plan, n, dtype) for n in range(len(plan.layers))}

    def keep(self, weights: Mapping[str, Array]) -> None:
        """Take all norms down to 1 in place, from where the pairs were at the last update."""
        for name, operator in self._of.items():
            operator.keep(weights[name])

    def bring_down(self, weights: Mapping[str, Array]) -> None:
        """Take all norms that are above 1 + TRUSTED down to 1 in place, however large they are."""
        for name, operator in self._of.items():
            if operator.norm(weights[name]) > 1 + TRUSTED:
                operator.bring_down(weights[name])

    def norms(self, weights: Mapping[str, Array]) -> dict[str, float]:
        """The norm of every recurrent operator, by name."""
        return {name: operator.norm(weights[name]) for name, operator in self._of.items()}

    def state_dict(self) -> dict[str, Array]:
        """The pairs, which the next update starts from."""
        return {f"{name}.v": operator.v.copy() for name, operator in self._of.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take them over again."""
        for name, operator in self._of.items():
            operator.v[...] = state[f"{name}.v"]

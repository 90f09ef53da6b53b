"""The grown graph's family without its growing: every term at once, or a part of them that a mask leaves.

The terms are those that a graph may grow: a constant; each number's backward differences over `memory` ticks; hinges of
a number for its own node; products of two numbers, with `late` of their differences too, as of lines with taps: of all
pairs as long as there are at most PAIRS factors, else of each node's own. One weight matrix W (S, F) predicts every
number's change in units of its usual change. It is trained on batches of the same size by the same Adam at the same
pace as the graph; with a mask what is left out stays zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.grow_bench.problem import PAST, Problem, pace

Array = NDArray[np.float32]
KNOTS, BATCH = 7, 256
"""As in `GrowthSettings`."""
PAIRS = 96


@dataclass(frozen=True, slots=True)
class Look:
    """How the past is looked at: ticks, whether products read differences too, and noise on it while learning."""

    memory: int
    late: bool = False
    jitter: float = 0.0
    """In spreads; see `Learner.errors`."""


class Terms:
    """Terms of a problem, F of them; which number each reads (F, S) bool, and its size over the training part (F,)."""

    def __init__(self, problem: Problem, look: Look) -> None:
        self.memory = memory = look.memory
        self._factors, self._jitter = memory if look.late else 1, look.jitter
        flat = _flat(problem.training)
        self.states = flat.shape[1]
        self.features = problem.stream.features
        self.centre, self.spread = flat.mean(0), problem.stream.scale.reshape(-1)
        scaled = (flat - self.centre) / self.spread
        self.unit = np.maximum(np.sqrt(np.square(np.diff(scaled, axis=0)).mean(0)), 1e-12)
        self._differences = np.stack(
            [np.maximum(np.sqrt(np.square(np.diff(scaled, h, axis=0)).mean(0)), 1e-9) for h in range(memory)]
        )
        self._differences[0] = 1
        nodes = np.arange(self.states) // self.features
        factors = self._factors * self.states
        left, right = np.triu_indices(factors)
        if factors > PAIRS:
            own = nodes[left % self.states] == nodes[right % self.states]
            left, right = left[own], right[own]
        self._left, self._right = left, right
        self._knots = np.quantile(scaled, np.linspace(0, 1, KNOTS + 2)[1:-1], axis=0)
        eye = np.eye(self.states, dtype=bool)
        self.reads = np.concatenate(
            [
                np.zeros((1, self.states), bool),
                *(eye for _ in range(memory + 2 * KNOTS)),
                eye[left % self.states] | eye[right % self.states],
            ]
        )
        """(F, S)."""
        own = nodes[:, None] == nodes
        hinges = np.tile(own, 2 * KNOTS)
        self.allowed = np.concatenate(
            [np.ones((self.states, 1 + memory * self.states), bool), hinges, np.ones((self.states, len(left)), bool)], 1
        )
        """(S, F): hinges are for their own node."""

    def scaled(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """States (..., nodes, d) in units of spread, (..., S)."""
        found: NDArray[np.float64] = (states.reshape(*states.shape[:-2], -1) - self.centre) / self.spread
        return found

    def unscaled(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """The other way."""
        found: NDArray[np.float64] = scaled * self.spread + self.centre
        return found.reshape(*scaled.shape[:-1], -1, self.features)

    def of(self, windows: NDArray[np.float64]) -> Array:
        """Terms (B, F) of the last scaled states, windows (B, memory, S)."""
        lines, left = [], windows
        for h in range(self.memory):
            lines.append(left[:, -1] / self._differences[h])
            left = np.diff(left, axis=1)
        now = windows[:, -1]
        above = np.maximum(now[:, None] - self._knots, 0).reshape(len(now), -1)
        below = np.maximum(self._knots - now[:, None], 0).reshape(len(now), -1)
        factors = np.concatenate(lines[: self._factors], 1)
        products = factors[:, self._left] * factors[:, self._right]
        return np.concatenate([np.ones((len(now), 1)), *lines, above, below, products], 1).astype(np.float32)

    def samples(
        self, scaled: NDArray[np.float64], ticks: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Terms (B, F) at these ticks of scaled states, and the changes wanted (B, S), in units of the usual one."""
        windows = scaled[ticks[:, None] + np.arange(self.memory) - self.memory + 1]
        if self._jitter > 0:
            windows = windows + self._jitter * rng.standard_normal(windows.shape)
        return self.of(windows), ((scaled[ticks + 1] - windows[:, -1]) / self.unit).astype(np.float32)


@dataclass
class Fitted:
    """Weights W (S, F) of terms."""

    terms: Terms
    W: Array
    weights: int
    tokens: int
    """A weight is a token."""

    def one_step(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `Model`."""
        scaled = self.terms.scaled(states)
        memory = self.terms.memory
        windows = np.lib.stride_tricks.sliding_window_view(scaled, memory, axis=0).transpose(0, 2, 1)[PAST - memory :]
        found = [self._next(part) for part in np.array_split(windows, max(len(windows) // 512, 1))]
        return self.terms.unscaled(np.concatenate(found))

    def roll_out(self, past: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
        """See `Model`."""
        kept = self.terms.scaled(past)[:, -self.terms.memory :]
        ahead = np.empty((len(past), steps, self.terms.states))
        with np.errstate(over="ignore", invalid="ignore"):
            for step in range(steps):
                ahead[:, step] = np.clip(self._next(kept), -1e6, 1e6)
                kept = np.concatenate([kept[:, 1:], ahead[:, step, None]], 1)
        return self.terms.unscaled(ahead)

    def adjacency(self) -> NDArray[np.bool_] | None:
        """Nodes that some weight reads; None for all of them."""
        if (self.W != 0).sum() >= self.terms.allowed.sum():
            return None
        d = self.terms.features
        rows = (self.W != 0).astype(np.float32) @ self.terms.reads.astype(np.float32) > 0
        nodes = len(rows) // d
        found: NDArray[np.bool_] = rows.reshape(nodes, d, nodes, d).any((1, 3))
        return found

    def _next(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        changes = (self.terms.of(windows) @ self.W.T).astype(np.float64)
        found: NDArray[np.float64] = windows[:, -1] + self.terms.unit * changes
        return found


def trained(
    problem: Problem,
    steps: int,
    seed: int,
    rate: float,
    look: Look,
    mask: NDArray[np.bool_] | None = None,
    W: Array | None = None,
) -> Fitted:
    """Adam's W on batches of the training part; `mask` (S, F) says which weights there are, `W` where to begin."""
    terms = Terms(problem, look)
    mask = terms.allowed if mask is None else mask & terms.allowed
    W = np.zeros(mask.shape, np.float32) if W is None else W * mask
    scaled = terms.scaled(problem.training)
    rng = np.random.default_rng((seed, 41))
    mean, square = np.zeros_like(W), np.zeros_like(W)
    for step in range(1, steps + 1):
        phi, wanted = terms.samples(scaled, rng.integers(look.memory - 1, len(scaled) - 1, BATCH), rng)
        gradient = (phi @ W.T - wanted).T @ phi / np.float32(wanted.size)
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient * gradient - square)
        m, s = mean / (1 - 0.9**step), square / (1 - 0.999**step)
        W -= np.where(mask, rate * pace(step, steps) * m / (np.sqrt(s) + 1e-8), 0).astype(np.float32)
    weights = int(mask.sum())
    return Fitted(terms, W, weights, weights)


def ridge(problem: Problem, seed: int, penalty: float, look: Look) -> Fitted:
    """All terms by least squares at once, with a ridge of `penalty` times a term's own square, no steps at all.

    (Next-generation reservoir computing, Gauthier, Bollt, Griffith & Barbosa 2021.)
    """
    terms = Terms(problem, look)
    scaled = terms.scaled(problem.training)
    rng = np.random.default_rng((seed, 44))
    ends = np.arange(look.memory - 1, len(scaled) - 1)
    gram = np.zeros((terms.reads.shape[0],) * 2)
    moments = np.zeros((terms.reads.shape[0], terms.states))
    for some in np.array_split(ends, max(len(ends) // 1024, 1)):
        phi, wanted = (a.astype(np.float64) for a in terms.samples(scaled, some, rng))
        gram += phi.T @ phi
        moments += phi.T @ wanted
    size = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    gram /= size[:, None] * size
    gram[np.diag_indices_from(gram)] += penalty
    W = (np.linalg.solve(gram, moments / size[:, None]) / size[:, None]).T.astype(np.float32)
    return Fitted(terms, W, W.size, W.size)


def pruned(problem: Problem, steps: int, seed: int, rate: float, look: Look, weights: int) -> Fitted:
    """Dense for half the steps; then the `weights` of the largest |w| times its term's size, trained on."""
    dense = trained(problem, steps // 2, seed, rate, look)
    scaled = dense.terms.scaled(problem.training)
    rng = np.random.default_rng((seed, 42))
    phi, _ = dense.terms.samples(scaled, rng.integers(look.memory - 1, len(scaled) - 1, 512), rng)
    size = phi.std(0)
    size[0] = 1
    worth = np.abs(dense.W) * size
    weights = min(weights, worth.size)
    least = np.partition(worth.reshape(-1), -weights)[-weights]
    mask = (worth >= least) & (worth > 0)
    return trained(problem, steps - steps // 2, seed, rate, look, mask, dense.W)


def random_sparse(problem: Problem, steps: int, seed: int, rate: float, look: Look, weights: int) -> Fitted:
    """As many weights at random places."""
    allowed = Terms(problem, look).allowed
    chosen = np.random.default_rng((seed, 43)).permutation(np.flatnonzero(allowed))[:weights]
    mask = np.zeros(allowed.size, bool)
    mask[chosen] = True
    return trained(problem, steps, seed, rate, look, mask.reshape(allowed.shape))


def _flat(states: NDArray[np.float64]) -> NDArray[np.float64]:
    return states.reshape(len(states), -1)

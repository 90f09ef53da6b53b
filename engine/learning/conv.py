r"""The convolutional chain at its fixed points, and its local gradients, from the centred difference over 2 beta.

With the credit of the pre-activation g_l = (1 - z_l^2)(dz_l + share_l ds_l), d = (plus - minus) / (2 beta), every tap
sums what its two ends say over all places:

    dC/dR_l[o, i, a, b] = -sigma sum_yx g_l[o, y, x] z_l[i, y + a, x + b],      dC/db_l[o] = -sum_yx g_l[o, y, x]
    dC/dK_l[o, i, a, b] = -sum_yx g_l[o, y, x] s_(l-1)[i, stride y + a, stride x + b]

(a, b from -size // 2 to size // 2); the read-out learns from the error that nudges. All are means over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.chunks import chunked, unchunked
from engine.learning.equilibrium import MOST, MOST_SWEEPS, Equilibrium, Free, Nudged
from engine.learning.local import Read, read_out_error
from engine.networks.conv.chain import ALIVE, ConvChain
from engine.networks.conv.norm import Recurrences
from engine.networks.conv.plan import Plan
from kernels import conv_sweeps
from kernels.conv_reference import transposed
from kernels.conv_sweeps import CHUNK
from kernels.convolution import FROM_BELOW, SHARE

Array = NDArray[Any]


def by_kernel(plan: Plan, kernels: Array, biases: Array, sigma: float) -> dict[str, Array]:
    """dC/dweight by name from mean correlations (flat): a layer's own kernel acts with the gain sigma."""
    found = plan.unpacked(kernels, biases)
    for name in found:
        if name.endswith("R"):
            found[name] *= kernels.dtype.type(sigma)
    return found


def _gradients(
    plan: Plan, read: Read, labels: NDArray[np.int64], z: Array, s: Array, g: Array, sigma: float
) -> dict[str, Array]:
    """dC/dweight from states and credit in chunks; read.inflow in chunks too. g is zero in the padding."""
    sums = np.empty((len(z), plan.weights), z.dtype)
    for_bias = np.empty((len(z), plan.channels), z.dtype)
    conv_sweeps.gradients(plan.shapes, read.inflow, z, s, g, CHUNK * plan.neighbourhood, sums, for_bias)
    found = by_kernel(plan, sums.sum(0) / -len(labels), for_bias.sum(0) / -len(labels), sigma)
    found["W_out"] = read_out_error(read.logits, labels).T @ read.top.T / -len(labels)
    return found


def conv_tick_gradients(chain: ConvChain, labels: NDArray[np.int64]) -> dict[str, Array]:
    """dC/dweight by name from the states that the last nudged tick has left, mean over the chain's samples."""
    plan = chain.plan
    free, credit = [], []
    for columns in chain.columns():
        rows = [columns[k, :, :, :n] for k, n in enumerate(plan.neurons)]
        whole = np.concatenate(rows, -1)
        free.append(chunked(whole[:, 0], chain.dtype, CHUNK))
        credit.append(chunked((whole[:, 1] - whole[:, 2]) / (2 * chain.value("beta")), chain.dtype, CHUNK))
    (z, s), (dz, ds) = free, credit
    g = _credit(plan, chain.acting, z, dz, ds)
    x, inflow = chain.read_in()
    top = chain.columns()[1][-1, :, 0, : plan.neurons[-1]]
    read = Read(x, chunked(inflow, chain.dtype, CHUNK), chain.logits(), top.T)
    return _gradients(plan, read, labels, z, s, g, chain.value("sigma"))


def conv_input_credit(chain: ConvChain) -> Array:
    """Minus the gradient of what nudges by the encoded pictures, (B, pixels), from the states of the last tick."""
    plan, beta = chain.plan, chain.value("beta")
    (z, dz), (_, ds) = (
        (first[:, 0], (first[:, 1] - first[:, 2]) / (2 * beta))
        for first in (columns[0, :, :, : plan.neurons[0]] for columns in chain.columns())
    )
    skip, share, _ = plan.ways[0].astype(chain.dtype)
    g = lives_of(plan, chain.acting, chain.dtype)[: plan.neurons[0]] * (1 - z * z) * (dz + share * ds)
    below = transposed(plan.packed(chain.acting), plan.shapes[0, FROM_BELOW], g)
    if skip:
        below = below + ds
    return plan.restored(chain.value("input_gain") * below)


def _credit(plan: Plan, weights: Mapping[str, Array], z: Array, dz: Array, ds: Array) -> Array:
    """g of every layer, (chunks, neurons, CHUNK)."""
    share = np.repeat(plan.ways[:, SHARE], plan.neurons).astype(z.dtype)
    credit: Array = lives_of(plan, weights, z.dtype)[:, None] * (1 - z * z) * (dz + share[:, None] * ds)
    return credit


def lives_of(plan: Plan, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> Array:
    """1 for every neuron and 0 where one is cut out, all layers one after the other."""
    if ALIVE not in weights:
        return np.ones(sum(plan.neurons), dtype)
    return np.concatenate([row[:n] for row, n in zip(weights[ALIVE], plan.neurons, strict=True)])


class ConvEquilibrium(Equilibrium):
    """Fixed points of a plan's chain. States are in chunks: see `kernels.conv_sweeps`."""

    kind = "conv"
    matrices = False

    def __init__(self, weights: Mapping[str, Array], plan: Plan, **knobs: Any) -> None:
        self.plan = plan
        self.couplings = tuple(plan.kernels())
        self.recurrent = tuple(name for name in self.couplings if name.endswith("R"))
        self._ways = plan.ways.astype(weights["W_out"].dtype)
        self._recurrences = Recurrences(plan, weights["W_out"].dtype)
        self._room = CHUNK * plan.neighbourhood
        super().__init__(weights, **knobs)

    def refresh(self) -> None:
        """Take over weights that have changed."""
        self._kernels = self.plan.packed(self.weights)
        self._bias = self.plan.biases(self.weights)
        self._alive = lives_of(self.plan, self.weights, self.dtype)

    def bound(self) -> None:
        """Put the norms of the recurrent operators back to 1 at most, in place."""
        self._recurrences.keep(self.weights)

    def state_dict(self) -> dict[str, Array]:
        """Where the norms are looked for."""
        return self._recurrences.state_dict()

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""
        self._recurrences.load_state_dict(state)

    def _links(self) -> tuple[Array, Array, Array]:
        return self.plan.shapes, self._ways, self._kernels

    def settle(self, x: Array) -> Free:
        """The free fixed point, layer after layer."""
        inflow = chunked(self.input_gain * self.plan.arranged(x), self.dtype, CHUNK)
        z = np.empty((len(inflow), sum(self.plan.neurons), CHUNK), self.dtype)
        s = np.empty_like(z)
        ticks = np.zeros((len(inflow), len(self.plan.layers)), np.int64)
        conv_sweeps.settle(
            *self._links(), self._bias, self._alive, inflow, self.sigma, self.tolerance, MOST, self._room,
            z, s, ticks,
        )  # fmt: skip
        top = unchunked(s[:, -self.plan.neurons[-1] :], len(x))
        return Free(Read(x, inflow, top @ self.weights["W_out"].T, top.T), (z, s), float(ticks.mean()))

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, by downward sweeps."""
        (z, _), samples = free.states, len(labels)
        dz = np.empty((len(z), 2, *z.shape[1:]), self.dtype)
        ds = np.empty_like(dz)
        force = chunked(self._force(free, labels).T, self.dtype, CHUNK)
        conv_sweeps.nudge(
            *self._links(), self._alive, z, force, self.sigma, self.tolerance * self.beta, MOST, MOST_SWEEPS,
            self._room, dz, ds, np.zeros(len(z), np.int64),
        )  # fmt: skip
        return Nudged(labels, (dz, ds), np.empty((2, 0, samples), self.dtype))

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name."""
        z, s = free.states
        dz, ds = ((both[:, 0] - both[:, 1]) / (2 * self.beta) for both in nudged.states)
        g = _credit(self.plan, self.weights, z, dz, ds)
        return _gradients(self.plan, free.read, nudged.labels, z, s, g, self.sigma)

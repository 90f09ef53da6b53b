"""The local gradients of a ticking chain, from the states that its last nudged tick has left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.conv import conv_tick_gradients
from engine.learning.lattice import credit, lattice_gradients
from engine.learning.local import Read, hopfield_gradients, recursive_credit, recursive_gradients
from engine.learning.nested import nested_tick_gradients
from engine.networks.chain import Chain
from engine.networks.conv.chain import ConvChain
from engine.networks.nested.chain import NestedChain
from engine.networks.neural_cube import NeuralCube

Array = NDArray[Any]


def _feature_major(states: Array) -> tuple[Array, Array, Array]:
    """Columns (L, B, 3, N) as free, d+, d-, each (L, N, B)."""
    free, plus, minus = (states[:, :, column].swapaxes(1, 2) for column in range(3))
    return free, plus, minus


def tick_gradients(chain: Chain, labels: NDArray[np.int64]) -> dict[str, Array]:
    """dC/dweight by name, mean over the chain's samples; `labels` (B,) are the classes that it is nudged towards."""
    if isinstance(chain, ConvChain):
        return conv_tick_gradients(chain, labels)
    if isinstance(chain, NestedChain):
        return nested_tick_gradients(chain, labels)
    sigma, gain, beta = chain.value("sigma"), chain.value("input_gain"), chain.value("beta")
    states = [_feature_major(columns) for columns in chain.columns()]
    x, inflow = chain.read_in()
    read = Read(x, inflow.T, chain.logits(), states[-1][0][-1])
    if isinstance(chain, NeuralCube):
        ((s, plus, minus),) = states
        return lattice_gradients(
            chain.lattice, read, labels, s, credit(s, plus, minus, beta), chain.acting, chain.gains
        )
    if chain.kind == "hopfield":
        ((s, plus, minus),) = states
        return hopfield_gradients(read, labels, s, plus, minus, chain.acting["W"], sigma, gain, beta)
    (z, z_plus, z_minus), (s, s_plus, s_minus) = states
    dz, ds = (z_plus - z_minus) / (2 * beta), (s_plus - s_minus) / (2 * beta)
    bottom = ds[0] + chain.acting["W"][0].T @ recursive_credit(z, dz, ds)[0]
    return recursive_gradients(read, labels, z, s, dz, ds, bottom, sigma, gain)

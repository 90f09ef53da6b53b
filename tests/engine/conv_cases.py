"""Small convolutional chains for tests, and their equations written anew: dense matrices, a map, its Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.networks.conv.chain import ConvChain
from engine.networks.conv.plan import Plan
from engine.networks.conv.spec import ConvTable, build_plan
from kernels.backends import load_backend

CLASSES = 4
SHAPES = [
    # inputs, height, width, outputs, size, stride
    (1, 5, 5, 3, 3, 1), (3, 6, 4, 2, 3, 2), (2, 7, 5, 3, 5, 2), (2, 4, 4, 5, 1, 1), (2, 9, 4, 3, 3, 3),
    (3, 1, 1, 2, 3, 1), (2, 2, 2, 3, 5, 1), (4, 6, 6, 4, 3, 1),
]  # fmt: skip


def shape_of(inputs: int, height: int, width: int, outputs: int, size: int, stride: int) -> Any:
    """A link's row of the table that kernels read."""
    return np.array([inputs, height, width, outputs, -(-height // stride), -(-width // stride), size, stride, 0])


def dense(kernel: Any, shape: Any) -> Any:
    """The matrix (outputs, inputs) of a convolution, entry by entry."""
    inputs, height, width, outputs, rows, columns, size, stride, _ = (int(extent) for extent in shape)
    taps = kernel.reshape(outputs, inputs, size, size)
    matrix = np.zeros((outputs, rows, columns, inputs, height, width))
    for i in range(rows):
        for j in range(columns):
            for a in range(size):
                for b in range(size):
                    y, x = i * stride + a - size // 2, j * stride + b - size // 2
                    if 0 <= y < height and 0 <= x < width:
                        matrix[:, i, j, :, y, x] = taps[:, :, a, b]
    return matrix.reshape(outputs * rows * columns, -1)


def plan_of(*tables: dict[str, Any], picture: tuple[int, ...] = (6, 5)) -> Plan:
    """A plan from tables as in a preset."""
    return build_plan([ConvTable(**table) for table in tables], picture)


SMALL = (
    {"channels": 3}, {"channels": 3, "residual": True, "repeat": 2}, {"channels": 4, "stride": 2},
    {"channels": 4, "residual": True, "size": 1},
)  # fmt: skip


def chain_of(
    backend: str = "numpy", dtype: str = "float64", samples: int = 3, seed: int = 1, **knobs: Any
) -> ConvChain:
    """A small chain with biases, clamped to random pictures."""
    plan = plan_of(*SMALL)
    chain = ConvChain(plan, CLASSES, load_backend(backend), dtype=dtype, samples=samples, seed=seed)
    rng = np.random.default_rng(5)
    for name, array in chain.weights.items():
        if name.endswith(".b"):
            array[...] = 0.2 * rng.standard_normal(array.shape)
    chain.weights_changed()
    for name, value in {"sigma": 0.8, "beta": 0.01, **knobs}.items():
        chain.set_parameter(name, value)
    chain.clamp(rng.standard_normal((samples, 30)).astype(dtype), np.arange(samples) % CLASSES)
    return chain


def settle(chain: ConvChain, ticks: int = 300) -> None:
    """Free, then nudged, far beyond rest."""
    for nudged in (False, True):
        if nudged:
            chain.release()
            chain.aim()
        for _ in range(ticks):
            chain.tick(nudged)


class Equations:
    """F of one sample, straight from the equations, with dense matrices; the state is (z_1 .. z_L, s_1 .. s_L)."""

    def __init__(self, chain: ConvChain) -> None:
        plan, w = chain.plan, chain.weights
        self.sizes = plan.neurons
        self.sigma = chain.value("sigma")
        self.below = [dense(w[f"{k + 1}.K"], shape) for k, (shape, _) in enumerate(plan.shapes)]
        self.own = [dense(w[f"{k + 1}.R"], shape) for k, (_, shape) in enumerate(plan.shapes)]
        counts = [n // layer.channels for n, layer in zip(self.sizes, plan.layers, strict=True)]
        self.bias = [w[f"{k + 1}.b"].repeat(count) for k, count in enumerate(counts)]
        residual = sum(layer.residual for layer in plan.layers)
        self.skip = [layer.residual for layer in plan.layers]
        self.share = [residual**-0.5 if skip else 1.0 for skip in self.skip]

    def split(self, state: Any) -> tuple[list[Any], list[Any]]:
        """z and s of all layers."""
        ends = np.cumsum([*self.sizes, *self.sizes])[:-1]
        parts = np.split(state, ends)
        return parts[: len(self.sizes)], parts[len(self.sizes) :]

    def tick(self, state: Any, inflow: Any) -> Any:
        """One synchronous tick."""
        z, s = self.split(state)
        below = [inflow, *s[:-1]]
        new = [
            np.tanh(self.sigma * self.own[k] @ z[k] + self.below[k] @ below[k] + self.bias[k]) for k in range(len(z))
        ]
        streams = [self.share[k] * new[k] + (below[k] if self.skip[k] else 0) for k in range(len(z))]
        return np.concatenate([*new, *streams])

    def jacobian(self, state: Any, inflow: Any) -> Any:
        """dF/dstate by complex steps."""
        columns = []
        for index in range(len(state)):
            stepped = state.astype(complex)
            stepped[index] += 1e-30j
            columns.append(self.tick(stepped, inflow).imag / 1e-30)
        return np.array(columns).T


def state_of(chain: ConvChain, sample: int, column: int) -> Any:
    """A column of a sample, in the order of `Equations`."""
    return np.concatenate(
        [states[k, sample, column, :n] for states in chain.columns() for k, n in enumerate(chain.plan.neurons)]
    )

"""Excitable units on a random sparse directed graph (FitzHugh 1961; Nagumo, Arimoto & Yoshizawa 1962).

    dv_i/dt = v_i - v_i^3 / 3 - w_i + I_i + sum_j W_ij v_j,   dw_i/dt = eps_i (v_i + 0.7 - 0.8 w_i)

The cubic is local, the coupling linear. Links excite or inhibit, W_ij = +-coupling, and units differ in their current
I_i and pace eps_i, so that they do not fall into step: of units in step nobody can tell who drives whom.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.integrate import integrate
from engine.dynamics.stream import Stream, Truth, observed, summed

Array = NDArray[np.float64]
CURRENT = (0.35, 1.35)
"""Range of I_i: a unit alone oscillates."""
PACE = (0.06, 0.2)
"""Range of eps_i."""


def fitzhugh_nagumo(
    *,
    steps: int = 8000,
    dt: float = 0.25,
    noise: float = 0.0,
    seed: int = 0,
    nodes: int = 50,
    degree: float = 3.0,
    coupling: float = 0.2,
) -> Stream:
    """Nodes with v and w; every node reads `degree` others on average, and at least one."""
    rng = np.random.default_rng(seed)
    reads = random_graph(nodes, degree, rng)
    weights = coupling * reads * rng.choice([-1.0, 1.0], (nodes, nodes))
    current, pace = rng.uniform(*CURRENT, nodes), rng.uniform(*PACE, nodes)

    def rate(_time: float, state: Array) -> Array:
        v, w = state.T
        dv = v - v**3 / 3 - w + current + weights @ v
        return np.stack([dv, pace * (v + 0.7 - 0.8 * w)], 1)

    def written(node: int) -> tuple[str, str]:
        v, w = f"v[{node + 1}]", f"w[{node + 1}]"
        own = (1.0, v), (-1 / 3, f"{v}^3"), (-1.0, w), (current[node], "")
        read = [(weights[node, other], f"v[{other + 1}]") for other in np.flatnonzero(weights[node])]
        return summed(*own, *read), summed((pace[node], f"({v} + 0.7 - 0.8 {w})"))

    truth = Truth(
        rate,
        reads | np.eye(nodes, dtype=bool),
        equations=("v_i' = v_i - v_i^3/3 - w_i + I_i + sum_j W_ij v_j", "w_i' = eps_i (v_i + 0.7 - 0.8 w_i)"),
        written=tuple(side for node in range(nodes) for side in written(node)),
    )
    clean = integrate(rate, rng.uniform(-1, 1, (nodes, 2)), steps, dt, transient=100.0)
    return observed("fhn", clean, dt, noise=noise, seed=seed, labels=("v", "w"), truth=truth)


def random_graph(nodes: int, degree: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(nodes, nodes) without loops: each node reads another with chance degree / (nodes - 1), and at least one."""
    reads = rng.random((nodes, nodes)) < degree / max(nodes - 1, 1)
    np.fill_diagonal(reads, False)
    if nodes > 1:
        for node in np.flatnonzero(~reads.any(1)):
            reads[node, (node + rng.integers(1, nodes)) % nodes] = True
    return reads

"""Where the chains come to rest, and what the nudge then says, against code that shares nothing with the kernels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from engine.networks.chain import softmax
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_backend

LAYERS, NEURONS, PIXELS, CLASSES = 4, 9, 12, 5
BETA = 1e-4
BACKENDS = ["numpy", "numba"]


def settled(kind, backend, sigma, rng, ticks=3000, nudged_ticks=3000):
    """A small float64 network at rest under a random picture, then nudged until at rest again."""
    network = kind(LAYERS, NEURONS, PIXELS, CLASSES, load_backend(backend), dtype="float64", samples=2, seed=3)
    network.weights["b"][...] = 0.1 * rng.standard_normal((LAYERS, NEURONS))
    network.reset(0)
    network.set_parameter("sigma", sigma)
    network.set_parameter("beta", BETA)
    network.clamp(rng.standard_normal((2, PIXELS)), np.array([1, 4]))
    for _ in range(ticks):
        network.tick(nudged=False)
    network.release()
    network.aim()
    for _ in range(nudged_ticks):
        network.tick(nudged=True)
    return network


def recursive_map(state, weights, sigma, inflow):
    """F of the recursive chain for one sample, straight from the equations; state is (2, L, N)."""
    z, s = state
    new_z, new_s = np.zeros_like(z), np.zeros_like(s)
    for k in range(LAYERS):
        below = s[k - 1] if k else inflow
        new_z[k] = np.tanh(sigma * weights["R"][k] @ z[k] + weights["W"][k] @ below + weights["b"][k])
        new_s[k] = below + new_z[k] / np.sqrt(LAYERS)
    return np.stack([new_z, new_s])


def hopfield_map(s, weights, sigma, inflow, force=0.0):
    """F of the Hopfield chain for one sample, straight from the equations; s is (L, N)."""
    new = np.zeros_like(s)
    for k in range(LAYERS):
        push = sigma / 2 * weights["W"][k] @ (s[k - 1] if k else inflow) + weights["b"][k]
        push = push + (sigma / 2 * weights["W"][k + 1].T @ s[k + 1] if k < LAYERS - 1 else force)
        new[k] = np.tanh(push / (0.5 if k == LAYERS - 1 else 1.0))
    return new


def cost_slope(top, weights, label):
    """dC/ds_L of the cross-entropy by central differences."""

    def cost(s):
        return -np.log(softmax(weights["W_out"] @ s)[label])

    step = 1e-6
    return np.array([(cost(top + step * e) - cost(top - step * e)) / (2 * step) for e in np.eye(NEURONS)])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sigma", [0.0, 0.6, 0.9])
def test_recursive_chain_rests_where_a_root_finder_says(backend, sigma, rng):
    network = settled(RecursiveChain, backend, sigma, rng, nudged_ticks=0)
    for sample in range(2):
        inflow = network.value("input_gain") * network.weights["W_in"] @ network._x[sample]
        start = np.zeros((2, LAYERS, NEURONS))

        def residual(flat, inflow=inflow, shape=start.shape):
            return (recursive_map(flat.reshape(shape), network.weights, sigma, inflow) - flat.reshape(shape)).ravel()

        solved = root(residual, start.ravel(), tol=1e-12).x.reshape(start.shape)
        np.testing.assert_allclose(network._states[0][:, sample, 0], solved[0], atol=1e-6)
        np.testing.assert_allclose(network._states[1][:, sample, 0], solved[1], atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sigma", [0.5, 0.95])
@pytest.mark.parametrize("dynamics", ["plain", "accelerated", "red-black"])
def test_hopfield_chain_rests_where_a_root_finder_says(backend, sigma, dynamics, rng):
    network = settled(HopfieldChain, backend, sigma, rng, ticks=0, nudged_ticks=0)
    network.set_parameter("dynamics", dynamics)
    for _ in range(3000):
        network.tick(nudged=False)
    for sample in range(2):
        inflow = network.value("input_gain") * network.weights["W_in"] @ network._x[sample]

        def residual(flat, inflow=inflow):
            s = flat.reshape(LAYERS, NEURONS)
            return (hopfield_map(s, network.weights, sigma, inflow) - s).ravel()

        solved = root(residual, np.zeros(LAYERS * NEURONS), tol=1e-12).x.reshape(LAYERS, NEURONS)
        np.testing.assert_allclose(network._states[0][:, sample, 0], solved, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sigma", [0.0, 0.6, 0.9])
def test_recursive_credit_is_the_adjoint(backend, sigma, rng):
    """(x+ - x-) / 2 beta = (I - J^T)^-1 f, by a backward recursion written from the equations."""
    network = settled(RecursiveChain, backend, sigma, rng)
    for sample, label in enumerate((1, 4)):
        z = network._states[0][:, sample, 0]
        top = network._states[1][-1, sample, 0]
        on_stream = -cost_slope(top, network.weights, label)
        nudge = network.channels(sample)[2] / BETA
        for k in reversed(range(LAYERS)):
            np.testing.assert_allclose(nudge[k], on_stream, atol=1e-6)
            slope = np.diag(1 - z[k] ** 2)
            inner = np.eye(NEURONS) - sigma * slope @ network.weights["R"][k].T
            credit = np.linalg.solve(inner, slope @ on_stream / np.sqrt(LAYERS))
            on_stream = on_stream + network.weights["W"][k].T @ credit


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sigma", [0.5, 0.95])
def test_hopfield_credit_is_the_adjoint(backend, sigma, rng):
    """(s+ - s-) / 2 beta = (M D^-1 - K)^-1 f with D = 1 - s^2 at the free point and K the symmetric coupling."""
    network = settled(HopfieldChain, backend, sigma, rng)
    size = LAYERS * NEURONS
    coupling = np.zeros((size, size))
    for k in range(1, LAYERS):
        upper, lower = slice(k * NEURONS, (k + 1) * NEURONS), slice((k - 1) * NEURONS, k * NEURONS)
        coupling[upper, lower] = sigma / 2 * network.weights["W"][k]
        coupling[lower, upper] = sigma / 2 * network.weights["W"][k].T
    mass = np.ones((LAYERS, 1))
    mass[-1] = 0.5
    for sample, label in enumerate((1, 4)):
        s = network._states[0][:, sample, 0]
        force = np.zeros((LAYERS, NEURONS))
        force[-1] = -cost_slope(s[-1], network.weights, label)
        curvature = np.diag((mass / (1 - s**2)).ravel())
        adjoint = np.linalg.solve(curvature - coupling, force.ravel()).reshape(s.shape)
        np.testing.assert_allclose(network.channels(sample)[2] / BETA, adjoint, atol=1e-6)


def test_a_large_beta_is_visibly_not_the_adjoint(rng):
    """The control: the agreement above is that of a small beta, not of a formula that ignores beta."""
    near, far = (settled(HopfieldChain, "numba", 0.9, np.random.default_rng(0), 500, 0) for _ in range(2))
    for network, beta in ((near, BETA), (far, 1.0)):
        network.set_parameter("beta", beta)
        for _ in range(500):
            network.tick(nudged=True)
    gap = np.abs(near.channels(0)[2] / BETA - far.channels(0)[2]).max()
    assert gap > 1e-3

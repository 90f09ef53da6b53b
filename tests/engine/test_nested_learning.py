"""Learning in nested chains: the credit through inner Blocks, against independent gradients."""

from __future__ import annotations

import numpy as np
import pytest

from engine.learning.equilibrium import equilibrium_of
from engine.learning.exact import exact_gradients
from engine.learning.from_ticks import tick_gradients
from tests.engine.nested_cases import CLASSES, NESTS, Equations, chain_of, settle, state_of


def _loss(chain, x, labels):
    """Mean cross-entropy at the fixed point, from `Equations` alone."""
    equations = Equations(chain)
    total = 0.0
    for picture, label in zip(x, labels, strict=True):
        inflow = chain.value("input_gain") * equations.w["W_in"] @ picture
        state = np.zeros(2 * equations.count * equations.neurons)
        for _ in range(120):
            state = equations(state, inflow)
        logits = equations.w["W_out"] @ state[-equations.neurons :]
        total += np.log(np.exp(logits).sum()) - logits[label]
    return total / len(x)


def _close(found, exact, share):
    assert set(found) == set(exact)
    for name, gradient in exact.items():
        largest = np.abs(gradient).max()
        assert largest > 0
        np.testing.assert_allclose(found[name], gradient, atol=share * largest, err_msg=name)


@pytest.mark.parametrize("name", NESTS)
def test_the_exact_gradient_is_the_slope_of_the_loss(name, rng):
    chain = chain_of(name, samples=2)
    x, labels = chain.read_in()[0], np.arange(2) % CLASSES
    gradients = exact_gradients("nested", chain.weights, x, labels, 0.8, 0.5, plan=chain.nest)
    for tensor, gradient in gradients.items():
        direction = rng.standard_normal(gradient.shape)
        true = chain.weights[tensor].copy()
        losses = []
        for step in (1e-5, -1e-5):
            chain.weights[tensor][...] = true + step * direction
            losses.append(_loss(chain, x, labels))
        chain.weights[tensor][...] = true
        slope = (losses[0] - losses[1]) / 2e-5
        assert slope == pytest.approx((gradient * direction).sum(), rel=1e-5, abs=1e-9), tensor


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["one Block", "four levels"])
def test_ticks_leave_the_exact_gradient_at_every_level(name, backend):
    chain = chain_of(name, backend, beta=1e-4)
    labels = np.arange(3) % CLASSES
    settle(chain)
    exact = exact_gradients("nested", chain.acting, chain.read_in()[0], labels, 0.8, 0.5, plan=chain.nest)
    _close(tick_gradients(chain, labels), exact, 1e-6)


@pytest.mark.parametrize("name", ["one level", "three levels"])
def test_sweeps_leave_the_exact_gradient_too(name):
    chain = chain_of(name, "numba", samples=35)
    x, labels = chain.read_in()[0], np.arange(35) % CLASSES
    fixed = equilibrium_of("nested", chain.weights, sigma=0.8, beta=1e-4, tolerance=1e-13, plan=chain.nest)
    free = fixed.settle(x)
    settle(chain)
    found = np.concatenate([state[:, :, 4].reshape(-1) for state in free.states])
    np.testing.assert_allclose(found, state_of(chain, 4, 0), atol=1e-12)
    exact = exact_gradients("nested", chain.weights, x, labels, 0.8, 0.5, plan=chain.nest)
    _close(fixed.gradients(free, fixed.nudge(free, labels)), exact, 1e-6)

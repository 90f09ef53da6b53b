"""The physics of nested chains: the joint fixed point, the credit, contraction and where it stops, lesions, tiles."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.nested_cases import NESTS, Equations, chain_of, settle, state_of

BACKENDS = ["numpy", "numba"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NESTS)
def test_rests_where_the_equations_rest(name, backend):
    chain = chain_of(name, backend)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        state = state_of(chain, sample, 0)
        assert np.abs(state).max() > 0.1
        np.testing.assert_allclose(equations(state, inflow[sample]), state, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NESTS)
def test_the_displacement_is_the_credit(name, backend):
    """d = beta (I - J^T)^-1 f by a dense solve at the joint fixed point; the centred difference is exact to beta^2."""
    chain = chain_of(name, backend, beta=1e-4)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        jacobian = equations.jacobian(state_of(chain, sample, 0), inflow[sample])
        force = np.zeros(len(jacobian))
        force[-chain.neurons :] = chain._aim[sample]
        expected = np.linalg.solve(np.eye(len(jacobian)) - jacobian.T, force)
        found = (state_of(chain, sample, 1) - state_of(chain, sample, 2)) / 2e-4
        assert np.abs(expected).min() > 0
        np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())

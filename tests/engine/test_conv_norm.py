"""The norm of a convolution as it is applied, against dense singular values, and how it is kept at 1."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.conv.norm import Recurrence, Recurrences
from tests.engine.conv_cases import chain_of, dense, plan_of

PLANS = [
    plan_of({"channels": channels, "size": size}, picture=picture)
    for channels, size, picture in (
        (1, 3, (5, 5)), (3, 3, (6, 4)), (4, 5, (5, 7)), (2, 1, (4, 4)), (8, 3, (8, 8)), (3, 3, (1, 1)), (2, 7, (3, 3)),
    )
]  # fmt: skip


def kernel_of(plan, rng, scale=1.0):
    return scale * rng.standard_normal(plan.kernels()["1.R"])


def singular_values(plan, kernel):
    return np.linalg.svd(dense(kernel, plan.shapes[0, 1]), compute_uv=False)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan.layers[0].shape))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_power_iteration_finds_the_largest_singular_value_of_the_operator(plan, dtype, rng):
    for _ in range(5):
        kernel = kernel_of(plan, rng).astype(dtype)
        found = Recurrence(plan, 0, np.dtype(dtype)).norm(kernel)
        assert found == pytest.approx(singular_values(plan, kernel)[0], rel=1e-3)


def test_the_norm_of_the_kernels_matrix_is_another_number(rng):
    """Control: the usual shortcut is off by far more than the one per cent that is allowed."""
    plan = PLANS[4]
    kernel = kernel_of(plan, rng)
    assert abs(np.linalg.norm(kernel, 2) / singular_values(plan, kernel)[0] - 1) > 0.1


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan.layers[0].shape))
def test_the_excess_is_taken_away_and_the_other_directions_stay(plan, rng):
    kernel = kernel_of(plan, rng)
    kernel *= 1.2 / singular_values(plan, kernel)[0]
    before = singular_values(plan, kernel)
    kept = kernel.copy()
    Recurrence(plan, 0, kernel.dtype).bring_down(kept)
    after = singular_values(plan, kept)
    assert 0.95 < after[0] <= 1.001
    rescaled = kernel / before[0]
    assert np.linalg.norm(kept - kernel) <= np.linalg.norm(rescaled - kernel) * (1 + 1e-6)
    if len(before) > 20:
        assert after.sum() > singular_values(plan, rescaled).sum()


def test_a_norm_below_one_is_left_alone(rng):
    plan = PLANS[1]
    kernel = kernel_of(plan, rng)
    kernel *= 0.9 / singular_values(plan, kernel)[0]
    kept = kernel.copy()
    Recurrence(plan, 0, kernel.dtype).keep(kept)
    np.testing.assert_array_equal(kept, kernel)


def test_warm_starts_follow_a_kernel_that_wanders(rng):
    """As under an optimiser: many small steps, one look each, and the norm stays at 1 within a per cent."""
    plan = PLANS[4]
    kernel = kernel_of(plan, rng)
    kernel /= singular_values(plan, kernel)[0]
    operator = Recurrence(plan, 0, kernel.dtype)
    operator.norm(kernel)
    norms = []
    for _ in range(60):
        kernel += 2e-3 * np.sign(rng.standard_normal(kernel.shape))
        operator.keep(kernel)
        norms.append(singular_values(plan, kernel)[0])
    assert max(norms) < 1.01
    assert norms[-1] > 0.98


def test_a_chain_starts_with_norm_one_and_takes_weights_over_with_norm_one():
    chain = chain_of("numba")
    assert Recurrences(chain.plan, chain.dtype).norms(chain.weights) == pytest.approx(
        dict.fromkeys(chain.recurrent, 1.0), abs=1e-3
    )
    weights = chain.state_dict()
    large = {name: 1.5 * array if name in chain.recurrent else array for name, array in weights.items()}
    chain.load_state_dict(large)
    for k, name in enumerate(chain.recurrent):
        norm = np.linalg.norm(dense(chain.weights[name], chain.plan.shapes[k, 1]), 2)
        assert 0.98 < norm < 1.002, name
    for name in set(weights) - set(chain.recurrent):
        np.testing.assert_array_equal(chain.weights[name], weights[name])

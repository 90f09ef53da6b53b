"""Krylov estimates beside dense decompositions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.krylov import singular_pairs, spectral_radius


@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_singular_pairs_are_those_of_the_matrix(size, rng):
    A = rng.standard_normal((size, size))
    u, values, v = singular_pairs(lambda x: A @ x, lambda x: A.T @ x, rng.standard_normal(size), 60)
    exact = np.linalg.svd(A, compute_uv=False)
    np.testing.assert_allclose(values[:3], exact[:3], rtol=1e-8)
    np.testing.assert_allclose(A @ v[0], values[0] * u[0], atol=1e-7)


def test_few_steps_estimate_from_below(rng):
    A = rng.standard_normal((200, 200))
    largest = np.linalg.norm(A, 2)
    found = [singular_pairs(lambda x: A @ x, lambda x: A.T @ x, np.ones(200), steps)[1][0] for steps in (1, 4, 16, 40)]
    assert found == sorted(found)
    assert 0.999 * largest < found[-1] <= largest * (1 + 1e-12)


def test_an_operator_of_nothing_has_no_norm():
    _, values, _ = singular_pairs(np.zeros_like, np.zeros_like, np.ones(5), 4)
    assert not values.any()
    assert spectral_radius(np.zeros_like, np.ones(5), waves=3)[0] == 0


@pytest.mark.parametrize("size", [1, 2, 30, 150])
@pytest.mark.parametrize("kind", ["general", "rotation", "symmetric"])
def test_spectral_radius_is_that_of_the_matrix(size, kind, rng):
    A = rng.standard_normal((size, size)) / math.sqrt(size)
    if kind == "symmetric":
        A = A + A.T
    if kind == "rotation" and size > 1:
        A *= 0.1
        A[:2, :2] += [[0.0, -1.0], [1.0, 0.0]]
    exact = np.abs(np.linalg.eigvals(A)).max()
    radius, vector = spectral_radius(lambda x: A @ x, rng.standard_normal(size), waves=40)
    assert radius == pytest.approx(exact, rel=1e-2)
    again, _ = spectral_radius(lambda x: A @ x, vector, waves=1, rounds=2)
    assert again == pytest.approx(exact, rel=1e-2), "from where the last call ended, little work is left"


@pytest.mark.parametrize("size", [3, 30])
def test_what_only_passes_through_has_no_radius_however_much_it_grows(size, rng):
    passing = np.diag(np.full(size - 1, 1.2), -1)
    assert spectral_radius(lambda x: passing @ x, np.ones(size), waves=size)[0] == 0
    returning = np.kron(passing, np.eye(4)) + 0.02 * rng.standard_normal((4 * size, 4 * size)) / math.sqrt(size)
    exact = np.abs(np.linalg.eigvals(returning)).max()
    assert spectral_radius(lambda x: returning @ x, np.ones(4 * size), size)[0] == pytest.approx(exact, rel=0.03)


def test_what_is_not_finite_has_no_radius():
    assert math.isnan(spectral_radius(lambda x: x * np.nan, np.ones(4), waves=2)[0])

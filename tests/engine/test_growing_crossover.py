"""Sparse or dense: both are the same function, and the form follows costs without flutter."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.growing.crossover import AGREEING, COOL_DOWN, Costs, Crossover, DenseBlock, measured, random_core

COSTS = Costs(alpha=8.0, beta=1.0)


@pytest.mark.parametrize("samples", [1, 3, 8])
def test_both_forms_are_the_same_function(samples: int) -> None:
    core = random_core(40, 30, 0.2)
    dense = DenseBlock(core.dense())
    rng = np.random.default_rng(3)
    x, e = rng.standard_normal((30, samples)).astype("f"), rng.standard_normal((40, samples)).astype("f")
    np.testing.assert_allclose(core.forward(x), dense.forward(x), atol=1e-4)
    (cells, back), (entries, expected) = core.gradient(x, e), dense.gradient(x, e)
    np.testing.assert_allclose(cells, entries[tuple(core.M_idx.T)], atol=1e-4)
    np.testing.assert_allclose(back, expected, atol=1e-4)


def test_samples_of_another_type_or_order_are_converted() -> None:
    core = random_core(40, 30, 0.2)
    rng = np.random.default_rng(3)
    x, e = rng.standard_normal((7, 30)).T, rng.standard_normal((7, 40)).T
    dense = DenseBlock(core.dense().astype(float))
    np.testing.assert_allclose(core.forward(x), dense.forward(x), atol=1e-4)
    (cells, back), (entries, expected) = core.gradient(x, e), dense.gradient(x, e)
    np.testing.assert_allclose(cells, entries[tuple(core.M_idx.T)], atol=1e-4)
    np.testing.assert_allclose(back, expected, atol=1e-4)


@pytest.mark.parametrize("density", np.linspace(0.01, 0.8, 40))
def test_the_cheaper_form_is_picked_over_a_sweep_of_densities(density: float) -> None:
    cells = round(density * 10_000)
    sparse = cells * COSTS.alpha <= 10_000 * COSTS.beta
    assert COSTS.faster(cells, 100, 100) == ("sparse" if sparse else "dense")


def test_outside_the_middle_costs_do_not_count() -> None:
    assert Costs(1e9, 1.0).faster(400, 100, 100) == "sparse"
    assert Costs(1.0, 1e9).faster(6100, 100, 100) == "dense"


def test_a_block_changes_its_form_after_agreeing_checks_and_then_rests() -> None:
    block = Crossover(COSTS, 100, 100)
    forms = [block.check(1500 if turn != 1 else 600) for turn in range(2 + AGREEING)]
    assert forms == ["sparse"] * (1 + AGREEING) + ["dense"]
    forms = [block.check(600) for _ in range(COOL_DOWN)]
    assert forms == ["dense"] * (COOL_DOWN - 1) + ["sparse"]


def test_measured_costs_are_those_of_this_device() -> None:
    costs = measured(64, 64, 4)
    assert costs is measured(64, 64, 4)
    assert costs.beta > 0
    assert costs.alpha > 0

"""Sparse or dense: both are the same function, and the form follows costs without flutter."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.growing.core import Form
from engine.networks.growing.crossover import (
    AGREEING,
    COOL_DOWN,
    Costs,
    Crossover,
    DenseBlock,
    OnThisDevice,
    measured,
    random_core,
)
from engine.networks.growing.learner import Learner
from engine.networks.growing.planner import Planner
from tests.engine.growing_cases import wanderers, watched, wire

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


def test_costs_on_this_device_are_measured_only_where_they_count() -> None:
    judge = OnThisDevice(3)
    measured.cache_clear()
    assert [judge.faster(cells, 10, 100) for cells in (40, 700)] == ["sparse", "dense"]
    assert measured.cache_info().currsize == 0
    assert judge.faster(100, 10, 100) == measured(10, 128, 3).faster(100, 10, 100)


def test_a_graph_is_the_same_function_in_either_form() -> None:
    graph = wire(watched(wanderers(5, 2)), np.random.default_rng(1), latency=1)
    done, error = Learner(graph).errors(20)
    cells, taps = graph.backward(done, error)
    graph.core.form = "dense"
    again = graph.forward(done.seen)
    np.testing.assert_allclose(again.y, done.y, atol=1e-12)
    for one, other in zip(graph.backward(again, error), (cells, taps), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_dense_graph_changes_its_form_after_agreeing_meta_steps_and_grows_the_same(wanted: bool) -> None:
    """Three nodes that read all: more than a fifth of all cells."""
    ends, forms = [], []
    for crossover in (wanted, False):
        graph = wire(watched(wanderers(3, 1), cycle=2, crossover=crossover), np.random.default_rng(4), taps=4)
        graph.crossover = Crossover(Costs(1e9, 1.0), graph.states, 1)
        planner = Planner(Learner(graph))
        seen: list[Form] = []
        for _ in range(14):
            planner.step()
            seen.append(graph.core.form)
        forms.append(seen)
        ends.append(graph.forward(graph.memory.seen(graph.memory.ready[:50], graph.connectors.lags)).y)
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-8)
    at = 2 * AGREEING - 1
    assert forms[0] == (["sparse"] * at + ["dense"] * (14 - at) if wanted else forms[1])
    assert set(forms[1]) == {"sparse"}

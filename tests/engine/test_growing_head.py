"""The distribution head: Cold until outcomes are ambiguous, then close to the true density; and the outcome memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.dynamics import make_stream
from engine.dynamics.scores import calibration, nll
from engine.networks.growing import head as module
from engine.networks.growing.ambiguity import CHANCE, ambiguity, least_within, split
from engine.networks.growing.head import DistributionHead
from engine.networks.growing.outcomes import HORIZON, OutcomeMemory

TRAINED = 6000


def polynomial(inputs, outcomes, degree=3):
    """A point prediction by least squares, (N, d)."""
    powers = [np.ones((len(inputs), 1)), inputs]
    if degree >= 2:
        m = inputs.shape[1]
        powers += [inputs[:, [i]] * inputs[:, [j]] for i in range(m) for j in range(i, m)]
    if degree >= 3:
        powers.append(inputs**3)
    design = np.concatenate(powers, 1)
    return design @ np.linalg.lstsq(design[:TRAINED], outcomes[:TRAINED], rcond=None)[0]


def grown(head, *columns):
    for _ in range(6):
        decision = head.check(*columns)
        if decision.why and not decision.grew:
            break
    return decision


@pytest.fixture(scope="module")
def wells():
    """Of two seeds: the true density, inputs, point predictions and outcomes, and a head that has grown."""
    found = []
    for seed in (0, 1):
        stream = make_stream("doublewell", steps=9000, seed=seed)
        x = stream.clean[:, 0]
        inputs, outcomes = x[:-1], x[1:]
        predicted = polynomial(inputs, outcomes)
        head = DistributionHead(1)
        grown(head, inputs[:TRAINED], predicted[:TRAINED], outcomes[:TRAINED])
        found.append((stream.truth.density, inputs, predicted, outcomes, head))
    return found


def test_two_wells_are_told_as_well_as_by_the_true_density(wells):
    """Held-out outcomes: within five per cent of the true density's likelihood, and uniform levels."""
    for density, *columns, head in wells:
        now, predicted, later = (column[TRAINED:] for column in columns)
        cold = DistributionHead(1)
        list(cold._settle(columns[0][:TRAINED], columns[2][:TRAINED] - columns[1][:TRAINED], 1))
        best = nll(density.log_density(now[:, 0], later[:, 0]))
        told = nll(head.log_density(now, predicted, later))
        point = nll(cold.log_density(now, predicted, later))
        p = calibration(head.levels(now, predicted, later)[:, 0])
        print(f"true {best:.4f}, head {told:.4f} ({head.components} components, p {p:.3f}), point {point:.4f}")
        assert head.components >= 2
        assert told < 1.05 * best
        assert p > 0.05
        assert point > 1.25 * best
        assert calibration(cold.levels(now, predicted, later)[:, 0]) < 0.01


def test_a_point_prediction_collapses_to_the_mean_where_the_head_draws_either_outcome(wells):
    """At the top, a twentieth of the true outcomes lies in the middle third between the wells."""
    density, inputs, predicted, _, head = wells[0]
    top = np.abs(inputs[:, 0]) < 0.1
    rng = np.random.default_rng(0)
    drawn = head.draw(np.zeros((4000, 1)), np.full((4000, 1), predicted[top].mean()), rng)[:, 0]
    assert np.abs(predicted[top]).max() < 0.3
    true = np.diff(density.distribution(np.zeros(2), np.array([-0.3, 0.3])))[0]
    assert true < 0.15
    assert np.mean(np.abs(drawn) < 0.3) == pytest.approx(true, abs=0.04)
    assert np.mean(drawn > 0) == pytest.approx(0.5, abs=0.1)
    assert head.mean(np.zeros((1, 1)), predicted[top][:1]) == pytest.approx(0, abs=0.25)


def test_draws_have_the_density_and_remember_nothing(wells):
    _, inputs, predicted, _, head = wells[0]
    drawn = head.draw(inputs, predicted, np.random.default_rng(3))
    levels = head.levels(inputs, predicted, drawn)[:, 0]
    assert calibration(levels) > 0.01
    assert abs(np.corrcoef(levels[:-1], levels[1:])[0, 1]) < 0.05
    grid = np.linspace(-4, 4, 2001)[:, None]
    density = np.exp(head.log_density(np.full_like(grid, 0.4), np.zeros_like(grid), grid))
    assert np.trapezoid(density, grid[:, 0]) == pytest.approx(1, abs=1e-4)
    below = head.levels(np.full_like(grid, 0.4), np.zeros_like(grid), grid)[:, 0]
    assert np.abs(np.gradient(below, grid[:, 0]) - density).max() < 0.02


@pytest.mark.parametrize("degree", [1, 2])
def test_the_head_stays_cold_where_the_next_state_is_certain(degree):
    """Lorenz-63, also where the point prediction is a poor one: what is not learned yet is not chance."""
    x = make_stream("lorenz63").states[:, :, 0]
    predicted = polynomial(x[:-1], x[1:], degree)
    head = DistributionHead(3)
    decision = grown(head, x[:-1], predicted, x[1:])
    assert head.components == 0
    assert decision.why == ""
    assert decision.ambiguity.spread < 0.01


def test_shaken_outcomes_with_one_mode_need_no_component_but_a_shift_of_spread_does():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (4000, 1))
    same = DistributionHead(1)
    assert not grown(same, inputs, inputs, inputs + 0.3 * rng.standard_normal((4000, 1))).why
    assert same.components == 0
    uneven = DistributionHead(1)
    grown(uneven, inputs, inputs, inputs + np.where(inputs > 0, 0.6, 0.1) * rng.standard_normal((4000, 1)))
    assert uneven.components >= 1


def test_a_component_that_does_not_pay_is_not_kept(wells):
    """At most `limit`, and none for outcomes that are shuffled among themselves (but for what one mode can tell)."""
    inputs, predicted, outcomes = (column[:3000] for column in wells[0][1:4])
    one = DistributionHead(1, limit=1)
    grown(one, inputs, predicted, outcomes)
    assert one.components == 1
    few = DistributionHead(1)
    assert few.check(inputs[:100], predicted[:100], outcomes[:100]).why == ""
    many = DistributionHead(1)
    decisions = [many.check(inputs, predicted, outcomes) for _ in range(8)]
    kept = [d for d in decisions if d.grew]
    assert all(d.gain > 2 * d.error for d in kept)
    assert any(d.why and not d.grew for d in decisions)
    assert len(kept) == many.components < many.limit


def test_the_gradient_of_the_likelihood_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    theta = 0.3 * rng.standard_normal((3, 5, 4))
    phi, y = rng.standard_normal((50, 4)), rng.standard_normal((50, 2))
    gradient = module._loss(theta, phi, y)[1]
    for place in np.ndindex(theta.shape):
        moved = [theta.copy(), theta.copy()]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        slope = (module._loss(moved[0], phi, y)[0] - module._loss(moved[1], phi, y)[0]) / 2e-6
        assert slope == pytest.approx(gradient[place], abs=1e-7)


def test_two_modes_are_told_from_one_and_from_an_unlearned_function():
    rng = np.random.default_rng(1)
    assert split(np.repeat([0.0, 1.0], 20))[0] == pytest.approx(0)
    assert split(rng.standard_normal(100_000))[0] == pytest.approx(1 - 2 / np.pi, abs=0.01)
    chance = [split(rng.standard_normal(40))[0] < least_within(40) for _ in range(4000)]
    assert np.mean(chance) == pytest.approx(CHANCE, abs=0.006)
    inputs, one = rng.uniform(-1, 1, (4000, 2)), np.ones(1)
    gauss = rng.standard_normal((4000, 1))
    sign = rng.choice([-1.0, 1.0], (4000, 1))
    assert not ambiguity(inputs, gauss, one).beyond_chance
    assert not ambiguity(inputs, np.sin(3 * inputs[:, :1]), one).beyond_chance
    assert ambiguity(inputs, sign + 0.2 * gauss, one).beyond_chance


def test_chance_is_seldom_taken_for_two_modes_though_neighbourhoods_overlap():
    """A few outcomes make up many neighbourhoods, and a rare one turns up in all that are near it."""
    taken = []
    for seed in range(60):
        rng = np.random.default_rng((seed, 7))
        inputs, gauss = rng.uniform(-1, 1, (400, 2)), rng.standard_normal((400, 1))
        taken.append(ambiguity(inputs, gauss, np.ones(1)).beyond_chance)
    assert sum(taken) <= 3


def test_futures_branch_as_the_true_chain_does():
    """The probability of the right well over eight ticks, from five starts."""
    stream = make_stream("doublewell", steps=9000)
    x, density = stream.clean[:, 0], stream.truth.density
    memory = OutcomeMemory(x.std(0))
    for now, later in pairwise(x):
        memory.remember(now, later)
    right = density.centres > 1e-9
    for start in (0.0, 0.3, 0.6, 1.0, -1.0):
        futures = memory.futures(np.array([start]), 8)
        p = np.eye(len(density.centres))[np.abs(density.centres - start).argmin()]
        for states, weights in zip(futures.states, futures.weights, strict=True):
            p = p @ density.mass
            assert weights.sum() == pytest.approx(1, abs=1e-9)
            assert weights[states[:, 0] > 0].sum() == pytest.approx(p[right].sum(), abs=0.08)
        assert futures.lost == 0


def test_futures_are_bounded_and_say_what_they_leave_out():
    rng = np.random.default_rng(0)
    memory = OutcomeMemory(np.ones(1), radius=0.1)
    for now in np.linspace(0, 1, 400):
        memory.remember(np.array([now]), rng.uniform(0, 1, 1))
    futures = memory.futures(np.zeros(1), 1000, width=3)
    assert len(futures.states) == HORIZON
    assert all(len(weights) <= 3 for weights in futures.weights)
    assert futures.lost > 0.1
    assert futures.weights[-1].sum() < 1
    assert OutcomeMemory(np.ones(1)).futures(np.zeros(1), 2).weights[-1].tolist() == [1.0]


def test_memory_keeps_a_fair_sample_within_its_cap_and_knows_what_it_has_not_seen():
    rng = np.random.default_rng(0)
    memory = OutcomeMemory(np.ones(1), radius=0.5, cells=3, kept=100)
    for outcome in rng.standard_normal(5000):
        memory.remember(np.zeros(1), np.array([outcome]))
    sample = memory.outcomes(np.zeros(1))
    assert (len(memory), sample.shape) == (1, (100, 1))
    assert abs(sample.mean()) < 0.4
    assert len(memory.outcomes(np.array([2.0]))) == 0
    for place in (10.0, 20.0, 30.0):
        memory.remember(np.array([place]), np.array([place]))
    assert len(memory) == 3
    assert len(memory.outcomes(np.zeros(1))) == 100
    assert len(memory.outcomes(np.array([30.0]))) == 1

"""The chain: latency to the tick, exact credit, the rules of learning, and what the links tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.networks.tween.chain import GATE, TweenChain
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Array, Cache, Layer, Shape, State, Weights
from engine.networks.tween.links import bottleneck, depth_barrier, gap, link_budget
from engine.networks.tween.liquid import liquid
from engine.networks.tween.recurrent import LSTM
from engine.networks.tween.sweep import sweep, sweep_back

DEPTHS = (1, 2, 5, 12)


def dense(depth: int, width: int = 4) -> list[Layer]:
    return [Dense((width,), width) for _ in range(depth)]


def chain(depth: int, **more: int) -> TweenChain:
    return TweenChain(dense(depth), lanes=more.get("lanes", 2), samples=more.get("samples", 2), seed=3, dtype="float64")


def noise(made: TweenChain, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(made.x.shape)


def copies(made: TweenChain, layer: int) -> Weights:
    return {name: w.copy() for name, w in made.links[layer].weights.items()}


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_input_reaches_the_output_after_exactly_as_many_ticks_as_there_are_layers(depth: int) -> None:
    one, other = chain(depth), chain(depth)
    for _ in range(7):
        one.tick()
        other.tick()
    other.x = noise(other)
    for _ in range(depth - 1):
        one.tick()
        other.tick()
        np.testing.assert_array_equal(other.output, one.output)
    one.tick()
    other.tick()
    assert (other.output != one.output).all()


@pytest.mark.parametrize("matched", [True, False])
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_target_reaches_layer_one_after_exactly_as_many_ticks_as_there_are_layers(depth: int, matched: bool) -> None:
    made = chain(depth)
    made.rules.matched = matched
    for tick in range(3 * depth):
        made.x = noise(made, tick)
        made.tick()
    before = copies(made, 0)
    made.y = noise(made)
    for _ in range(depth - 1):
        made.tick()
        for name, w in made.links[0].weights.items():
            np.testing.assert_array_equal(w, before[name])
    made.tick()
    assert all((w != before[name]).any() for name, w in made.links[0].weights.items())


class Watched:
    """A layer that keeps the gradients it gave, one entry a tick."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.kind, self.shape_in, self.shape = layer, layer.kind, layer.shape_in, layer.shape
        self.initial_weights, self.initial_state = layer.initial_weights, layer.initial_state
        self.forward = layer.forward
        self.given: list[Weights] = []

    shape_in: Shape
    shape: Shape

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        found = self.layer.backward(weights, g, cache, g_state)
        self.given.append(found[1])
        return found


def _errors_of_credit(depth: int, ticks: int, matched: bool) -> float:
    """How far a frozen chain's gradients are from those of full passes; every layer, every tick, relative."""
    layers = [Watched(layer) for layer in dense(depth)]
    made = TweenChain(layers, lanes=2, samples=2, seed=1, dtype="float64")
    made.rules.learning, made.rules.matched = False, matched
    weights = [link.weights for link in made.links]
    xs, ys = [], []
    for tick in range(ticks):
        xs.append(noise(made, tick))
        ys.append(noise(made, 1000 + tick))
        made.x, made.y = xs[-1], ys[-1]
        made.tick()
    worst = 0.0
    for number, layer in enumerate(layers):
        hops = depth - 1 - number
        for tick in range(depth + hops, ticks):
            said = tick - hops
            output, caches, _ = sweep(layers, weights, xs[said - depth], [()] * depth)
            true = sweep_back([w.layer for w in layers], weights, [caches], [ys[said] - output])[number]
            for name, gradient in layer.given[tick].items():
                worst = max(worst, float(np.abs(gradient - true[name]).max() / np.abs(true[name]).max()))
    return worst


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_matched_credit_is_the_gradient_of_the_late_loss(depth: int) -> None:
    assert _errors_of_credit(depth, 30, matched=True) < 1e-10


def test_unmatched_credit_is_not_while_the_input_moves() -> None:
    assert _errors_of_credit(5, 30, matched=False) > 0.5


def test_unmatched_credit_is_right_when_nothing_moves() -> None:
    layers = [Watched(layer) for layer in dense(4)]
    made = TweenChain(layers, lanes=2, samples=2, seed=1, dtype="float64")
    made.rules.learning, made.rules.matched = False, False
    made.x, made.y = noise(made), noise(made, 1)
    for _ in range(9):
        made.tick()
    weights = [link.weights for link in made.links]
    output, caches, _ = sweep(layers, weights, made.x, [()] * 4)
    expected = sweep_back([w.layer for w in layers], weights, [caches], [made.y - output])
    for layer, true in zip(layers, expected, strict=True):
        for name, gradient in layer.given[-1].items():
            np.testing.assert_allclose(gradient, true[name], atol=1e-12)


@pytest.mark.parametrize("make", [lambda: LSTM((3,), 3), lambda: Dense((3,), 3)], ids=["lstm", "dense"])
def test_backpropagation_through_time_is_what_finite_differences_measure(make: Callable[[], Layer]) -> None:
    layers = [make(), make()]
    rng = np.random.default_rng(4)
    weights = [layer.initial_weights(rng, 2) for layer in layers]
    states = [layer.initial_state(2, 1, np.dtype(float)) for layer in layers]
    xs, credits = rng.standard_normal((5, 2, 1, 3)), rng.standard_normal((5, 2, 1, 3))

    def total() -> float:
        now, found = states, 0.0
        for x, credit in zip(xs, credits, strict=True):
            output, _, now = sweep(layers, weights, x, now)
            found += float((credit * output).sum())
        return found

    passes, now = [], states
    for x in xs:
        _, caches, now = sweep(layers, weights, x, now)
        passes.append(caches)
    gradients = sweep_back(layers, weights, passes, list(credits))
    for own, found in zip(weights, gradients, strict=True):
        for name, w in own.items():
            index = tuple(int(rng.integers(n)) for n in w.shape)
            here = w[index]
            w[index] = here + 1e-6
            above = total()
            w[index] = here - 1e-6
            slope = (above - total()) / 2e-6
            w[index] = here
            assert found[name][index] == pytest.approx(slope, abs=1e-7)


def test_a_step_is_rate_times_half_and_half_the_budget_times_the_gradient() -> None:
    """v <- 0.9 v + 0.1 rate_i G, W <- W + v: followed by hand for ten ticks."""
    layers = [Watched(layer) for layer in dense(2)]
    made = TweenChain(layers, lanes=3, samples=2, seed=1, dtype="float64")
    made.rules.rate = np.array([0.05, 0.1, 0.2])
    expected = [copies(made, number) for number in range(2)]
    speed = [{name: np.zeros_like(w) for name, w in own.items()} for own in expected]
    for tick in range(10):
        made.x, made.y = noise(made, tick), noise(made, 50 + tick)
        made.tick()
        for number, link in enumerate(made.links):
            if tick < (3 if number == 0 else 1):
                continue
            for name, gradient in layers[number].given[-1].items():
                step = (made.rules.rate * (0.5 + 0.5 * link.budget)).reshape(3, *(1,) * (gradient.ndim - 1)) * gradient
                speed[number][name] = 0.9 * speed[number][name] + 0.1 * step
                expected[number][name] += speed[number][name]
                np.testing.assert_allclose(link.weights[name], expected[number][name], atol=1e-14)


@pytest.mark.parametrize(("wanted", "moves"), [(-1.0, False), (2.0, True)])
def test_a_layer_that_is_asked_for_the_opposite_takes_no_step(wanted: float, moves: bool) -> None:
    made = TweenChain([Dense((3,), 2, "linear")], dtype="float64")
    made.rules.scale, made.rules.momentum = 1.0, 0.0
    made.x = np.ones_like(made.x)
    made.rules.learning = False
    made.tick()
    made.tick()
    made.rules.learning = True
    before = copies(made, 0)
    made.y = wanted * made.output
    made.tick()
    assert (made.links[0].budget[0] < GATE) is not moves
    assert bool((made.links[0].weights["W"] != before["W"]).any()) is moves


def test_frozen_weights_stay_while_credit_goes_on() -> None:
    made = chain(3)
    made.rules.learning = False
    before = [copies(made, number) for number in range(3)]
    for tick in range(12):
        made.x, made.y = noise(made, tick), noise(made, 50 + tick)
        made.tick()
    for number, own in enumerate(before):
        for name, w in own.items():
            np.testing.assert_array_equal(made.links[number].weights[name], w)
    assert all(np.abs(link.credit).max() > 0 for link in made.links)


def test_layerwise_credit_is_the_distance_to_the_weighted_mean_of_the_targets() -> None:
    made = chain(2)
    made.rules.layerwise, made.rules.learning = True, False
    for tick in range(9):
        made.x, made.y = noise(made, tick), noise(made, 50 + tick)
        hidden, output = made.links[0].output, made.output
        if tick:
            read = made.links[1].passes[0][0][0]
        made.tick()
    W = made.links[1].weights["W"]
    target = output + made.rules.scale * (made.y - output)
    wanted = np.einsum("sbo,soi->sbi", target, W) / np.abs(W).sum(1)[:, None]
    np.testing.assert_allclose(made.links[0].credit, (wanted - read) / made.rules.scale, atol=1e-12)
    assert hidden.shape == read.shape


def test_a_chain_learns_in_every_mode() -> None:
    """Fixed random inputs to fixed answers: the error falls to a small part; without learning it stays."""
    left = {}
    for mode in ("chain", "unmatched", "liquid", "layerwise", "frozen"):
        made = TweenChain([Dense((6,), 12), Dense((12,), 3, "linear")], lanes=3, samples=8, seed=2)
        made.rules.rate, made.rules.matched = 0.02, mode != "unmatched"
        made.rules.liquid, made.rules.layerwise = mode == "liquid", mode == "layerwise"
        made.rules.learning = mode != "frozen"
        made.x, made.y = noise(made).astype(np.float32), np.zeros_like(made.output)
        made.y[:, np.arange(8), np.arange(8) % 3] = 1
        for _ in range(1500):
            made.tick()
        left[mode] = float(np.abs(made.links[-1].credit).max())
    assert left["frozen"] > 0.8
    assert max(left["chain"], left["unmatched"], left["liquid"]) < 0.1
    assert left["layerwise"] < 0.5 * left["frozen"]


def test_lanes_are_independent_and_nan_stays_in_its_lane_and_shows() -> None:
    one, other = chain(3), chain(3)
    for tick in range(14):
        one.x, one.y = noise(one, tick), noise(one, 50 + tick)
        other.x, other.y = one.x.copy(), one.y.copy()
        other.x[1] = np.nan
        one.tick()
        other.tick()
    np.testing.assert_array_equal(other.output[0], one.output[0])
    for mine, its in zip(one.links, other.links, strict=True):
        assert (mine.gap[0], mine.budget[0]) == (its.gap[0], its.budget[0])
        np.testing.assert_array_equal(its.weights["W"][0], mine.weights["W"][0])
    assert np.isnan(other.output[1]).all()
    assert all(np.isnan(link.gap[1]) for link in other.links)


def test_reset_silences_everything_but_the_weights() -> None:
    made = TweenChain([LSTM((3,), 4), Dense((4,), 2)], seed=1)
    fresh = copies(made, 0)
    for tick in range(9):
        made.x, made.y = noise(made, tick).astype(np.float32), np.ones_like(made.output)
        made.tick()
    assert (made.links[0].weights["W"] != fresh["W"]).any()
    learned = copies(made, 0)
    made.reset()
    np.testing.assert_array_equal(made.links[0].weights["W"], learned["W"])
    for link in made.links:
        assert not any(np.abs(a).max() for a in (link.output, link.change, link.credit, *link.state))
    assert made.ticks == 0


def test_gap_is_the_rms_distance() -> None:
    a, t = np.zeros((2, 1, 2)), np.array([[[3.0, 4.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(gap(a, t), [np.sqrt(12.5), 0])


def test_budget_is_one_along_half_across_and_zero_against() -> None:
    a = np.array([[[1.0, 0.0]]] * 4)
    t = np.array([[[5.0, 0.0]], [[0.0, 2.0]], [[-1.0, 0.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(link_budget(a, t), [1, 0.5, 0, 0.5], atol=1e-15)


def test_barrier_is_the_product_so_far_and_the_bottleneck_the_smallest() -> None:
    budgets = np.array([[0.5, 1.0], [0.8, 0.25], [0.9, 0.5]])
    np.testing.assert_allclose(depth_barrier(budgets), [[0.5, 1.0], [0.4, 0.25], [0.36, 0.125]])
    np.testing.assert_array_equal(bottleneck(budgets), [0, 1])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.floats(1e-6, 30), count=st.integers(1, 50))
def test_the_liquid_factor_has_mean_one_and_keeps_signs(seed: int, size: float, count: int) -> None:
    gradient = size * np.random.default_rng(seed).uniform(0.1, 1, (3, count)) * np.array([[1], [-1], [1]])
    factor = liquid(gradient) / gradient
    np.testing.assert_allclose(factor.mean(1), 1, rtol=1e-9)
    assert (factor >= 0).all()
    assert factor.max() <= count * (1 + 1e-12)


def test_small_gradients_stay_and_one_large_entry_grows_as_often_as_there_are_entries() -> None:
    rng = np.random.default_rng(0)
    small = 1e-3 * rng.standard_normal((2, 4, 5))
    np.testing.assert_allclose(liquid(small), small, rtol=1e-2)
    large = small.copy()
    large[0, 1, 2] = 40.0
    turned = liquid(large)
    assert turned[0, 1, 2] == pytest.approx(20 * 40, rel=1e-9)
    assert np.abs(np.delete(turned[0].reshape(-1), 7)).max() < 1e-12
    np.testing.assert_array_equal(turned[1], liquid(small)[1])

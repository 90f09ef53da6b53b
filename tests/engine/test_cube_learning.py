"""What a cube learns: local gradients beside the exact ones, growth, training beside its controls."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_cube import KINDS, SIDE, cost_slope, coupling, cube, matrix, recurrent_norm, settled

from engine.data import digits
from engine.data.dataset import make_dataset
from engine.experiments import growth
from engine.learning.align import align, cosine
from engine.learning.checkpoint import read_checkpoint
from engine.learning.equilibrium import equilibrium_of
from engine.learning.exact import NoFixedPointError, exact_gradients
from engine.learning.from_ticks import tick_gradients
from engine.learning.growth import NEWBORN, PACE, PERIOD, TURNOVER, Growth
from engine.learning.train import Recipe, TrainingError, train
from engine.networks.neural_cube import joined
from engine.preset import Preset
from kernels.lattice_reference import lattice_mask

SAMPLES = 2


def problem(kind="cube", sigma=0.4):
    """A small float64 cube, some of its synapses gone, with its pictures and labels."""
    network = cube(kind, "numpy", sigma, samples=SAMPLES)
    gone = np.random.default_rng(8).random(network.weights["U"].shape) < 0.1
    if kind == "cube":
        network.weights["U"][gone] = 0
    network.weights_changed()
    return network, network._x.copy(), network._labels.copy()


def fixed(network, beta):
    knobs = {name: network.value(name) for name in ("sigma", "input_gain")}
    return equilibrium_of(network.kind, network.weights, **knobs, beta=beta, tolerance=1e-14)


def nudged_gradients(network, x, labels, beta):
    equilibrium = fixed(network, beta)
    free = equilibrium.settle(x)
    return equilibrium.gradients(free, equilibrium.nudge(free, labels))


def exact(network, x, labels):
    sigma, gain = network.value("sigma"), network.value("input_gain")
    return exact_gradients(network.kind, network.weights, x, labels, sigma, gain)


def errors(found, expected):
    assert set(found) == set(expected)
    return {name: float(np.linalg.norm(found[name] - g) / np.linalg.norm(g)) for name, g in expected.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_exact_gradient_is_that_of_a_dense_adjoint(kind):
    network, x, labels = problem(kind)
    found = exact(network, x, labels)
    settled(network, ticks=2000, nudged=0)
    M, size = coupling(network), SIDE**3
    total, on_b = np.zeros((size, size)), np.zeros(size)
    for sample, label in enumerate(labels):
        s = network._states[0][:, sample, 0]
        force = np.zeros_like(s)
        force[-1] = -cost_slope(s[-1], network.weights, label)
        s = s.reshape(-1)
        adjoint = np.linalg.solve(np.eye(size) - M.T * (1 - s**2), force.reshape(-1))
        g = (1 - s**2) * adjoint
        total -= np.outer(g, s) / SAMPLES
        on_b -= g / SAMPLES
    if kind == "energy-cube":
        total = (total + total.T) / 2
    exists = matrix(joined(network.weights["U"], network.weights["R"], (1.0, 1.0))) != 0
    upwards, sigma = network.gains
    ours = matrix(joined(found["U"] / upwards, found["R"] / sigma, (1.0, 1.0)))
    np.testing.assert_allclose(ours, total * exists, atol=1e-8)
    np.testing.assert_allclose(found["b"].reshape(-1), on_b, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_local_gradients_tend_to_the_implicit_one_with_the_square_of_beta(kind):
    network, x, labels = problem(kind)
    expected = exact(network, x, labels)
    wide, narrow, tiny = (errors(nudged_gradients(network, x, labels, beta), expected) for beta in (0.2, 0.1, 1e-4))
    for name in expected:
        if name == "W_out":
            assert max(wide[name], tiny[name]) < 1e-12
            continue
        assert wide[name] / narrow[name] == pytest.approx(4, rel=0.15), name
        assert tiny[name] < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_ticks_leave_the_same_gradients_as_sweeps(kind):
    network, x, labels = problem(kind)
    network.set_parameter("beta", 0.01)
    settled(network, 800, 800)
    assert max(errors(tick_gradients(network, labels), nudged_gradients(network, x, labels, 0.01)).values()) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_nudge_no_synapse_learns(kind):
    network, x, labels = problem(kind)
    equilibrium = fixed(network, 1e-3)
    equilibrium._force = lambda free, labels: np.zeros_like(free.read.top)
    free = equilibrium.settle(x)
    found = equilibrium.gradients(free, equilibrium.nudge(free, labels))
    assert found.pop("W_out").any()
    assert not any(gradient.any() for gradient in found.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_of_an_8_cube_is_aligned(kind, dtype):
    preset = Preset(name="t", title="t", network=kind, layers=8, dtype=dtype, knobs={"sigma": 0.3})
    found, network = align(preset, {"beta": 0.01}, samples=4)
    assert set(found.cosine) == {"U", "R", "b", "W_out"}
    assert found.min_cosine >= (0.999 if dtype == "float64" else 0.99)
    assert network.dtype == np.dtype(dtype)
    if kind == "cube":
        assert found.hidden == 1, "only U of layer 1, which has no layer below"


def test_random_directions_are_not_aligned(rng):
    network, x, labels = problem()
    expected = exact(network, x, labels)["R"]
    drawn = [cosine(rng.standard_normal(g.shape), g) for g in expected for _ in range(50)]
    assert np.max(np.abs(drawn)) < 0.5


def test_above_the_edge_there_is_no_fixed_point(monkeypatch):
    monkeypatch.setattr("engine.learning.exact.MOST", 500)
    preset = Preset(name="t", title="t", network="cube", layers=3, knobs={"sigma": 3.0, "input_gain": 0.02})
    with pytest.raises(NoFixedPointError, match="still changes by"):
        align(preset, samples=2)


# growth


def grown(budget, rounds=60, blind=False, heard=None):
    network = cube(dtype="float32")
    growing = Growth(network.lattice, network.weights, budget, blind=blind)
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(rounds * PERIOD):
        loud = rng.random((SIDE, SIDE * SIDE, 3), np.float32)
        growing.hear(loud, loud if heard is None else heard[..., None] * loud)
        growing.keep(network.weights)
        growing.step(network.weights)
        counts.append(sum(int((network.weights[name] != 0).sum()) for name in network.couplings))
    return network, growing, counts


@pytest.mark.parametrize("budget", [0.3, 0.5, 0.8])
def test_the_budget_is_approached_and_then_kept(budget):
    network, _, counts = grown(budget)
    room = int(lattice_mask(SIDE, SIDE).sum())
    assert counts[-1] == round(budget * room)
    assert np.abs(np.diff([room, *counts])).max() <= PACE * room
    assert len(set(counts[-20 * PERIOD :])) == 1
    K = joined(network.weights["U"], network.weights["R"], (1.0, 1.0))
    assert not K[~lattice_mask(SIDE, SIDE)].any()


def test_with_the_whole_budget_nothing_happens():
    network, growing, counts = grown(1.0)
    assert growing.idle
    assert len(set(counts)) == 1
    assert np.abs(network.weights["R"]).min(where=network.weights["R"] != 0, initial=1) != np.float32(NEWBORN)


def test_synapses_grow_where_the_nudge_is_loud_and_die_where_it_is_silent():
    loud = np.full((SIDE, SIDE * SIDE), 0.01, np.float32)
    loud[:2] = 1
    for blind in (False, True):
        network, _, _ = grown(0.5, heard=loud, blind=blind)
        network.weights_changed()
        in_loud, in_silent = network.density()[:2].sum(), network.density()[2:].sum()
        if blind:
            assert 0.7 < in_loud / in_silent < 1.3
        else:
            assert in_loud > 10 * in_silent


def test_a_raised_budget_brings_new_synapses():
    network, growing, _ = grown(0.3)
    growing.budget = 0.9
    for _ in range(30 * PERIOD):
        growing.hear(np.ones((SIDE, SIDE * SIDE, 1), np.float32), np.ones((SIDE, SIDE * SIDE, 1), np.float32))
        growing.keep(network.weights)
        growing.step(network.weights)
    room = int(lattice_mask(SIDE, SIDE).sum())
    assert sum(int((network.weights[name] != 0).sum()) for name in network.couplings) == round(0.9 * room)
    born = np.isclose(np.abs(joined(network.weights["U"], network.weights["R"], (1.0, 1.0))), NEWBORN).sum()
    assert born > 0.4 * room
    assert TURNOVER < PACE


def test_what_has_died_stays_dead_whatever_the_optimiser_does():
    network, growing, _ = grown(0.5)
    dead = network.weights["R"] == 0
    network.weights["R"] += 0.1
    growing.keep(network.weights)
    assert not network.weights["R"][dead].any()
    assert not network.weights["R"][~lattice_mask(SIDE, SIDE)[:, 9:]].any()


# training


def preset(network="cube", layers=8, seed=0, **knobs):
    return Preset(name="t", title="t", network=network, layers=layers, seed=seed, knobs={"sigma": 0.3, **knobs})


def few(count=300):
    chosen = np.sort(np.random.default_rng(0).permutation(len(digits().labels))[:count])
    return make_dataset("few digits", digits().images[chosen], digits().labels[chosen])


RECIPE = Recipe(epochs=3, rate=1e-2)


def test_a_cube_learns_to_read_digits_and_keeps_its_norm():
    report = train(preset(), digits(), RECIPE)
    assert report.test_accuracy > 0.9
    trained = cube(side=8, picture=(8, 8), dtype="float32")
    trained.weights.update({name: report.weights[name] for name in ("U", "R")})
    assert recurrent_norm(trained) == pytest.approx(1, abs=3e-3)


def test_from_shuffled_labels_nothing_is_learned():
    right, shuffled = (train(preset(), few(700), replace(RECIPE, shuffled=s)).test_accuracy for s in (False, True))
    assert right > 0.8
    assert shuffled < 0.25


def test_the_read_out_alone_reads_worse():
    """Control: what the lattice learns, and not the read-out on a random lattice, is what reads."""
    alone, whole = (
        train(preset(), few(700), replace(RECIPE, method=method)).test_accuracy for method in ("read-out", "eqprop")
    )
    assert whole > alone + 0.02


@pytest.mark.parametrize(("method", "budget"), [("eqprop", 1.0), ("eqprop", 0.5), ("persistent", 1.0)])
def test_training_that_was_interrupted_ends_with_the_same_bits(method, budget, tmp_path):
    small, data = preset(layers=4, budget=budget), few()
    recipe = replace(RECIPE, epochs=3, batch=16, method=method)
    whole = train(small, data, recipe)
    path = tmp_path / "c.safetensors"

    def stop_in_epoch_2(what, done, total):
        if what.startswith("epoch 2") and done >= total // 3 + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small, data, recipe, progress=stop_in_epoch_2, checkpoint=path)
    assert len(read_checkpoint(path).history) == 1
    resumed = train(small, data, recipe, checkpoint=path, resume=True)
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], weights)


def test_the_budget_of_the_preset_is_kept_while_training():
    recipe = Recipe(epochs=4, rate=1e-2, batch=8)
    report = train(preset(layers=4, budget=0.6), few(), recipe)
    room = int(lattice_mask(4, 4).sum())
    assert sum(int((report.weights[name] != 0).sum()) for name in ("U", "R")) == round(0.6 * room)


@pytest.mark.parametrize("method", ["feedback", "backprop", "ternary"])
def test_methods_that_need_matrices_are_refused_in_one_line(method):
    with pytest.raises(TrainingError, match=f"a cube learns by eqprop or persistent or read-out, not {method}"):
        train(preset(layers=3), few(), replace(RECIPE, method=method))


@pytest.mark.slow
def test_half_the_synapses_read_nearly_as_well_if_the_nudge_places_them():
    """At most two points are lost; drawn at random they lose more."""
    ways = [(growth.WAYS[0], 1.0), *((way, 0.5) for way in growth.WAYS)]
    rows = [growth.run(way, budget, 8, 12, 0)[0] for way, budget in ways]
    full, half, blind, once, shuffled = (row["test_accuracy"] for row in rows)
    assert full > 0.95
    assert half >= full - 0.02
    assert max(blind, once) < half
    assert shuffled < 0.25
    assert [row["share"] for row in rows[1:]] == pytest.approx([0.5] * 4, abs=1e-3)
    json.dumps(rows, allow_nan=False)
    axes = Figure().subplots()
    growth.figure(rows, axes)
    assert len(axes.containers) == len(growth.WAYS)

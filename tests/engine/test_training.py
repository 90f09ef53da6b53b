"""Training: it learns, a control does not, and the same seed gives the same bits, whatever happens in between."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from engine.build import build_network
from engine.data import digits, split
from engine.data.dataset import make_dataset
from engine.learning import train as training
from engine.learning.checkpoint import read_checkpoint
from engine.learning.equilibrium import equilibrium_of
from engine.learning.optimise import Adam, Sgd, clip_recurrent
from engine.learning.teachers import random_feedback
from engine.learning.train import Recipe, TrainingError, accuracy, equilibrium_for, train
from engine.linalg import spectral_norms
from engine.preset import Preset, load_preset
from engine.weights import WeightsError, read_weights, write_weights

METHODS = ["eqprop", "feedback", "drifting", "persistent", "backprop"]


def preset(network="recursive", layers=6, neurons=64, **more):
    return Preset(name="small", title="t", network=network, layers=layers, neurons=neurons, **more)


def few(count=300, seed=0):
    """A part of the digits, for tests that need no accuracy."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(digits().labels))[:count])
    return make_dataset("few digits", digits().images[chosen], digits().labels[chosen])


QUICK = Recipe(epochs=3, batch=32)
TINY = {"layers": 3, "neurons": 16}


def same(ours, theirs):
    return set(ours) == set(theirs) and all(np.array_equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("network", "method", "rate", "least"),
    [
        ("recursive", "eqprop", 2e-3, 0.9),
        ("recursive", "backprop", 2e-3, 0.9),
        ("recursive", "persistent", 2e-3, 0.9),
        ("recursive", "feedback", 1e-2, 0.9),
        ("recursive", "drifting", 1e-2, 0.9),
        ("hopfield", "eqprop", 2e-3, 0.8),
        ("hopfield", "persistent", 2e-3, 0.75),
        ("hopfield", "feedback", 1e-2, 0.6),
    ],
)
def test_a_small_network_learns_to_read_digits(network, method, rate, least):
    report = train(preset(network), digits(), Recipe(epochs=3, method=method, rate=rate))
    assert report.test_accuracy > least
    assert report.train_accuracy > least
    assert report.history[-1].loss < 0.96 * report.history[0].loss
    assert report.test_accuracy == report.history[-1].test_accuracy


@pytest.mark.parametrize("method", ["eqprop", "feedback", "persistent"])
def test_from_shuffled_labels_nothing_is_learned(method):
    """Control: held-out pictures keep their labels, and are read by chance."""
    assert train(preset(), digits(), Recipe(epochs=3, method=method, shuffled=True)).test_accuracy < 0.25


def test_equilibrium_propagation_and_backpropagation_are_twins():
    """The same start, the same batches and to first order the same gradients."""
    ours, twin = (train(preset(), digits(), Recipe(epochs=2, method=m)) for m in ("eqprop", "backprop"))
    assert ours.history[0].loss == pytest.approx(twin.history[0].loss, rel=1e-3)
    assert ours.test_accuracy == pytest.approx(twin.test_accuracy, abs=0.01)
    assert not same(ours.weights, twin.weights)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(method):
    recipe = replace(QUICK, method=method, epochs=1)
    first, again, other = (train(preset(**TINY), few(), replace(recipe, seed=seed)) for seed in (4, 4, 5))
    assert same(first.weights, again.weights)
    assert first.history[0].loss == again.history[0].loss
    assert not any(np.array_equal(first.weights[name], other.weights[name]) for name in first.weights)


@pytest.mark.parametrize(("network", "method"), [*(("recursive", m) for m in METHODS), ("hopfield", "persistent")])
def test_training_that_was_interrupted_ends_with_the_same_bits(network, method, tmp_path):
    recipe = replace(QUICK, method=method)
    whole = train(preset(network, **TINY), few(), recipe)
    path = tmp_path / "c.safetensors"

    def stop_in_epoch_2(what, done, total):
        if what.startswith("epoch 2") and done >= total // 3 + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(preset(network, **TINY), few(), recipe, progress=stop_in_epoch_2, checkpoint=path)
    assert len(read_checkpoint(path).history) == 1
    resumed = train(preset(network, **TINY), few(), recipe, checkpoint=path, resume=True)
    assert same(resumed.weights, whole.weights)
    assert [e.loss for e in resumed.history] == [e.loss for e in whole.history]
    assert same(read_checkpoint(path).weights, whole.weights)


def test_resuming_what_is_finished_only_measures(tmp_path):
    path = tmp_path / "c.safetensors"
    first = train(preset(**TINY), few(), QUICK, checkpoint=path)
    before = path.read_bytes()
    again = train(preset(**TINY), few(), QUICK, checkpoint=path, resume=True)
    assert same(first.weights, again.weights)
    assert again.test_accuracy == first.test_accuracy
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"recipe": replace(QUICK, rate=1e-3)}, "recipe.rate"),
        ({"recipe": replace(QUICK, method="backprop", seed=9)}, "recipe.method, recipe.seed"),
        ({"preset": preset(layers=3, neurons=16, knobs={"sigma": 0.5})}, "preset.knobs"),
        ({"preset": preset(layers=4, neurons=16)}, "preset.layers"),
        ({"data": digits()}, "data"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(changed, words, tmp_path):
    path = tmp_path / "c.safetensors"
    now = {"preset": preset(**TINY), "data": few(), "recipe": QUICK}
    train(**{**now, "recipe": replace(QUICK, epochs=1)}, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(WeightsError, match=rf"c.safetensors: cannot be resumed, made with another {words}$"):
        train(**{**now, **changed}, checkpoint=path, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not safetensors", None])
def test_what_is_no_checkpoint_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "c.safetensors"
    if content is None:
        write_weights(path, {"W": np.zeros(3, np.float32)})
    else:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"c\.safetensors: not a ") as refused:
        train(preset(**TINY), few(), QUICK, checkpoint=path, resume=True)
    assert "\n" not in str(refused.value)


def test_a_checkpoint_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(WeightsError, match=r"gone/c\.safetensors: cannot be written: "):
        train(preset(**TINY), few(), QUICK, checkpoint=tmp_path / "gone" / "c.safetensors")


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_training import QUICK, TINY, few, preset
from dataclasses import replace
from engine.learning.train import train

def slowly(what, done, total):
    time.sleep({pause})

train(preset(**TINY), few(), replace(QUICK, epochs=6), progress=slowly, checkpoint=Path({path!r}), resume=True)
"""


def test_a_kill_leaves_a_checkpoint_from_which_training_ends_the_same(tmp_path):
    path = tmp_path / "c.safetensors"
    script = SCRIPT.format(folder=os.path.dirname(__file__), path=str(path), pause=0.05)
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL, errors
    assert 1 <= len(read_checkpoint(path).history) < 6
    recipe = replace(QUICK, epochs=6)
    resumed = train(preset(**TINY), few(), recipe, checkpoint=path, resume=True)
    assert same(resumed.weights, train(preset(**TINY), few(), recipe).weights)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    train(preset(**TINY), few(), replace(QUICK, epochs=1), checkpoint=path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match="cannot be written: No space left on device"):
        train(preset(**TINY), few(), QUICK, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


def test_training_stops_when_nothing_gets_better():
    """With no step to take the validation accuracy stands still after the first epoch."""
    report = train(preset(**TINY), few(), Recipe(epochs=50, batch=32, rate=1e-12, patience=2))
    assert report.stopped_early
    assert len(report.history) == 3


def test_the_validation_part_is_taken_from_the_training_part_alone(monkeypatch):
    measured = []
    told = training.accuracy
    monkeypatch.setattr(training, "accuracy", lambda net, data, part: measured.append(part) or told(net, data, part))
    report = train(preset(**TINY), few(), replace(QUICK, epochs=1, patience=3))
    parts = split(few(), 0)
    test, validation, *_ = measured
    np.testing.assert_array_equal(test, parts.test)
    assert len(validation) == round(0.1 * len(parts.train))
    assert set(validation) <= set(parts.train)
    assert report.history[0].validation_accuracy is not None
    assert not report.stopped_early


def test_patience_without_need_trains_to_the_end():
    assert len(train(preset(**TINY), few(), replace(QUICK, patience=3)).history) == 3


def test_a_diverging_rate_is_one_line_that_names_the_epoch():
    with (
        pytest.raises(TrainingError, match=r"^small: the network left the finite numbers in epoch \d+$"),
        np.errstate(all="ignore"),
    ):
        train(preset(**TINY), few(), Recipe(epochs=4, batch=32, rate=1e30, optimiser="sgd"))


@pytest.mark.parametrize(("network", "name"), [("recursive", "R"), ("hopfield", "W")])
def test_recurrent_norms_stay_bounded_and_are_not_crushed(network, name):
    report = train(preset(network, **TINY), few(), Recipe(epochs=2, batch=32, rate=2e-2))
    norms = spectral_norms(report.weights[name])
    assert norms.max() <= 1 + 1e-6
    singular = np.linalg.svd(report.weights[name].astype(np.float64), compute_uv=False)
    assert np.median(singular) > 0.8
    assert report.weights["W_out"].std() > 0
    if network == "recursive":
        assert spectral_norms(report.weights["W"]).max() > 1.01


def test_clipping_takes_the_nearest_matrix_and_touches_no_other():
    rng = np.random.default_rng(0)
    weights = {"R": rng.standard_normal((3, 5, 5)), "W": rng.standard_normal((3, 5, 5))}
    before = {name: array.copy() for name, array in weights.items()}
    clip_recurrent(weights, ("R",))
    np.testing.assert_array_equal(weights["W"], before["W"])
    u, singular, vt = np.linalg.svd(before["R"])
    np.testing.assert_allclose(weights["R"], (u * np.minimum(singular, 1)[:, None]) @ vt, atol=1e-14)


def test_gradient_descent_takes_the_step_it_should():
    weights = {"w": np.array([1.0, -2.0]), "still": np.ones(2)}
    Sgd(0.1).step(weights, {"w": np.array([0.5, -1.0])})
    np.testing.assert_allclose(weights["w"], [0.95, -1.9])
    np.testing.assert_array_equal(weights["still"], 1)


def test_adam_takes_the_steps_of_the_paper():
    """Two steps by hand, with m_hat = m / (1 - b1^t), v_hat = v / (1 - b2^t), w -= rate m_hat / (sqrt(v_hat) + e)."""
    weights, adam = {"w": np.array([1.0])}, Adam(0.1)
    expected, m, v = 1.0, 0.0, 0.0
    for t, g in ((1, 0.5), (2, -0.2)):
        adam.step(weights, {"w": np.array([g])})
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        expected -= 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert weights["w"][0] == pytest.approx(expected, rel=1e-5)
    assert weights["w"][0] == pytest.approx(1 - 0.1 - 0.1 * 0.1 * 0.18 / 0.1, abs=0.05)


def test_adam_goes_on_from_its_state():
    gradients = [np.random.default_rng(step).standard_normal(4) for step in range(6)]
    whole, parts = {"w": np.zeros(4)}, {"w": np.zeros(4)}
    one, first, second = Adam(0.01), Adam(0.01), Adam(0.01)
    for step, gradient in enumerate(gradients):
        one.step(whole, {"w": gradient})
        if step == 3:
            second.load_state_dict(first.state_dict())
        (first if step < 3 else second).step(parts, {"w": gradient})
    np.testing.assert_array_equal(whole["w"], parts["w"])


def test_the_rate_falls_along_half_a_cosine(monkeypatch):
    rates = []
    step = Adam.step
    monkeypatch.setattr(Adam, "step", lambda self, w, g: rates.append(self.rate) or step(self, w, g))
    train(preset(**TINY), few(), replace(QUICK, rate=2e-3))
    past = np.arange(len(rates)) / len(rates)
    np.testing.assert_allclose(rates, 1e-3 * (1 + np.cos(np.pi * past)))


def test_the_hopfield_nudge_rests_under_random_feedback(rng):
    """Over-relaxed, it would not: the random way down has no real spectrum."""
    chain = build_network(preset("hopfield", 8, 25, dtype="float64"), "numpy")
    net = equilibrium_of("hopfield", chain.weights, sigma=0.95, beta=0.01, tolerance=1e-12)
    net.feedback = random_feedback(net, rng)
    free = net.settle(rng.standard_normal((3, 64)))
    labels = np.array([1, 2, 3])
    (s,), ((ds, _),) = free.states, net.nudge(free, labels).states
    push = 0.475 * np.matmul(chain.weights["W"], np.concatenate([np.zeros_like(ds[:1]), ds[:-1]]))
    push[:-1] += 0.475 * np.matmul(net.feedback["W"][1:], ds[1:])
    push[-1] = 2 * (push[-1] + net._force(free, labels))
    np.testing.assert_allclose(np.tanh(np.arctanh(s) + push) - s, ds, atol=1e-10)


def test_weights_that_are_given_are_trained_in_place():
    weights = training.first_weights(preset(**TINY))
    before = {name: array.copy() for name, array in weights.items()}
    report = train(preset(**TINY), few(), replace(QUICK, epochs=1), weights=weights)
    assert all(report.weights[name] is weights[name] for name in weights)
    assert not any(np.array_equal(weights[name], before[name]) for name in weights)


@pytest.fixture(scope="module")
def held_out():
    return split(digits(), 0).test


def test_the_shipped_weights_read_held_out_digits(held_out):
    """By sweeps and by the ticks of the live chain, which give the same answers."""
    shipped = load_preset("deep-100")
    weights = {n: w.astype(np.float32) for n, w in read_weights(shipped.weights_file).items()}
    assert {name: w.dtype.name for name, w in read_weights(shipped.weights_file).items()}["W"] == "float16"
    chain = build_network(shipped, samples=len(held_out))
    np.testing.assert_array_equal(chain.weights["W"], weights["W"])
    x = digits().encode(digits().images[held_out])
    by_sweeps = equilibrium_for(shipped, chain.weights).settle(x).logits.argmax(-1)
    chain.clamp(x, None)
    for _ in range(180):
        chain.tick(nudged=False)
    by_ticks = chain.logits().argmax(-1)
    np.testing.assert_array_equal(by_ticks, by_sweeps)
    assert (by_ticks == digits().labels[held_out]).mean() >= 0.97


def test_the_untrained_network_is_at_chance(held_out):
    """Control for the shipped weights."""
    shipped = load_preset("deep-100")
    assert accuracy(equilibrium_for(shipped, training.first_weights(shipped)), digits(), held_out) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_hundred_layers_learn_within_five_epochs(seed):
    fresh = load_preset("deep-100").model_copy(update={"weights_file": None, "seed": seed})
    report = train(fresh, digits(), Recipe(seed=seed))
    assert report.test_accuracy >= 0.97
    print(json.dumps({"seed": seed, "test": report.test_accuracy, "seconds": report.seconds}))

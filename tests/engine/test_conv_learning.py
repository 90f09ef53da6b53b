"""Learning through convolutions: gradients against four others, training, its controls, its rival, its checkpoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.build import build_network, load_data
from engine.data import digits
from engine.data.dataset import make_dataset
from engine.learning.align import align, cosine
from engine.learning.backprop_conv import gradient_of_conv_batch
from engine.learning.chunks import unchunked
from engine.learning.equilibrium import equilibrium_of
from engine.learning.exact import NoFixedPointError, exact_gradients
from engine.learning.from_ticks import tick_gradients
from engine.learning.teachers import CONV_TICKS
from engine.learning.train import Recipe, TrainingError, equilibrium_for, train
from engine.networks.conv.chain import ALIVE
from engine.preset import load_preset, parse_preset
from tests.engine.conv_cases import CLASSES, Equations, chain_of, settle, state_of

KNOBS = {"sigma": 0.8, "input_gain": 0.5}
LABELS = np.arange(3) % CLASSES
TINY = """
title = "t"
network = "conv"
[[conv]]
channels = 4
stride = 2
[[conv]]
channels = 4
residual = true
[[conv]]
channels = 8
stride = 2
"""


def tiny(**more):
    return parse_preset(TINY, "tiny", "tiny").model_copy(update=more)


def few(count=300):
    """A part of the digits, for tests that need no accuracy."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(digits().labels))[:count])
    return make_dataset("few digits", digits().images[chosen], digits().labels[chosen])


def exact(chain):
    return exact_gradients("conv", chain.acting, chain.read_in()[0], LABELS, **KNOBS, plan=chain.plan)


def swept(chain, beta, tolerance=1e-14):
    fixed = equilibrium_of("conv", chain.acting, **KNOBS, beta=beta, tolerance=tolerance, plan=chain.plan)
    free = fixed.settle(chain.read_in()[0])
    nudged = fixed.nudge(free, LABELS)
    return fixed.gradients(free, nudged), free, nudged


def errors(found, expected):
    """Relative error of every tensor, in the Frobenius norm."""
    assert set(found) == set(expected)
    return {name: float(np.linalg.norm(found[name] - g) / np.linalg.norm(g)) for name, g in expected.items()}


def loss_at_rest(chain, weights, ticks=None):
    """Mean cross-entropy from the equations, by ticks from rest until nothing moves, or layer by layer; any dtype."""
    original = chain.weights
    chain.weights = weights
    try:
        equations = Equations(chain)
    finally:
        chain.weights = original
    total, inflow = 0.0, KNOBS["input_gain"] * chain.read_in()[0]
    for sample, label in enumerate(LABELS):
        below = inflow[sample]
        for k in range(len(equations.sizes)):
            z = np.zeros(equations.sizes[k])
            drive = equations.below[k] @ below + equations.bias[k]
            for _ in range(ticks or 400):
                z = np.tanh(equations.sigma * equations.own[k] @ z + drive)
            below = equations.share[k] * z + (below if equations.skip[k] else 0)
        logits = weights["W_out"] @ below
        total += np.log(np.exp(logits - logits[label]).sum())
    return total / len(LABELS)


def test_the_exact_gradient_is_the_slope_of_the_loss(rng):
    chain = chain_of()
    expected, step = exact(chain), 1e-5
    for name, tensor in chain.weights.items():
        direction = rng.standard_normal(tensor.shape)
        ahead, behind = (
            loss_at_rest(chain, {**chain.weights, name: tensor + sign * step * direction}) for sign in (1, -1)
        )
        assert (expected[name] * direction).sum() == pytest.approx((ahead - behind) / (2 * step), rel=1e-5), name


def test_local_gradients_tend_to_the_exact_one_with_the_square_of_beta():
    chain = chain_of()
    expected = exact(chain)
    wide, narrow, slight = (errors(swept(chain, beta)[0], expected) for beta in (8e-2, 4e-2, 1e-4))
    for name in expected:
        if name == "W_out":
            assert max(wide[name], slight[name]) < 1e-12
            continue
        assert wide[name] / narrow[name] == pytest.approx(4, rel=0.15), name
        assert slight[name] < 1e-5


def test_every_layer_points_along_the_exact_gradient_and_random_directions_do_not(rng):
    chain = chain_of()
    found, expected = swept(chain, 1e-3)[0], exact(chain)
    for name, gradient in expected.items():
        assert cosine(found[name], gradient) > 1 - 1e-6, name
        drawn = [abs(cosine(rng.standard_normal(gradient.shape), gradient)) for _ in range(30)]
        assert np.mean(drawn) < 0.9, name


def test_torch_is_of_the_same_opinion():
    """Autograd through many ticks of torch's own convolutions."""
    torch = pytest.importorskip("torch", reason="the third opinion needs torch, which is not installed")
    chain = chain_of()
    w = {name: torch.tensor(array, requires_grad=True) for name, array in chain.weights.items()}
    stream = KNOBS["input_gain"] * torch.tensor(chain.read_in()[0]).reshape(3, 1, 6, 5)
    residual = sum(layer.residual for layer in chain.plan.layers)
    for number, layer in enumerate(chain.plan.layers, 1):
        K = w[f"{number}.K"].reshape(layer.channels, layer.shape_in[0], layer.size, layer.size)
        R = w[f"{number}.R"].reshape(layer.channels, layer.channels, layer.size, layer.size)
        pad = layer.size // 2
        drive = torch.nn.functional.conv2d(stream, K, w[f"{number}.b"], stride=layer.stride, padding=pad)
        z = torch.zeros_like(drive)
        for _ in range(300):
            z = torch.tanh(KNOBS["sigma"] * torch.nn.functional.conv2d(z, R, padding=pad) + drive)
        stream = stream + z / residual**0.5 if layer.residual else z
    torch.nn.functional.cross_entropy(stream.reshape(3, -1) @ w["W_out"].T, torch.tensor(LABELS)).backward()
    by_torch = {name: tensor.grad.numpy() for name, tensor in w.items()}
    assert max(errors(exact(chain), by_torch).values()) < 1e-9
    assert max(errors(swept(chain, 1e-3)[0], by_torch).values()) < 1e-3


@pytest.mark.parametrize("samples", [1, 3, 16, 21])
def test_ticks_rest_where_sweeps_do_and_leave_the_same_gradients(samples):
    chain = chain_of("numba", samples=samples)
    settle(chain)
    labels = np.arange(samples) % CLASSES
    fixed = equilibrium_of("conv", chain.weights, **KNOBS, beta=0.01, tolerance=1e-14, plan=chain.plan)
    free = fixed.settle(chain.read_in()[0])
    nudged = fixed.nudge(free, labels)
    for sample in (0, samples - 1):
        ours = [np.concatenate([unchunked(part, samples)[sample] for part in free.states])]
        ours += [np.concatenate([unchunked(part[:, c], samples)[sample] for part in nudged.states]) for c in (0, 1)]
        for column, expected in enumerate(ours):
            np.testing.assert_allclose(state_of(chain, sample, column), expected, atol=1e-12)
    assert max(errors(tick_gradients(chain, labels), fixed.gradients(free, nudged)).values()) < 1e-9


def test_beside_a_lesion_gradients_are_those_of_the_chain_that_is_left(rng):
    chain = chain_of("numba", beta=1e-3)
    chain.ablate(rng.random(chain.ablated.shape) < 0.3)
    assert ALIVE in chain.acting
    settle(chain)
    expected = exact(chain)
    assert max(errors(tick_gradients(chain, LABELS), expected).values()) < 1e-4
    assert max(errors(swept(chain, 1e-3)[0], expected).values()) < 1e-4
    chain.heal()
    assert max(errors(exact(chain), expected).values()) > 0.1


def test_there_is_no_gradient_without_a_fixed_point():
    chain = chain_of(sigma=3.0, input_gain=0.01)
    with pytest.raises(NoFixedPointError, match="still changes by"):
        exact_gradients("conv", chain.weights, chain.read_in()[0], LABELS, 3.0, 0.01, plan=chain.plan)


@pytest.mark.parametrize("ticks", [1, 2, 5])
def test_the_rival_is_the_derivative_of_the_loss_through_its_ticks(ticks, rng):
    """Along a random direction of every tensor, by central differences."""
    chain = chain_of()
    x = chain.read_in()[0]
    found, value, _ = gradient_of_conv_batch(chain.plan, chain.weights, x, LABELS, **KNOBS, inner_ticks=ticks)
    assert value == pytest.approx(loss_at_rest(chain, chain.weights, ticks), rel=1e-12)
    for name, tensor in chain.weights.items():
        direction = rng.standard_normal(tensor.shape)
        ahead, behind = (
            loss_at_rest(chain, {**chain.weights, name: tensor + sign * 1e-5 * direction}, ticks) for sign in (1, -1)
        )
        slope = (found[name] * direction).sum()
        assert slope == pytest.approx((ahead - behind) / 2e-5, rel=1e-5, abs=1e-9), name


def test_after_many_ticks_the_rival_finds_the_exact_gradient():
    chain = chain_of()

    def distance(ticks):
        found, _, _ = gradient_of_conv_batch(
            chain.plan, chain.weights, chain.read_in()[0], LABELS, **KNOBS, inner_ticks=ticks
        )
        return max(errors(found, exact(chain)).values())

    assert distance(2) > 1e-2
    assert distance(150) < 1e-10


def test_the_rivals_ticks_are_enough_for_the_shipped_network():
    preset = load_preset("conv-digits")
    chain = build_network(preset, samples=16)
    data = load_data(preset)
    chain.set_parameter("sigma", 0.9)
    chain.clamp(data.encode(data.images[:16]), data.labels[:16])
    for _ in range(CONV_TICKS + len(chain.plan.layers)):
        chain.tick(nudged=False)
    assert chain.observe().velocity_max.max() < 1e-2


@pytest.mark.parametrize(
    ("method", "epochs", "least"), [("eqprop", 5, 0.9), ("backprop", 5, 0.9), ("persistent", 2, 0.5)]
)
def test_a_small_network_learns_to_read_digits(method, epochs, least):
    report = train(tiny(), digits(), Recipe(epochs=epochs, method=method, rate=5e-3))
    assert report.test_accuracy > least
    fixed = equilibrium_for(tiny(), report.weights)
    norms = fixed._recurrences.norms(report.weights)
    assert max(norms.values()) < 1.01, norms


@pytest.mark.parametrize("method", ["eqprop", "backprop"])
def test_from_shuffled_labels_nothing_is_learned(method):
    """Control: held-out pictures keep their labels, and are read by chance."""
    recipe = Recipe(epochs=3, method=method, rate=5e-3, shuffled=True)
    assert train(tiny(), digits(), recipe).test_accuracy < 0.25


def test_equilibrium_propagation_and_backpropagation_are_twins():
    ours, twin = (train(tiny(), digits(), Recipe(epochs=1, method=m, rate=5e-3)) for m in ("eqprop", "backprop"))
    assert ours.history[0].loss == pytest.approx(twin.history[0].loss, rel=2e-3)
    assert ours.test_accuracy == pytest.approx(twin.test_accuracy, abs=0.02)
    assert any((ours.weights[name] != twin.weights[name]).any() for name in ours.weights)


@pytest.mark.parametrize("method", ["eqprop", "backprop", "persistent"])
def test_training_that_was_interrupted_ends_with_the_same_bits(method, tmp_path):
    recipe = Recipe(epochs=3, batch=32, method=method, rate=5e-3)
    whole = train(tiny(), few(), recipe)
    path = tmp_path / "c.safetensors"

    def stop_in_epoch_2(what, done, total):
        if what.startswith("epoch 2") and done >= total // 3 + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(), few(), recipe, progress=stop_in_epoch_2, checkpoint=path)
    resumed = train(tiny(), few(), recipe, checkpoint=path, resume=True)
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], array, err_msg=name)


@pytest.mark.parametrize("method", ["feedback", "drifting", "ternary"])
def test_methods_for_dense_couplings_are_refused_in_one_line(method):
    with pytest.raises(TrainingError, match=f"tiny: a conv learns by eqprop or .*, not {method}") as refused:
        train(tiny(), few(), Recipe(epochs=1, method=method))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("dtype", "least"), [("float64", 0.99999), ("float32", 0.9999)])
def test_what_a_ticking_network_reads_off_itself_is_aligned(dtype, least):
    found, chain = align(tiny(dtype=dtype), {"beta": 0.01}, samples=3)
    assert set(found.cosine) == {"K", "R", "b", "W_out"}
    assert all(len(found.cosine[name]) == 3 for name in ("K", "R", "b"))
    assert found.hidden == 0
    assert found.min_cosine > least
    assert chain.dtype == np.dtype(dtype)


def test_another_seed_gives_other_weights():
    recipe = Recipe(epochs=1, batch=32)
    first, again, other = (train(tiny(), few(), replace(recipe, seed=seed)).weights for seed in (4, 4, 5))
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)

"""Backpropagation through the relaxation: against complex-step derivatives, torch, and the implicit gradient."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data import load_dataset
from engine.learning.backprop import gradient_of_batch, gradient_through_ticks
from engine.learning.equilibrium import equilibrium_of
from engine.learning.exact import exact_gradients
from engine.learning.train import Recipe, train
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from engine.preset import Preset
from kernels.backends import load_backend

KINDS = {"recursive": RecursiveChain, "hopfield": HopfieldChain}
KNOBS = {"sigma": 0.8, "input_gain": 0.7}


def problem(kind, samples=5, layers=4, neurons=9, dtype="float64"):
    rng = np.random.default_rng(1)
    weights = KINDS[kind](layers, neurons, 12, 4, load_backend("numpy"), dtype=dtype, seed=2).state_dict()
    weights["b"] = (0.2 * rng.standard_normal(weights["b"].shape)).astype(dtype)
    return weights, rng.standard_normal((samples, 12)).astype(dtype), rng.integers(0, 4, samples)


def loss_of(top, weights, labels):
    logits = top @ weights["W_out"].T
    raised = np.exp(logits - logits.real.max(-1, keepdims=True))
    return -np.log(raised[np.arange(len(labels)), labels] / raised.sum(-1)).mean()


def loss_layer_after_layer(w, x, labels, sigma, input_gain, inner_ticks):
    stream = input_gain * x @ w["W_in"].T
    layers = len(w["b"])
    for layer in range(layers):
        z = np.zeros_like(stream)
        for _ in range(inner_ticks):
            z = np.tanh(sigma * z @ w["R"][layer].T + stream @ w["W"][layer].T + w["b"][layer])
        stream = stream + z / np.sqrt(layers)
    return loss_of(stream, w, labels)


def loss_recursive(w, x, labels, sigma, input_gain, ticks):
    inflow = input_gain * x @ w["W_in"].T
    layers = len(w["b"])
    z = [np.zeros_like(inflow) for _ in range(layers)]
    s = [np.zeros_like(inflow) for _ in range(layers)]
    for _ in range(ticks):
        below = [inflow, *s[:-1]]
        z = [np.tanh(sigma * z[k] @ w["R"][k].T + below[k] @ w["W"][k].T + w["b"][k]) for k in range(layers)]
        s = [below[k] + z[k] / np.sqrt(layers) for k in range(layers)]
    return loss_of(s[-1], w, labels)


def loss_hopfield(w, x, labels, sigma, input_gain, ticks):
    inflow = input_gain * x @ w["W_in"].T
    layers = len(w["b"])
    s = [np.zeros_like(inflow) for _ in range(layers)]
    for _ in range(ticks):
        below = [inflow, *s[:-1]]
        above = [s[k + 1] @ w["W"][k + 1] for k in range(layers - 1)] + [0]
        pre = [sigma / 2 * (below[k] @ w["W"][k].T + above[k]) + w["b"][k] for k in range(layers)]
        s = [np.tanh(p) for p in (*pre[:-1], 2 * pre[-1])]
    return loss_of(s[-1], w, labels)


def layered(weights, x, labels, ticks):
    return gradient_of_batch(weights, x, labels, **KNOBS, inner_ticks=ticks)


def ticked(kind):
    return lambda weights, x, labels, ticks: gradient_through_ticks(kind, weights, x, labels, **KNOBS, ticks=ticks)


FORMS = {
    "layer after layer": ("recursive", layered, loss_layer_after_layer),
    "recursive ticks": ("recursive", ticked("recursive"), loss_recursive),
    "hopfield ticks": ("hopfield", ticked("hopfield"), loss_hopfield),
}


@pytest.mark.parametrize("ticks", [1, 2, 3, 7])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_derivative_of_the_loss(form, ticks, rng):
    """Along a random direction of every tensor, by a complex step, which has no cancellation."""
    kind, gradient, loss = FORMS[form]
    weights, x, labels = problem(kind)
    found, value, _ = gradient(weights, x, labels, ticks)
    assert value == pytest.approx(loss(weights, x, labels, **KNOBS, **ticks_of(form, ticks)), rel=1e-12)
    assert set(found) == set(weights)
    for name, tensor in weights.items():
        direction = rng.standard_normal(tensor.shape)
        stepped = {**weights, name: tensor + 1e-30j * direction}
        expected = loss(stepped, x, labels, **KNOBS, **ticks_of(form, ticks)).imag / 1e-30
        assert (found[name] * direction).sum() == pytest.approx(expected, rel=1e-8, abs=1e-13), name


def ticks_of(form, ticks):
    return {"inner_ticks" if form == "layer after layer" else "ticks": ticks}


@pytest.mark.parametrize("form", FORMS)
def test_agrees_with_torch_autograd(form):
    torch = pytest.importorskip("torch")
    kind, gradient, _ = FORMS[form]
    weights, x, labels = problem(kind)
    found, _, _ = gradient(weights, x, labels, 6)
    w = {name: torch.tensor(tensor, requires_grad=True) for name, tensor in weights.items()}
    sigma, layers = KNOBS["sigma"], len(w["b"])
    inflow = KNOBS["input_gain"] * torch.tensor(x) @ w["W_in"].T
    if form == "layer after layer":
        top = inflow
        for layer in range(layers):
            z = torch.zeros_like(inflow)
            for _ in range(6):
                z = torch.tanh(sigma * z @ w["R"][layer].T + top @ w["W"][layer].T + w["b"][layer])
            top = top + z / layers**0.5
    else:
        z = s = torch.zeros(layers, *inflow.shape, dtype=torch.float64)
        for _ in range(6):
            below = torch.cat([inflow[None], s[:-1]])
            if kind == "recursive":
                z = torch.tanh(sigma * z @ w["R"].mT + below @ w["W"].mT + w["b"][:, None])
                s = below + z / layers**0.5
            else:
                above = torch.cat([s[1:] @ w["W"][1:], torch.zeros_like(s[:1])])
                mass = torch.tensor([1.0] * (layers - 1) + [0.5], dtype=torch.float64)[:, None, None]
                s = torch.tanh((sigma / 2 * (below @ w["W"].mT + above) + w["b"][:, None]) / mass)
        top = s[-1]
    torch.nn.functional.cross_entropy(top @ w["W_out"].T, torch.tensor(labels)).backward()
    for name, tensor in w.items():
        np.testing.assert_allclose(found[name], tensor.grad.numpy(), rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_tends_to_the_implicit_gradient_of_the_fixed_point(form):
    kind, gradient, _ = FORMS[form]
    weights, x, labels = problem(kind)
    exact = exact_gradients(kind, weights, x, labels, **KNOBS)

    def distance(ticks):
        found, _, _ = gradient(weights, x, labels, ticks)
        return max(np.abs(found[name] - exact[name]).max() / np.abs(exact[name]).max() for name in exact)

    assert distance(3) > 1e-3
    assert distance(200) < 1e-10


@pytest.mark.parametrize("form", FORMS)
def test_single_precision_agrees_with_double(form):
    kind, gradient, _ = FORMS[form]
    exact, *_ = gradient(*problem(kind), 10)
    single, *_ = gradient(*problem(kind, dtype="float32"), 10)
    for name in exact:
        assert single[name].dtype == np.float32
        np.testing.assert_allclose(single[name], exact[name], atol=1e-5 * np.abs(exact[name]).max(), err_msg=name)


@pytest.mark.parametrize("samples", [1, 31, 32, 33, 70])
def test_a_batch_is_the_mean_of_its_samples(samples):
    """However it falls into chunks."""
    weights, x, labels = problem("recursive", samples)
    whole, loss, correct = layered(weights, x, labels, 4)
    single = [layered(weights, x[k : k + 1], labels[k : k + 1], 4) for k in range(samples)]
    assert loss == pytest.approx(np.mean([one[1] for one in single]), rel=1e-12)
    assert correct == sum(one[2] for one in single)
    for name, tensor in whole.items():
        np.testing.assert_allclose(tensor, np.mean([one[0][name] for one in single], 0), atol=1e-13, err_msg=name)


def test_runs_through_the_fixed_point_that_equilibrium_propagation_settles_to():
    weights, x, labels = problem("recursive")
    free = equilibrium_of("recursive", weights, **KNOBS, tolerance=1e-13).settle(x)
    _, loss, correct = layered(weights, x, labels, 150)
    assert loss == pytest.approx(loss_of(free.states[1][-1].T, weights, labels), rel=1e-10)
    assert correct == (free.logits.argmax(-1) == labels).sum()


def trained(kind, shuffled=False, sigma=0.9):
    preset = Preset(name="t", title="t", network=kind, layers=4, neurons=64, knobs={"sigma": sigma})
    recipe = Recipe(epochs=3, method="backprop", shuffled=shuffled)
    return train(preset, load_dataset("digits"), recipe).test_accuracy


@pytest.mark.parametrize(("kind", "sigma"), [("recursive", 0.9), ("recursive", 0.0), ("hopfield", 0.9)])
def test_learns_to_read_digits(kind, sigma):
    assert trained(kind, sigma=sigma) > 0.85


def test_learns_nothing_from_shuffled_labels():
    assert trained("recursive", shuffled=True) < 0.3

"""Local gradients against the implicit ones, those against finite differences, and both against torch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from engine.learning.align import cosine
from engine.learning.equilibrium import equilibrium_of
from engine.learning.exact import NoFixedPointError, exact_gradients
from engine.learning.from_ticks import tick_gradients
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_backend

KINDS = {"recursive": RecursiveChain, "hopfield": HopfieldChain}
LAYERS, NEURONS, PIXELS, CLASSES, SAMPLES = 4, 9, 12, 5, 3
KNOBS = {"sigma": 0.8, "input_gain": 0.7}


def problem(kind, seed=3):
    """A small float64 chain with biases, pictures and labels."""
    rng = np.random.default_rng(seed)
    chain = KINDS[kind](
        LAYERS, NEURONS, PIXELS, CLASSES, load_backend("numpy"), dtype="float64", samples=SAMPLES, seed=seed
    )
    chain.weights["b"][...] = 0.2 * rng.standard_normal((LAYERS, NEURONS))
    chain.weights_changed()
    for name, value in KNOBS.items():
        chain.set_parameter(name, value)
    x, labels = rng.standard_normal((SAMPLES, PIXELS)), rng.integers(0, CLASSES, SAMPLES)
    chain.clamp(x, labels)
    return chain, x, labels


def nudged_gradients(chain, x, labels, beta):
    fixed = equilibrium_of(chain.kind, chain.weights, **KNOBS, beta=beta, tolerance=1e-14)
    free = fixed.settle(x)
    return fixed.gradients(free, fixed.nudge(free, labels))


def exact(chain, x, labels):
    return exact_gradients(chain.kind, chain.weights, x, labels, **KNOBS)


def errors(found, expected):
    """Relative error of every tensor, in the Frobenius norm."""
    assert set(found) == set(expected)
    return {name: float(np.linalg.norm(found[name] - g) / np.linalg.norm(g)) for name, g in expected.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_local_gradients_tend_to_the_implicit_one_with_the_square_of_beta(kind):
    chain, x, labels = problem(kind)
    expected = exact(chain, x, labels)
    wide, narrow, tiny = (errors(nudged_gradients(chain, x, labels, beta), expected) for beta in (4e-2, 2e-2, 1e-4))
    for name in expected:
        if name == "W_out":
            assert max(wide[name], tiny[name]) < 1e-12
            continue
        assert wide[name] / narrow[name] == pytest.approx(4, rel=0.15), name
        assert wide[name] < 0.2
        assert tiny[name] < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_points_along_the_implicit_gradient_and_has_its_length(kind):
    chain, x, labels = problem(kind)
    found, expected = nudged_gradients(chain, x, labels, 1e-3), exact(chain, x, labels)
    for name in (*chain.couplings, "b"):
        for ours, theirs in zip(found[name], expected[name], strict=True):
            assert cosine(ours, theirs) > 1 - 1e-6, name
            assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=1e-3), name


@pytest.mark.parametrize("kind", KINDS)
def test_random_directions_do_not(kind, rng):
    """Control: a cosine near 1 is no matter of course."""
    chain, x, labels = problem(kind)
    expected = exact(chain, x, labels)["W"]
    drawn = [cosine(rng.standard_normal(g.shape), g) for g in expected for _ in range(50)]
    assert abs(np.mean(drawn)) < 0.05
    assert np.max(np.abs(drawn)) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_nudge_no_link_learns(kind):
    """Control: copies that feel no force do not leave the free one, so nothing but the read-out has a gradient."""
    chain, x, labels = problem(kind)
    fixed = equilibrium_of(chain.kind, chain.weights, **KNOBS, beta=1e-3, tolerance=1e-14)
    fixed._force = lambda free, labels: np.zeros_like(free.read.top)
    free = fixed.settle(x)
    found = fixed.gradients(free, fixed.nudge(free, labels))
    assert found["W_out"].any()
    assert not any(gradient.any() for name, gradient in found.items() if name != "W_out")


@pytest.mark.parametrize("kind", KINDS)
def test_ticks_leave_the_same_gradients_as_sweeps(kind):
    chain, x, labels = problem(kind)
    chain.set_parameter("beta", 0.01)
    for nudged in (False, True):
        chain.release()
        chain.aim()
        for _ in range(800):
            chain.tick(nudged)
    found = tick_gradients(chain, labels)
    assert max(errors(found, nudged_gradients(chain, x, labels, 0.01)).values()) < 1e-9


def map_of(kind):
    """F of one sample, straight from the equations; the state is (2, L, N) or (1, L, N)."""

    def recursive(state, w, inflow):
        z, s = state
        below = np.concatenate([inflow[None], s[:-1]])
        drive = np.einsum("lij,lj->li", w["W"], below) + w["b"]
        new = np.tanh(KNOBS["sigma"] * np.einsum("lij,lj->li", w["R"], z) + drive)
        return np.stack([new, below + new / np.sqrt(len(z))])

    def hopfield(state, w, inflow):
        (s,) = state
        push = KNOBS["sigma"] / 2 * np.einsum("lij,lj->li", w["W"], np.concatenate([inflow[None], s[:-1]])) + w["b"]
        push[:-1] += KNOBS["sigma"] / 2 * np.einsum("lji,lj->li", w["W"][1:], s[1:])
        push[-1] *= 2
        return np.tanh(push)[None]

    return {"recursive": recursive, "hopfield": hopfield}[kind]


def loss(kind, weights, x, labels):
    """Mean cross-entropy at the fixed point that scipy's root finder says."""
    update, total = map_of(kind), 0.0
    shape = (2 if kind == "recursive" else 1, LAYERS, NEURONS)
    for picture, label in zip(x, labels, strict=True):
        inflow = KNOBS["input_gain"] * weights["W_in"] @ picture

        def residual(flat, inflow=inflow):
            return (update(flat.reshape(shape), weights, inflow) - flat.reshape(shape)).ravel()

        solved = root(residual, np.zeros(shape).ravel(), tol=1e-13)
        logits = weights["W_out"] @ solved.x.reshape(shape)[-1, -1]
        total += np.log(np.exp(logits - logits[label]).sum())
    return total / len(labels)


@pytest.mark.parametrize("kind", KINDS)
def test_the_implicit_gradient_is_the_slope_of_the_loss_at_the_fixed_point(kind, rng):
    """Central differences along a random direction of every tensor; the fixed point by another solver."""
    chain, x, labels = problem(kind)
    expected, step = exact(chain, x, labels), 1e-4
    for name, tensor in chain.weights.items():
        direction = rng.standard_normal(tensor.shape)
        ahead, behind = (
            loss(kind, {**chain.weights, name: tensor + sign * step * direction}, x, labels) for sign in (1, -1)
        )
        assert (expected[name] * direction).sum() == pytest.approx((ahead - behind) / (2 * step), rel=1e-5), name


@pytest.mark.parametrize("kind", KINDS)
def test_torch_is_of_the_same_opinion(kind):
    """Autograd through many unrolled ticks of a forward pass written anew."""
    torch = pytest.importorskip("torch", reason="the third opinion needs torch, which is not installed")
    chain, x, labels = problem(kind)
    w = {name: torch.tensor(array, requires_grad=True) for name, array in chain.weights.items()}
    inflow = KNOBS["input_gain"] * torch.tensor(x) @ w["W_in"].T
    s = z = torch.zeros(LAYERS, *inflow.shape, dtype=torch.float64)
    for _ in range(400):
        below = torch.cat([inflow[None], s[:-1]])
        if kind == "recursive":
            z = torch.tanh(KNOBS["sigma"] * z @ w["R"].mT + below @ w["W"].mT + w["b"][:, None])
            s = below + z / LAYERS**0.5
        else:
            above = torch.cat([s[1:] @ w["W"][1:], torch.zeros_like(s[:1])])
            mass = torch.tensor([1.0] * (LAYERS - 1) + [0.5], dtype=torch.float64)[:, None, None]
            s = torch.tanh((KNOBS["sigma"] / 2 * (below @ w["W"].mT + above) + w["b"][:, None]) / mass)
    torch.nn.functional.cross_entropy(s[-1] @ w["W_out"].T, torch.tensor(labels)).backward()
    by_torch = {name: tensor.grad.numpy() for name, tensor in w.items()}
    assert max(errors(exact(chain, x, labels), by_torch).values()) < 1e-9
    assert max(errors(nudged_gradients(chain, x, labels, 1e-3), by_torch).values()) < 1e-3


def test_there_is_no_gradient_without_a_fixed_point():
    chain, x, labels = problem("recursive")
    with pytest.raises(NoFixedPointError, match=r"still changes by .* a tick after \d+ ticks"):
        exact_gradients("recursive", chain.weights, x, labels, 2.8, 0.02)

"""Fixed points by sweeps against the synchronous ticks of the live chain, which share no code with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.equilibrium import equilibrium_of
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_backend
from kernels.sweeps import CHUNK

KINDS = {"recursive": RecursiveChain, "hopfield": HopfieldChain}
PIXELS, CLASSES = 12, 4
AGREEMENT = {"float32": 1e-6, "float64": 1e-9}
TOLERANCE = {"float32": 1e-8, "float64": 1e-13}
"""Of the sweeps: under what float32 can tell apart, so that they stop where nothing moves any more."""
RESTED = {"float32": 4e-7, "float64": 1e-12}
AFTER = 60
"""Ticks after the largest change has come under RESTED, further down."""


def made(kind, dtype, layers, neurons, samples, sigma, beta, seed=5):
    """A chain with biases, pictures and labels, clamped and not yet settled."""
    rng = np.random.default_rng(seed)
    chain = KINDS[kind](
        layers, neurons, PIXELS, CLASSES, load_backend("numba"), dtype=dtype, samples=samples, seed=seed
    )
    chain.weights["b"][...] = 0.2 * rng.standard_normal((layers, neurons))
    chain.weights_changed()
    for name, value in {"sigma": sigma, "beta": beta, "input_gain": 0.7}.items():
        chain.set_parameter(name, value)
    x, labels = rng.standard_normal((samples, PIXELS)).astype(dtype), rng.integers(0, CLASSES, samples)
    chain.clamp(x, labels)
    return chain, x, labels


def ticked(chain, dtype, most=1500):
    """Free and nudged fixed points by ticks: each state (L, N, B) and its displacements (2, L, N, B)."""
    for nudged in (False, True):
        if nudged:
            chain.release()
            chain.aim()
        scale = chain.value("beta") * chain.pull if nudged else 1.0
        for _ in range(most):
            chain.tick(nudged=nudged)
            seen = chain.observe()
            change = seen.nudge_velocity_max if nudged else seen.velocity_max
            if change.max() < RESTED[dtype] * scale:
                break
        for _ in range(AFTER):
            chain.tick(nudged=nudged)
    free = [columns[:, :, 0].swapaxes(1, 2) for columns in chain.columns()]
    moved = [np.stack([columns[:, :, c].swapaxes(1, 2) for c in (1, 2)]) for columns in chain.columns()]
    return free, moved


def swept(chain, x, labels, dtype):
    fixed = equilibrium_of(
        chain.kind, chain.weights, sigma=chain.value("sigma"), input_gain=chain.value("input_gain"),
        beta=chain.value("beta"), tolerance=TOLERANCE[dtype],
    )  # fmt: skip
    free = fixed.settle(x)
    return free, fixed.nudge(free, labels)


FAINT = 1e-3
"""Sweeps end at an absolute tolerance: layers that move less than this share of the largest are measured against it."""


def worst(ours, theirs):
    """Largest error of any layer relative to that layer's displacement or state, in the norm over all states."""
    axes = tuple(axis for axis in range(ours[0].ndim) if axis != ours[0].ndim - 3)
    away = np.sqrt(sum(np.square(a.astype(np.float64) - b).sum(axes) for a, b in zip(ours, theirs, strict=True)))
    size = np.sqrt(sum(np.square(b.astype(np.float64)).sum(axes) for b in theirs))
    return float((away / np.maximum(size, max(FAINT * size.max(), np.finfo(np.float64).tiny))).max())


def differences(kind, dtype, layers, neurons, samples, sigma, beta=0.01):
    """Of the free states, and of the displacements."""
    chain, x, labels = made(kind, dtype, layers, neurons, samples, sigma, beta)
    free, nudged = swept(chain, x, labels, dtype)
    states, moved = ticked(chain, dtype)
    assert free.states[0].dtype == nudged.states[0].dtype == np.dtype(dtype)
    np.testing.assert_allclose(free.logits, chain.logits(), atol=5 * AGREEMENT[dtype])
    return worst(free.states, states), worst(nudged.states, moved)


SHAPES = [(1, 9, 1), (2, 4, 3), (5, 16, CHUNK + 1), (12, 25, 2 * CHUNK - 3)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("sigma", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("layers", "neurons", "samples"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_and_ticks_come_to_the_same_rest(kind, layers, neurons, samples, sigma, dtype):
    assert max(differences(kind, dtype, layers, neurons, samples, sigma)) < AGREEMENT[dtype]


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)), layers=st.integers(1, 9), side=st.integers(1, 5),
    samples=st.integers(1, 2 * CHUNK + 1), sigma=st.floats(0, 0.95),
)  # fmt: skip
def test_whatever_the_shape(kind, layers, side, samples, sigma):
    assert max(differences(kind, "float64", layers, side * side, samples, sigma, beta=0.003)) < AGREEMENT["float64"]


@pytest.mark.parametrize("kind", KINDS)
def test_samples_do_not_feel_each_other(kind):
    """However they fall into chunks, and in whatever company."""
    chain, x, labels = made(kind, "float64", 4, 9, 2 * CHUNK + 5, 0.9, 0.05)
    whole, nudged = swept(chain, x, labels, "float64")
    for part in (slice(0, 1), slice(CHUNK - 1, CHUNK + 1), slice(7, 2 * CHUNK + 3)):
        free, moved = swept(chain, x[part], labels[part], "float64")
        for ours, theirs in zip(free.states + moved.states, whole.states + nudged.states, strict=True):
            np.testing.assert_allclose(ours, theirs[..., part], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_of_no_rest_ends_all_the_same(kind):
    """Far above the edge: as many steps as allowed, and finite numbers."""
    chain, x, labels = made(kind, "float32", 3, 16, 5, 2.5, 0.1)
    free, nudged = swept(chain, x, labels, "float32")
    assert all(np.isfinite(state).all() for state in free.states)
    assert nudged.states[0].shape == (2, 3, 16, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_a_number_stays_so_and_ends(kind):
    chain, x, labels = made(kind, "float32", 3, 16, 5, 0.9, 0.1)
    chain.weights["W"][1, 0, 0] = np.nan
    free, nudged = swept(chain, x, labels, "float32")
    assert not np.isfinite(free.logits).all()
    assert not np.isfinite(nudged.states[0]).all()

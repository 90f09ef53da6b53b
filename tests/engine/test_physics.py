"""The physics: energy falls, waves move one layer a tick, the edge is at sigma = 1, sigma never touches a weight."""

from __future__ import annotations

import numpy as np
import pytest

from engine.commands import Nudge, SelectSample, SetParameter
from engine.linalg import clip_singular_values, orthogonal_stack, spectral_norms
from engine.networks.hopfield_chain import HopfieldChain, decay_law, relaxation_factor
from engine.networks.recursive_chain import RecursiveChain
from engine.preset import load_preset
from engine.probe import probe
from engine.session import Session
from kernels.backends import load_backend


def chain(kind, layers=10, neurons=16, dtype="float64", sigma=0.9, seed=0):
    network = kind(layers, neurons, 64, 10, load_backend(), dtype=dtype, seed=seed)
    network.set_parameter("sigma", sigma)
    network.clamp(np.random.default_rng(seed).standard_normal((1, 64)), np.array([3]))
    return network


@pytest.mark.parametrize("sigma", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_energy_falls_at_every_tick_up_to_the_edge(sigma, seed):
    network = chain(HopfieldChain, sigma=sigma, seed=seed)
    energies = []
    for _ in range(60):
        network.tick(nudged=False)
        energies.append(network.energy()[0])
    falls = np.diff(energies)
    assert (falls <= 1e-12).all()
    assert energies[0] - energies[-1] > 0.01


def test_energy_is_the_one_of_the_equation():
    network = chain(HopfieldChain, layers=3, neurons=4)
    for _ in range(5):
        network.tick(nudged=False)
    s = network._states[0][:, 0, 0].copy()
    network.tick(nudged=False)
    inflow = network.value("input_gain") * network.weights["W_in"] @ network._x[0]
    own = s * np.arctanh(s) + 0.5 * np.log(1 - s**2)
    expected = own[:2].sum() + 0.5 * own[2].sum()
    for k, below in enumerate((inflow, s[0], s[1])):
        expected -= 0.45 * s[k] @ network.weights["W"][k] @ below
    assert network.energy()[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 7, 40])
def test_the_settling_wave_crosses_one_layer_a_tick(layers):
    """Without recurrence layer k is final after exactly k ticks, and all is at rest after L + 1."""
    network = chain(RecursiveChain, layers=layers, sigma=0.0)
    for tick in range(1, layers + 2):
        network.tick(nudged=False)
        moving = np.flatnonzero(network.observe().rms_velocity[:, 0] > 0)
        assert moving.size == 0 or moving.min() >= tick - 1
        if tick <= layers:
            assert network.observe().rms_velocity[tick - 1, 0] > 0
    assert network.observe().velocity_max[0] == 0


@pytest.mark.parametrize("layers", [1, 2, 7, 40])
def test_the_nudge_goes_down_exactly_one_layer_a_tick(layers):
    network = chain(RecursiveChain, layers=layers, sigma=0.0)
    for _ in range(layers + 1):
        network.tick(nudged=False)
    network.aim()
    for tick in range(1, layers + 1):
        network.tick(nudged=True)
        reached = np.flatnonzero(network.observe().rms_nudge[:, 0] > 0)
        assert reached.min() == layers - tick


@pytest.mark.parametrize("sigma", [0.6, 0.8, 0.9, 0.95])
def test_hopfield_credit_fades_by_lambda_of_sigma(sigma):
    preset = load_preset("hopfield-100")
    found = probe(preset, {"sigma": sigma, "tolerance": 1e-7})
    assert found["decay_theory"] == pytest.approx((1 - np.sqrt(1 - sigma**2)) / sigma)
    assert found["credit_decay"] == pytest.approx(found["decay_theory"], rel=0.02)
    assert found["d_nudge"] == pytest.approx(1 + np.log(1e-3) / np.log(decay_law(sigma)), abs=1.5)


@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_the_edge_lies_at_one(kind):
    """Two states under one input meet below the edge; above it a small difference at rest grows."""
    maker = {"recursive": RecursiveChain, "hopfield": HopfieldChain}[kind]
    for sigma, meet in ((0.95, True), (1.2, False)):
        pair = [chain(maker, layers=6, sigma=sigma) for _ in range(2)]
        for network in pair:
            network.clamp(np.zeros((1, 64)), None)
        kick = np.random.default_rng(1).standard_normal((6, 16)) * 0.1
        pair[1]._states[0][:, 0, 0] += kick
        for _ in range(1500):
            for network in pair:
                network.tick(nudged=False)
        apart = np.abs(pair[0]._states[0] - pair[1]._states[0]).max()
        assert bool(apart < 1e-8) is meet


@pytest.mark.parametrize("name", ["tiny", "hopfield-100"])
def test_sigma_acts_at_the_next_tick_and_leaves_the_weights_alone(name):
    one, other = (Session(load_preset(name)) for _ in range(2))
    before = {key: weight.copy() for key, weight in one.network.state_dict().items()}
    for session in (one, other):
        for _ in range(8):
            session.tick()
    one.apply(SetParameter("sigma", 0.3))
    np.testing.assert_array_equal(one.frame().activation, other.frame().activation)
    one.tick()
    other.tick()
    assert np.abs(one.frame().activation - other.frame().activation).max() > 1e-4
    for key, weight in one.network.state_dict().items():
        np.testing.assert_array_equal(weight, before[key])


def test_acceleration_and_red_black_save_ticks_and_end_at_the_same_point():
    ends, ticks = [], []
    for dynamics in ("plain", "accelerated", "red-black"):
        session = Session(load_preset("hopfield-100").model_copy(update={"dtype": "float64"}))
        for name, value in {"sigma": 0.99, "tolerance": 1e-9, "dynamics": dynamics, "t_free": 9999}.items():
            session.apply(SetParameter(name, value))
        session.apply(Nudge(False))
        while session.phase == "free":
            session.tick()
        ends.append(session.network.channels(0)[0].copy())
        ticks.append(session.frame().metrics.t_relax)
    for end in ends[1:]:
        np.testing.assert_allclose(end, ends[0], atol=1e-6)
    assert ticks[1] * 5 < ticks[0]
    assert ticks[2] * 5 < ticks[0]


def test_red_black_rests_above_the_edge_where_plain_ticks_flicker():
    """Block coordinate descent can only lower the energy, so it ends in one of the many attractors."""
    plain, red_black = (
        probe(load_preset("hopfield-100"), {"sigma": 1.5, "dynamics": way}, max_ticks=3000)
        for way in ("plain", "red-black")
    )
    assert red_black["settled"]
    assert not plain["settled"] or plain["t_relax"] > red_black["t_relax"]


def test_relaxation_factor_is_plain_beyond_the_edge():
    assert relaxation_factor(0) == 1
    assert relaxation_factor(1.01) == 1
    assert 1.9 < relaxation_factor(1.0) < 2


def test_clipping_is_the_nearest_and_keeps_what_is_already_small(rng):
    stack = rng.standard_normal((3, 8, 8)) / 4
    clipped = clip_singular_values(stack)
    assert spectral_norms(clipped).max() <= 1 + 1e-12
    below = np.linalg.svd(stack, compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(clipped, compute_uv=False), np.minimum(below, 1), atol=1e-12)
    rescaled = stack / np.maximum(spectral_norms(stack), 1)[:, None, None]
    assert np.linalg.norm(stack - clipped) < np.linalg.norm(stack - rescaled)
    orthogonal = orthogonal_stack(rng, 2, 8)
    np.testing.assert_allclose(clip_singular_values(orthogonal), orthogonal, atol=1e-12)


def test_the_same_seed_gives_the_same_run_to_the_bit():
    runs = []
    for _ in range(2):
        session = Session(load_preset("tiny"))
        session.apply(SetParameter("noise", 0.1))
        session.apply(SelectSample(5))
        for _ in range(50):
            session.tick()
        runs.append(session.frame().activation)
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
@pytest.mark.parametrize(("layers", "neurons"), [(1, 1), (1, 64), (200, 9), (3, 1024)])
def test_any_square_size_from_one_to_two_hundred_layers(network, layers, neurons):
    preset = load_preset("tiny").model_copy(update={"network": network, "layers": layers, "neurons": neurons})
    found = probe(preset, {"sigma": 0.5}, max_ticks=600)
    assert found["settled"]
    assert found["finite"]
    assert len(found["nudge_rms"]) == layers

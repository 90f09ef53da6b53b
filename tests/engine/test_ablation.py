"""Lesions and noise: what is cut is still, nothing passes through it, and healing brings the true weights back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.commands import Ablate, AblateRegion, Heal, Learn, LoadPreset, SaveWeights, SetParameter
from engine.frame import ABLATED
from engine.learning.equilibrium import equilibrium_of
from engine.learning.from_ticks import tick_gradients
from engine.networks.chain import Chain
from engine.networks.disturbance import drawn_lesion
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from engine.preset import load_preset, parse_preset
from engine.session import Session
from engine.weights import read_weights
from kernels.backends import load_backend

LAYERS, NEURONS, PIXELS, CLASSES = 5, 16, 20, 4
KINDS: dict[str, type[Chain]] = {"recursive": RecursiveChain, "hopfield": HopfieldChain}
WAYS = [("recursive", "numpy", "plain"), ("recursive", "numba", "plain"), ("recursive", "numba", "lazy"),
        ("hopfield", "numpy", "plain"), ("hopfield", "numba", "plain"), ("hopfield", "numba", "accelerated"),
        ("hopfield", "numpy", "red-black"), ("hopfield", "numba", "lazy")]  # fmt: skip


def chain_of(kind: str, backend: str = "numpy", dynamics: str = "plain", **knobs: float) -> Chain:
    chain = KINDS[kind](LAYERS, NEURONS, PIXELS, CLASSES, load_backend(backend), samples=3, seed=2, dtype="float64")
    rng = np.random.default_rng(5)
    chain.load_state_dict({**chain.state_dict(), "b": 0.2 * rng.standard_normal((LAYERS, NEURONS))})
    for name, value in {"dynamics": dynamics, "epsilon": 1e-13, "sigma": 0.8, "beta": 0.01, **knobs}.items():
        chain.set_parameter(name, value)
    chain.clamp(rng.standard_normal((3, PIXELS)), np.array([0, 1, 2]))
    return chain


def settle(chain: Chain, ticks: int = 400) -> None:
    for _ in range(ticks):
        chain.tick(nudged=False)
    chain.aim()
    for _ in range(ticks):
        chain.tick(nudged=True)


def some(rng: np.random.Generator, share: float = 0.25) -> Any:
    return drawn_lesion(np.ones((LAYERS, NEURONS), bool), share, rng)


@pytest.mark.parametrize(("kind", "backend", "dynamics"), WAYS)
def test_a_dead_neuron_is_still_in_all_copies_from_the_first_tick(kind, backend, dynamics, rng):
    chain = chain_of(kind, backend, dynamics, noise=0.1, input_noise=0.1)
    settle(chain, 20)
    dead = some(rng)
    assert np.abs(chain.columns()[0][dead.nonzero()[0], :, :, dead.nonzero()[1]]).min() > 0
    chain.ablate(dead)
    for nudged in (False, True):
        chain.aim()
        for _ in range(4):
            chain.tick(nudged)
            state = chain.columns()[0]
            layer, neuron = dead.nonzero()
            assert not state[layer, :, :, neuron].any()
            layer, neuron = (~dead).nonzero()
            assert state[layer, :, 0, neuron].all()


@pytest.mark.parametrize(("kind", "backend", "dynamics"), WAYS)
def test_a_lesioned_chain_rests_where_a_chain_without_those_weights_does(kind, backend, dynamics, rng):
    chain = chain_of(kind, backend, dynamics)
    settle(chain, 50)
    chain.release()
    chain.ablate(some(rng))
    settle(chain)
    fixed = equilibrium_of(kind, chain.acting, sigma=0.8, beta=0.01, tolerance=1e-13)
    free = fixed.settle(chain.read_in()[0])
    nudged = fixed.nudge(free, np.array([0, 1, 2]))
    for columns, expected, displaced in zip(chain.columns(), free.states, nudged.states, strict=True):
        np.testing.assert_allclose(columns[:, :, 0].swapaxes(1, 2), expected, atol=1e-9)
        np.testing.assert_allclose(columns[:, :, 1].swapaxes(1, 2), displaced[0], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_passes_through_a_dead_neuron(kind, rng):
    """With its weights turned to anything else, the network does not notice, nor does the credit of the living."""
    dead, seen = some(rng), []
    for scale in (1.0, -0.7):
        chain = chain_of(kind)
        weights = {name: array.copy() for name, array in chain.state_dict().items()}
        for name, where in chain.severed(dead).items():
            weights[name][where] *= scale
        chain.adopt(weights)
        chain.ablate(dead)
        settle(chain, 200)
        gradients = tick_gradients(chain, np.array([0, 1, 2]))
        cut = chain.severed(dead)
        living = [gradients[name][~cut[name]] if name in cut else gradients[name] for name in sorted(gradients)]
        seen.append(np.concatenate([part.ravel() for part in [*chain.columns(), *living]]))
    np.testing.assert_array_equal(*seen)
    assert np.abs(seen[0]).max() > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", range(LAYERS))
def test_a_dead_layer_of_a_hopfield_chain_cuts_it_and_the_stream_passes_a_dead_block(kind, layer):
    chain = chain_of(kind)
    dead = np.zeros((LAYERS, NEURONS), bool)
    dead[layer] = True
    chain.ablate(dead)
    settle(chain, 100)
    nudge = np.abs(chain.channels(0)[2]).max(-1)
    if kind == "hopfield":
        assert not nudge[: layer + 1].any()
        assert (nudge[layer + 1 :] > 0).all()
    else:
        assert (nudge > 0).all()


@pytest.mark.parametrize(("kind", "backend", "dynamics"), WAYS)
@pytest.mark.parametrize("hurt", ["lesion", "weight_noise"])
def test_healing_is_exact(kind, backend, dynamics, hurt, rng):
    chain = chain_of(kind, backend, dynamics)
    before = {name: array.copy() for name, array in chain.state_dict().items()}
    settle(chain, 300)
    whole = [state.copy() for state in chain.columns()]
    if hurt == "lesion":
        chain.ablate(some(rng))
    else:
        chain.set_parameter("weight_noise", 0.3)
    settle(chain, 300)
    moved = np.abs(chain.columns()[0][:, :, 0] - whole[0][:, :, 0]).max()
    assert moved > 0.05
    for name, array in chain.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    if hurt == "lesion":
        chain.heal()
    else:
        chain.set_parameter("weight_noise", 0)
    for name, array in chain.acting.items():
        assert array is chain.weights[name]
        np.testing.assert_array_equal(array, before[name])
    chain.release()
    settle(chain, 600)
    for now, then in zip(chain.columns(), whole, strict=True):
        np.testing.assert_allclose(now, then, atol=1e-8)


def test_weight_noise_is_one_pattern_scaled_to_the_rms_of_each_matrix():
    chain = chain_of("recursive")
    chain.set_parameter("weight_noise", 0.1)
    slight = {name: chain.acting[name] - chain.weights[name] for name in ("R", "W", "W_in", "W_out")}
    np.testing.assert_array_equal(chain.acting["b"], chain.weights["b"])
    chain.set_parameter("weight_noise", 0.4)
    for name, noise in slight.items():
        np.testing.assert_allclose(chain.acting[name] - chain.weights[name], 4 * noise, rtol=1e-6)
        rms = np.sqrt(np.square(chain.weights[name]).mean((-2, -1)))
        np.testing.assert_allclose(np.sqrt(np.square(noise).mean((-2, -1))), 0.1 * rms, rtol=0.3)
    for _ in range(3):
        chain.tick(nudged=False)
    np.testing.assert_allclose(chain.acting["W"] - chain.weights["W"], 4 * slight["W"], rtol=1e-6)
    chain.reset(9)
    assert np.abs(chain.acting["W"] - chain.weights["W"] - 4 * slight["W"]).max() > 0.01


@pytest.mark.parametrize(("kind", "backend", "dynamics"), WAYS)
def test_input_noise_shakes_the_inflow_at_every_tick_and_leaves_no_trace(kind, backend, dynamics):
    chain = chain_of(kind, backend, dynamics)
    settle(chain, 300)
    clean, rest = chain.read_in()[1].copy(), chain.columns()[0].copy()
    chain.set_parameter("input_noise", 0.4)
    inflows = []
    for _ in range(60):
        chain.tick(nudged=False)
        x, inflow = chain.read_in()
        np.testing.assert_allclose(inflow, 0.5 * x @ chain.weights["W_in"].T)
        inflows.append(inflow.copy())
    shaken = np.array(inflows)
    assert (np.abs(np.diff(shaken, axis=0)).max((1, 2)) > 0).all()
    spread = 0.5 * 0.4 * np.sqrt(np.square(chain.weights["W_in"]).sum(-1).mean())
    assert (shaken - clean).std() == pytest.approx(spread, rel=0.05)
    assert abs((shaken - clean).mean()) < 0.05 * spread
    assert np.abs(chain.columns()[0][0, :, 0] - rest[0, :, 0]).max() > 0.01
    chain.set_parameter("input_noise", 0)
    np.testing.assert_array_equal(chain.read_in()[1], clean)
    chain.release()
    settle(chain, 300)
    np.testing.assert_allclose(chain.columns()[0], rest, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_couplings_heal_too(kind, rng):
    chain = KINDS[kind](LAYERS, NEURONS, PIXELS, CLASSES, load_backend("numba"), half_weights=True)
    stacks = [stack.copy() for stack in chain._stacks]
    chain.set_parameter("weight_noise", 0.2)
    chain.ablate(some(rng))
    assert all((now != then).any() for now, then in zip(chain._stacks, stacks, strict=True))
    chain.heal()
    chain.set_parameter("weight_noise", 0)
    for now, then in zip(chain._stacks, stacks, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_lesion_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="does not fit 5 layers"):
        chain_of("recursive").ablate(np.zeros((LAYERS, NEURONS + 1), bool))


# in a session

TRAINED = 'title = "t"\nnetwork = "{}"\nlayers = 6\nneurons = 25\n[knobs]\nhold = 5\nrate = 0.01\n'


def session_of(kind: str, **knobs: float) -> Session:
    session = Session(parse_preset(TRAINED.format(kind), "t", "t"), "numba")
    for name, value in knobs.items():
        session.apply(SetParameter(name, value))
    return session


def flagged(session: Session) -> Any:
    return (session.frame().flags & ABLATED) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_is_cut_out_in_mid_flight_and_comes_back(kind):
    session = session_of(kind, advance=0)
    for _ in range(300):
        session.tick()
    session.apply(Ablate(0.2))
    first = flagged(session)
    assert (first.sum(1) == 5).all()
    assert len({tuple(np.flatnonzero(layer)) for layer in first}) > 1
    assert session.phase == "free"
    session.tick()
    assert session.frame().metrics.velocity_max > 1e-3
    assert not session.frame().activation[first].any()
    session.apply(Ablate(0.2))
    assert (flagged(session).sum(1) == 10).all()
    assert flagged(session)[first].all()
    session.apply(Heal())
    assert not flagged(session).any()
    session.apply(Ablate(0.2))
    np.testing.assert_array_equal(flagged(session), first)


def test_cutting_out_nothing_changes_nothing():
    whole, cut = session_of("recursive", advance=0), session_of("recursive", advance=0)
    for session in (whole, cut):
        for _ in range(200):
            session.tick()
    cut.apply(Ablate(0))
    cut.tick()
    assert cut.frame().metrics.velocity_max < 1e-4
    np.testing.assert_allclose(cut.frame().activation, whole.frame().activation, atol=1e-4)


def test_a_region_is_cut_out_and_a_new_preset_is_whole():
    session = session_of("recursive")
    region = np.zeros((6, 25), bool)
    region[2:4, 3:9] = True
    session.apply(AblateRegion(region))
    np.testing.assert_array_equal(flagged(session), region)
    session.apply(LoadPreset(load_preset("tiny")))
    assert not flagged(session).any()


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ValueError, match="share"):
        session_of("recursive").apply(Ablate(share))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persistent", [0, 1])
def test_learning_beside_a_lesion_keeps_the_dead_weights_and_what_was_learned(kind, persistent, tmp_path):
    session = session_of(kind, hold=0, t_free=60, t_nudge=60, persistent=persistent)
    chain = session.network
    assert isinstance(chain, Chain)
    session.apply(Learn(True))
    for _ in range(300):
        session.tick()
    session.apply(Ablate(0.2))
    cut, before = chain.cut(), {name: array.copy() for name, array in chain.weights.items()}
    for _ in range(600):
        session.tick()
    assert session._learning is not None
    assert session._learning.samples > 2
    for name, where in cut.items():
        np.testing.assert_array_equal(chain.weights[name][where], before[name][where])
        assert not chain.acting[name][where].any()
    assert np.abs(chain.weights["W"] - before["W"]).max() > 0.01
    session.apply(Learn(False))
    learned = {name: array.copy() for name, array in chain.weights.items()}
    session.apply(SaveWeights(tmp_path / "w.safetensors"))
    np.testing.assert_array_equal(read_weights(tmp_path / "w.safetensors")["b"], learned["b"])
    session.apply(Heal())
    for name in ("W_in", "b", "W_out"):
        np.testing.assert_array_equal(chain.acting[name], learned[name])
    clipped = np.abs(chain.acting["W"] - learned["W"]).max()
    assert clipped < 0.1 * np.abs(learned["W"] - before["W"]).max()
    assert np.linalg.norm(chain.acting[chain.recurrent[0]].astype(float), ord=2, axis=(1, 2)).max() < 1 + 1e-5

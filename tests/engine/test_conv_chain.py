"""The physics of the convolutional chain: fixed points, the credit, the edge, lesions, what is shown."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.conv.chain import ConvChain
from kernels.backends import load_backend
from tests.engine.conv_cases import CLASSES, SMALL, Equations, chain_of, dense, plan_of, settle, state_of

BACKENDS = ["numpy", "numba"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_rests_at_the_fixed_point_of_the_equations(backend):
    chain = chain_of(backend)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        state = state_of(chain, sample, 0)
        np.testing.assert_allclose(equations.tick(state, inflow[sample]), state, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_displacement_is_the_credit(backend):
    """d = beta (I - J^T)^-1 f to first order, by a dense solve; the centred difference is exact to beta squared."""
    chain = chain_of(backend, beta=1e-4)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        jacobian = equations.jacobian(state_of(chain, sample, 0), inflow[sample])
        force = np.zeros(len(jacobian))
        top = chain.plan.neurons[-1]
        force[-top:] = chain._aim[sample, :top]
        expected = np.linalg.solve(np.eye(len(jacobian)) - jacobian.T, force)
        found = (state_of(chain, sample, 1) - state_of(chain, sample, 2)) / 2e-4
        np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())


def test_the_force_is_minus_the_slope_of_the_loss():
    chain = chain_of()
    settle(chain, 200)
    chain.aim()
    top, W_out = chain.columns()[1][-1, :, 0, : chain.plan.neurons[-1]].copy(), chain.weights["W_out"]
    labels = np.arange(3) % CLASSES
    logits = W_out @ (top + 1e-30j * chain._aim[:, : top.shape[1]])[0]
    slope = (np.log(np.exp(logits).sum()) - logits[labels[0]]).imag / 1e-30
    assert slope == pytest.approx(-np.square(chain._aim[0]).sum(), rel=1e-9)


@pytest.mark.parametrize("sigma", [0.3, 0.9, 1.0])
def test_up_to_the_edge_one_resting_state_wherever_it_starts(sigma, rng):
    chain = chain_of("numba", sigma=sigma)
    found = []
    for _ in range(2):
        for states in chain.columns():
            for k, n in enumerate(chain.plan.neurons):
                states[k, :, :, :n] = 0.9 * np.tanh(rng.standard_normal((*states.shape[1:3], n)))
        for _ in range(1000):
            chain.tick(nudged=False)
        found.append(state_of(chain, 0, 0))
    np.testing.assert_allclose(*found, atol=1e-9)


def test_distances_within_a_block_shrink_by_sigma_at_each_tick(rng):
    """With the stream below it held, a block's own map is a contraction with sigma as its Lipschitz constant."""
    chain = chain_of(sigma=0.9)
    equations = Equations(chain)
    for own in equations.own:
        assert np.linalg.norm(own, 2) == pytest.approx(1, abs=1e-3)
    for k, own in enumerate(equations.own):
        a, b = (np.tanh(rng.standard_normal((2, equations.sizes[k]))),)[0]
        drive = rng.standard_normal(equations.sizes[k])
        before = np.linalg.norm(a - b)
        a, b = (np.tanh(0.9 * own @ z + drive) for z in (a, b))
        assert np.linalg.norm(a - b) <= 0.901 * before


def test_t_relax_grows_with_sigma_and_above_the_edge_it_may_never_rest():
    def ticks(sigma):
        chain = chain_of("numba", samples=1, sigma=sigma, input_gain=0.0)
        for name, array in chain.weights.items():
            if name.endswith(".b"):
                array[...] = 0
            if name.endswith("R"):
                array[...] = _rotation(chain, int(name.split(".")[0]) - 1)
        chain.weights_changed()
        for states in chain.columns():
            for k, n in enumerate(chain.plan.neurons):
                states[k, :, 0, :n] = 0.5
        for tick in range(1, 2000):
            chain.tick(nudged=False)
            if chain.observe().velocity_max[0] < 1e-6:
                return tick
        return None

    found = [ticks(sigma) for sigma in (0.3, 0.6, 0.9)]
    assert found == sorted(found)
    assert found[0] < found[2]
    assert ticks(1.5) is None


def _rotation(chain, layer):
    """A kernel that turns pairs of channels by 90 degrees: an orthogonal operator without a real eigenvalue.

    An odd channel is turned by 180 degrees.
    """
    _, _, _, channels, _, _, size, _, _ = chain.plan.shapes[layer, 1]
    taps = np.zeros((channels, channels, size, size))
    for c in range(0, channels - 1, 2):
        taps[c, c + 1, size // 2, size // 2], taps[c + 1, c, size // 2, size // 2] = 1, -1
    if channels % 2:
        taps[-1, -1, size // 2, size // 2] = -1
    return taps.reshape(channels, -1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dead_neuron_is_still_and_the_rest_is_the_chain_without_it(backend, rng):
    chain = chain_of(backend, noise=0.1)
    settle(chain, 20)
    dead = (rng.random(chain.ablated.shape) < 0.25) & ~chain.unused
    assert dead.any(1).all()
    chain.ablate(dead)
    for nudged in (False, True):
        for _ in range(3):
            chain.tick(nudged)
            assert not any(channel[dead].any() for channel in chain.channels(0)[:1])
    chain.set_parameter("noise", 0)
    settle(chain)
    lives = np.concatenate([1 - chain._dead[k, :n] for k, n in enumerate(chain.plan.neurons)])
    equations, inflow = Equations(chain), chain.read_in()[1]
    state = state_of(chain, 1, 0)
    z, s = equations.split(state)
    moved = equations.tick(state, inflow[1])
    new, _ = equations.split(moved)
    assert lives.min() == 0
    np.testing.assert_allclose(np.concatenate(new) * lives, np.concatenate(z), atol=1e-13)
    for k, skip in enumerate(equations.skip):
        below = s[k - 1] if k else inflow[1]
        np.testing.assert_allclose(s[k], equations.share[k] * z[k] + (below if skip else 0), atol=1e-13)


@pytest.mark.parametrize("hurt", ["lesion", "weight_noise"])
def test_healing_is_exact(hurt, rng):
    chain = chain_of("numba")
    before = {name: array.copy() for name, array in chain.state_dict().items()}
    settle(chain)
    whole = state_of(chain, 0, 0)
    if hurt == "lesion":
        chain.ablate(rng.random(chain.ablated.shape) < 0.25)
    else:
        chain.set_parameter("weight_noise", 0.3)
    settle(chain)
    assert np.abs(state_of(chain, 0, 0) - whole).max() > 0.05
    if hurt == "lesion":
        chain.heal()
    else:
        chain.set_parameter("weight_noise", 0)
    for name, array in chain.acting.items():
        assert array is chain.weights[name]
        np.testing.assert_array_equal(array, before[name])
    settle(chain)
    np.testing.assert_allclose(state_of(chain, 0, 0), whole, atol=1e-9)


def test_weight_noise_leaves_biases_alone_and_is_measured_by_each_kernel():
    chain = chain_of()
    chain.set_parameter("weight_noise", 0.2)
    for name, array in chain.weights.items():
        noise = chain.acting[name] - array
        if name.endswith(".b"):
            assert not noise.any()
        else:
            assert noise.std() == pytest.approx(0.2 * np.sqrt(np.square(array).mean()), rel=0.5)


def test_maps_are_shown_side_by_side_in_tiles_and_nothing_is_lost(rng):
    chain = chain_of()
    settle(chain, 5)
    shown = chain.channels(1)[0]
    assert chain.layout.neurons == shown.shape[1]
    for k, layer in enumerate(chain.plan.layers):
        state = chain.columns()[0][k, 1, 0, : layer.neurons].reshape(layer.shape)
        tile = shown[k].reshape(chain.layout.height, chain.layout.width)
        channels, height, width = layer.shape
        across = {3: 3, 4: 2}[channels]  # three in a row, two by two
        high, wide = -(-channels // across) * (height + 1) - 1, across * (width + 1) - 1
        upper, outer = (chain.layout.height - high) // 2, (chain.layout.width - wide) // 2
        for c in range(channels):
            top, left = upper + c // across * (height + 1), outer + c % across * (width + 1)
            np.testing.assert_array_equal(tile[top : top + height, left : left + width], state[c])
        assert (~chain.unused[k]).sum() == layer.neurons
        assert not shown[k][chain.unused[k]].any()
    assert chain.unused.any()


def test_rms_is_of_each_layers_own_neurons():
    chain = chain_of()
    settle(chain, 30)
    seen = chain.observe()
    for k, n in enumerate(chain.plan.neurons):
        z, s = (states[k, 2, :, :n] for states in chain.columns())
        assert seen.rms_activation[k, 2] == pytest.approx(np.sqrt(np.square(z[0]).mean()))
        assert seen.rms_nudge[k, 2] == pytest.approx(np.sqrt(np.square((s[1] - s[2]) / 2).mean()))


def test_flops_are_the_multiply_adds_of_all_products_that_are_needed():
    chain = chain_of()
    per_layer = [sum(dense(np.ones((row[3], row[0] * row[6] ** 2)), row).shape) for row in chain.plan.shapes[:, 1]]
    assert len(per_layer) == len(chain.plan.layers)
    first, others = chain.plan.multiply_adds
    by_hand = sum(layer.neurons * layer.size**2 * (layer.shape_in[0] + layer.channels) for layer in chain.plan.layers)
    assert first + others == by_hand
    chain.tick(nudged=False)
    assert chain.dense_flops == chain.effective_flops == 2 * 3 * by_hand
    chain.tick(nudged=True)
    assert chain.dense_flops == pytest.approx(2 * 3 * (by_hand + first + 5 * others))


def test_no_knob_for_what_it_cannot_do():
    knobs = chain_of().parameters
    assert set(knobs) == {"sigma", "beta", "noise", "input_noise", "weight_noise", "input_gain"}


def test_wrong_pictures_and_lesions_are_refused():
    chain = chain_of()
    with pytest.raises(ValueError, match="shape"):
        chain.clamp(np.zeros((3, 31)), None)
    with pytest.raises(ValueError, match="does not fit 5 layers"):
        chain.ablate(np.zeros((5, 7), bool))


def test_colours_are_input_channels():
    """Shuffling the channels of the picture and of the first kernel together changes nothing."""
    plan = plan_of(*SMALL, picture=(4, 5, 3))
    chain = ConvChain(plan, CLASSES, load_backend("numpy"), dtype="float64", samples=2, seed=3)
    x = np.random.default_rng(1).standard_normal((2, 60))
    chain.clamp(x, None)
    settle(chain, 20)
    there = state_of(chain, 0, 0)
    chain.weights["1.K"][...] = chain.weights["1.K"].reshape(3, 3, 9)[:, [2, 0, 1]].reshape(3, 27)
    chain.weights_changed()
    chain.reset(0)
    chain.clamp(x.reshape(2, 4, 5, 3)[..., [2, 0, 1]].reshape(2, 60), None)
    settle(chain, 20)
    np.testing.assert_allclose(state_of(chain, 0, 0), there, atol=1e-12)
    np.testing.assert_array_equal(plan.restored(plan.arranged(x)), x)

"""The shipped convolutional chains: they read pictures that they never learned, their norms hold, controls do not."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import build_network, load_data
from engine.data import digits, split
from engine.learning.align import align
from engine.learning.train import accuracy, equilibrium_for, first_weights
from engine.networks.conv.chain import ConvChain
from engine.preset import PresetError, load_preset
from engine.weights import read_weights
from tests.engine.conv_cases import dense

SHIPPED = ("conv-digits", "conv-fashion")


@pytest.fixture(scope="module")
def held_out():
    return split(digits(), 0).test


def shipped(name):
    """The chain with its weights; skips where there is no data set to say how large its pictures are."""
    try:
        chain = build_network(load_preset(name))
    except PresetError as error:
        if "not found in" not in str(error):
            raise
        pytest.skip(str(error))
    assert isinstance(chain, ConvChain)
    return chain


def test_the_shipped_digits_are_read_by_sweeps_and_by_ticks(held_out):
    preset = load_preset("conv-digits")
    chain = build_network(preset, samples=48)
    fixed = equilibrium_for(preset, chain.state_dict())
    assert accuracy(fixed, digits(), held_out) >= 0.97
    some = held_out[:48]
    x = digits().encode(digits().images[some])
    chain.clamp(x, None)
    for _ in range(60):
        chain.tick(nudged=False)
    np.testing.assert_array_equal(chain.logits().argmax(-1), fixed.settle(x).logits.argmax(-1))


def test_fresh_kernels_and_shuffled_ones_read_nothing(held_out):
    """Controls: the same network untrained, and the same numbers at other places of each kernel."""
    preset = load_preset("conv-digits")
    assert accuracy(equilibrium_for(preset, first_weights(preset)), digits(), held_out) < 0.3
    for seed in range(3):
        rng = np.random.default_rng(seed)
        weights = {name: array.copy() for name, array in shipped("conv-digits").state_dict().items()}
        for name, array in weights.items():
            if name != "W_out":
                rng.shuffle(array.reshape(-1))
        assert accuracy(equilibrium_for(preset, weights), digits(), held_out) < 0.5


def test_the_shipped_clothes_are_told_apart_and_fresh_kernels_do_not():
    """On every twentieth of the held-out pictures."""
    chain, preset = shipped("conv-fashion"), load_preset("conv-fashion")
    data = load_data(preset)
    some = split(data, 0).test[::20]
    assert len(some) == 500
    assert accuracy(equilibrium_for(preset, chain.state_dict()), data, some) >= 0.85
    assert accuracy(equilibrium_for(preset, first_weights(preset)), data, some) < 0.3


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_are_stored_in_half_precision_and_taken_as_they_are(name):
    stored = read_weights(load_preset(name).weights_file)
    for key, array in shipped(name).state_dict().items():
        assert stored[key].dtype == np.float16
        np.testing.assert_array_equal(array, stored[key].astype(np.float32), err_msg=key)


def test_norms_of_the_shipped_operators_are_those_of_a_dense_decomposition():
    chain = shipped("conv-digits")
    iterated = equilibrium_for(load_preset("conv-digits"), chain.state_dict())._recurrences.norms(chain.state_dict())
    for layer in (1, 7):
        name = f"{layer + 1}.R"
        shape = chain.plan.shapes[layer, 1].copy()
        singular = np.linalg.svd(dense(chain.state_dict()[name].astype(np.float64), shape), compute_uv=False)
        assert iterated[name] == pytest.approx(singular[0], rel=1e-2)
        assert 0.98 < singular[0] < 1.01
        assert np.median(singular) > 0.1, "the norm is kept by clipping, not by shrinking the whole operator"


def test_the_trained_network_is_aligned_with_the_exact_gradient():
    found, _ = align(load_preset("conv-digits").model_copy(update={"dtype": "float64"}), {"beta": 0.01}, samples=2)
    assert found.hidden == 0
    assert found.min_cosine > 0.999

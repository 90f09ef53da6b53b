"""Gradient alignment: what a network reads off its own ticks points along the exact gradient, or is marked."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import load_data
from engine.knobs import KnobError
from engine.learning.align import Alignment, align, compare, cosine, prepared_chain, ticked_update
from engine.learning.exact import NoFixedPointError, exact_gradients
from engine.preset import Preset, load_preset


def preset(network="recursive", layers=5, neurons=16, dtype="float64", **knobs):
    return Preset(name="small", title="t", network=network, layers=layers, neurons=neurons, dtype=dtype, knobs=knobs)


@pytest.mark.parametrize(
    ("network", "dtype", "sigma", "beta", "least"),
    [
        ("recursive", "float64", 0.9, 0.01, 0.9999),
        ("recursive", "float32", 0.9, 0.01, 0.9999),
        ("hopfield", "float64", 0.95, 0.003, 0.999),
        ("hopfield", "float32", 0.95, 0.003, 0.999),
    ],
)
def test_every_layer_of_a_small_network_is_aligned(network, dtype, sigma, beta, least):
    found, chain = align(preset(network, dtype=dtype, sigma=sigma), {"beta": beta}, samples=4)
    families = {"R", "W"} if network == "recursive" else {"W"}
    assert set(found.cosine) == families | {"b", "W_in", "W_out"}
    assert all(len(found.cosine[name]) == 5 for name in families | {"b"})
    assert found.hidden == 0
    assert found.min_cosine == min(min(row) for row in found.cosine.values())
    assert least < found.min_cosine <= 1 + 1e-12
    assert chain.dtype == np.dtype(dtype)
    assert chain.value("beta") == beta


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_a_narrower_nudge_is_better_aligned(network):
    """The error of a centred nudge is of second order in beta, that of the angle's cosine of fourth."""
    wide, narrow = (
        1 - align(preset(network, sigma=0.9), {"beta": beta}, samples=4)[0].min_cosine for beta in (0.1, 0.025)
    )
    assert narrow < wide / 30


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_against_other_labels_there_is_no_alignment(network):
    """Control: the exact gradient of another question."""
    chain = prepared_chain(preset(network, sigma=0.9), {"beta": 0.01}, 4)
    data = load_data(preset())
    x, labels = data.encode(data.images[:4]), data.labels[:4]
    chain.clamp(x, labels)
    update, unresolved = ticked_update(chain, labels)
    families = (*chain.couplings, "b")
    right, wrong = (
        compare(update, exact_gradients(network, chain.weights, x, asked, 0.9, 0.5), families, unresolved)
        for asked in (labels, (labels + 5) % 10)
    )
    assert right.min_cosine > 0.999
    assert max(abs(c) for c in wrong.cosine["W"]) < 0.9
    assert np.mean(wrong.cosine["W"]) < 0.6


def test_without_a_nudge_there_is_nothing_to_compare():
    """Control: copies that feel no force have no credit, and no layer is counted."""
    chain = prepared_chain(preset(sigma=0.9), {"beta": 0.01}, 4)
    data = load_data(preset())
    x, labels = data.encode(data.images[:4]), data.labels[:4]
    chain.clamp(x, labels)
    chain.aim = lambda: chain._aim.fill(0)
    update, unresolved = ticked_update(chain, labels)
    exact = exact_gradients("recursive", chain.weights, x, labels, 0.9, 0.5)
    found = compare(update, exact, ("R", "W", "b"), unresolved)
    assert unresolved.all()
    assert found.hidden == 3 * 5 + 1
    assert set(found.cosine["R"]) == {None}
    assert found.min_cosine == found.cosine["W_out"][0]


def living(dtype):
    """A chain whose biases keep every layer awake: at sigma 0.2 no picture would reach the upper ones."""
    chain = prepared_chain(preset("hopfield", layers=60, dtype=dtype, sigma=0.2), {"beta": 0.01}, 2)
    chain.weights["b"][...] = np.random.default_rng(0).normal(0, 0.3, chain.weights["b"].shape)
    chain.weights_changed()
    data = load_data(preset())
    x, labels = data.encode(data.images[:2]), data.labels[:2]
    chain.clamp(x, labels)
    update, unresolved = ticked_update(chain, labels)
    return compare(update, exact_gradients("hopfield", chain.weights, x, labels, 0.2, 0.5), ("W", "b"), unresolved)


def test_layers_without_resolved_credit_are_marked_and_never_counted():
    """At sigma 0.2 the credit falls by a factor of ten a layer and leaves float32's range on its way down."""
    found = living("float32")
    marks = found.below_floor["W"]
    assert any(marks)
    assert not all(marks)
    assert marks == sorted(marks, reverse=True), "the lower layers, in one piece"
    assert found.below_floor["W_in"] == [True]
    assert found.below_floor["W_out"] == [False]
    counted = [c for name, row in found.cosine.items() for c, low in zip(row, found.below_floor[name], strict=True)
               if not low]  # fmt: skip
    assert found.min_cosine == min(counted) > 0.99
    assert living("float64").hidden < found.hidden


def test_what_no_picture_reaches_is_marked():
    """Without biases the free state fades too; products of the two are nothing but round-off."""
    found, _ = align(preset("hopfield", layers=60, dtype="float32", sigma=0.2), {"beta": 0.01}, samples=2)
    assert all(found.below_floor["W"])


def test_the_smallest_cosine_leaves_marked_layers_out():
    row = {"W": [0.1, 0.8, None]}
    assert Alignment(row, {"W": [True, False, True]}).min_cosine == 0.8
    assert Alignment(row, {"W": [True, True, True]}).min_cosine is None
    assert Alignment(row, {"W": [True, True, True]}).hidden == 3


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, 0.0], [2.0, 0.0], 1.0),
        ([1.0, 0.0], [0.0, 3.0], 0.0),
        ([1.0, 1.0], [-2.0, -2.0], -1.0),
        ([1e-300, 1e-300], [1e300, 0.0], 0.5**0.5),
        ([0.0, 0.0], [1.0, 0.0], None),
        ([np.nan, 0.0], [1.0, 0.0], None),
        ([1.0, 0.0], [np.inf, 0.0], None),
    ],
)
def test_cosine(a, b, expected):
    assert cosine(np.array(a), np.array(b)) == (None if expected is None else pytest.approx(expected))


def test_above_the_edge_there_is_no_fixed_point():
    with pytest.raises(NoFixedPointError, match="still changes by"):
        align(preset(neurons=36, sigma=2.8, input_gain=0.02), samples=2)


def test_an_unknown_knob_is_refused():
    with pytest.raises(KnobError, match="unknown parameter 'sgima'"):
        align(preset(), {"sgima": 1.0})


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "least"), [("float64", 0.999), ("float32", 0.99)])
def test_all_hundred_layers_are_aligned(dtype, least):
    found, _ = align(load_preset("deep-100").model_copy(update={"dtype": dtype}))
    assert found.hidden == 0
    assert all(len(found.cosine[name]) == 100 for name in ("R", "W"))
    assert found.min_cosine >= least


@pytest.mark.slow
def test_the_hopfield_chain_is_aligned_near_the_edge():
    deep = load_preset("hopfield-100").model_copy(update={"dtype": "float64"})
    found, _ = align(deep, {"sigma": 0.99, "beta": 0.003})
    assert found.hidden == 0
    assert found.min_cosine >= 0.999

"""Every layer's backward pass is its true transposed Jacobian; bad shapes are refused in one line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.networks.tween.activation import Activation, Softmax
from engine.networks.tween.attention import Attention
from engine.networks.tween.chain import TweenChain
from engine.networks.tween.composite import Parallel, Residual
from engine.networks.tween.convolution import Conv1D, Conv2D
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Array, Layer, ShapeError
from engine.networks.tween.norm import LayerNorm, RMSNorm
from engine.networks.tween.recurrent import LSTM, RNN
from tests.engine.tween_cases import KINDS, Case, case_of, cases

FEW = settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
STEP = 1e-5


def _measured(case: Case, array: Array) -> Array:
    """Central differences of the case's sum along every entry of one of its arrays."""
    slopes = np.empty_like(array)
    for index in np.ndindex(array.shape):
        here = array[index]
        array[index] = here + STEP
        above = case.total()
        array[index] = here - STEP
        slopes[index] = (above - case.total()) / (2 * STEP)
        array[index] = here
    return slopes


def _agree(found: Array, expected: Array, within: float) -> None:
    assert found.shape == expected.shape
    error = np.abs(found - expected).max(initial=0) / max(1.0, np.abs(expected).max(initial=0))
    assert error < within


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_backward_is_what_finite_differences_measure(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    back, gradients, to_state = case.backward()
    _agree(back, _measured(case, case.x), 1e-6)
    assert gradients.keys() == case.weights.keys()
    for name, gradient in gradients.items():
        _agree(gradient, _measured(case, case.weights[name]), 1e-6)
    assert len(to_state) == len(case.state)
    for slope, memory in zip(to_state, case.state, strict=True):
        _agree(slope, _measured(case, memory), 1e-6)


RELU = [
    Dense((4,), 3, "relu"),
    Conv1D((5, 2), 2, phi="relu"),
    Conv2D((1, 3, 4), 2, phi="relu"),
    Activation((6,), "relu"),
]


@pytest.mark.parametrize("layer", RELU, ids=lambda layer: layer.kind)
def test_relu_away_from_its_kink(layer: Layer) -> None:
    case = next(c for c in (case_of(layer, seed) for seed in range(100)) if not _near_kink(c))
    back, gradients, _ = case.backward()
    _agree(back, _measured(case, case.x), 1e-6)
    for name, gradient in gradients.items():
        _agree(gradient, _measured(case, case.weights[name]), 1e-6)


def _near_kink(case: Case) -> bool:
    """Whether a step could carry some output over 0: it is alive but tiny, or so is its mirror image."""
    one = case.layer.forward(case.weights, case.x, case.state)[0]
    mirrored = {name: -w for name, w in case.weights.items()}
    other = case.layer.forward(mirrored, case.x if case.weights else -case.x, case.state)[0]
    return bool(((one + other) < 1e-3).any())


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_backward_and_forward_are_those_of_torch(kind: str, data: st.DataObject) -> None:
    pytest.importorskip("torch", reason="torch is the rival here; pip install 'toreq-observatory[bench]'")
    from tests.engine.tween_torch import torch_pass

    case = data.draw(cases(kind))
    output, back, gradients, to_state = torch_pass(case)
    _agree(case.layer.forward(case.weights, case.x, case.state)[0], output, 1e-8)
    own_back, own_gradients, own_state = case.backward()
    _agree(own_back, back, 1e-8)
    for name, gradient in own_gradients.items():
        _agree(gradient, gradients[name], 1e-8)
    for own, other in zip(own_state, to_state, strict=True):
        _agree(own, other, 1e-8)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_lanes_and_samples_do_not_mix(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    output, cache, after = case.layer.forward(case.weights, case.x, case.state)
    back, gradients, _ = case.layer.backward(case.weights, case.g, cache)
    for lane in range(2):
        weights = {name: w[lane : lane + 1] for name, w in case.weights.items()}
        total = {name: np.zeros_like(w) for name, w in weights.items()}
        for sample in range(2):
            one = np.index_exp[lane : lane + 1, sample : sample + 1]
            alone, its_cache, its_state = case.layer.forward(weights, case.x[one], tuple(s[one] for s in case.state))
            its_back, its_gradients, _ = case.layer.backward(weights, case.g[one], its_cache)
            np.testing.assert_allclose(alone, output[one], atol=1e-12)
            np.testing.assert_allclose(its_back, back[one], atol=1e-12)
            for own, shared in zip(its_state, after, strict=True):
                np.testing.assert_allclose(own, shared[one], atol=1e-12)
            total = {name: total[name] + gradient for name, gradient in its_gradients.items()}
        for name, gradient in total.items():
            np.testing.assert_allclose(gradient, gradients[name][lane : lane + 1], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(data=st.data())
def test_shapes_are_what_the_layer_says_and_float32_stays(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    single = {name: w.astype(np.float32) for name, w in case.weights.items()}
    state = tuple(s.astype(np.float32) for s in case.state)
    output, cache, after = case.layer.forward(single, case.x.astype(np.float32), state)
    back, gradients, _ = case.layer.backward(single, case.g.astype(np.float32), cache)
    assert output.shape == (2, 2, *case.layer.shape)
    assert back.shape == (2, 2, *case.layer.shape_in)
    assert {a.dtype for a in (output, back, *after, *gradients.values())} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", ["dense", "rnn", "lstm", "attention"])
@FEW
@given(data=st.data())
def test_layerwise_targets_are_weighted_means(kind: str, data: st.DataObject) -> None:
    """t_in = sum_out W t_out / sum_out |W|, entry by entry; never larger than the largest target."""
    case = data.draw(cases(kind))
    layer = case.layer
    wanted = layer.target(case.weights, case.g)  # type: ignore[attr-defined]
    assert wanted.shape == case.x.shape
    for lane, sample in np.ndindex(2, 2):
        if kind == "attention":
            W = (case.weights["W_v"][lane] @ case.weights["W_o"][lane]).T
            rows = case.g[lane, sample]
        else:
            W, rows = case.weights["W"][lane][-layer.shape[0] :], case.g[lane, sample][None]
        expected = [[sum(w * t for w, t in zip(c, row, strict=True)) / sum(map(abs, c)) for c in W.T] for row in rows]
        np.testing.assert_allclose(wanted[lane, sample].reshape(len(rows), -1), expected, atol=1e-12)
    assert np.abs(wanted).max() <= np.abs(case.g).max() + 1e-12


BAD: dict[str, Callable[[], object]] = {
    "dense": lambda: Dense((3,), 0),
    "conv1d on a vector": lambda: Conv1D((3,), 2),
    "conv2d on a sequence": lambda: Conv2D((3, 2), 2),
    "even kernel": lambda: Conv2D((1, 4, 4), 2, size=2),
    "no stride": lambda: Conv1D((3, 2), 2, stride=0),
    "rnn": lambda: RNN((3,), 0),
    "lstm": lambda: LSTM((3,), -1),
    "attention on a vector": lambda: Attention((4,)),
    "heads that do not divide": lambda: Attention((4, 6), 4),
    "no heads": lambda: Attention((4, 6), 0),
    "norm of one": lambda: LayerNorm((1,)),
    "rms of one": lambda: RMSNorm((1, 1)),
    "softmax of nothing": lambda: Softmax((0,)),
    "residual that changes shape": lambda: Residual([Dense((3,), 4)]),
    "residual whose parts do not fit": lambda: Residual([Dense((3,), 4), Dense((3,), 3)]),
    "empty residual": lambda: Residual([]),
    "empty parallel": lambda: Parallel([]),
    "branches that read apart": lambda: Parallel([Dense((3,), 4), Dense((2,), 4)]),
    "branches that cannot be added": lambda: Parallel([Dense((3,), 4), Dense((3,), 5)], "add"),
    "chain": lambda: TweenChain([Dense((3,), 4), Conv2D((1, 2, 2), 1)]),
    "empty chain": lambda: TweenChain([]),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_in_one_line(what: str) -> None:
    with pytest.raises(ShapeError) as refusal:
        BAD[what]()
    message = str(refusal.value)
    assert len(message) > 10
    assert "\n" not in message

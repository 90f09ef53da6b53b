"""Small layers of every kind for the tests, and the sum that their gradients are checked by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from engine.networks.tween.activation import Activation, Softmax
from engine.networks.tween.attention import Attention
from engine.networks.tween.composite import Parallel, Residual
from engine.networks.tween.convolution import Conv1D, Conv2D
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Array, Layer, State, Weights
from engine.networks.tween.norm import LayerNorm, RMSNorm
from engine.networks.tween.recurrent import LSTM, RNN

SMOOTH = st.sampled_from(["linear", "tanh", "sigmoid"])
FEW, SOME = st.integers(1, 3), st.integers(2, 5)


def _rows(draw: st.DrawFn) -> tuple[int, int]:
    return draw(SOME), draw(SOME)


def _dense(draw: st.DrawFn) -> Layer:
    shape = draw(st.sampled_from([(4,), (2, 3), (2, 2, 3)]))
    return Dense(shape, draw(FEW), draw(SMOOTH))


def _conv1d(draw: st.DrawFn) -> Layer:
    return Conv1D(
        (draw(st.integers(1, 7)), draw(FEW)), draw(FEW), draw(st.sampled_from([1, 3, 5])), draw(FEW), draw(SMOOTH)
    )


def _conv2d(draw: st.DrawFn) -> Layer:
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return Conv2D(shape, draw(st.integers(1, 2)), draw(st.sampled_from([1, 3])), draw(FEW), draw(SMOOTH))


def _attention(draw: st.DrawFn) -> Layer:
    heads = draw(FEW)
    return Attention((draw(st.integers(1, 4)), heads * draw(st.integers(1, 2))), heads)


def _rnn(draw: st.DrawFn) -> Layer:
    return RNN(draw(st.sampled_from([(3,), (2, 2)])), draw(FEW))


def _lstm(draw: st.DrawFn) -> Layer:
    return LSTM(draw(st.sampled_from([(3,), (2, 2)])), draw(FEW))


def _layernorm(draw: st.DrawFn) -> Layer:
    return LayerNorm((2, draw(st.integers(2, 4))))


def _rmsnorm(draw: st.DrawFn) -> Layer:
    return RMSNorm((2, draw(st.integers(2, 4))))


def _softmax(draw: st.DrawFn) -> Layer:
    return Softmax(_rows(draw))


def _activation(draw: st.DrawFn) -> Layer:
    return Activation(_rows(draw), draw(SMOOTH))


def _residual(draw: st.DrawFn) -> Layer:
    features = draw(SOME)
    inner: list[list[Layer]] = [
        [Dense((features,), 3), Dense((3,), features)],
        [RNN((features,), features), LSTM((features,), features)],
        [RMSNorm((features,)), LSTM((features,), features), Dense((features,), features)],
    ]
    return Residual(draw(st.sampled_from(inner)), draw(st.sampled_from([1.0, 0.3])))


def _parallel(draw: st.DrawFn) -> Layer:
    fusion = draw(st.sampled_from(["concat", "add", "mean"]))
    shape = (3, 2)
    if fusion == "concat":
        return Parallel([Conv1D(shape, 2), LSTM(shape, 2), Attention(shape)], fusion)
    return Parallel([RNN(shape, 4), Dense(shape, 4), LSTM(shape, 4)], fusion)


KINDS = {
    "dense": _dense, "conv1d": _conv1d, "conv2d": _conv2d, "rnn": _rnn, "lstm": _lstm, "attention": _attention,
    "layernorm": _layernorm, "rmsnorm": _rmsnorm, "softmax": _softmax, "activation": _activation,
    "residual": _residual, "parallel": _parallel,
}  # fmt: skip


@dataclass
class Case:
    """A layer at work: two lanes, two samples, weights all random, a memory that is not empty, credit for all."""

    layer: Layer
    weights: Weights
    x: Array
    state: State
    g: Array
    g_state: State

    def total(self) -> float:
        """The sum whose gradients `backward` gives: credit times output, plus credit times new memory."""
        output, _, after = self.layer.forward(self.weights, self.x, self.state)
        return float((self.g * output).sum() + sum((g * s).sum() for g, s in zip(self.g_state, after, strict=True)))

    def backward(self) -> tuple[Array, Weights, State]:
        """Of the layer, in this moment."""
        cache = self.layer.forward(self.weights, self.x, self.state)[1]
        return self.layer.backward(self.weights, self.g, cache, self.g_state or None)


def case_of(layer: Layer, seed: int) -> Case:
    """A moment of the layer's life, float64."""
    rng = np.random.default_rng(seed)
    lanes = samples = 2
    weights = layer.initial_weights(rng, lanes)
    weights = {name: w + 0.3 * rng.standard_normal(w.shape) for name, w in weights.items()}
    state = tuple(rng.uniform(-0.8, 0.8, s.shape) for s in layer.initial_state(lanes, samples, np.dtype(np.float64)))
    x = rng.standard_normal((lanes, samples, *layer.shape_in))
    g = rng.standard_normal((lanes, samples, *layer.shape))
    return Case(layer, weights, x, state, g, tuple(rng.standard_normal(s.shape) for s in state))


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Of one kind, any shape."""
    return case_of(KINDS[kind](draw), draw(st.integers(0, 2**32 - 1)))

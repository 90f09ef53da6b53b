"""The networks that play: eight numbers in, four actions out, `depth` layers, all of one family."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.networks.tween.activation import Activation
from engine.networks.tween.attention import Attention
from engine.networks.tween.composite import Residual
from engine.networks.tween.convolution import Conv2D
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Layer, Shape
from engine.networks.tween.recurrent import LSTM, RNN
from engine.tween_bench.game import ACTIONS, FEATURES

WIDTH = 32
"""Features of a hidden layer."""
CHANNELS = 8
STEPS = 4
"""Attention reads the first layer's output as so many steps."""
FAMILIES = ("dense", "conv2d", "rnn", "lstm", "attention")
NETS = (
    *(f"dense-{depth}" for depth in (3, 5, 9, 15)),
    *(f"{family}-{depth}" for family in FAMILIES[1:] for depth in (3, 5, 9)),
)
"""Those of the bench."""


class NetError(ValueError):
    """No such network; one readable line."""


class Reshaped:
    """Another layer's output, read in another shape."""

    def __init__(self, layer: Layer, shape: Shape) -> None:
        self.layer, self.kind, self.shape_in, self.shape = layer, layer.kind, layer.shape_in, shape

"""The networks that play: eight numbers in, four actions out, so many layers, all hidden ones of one family.

Their names are FAMILY-LAYERS, or FAMILY-LAYERS:regulated for one that sees the target's direction at one length
whatever its distance: near the target dx and dy are a hundredth of the other numbers, and all the right answer needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.tween.attention import Attention
from engine.networks.tween.composite import Residual
from engine.networks.tween.convolution import Conv1D, Conv2D
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Layer, Shape
from engine.networks.tween.recurrent import LSTM, RNN
from engine.tween_bench.game import ACTIONS, FEATURES

WIDTH = 32
"""Features of a dense or recurrent hidden layer."""
CHANNELS = 8
"""Channels of a convolution, features of a step that attention reads."""
BYPASSED = 0.3
"""Share of an attention layer beside its bypass; with 1, a chain of nine does not survive its learning."""
PICTURE = (1, 2, 4)
"""The observation as Conv2D reads it: where things are above, where to go below."""
STEPS = (4, 2)
"""The observation as attention reads it: agent, target, what is between them, distance and task."""


class NetError(ValueError):
    """No such network; one readable line."""


def _dense(shape: Shape, first: bool) -> Layer:
    return Dense(shape, WIDTH)


def _relu(shape: Shape, first: bool) -> Layer:
    return Dense(shape, WIDTH, "relu")


def _conv2d(shape: Shape, first: bool) -> Layer:
    return Conv2D(shape, CHANNELS)


def _rnn(shape: Shape, first: bool) -> Layer:
    return RNN(shape, WIDTH)


def _lstm(shape: Shape, first: bool) -> Layer:
    return LSTM(shape, WIDTH)


def _attention(shape: Shape, first: bool) -> Layer:
    """A convolution tells the steps apart, then attention beside a bypass."""
    return Conv1D(shape, CHANNELS) if first else Residual([Attention(shape, heads=2)], BYPASSED)


FAMILIES: dict[str, tuple[Shape, Callable[[Shape, bool], Layer]]] = {
    "dense": ((FEATURES,), _dense),
    "relu": ((FEATURES,), _relu),
    "conv2d": (PICTURE, _conv2d),
    "rnn": ((FEATURES,), _rnn),
    "lstm": ((FEATURES,), _lstm),
    "attention": (STEPS, _attention),
}
"""Name -> the shape that the observation is read in, and the hidden layer that reads a shape."""

NETS = (
    *(f"dense-{depth}" for depth in (3, 5, 9, 15)),
    *(f"{family}-{depth}" for family in ("conv2d", "rnn", "lstm", "attention") for depth in (3, 5, 9)),
    "lstm-3:regulated",
)
"""Those that a full bench plays by the late rule."""
FRESH_NETS = tuple(f"{family}-3{sight}" for family in ("dense", "relu") for sight in ("", ":regulated"))
"""Those that it plays by the fresh rule."""
LENGTH = 2.0
"""Of the direction that a regulated network sees."""


@dataclass(frozen=True, slots=True)
class Net:
    """A name, taken apart."""

    family: str
    depth: int
    """Layers, and ticks of latency."""
    regulated: bool

    def layers(self) -> list[Layer]:
        """All hidden ones of the family; the last is dense and linear."""
        shape, hidden = FAMILIES[self.family]
        layers: list[Layer] = []
        for number in range(self.depth - 1):
            layers.append(hidden(shape, number == 0))
            shape = layers[-1].shape
        return [*layers, Dense(shape, ACTIONS, "linear")]

    def seen(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the network sees of the observations x (S, 8)."""
        if not self.regulated:
            return x
        length = np.linalg.norm(x[:, 4:6], axis=1, keepdims=True)
        direction = LENGTH * x[:, 4:6] / np.maximum(length, 1e-9)
        return np.concatenate([x[:, :4], direction, x[:, 6:]], 1)


def parse_net(name: str) -> Net:
    """The network of that name. Raises NetError."""
    what, _, sight = name.partition(":")
    family, _, layers = what.partition("-")
    known = family in FAMILIES and sight in ("", "regulated")
    if not known or not layers.isdecimal() or not 2 <= int(layers) <= 100:
        families = ", ".join(FAMILIES)
        form = f"a family ({families}), a hyphen and 2 to 100 layers, such as lstm-3 or lstm-3:regulated"
        raise NetError(f"'{name}' is no network of the game: {form}")
    return Net(family, int(layers), sight == "regulated")

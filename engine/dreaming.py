r"""Dreaming: the label is clamped, the input is free, and the same weights draw what they know of a class.

The top layer is pulled towards a class without pause. The credit that the nudged copies carry down to the input,

    recursive   c = gain W_in^T ds_0,  ds_0 = ds_1 + W_1^T g_1;        Hopfield   c = gain (sigma/2) W_in^T W_1^T ds_1
    cube        c = gain W_in^T g_1
    conv        c = gain (skip_1 ds_1 + K_1^T * g_1)

(= minus the gradient of the pull's energy by the picture), is what moves the picture, a little at every tick of the
network, while everything else goes on settling:

    x <- x + rate (d / rms(d) - x),      d = C c,      pixels kept within 0..1

C is the covariance of training pictures of all classes together: the class-blind prior that pixels which go together
change together. Without it (d = c) dreams are read as well, but lie farther from any real picture (track `dreaming`).
The leak -x holds the picture at the contrast of a usual one: encoded pictures have RMS 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, split
from engine.frame import Phase
from engine.learning.conv import conv_input_credit
from engine.learning.nested import nested_bottom
from engine.network import Network
from engine.networks.chain import Chain
from engine.networks.conv.chain import ConvChain
from engine.networks.nested.chain import NestedChain
from engine.phases import Persistent, phase_knobs

Array = NDArray[Any]
RATE = 0.01
"""Share of the way to its momentary goal that a picture goes in a tick."""
PICTURES = 512
"""Training pictures that the covariance is taken from, at most."""
DREAMERS = ("recursive", "hopfield", "cube", "energy-cube", "nested")
"""Kinds of network of which `input_credit` is known."""


def ticks_of(layers: int) -> int:
    """How long a dream takes: the waves cross the chain up and down, then the picture has three time constants."""
    return 2 * layers + round(3 / RATE)


def input_credit(chain: Chain) -> Array:
    """Minus the gradient of what nudges by the encoded pictures, (B, pixels), from the states of the last tick.

    0 where beta is 0.
    """
    twice = 2 * chain.value("beta")
    if not twice:
        return np.zeros_like(chain.read_in()[0])
    if isinstance(chain, ConvChain):
        return conv_input_credit(chain)
    first = [columns[0] for columns in chain.columns()]
    moved = [(columns[:, 1] - columns[:, 2]) / twice for columns in first]
    z = first[0][:, 0]
    if chain.kind == "hopfield":
        below = chain.value("sigma") / 2 * (moved[0] @ chain.acting["W"][0])
    elif isinstance(chain, NestedChain):
        below = nested_bottom(chain)
    elif chain.kind == "recursive":
        dz, ds = moved
        below = ds + ((1 - z * z) * (dz + ds / math.sqrt(chain.layout.layers))) @ chain.acting["W"][0]
    else:
        below = (1 - z * z) * moved[0]
    credit: Array = chain.value("input_gain") * (below @ chain.acting["W_in"])
    return credit


class Prior:
    """Which pixels go together: the covariance of training pictures, kept as its factor A, C = A^T A."""

    def __init__(self, data: Dataset, seed: int = 0) -> None:
        chosen = np.random.default_rng((seed, 8)).permutation(split(data).train)[:PICTURES]
        x = data.encode(data.images[chosen])
        self._factor = (x - x.mean(0)) / math.sqrt(len(x))

    def shape(self, credit: Array) -> Array:
        """C c for each row of credit (B, pixels)."""
        shaped: Array = credit @ self._factor.T @ self._factor
        return shaped

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Pictures that know of nothing but this covariance, encoded, RMS 1, (count, pixels)."""
        drawn = rng.standard_normal((count, len(self._factor))).astype(np.float32) @ self._factor
        return towards(drawn)


def towards(drive: Array) -> Array:
    """Rows of RMS 1 in the direction of `drive` (B, pixels), however small it is; 0 where there is none."""
    drive = np.nan_to_num(drive.astype(np.float64), posinf=0, neginf=0)
    size = np.sqrt(np.square(drive).mean(-1, keepdims=True))
    goal: Array = np.divide(drive, size, out=np.zeros_like(drive), where=size > 0)
    return goal.astype(np.float32)


class Moving:
    """Encoded pictures x (B, pixels) that go towards whatever drives them. `prior` None leaves the drive as it is."""

    def __init__(self, data: Dataset, prior: Prior | None, x: Array) -> None:
        self._data, self._prior = data, prior
        self._low, self._high = (data.encode(np.full(data.shape, level, np.float32)) for level in (0, 1))
        self.x = x.astype(np.float32)

    @property
    def pictures(self) -> NDArray[np.float32]:
        """Float32 (B, *shape) in 0..1."""
        return self._data.decode(self.x)

    def move(self, drive: Array) -> None:
        """One tick along `drive` (B, pixels); only its direction counts."""
        goal = towards(drive if self._prior is None else self._prior.shape(towards(drive)))
        self.x = np.clip(self.x + np.float32(RATE) * (goal - self.x), self._low, self._high)


class Dreaming(Persistent):
    """A schedule without phases in which the clamped pictures move, from the encoded pictures x (B, pixels) on."""

    phase: Phase = "dream"

    def __init__(self, network: Network, nudge: bool, data: Dataset, prior: Prior | None, x: Array) -> None:
        if not isinstance(network, Chain) or network.kind not in DREAMERS:
            raise ValueError(f"a {network.kind} network cannot dream")
        self._moving = Moving(data, prior, x)
        network.show(self._moving.x)
        super().__init__(network, nudge)

    def dream_from(self, x: Array) -> None:
        """Other encoded pictures (B, pixels) are clamped: go on from these."""
        self._moving.x = x.astype(np.float32)

    @property
    def pictures(self) -> NDArray[np.float32]:
        """What is dreamt, (B, *shape) in 0..1."""
        return self._moving.pictures

    def tick(self, network: Network, knobs: Any) -> bool:
        """One tick of the network and one of the pictures; a dream is never over."""
        assert isinstance(network, Chain)
        if self._nudge:
            network.aim(steadily=True)
        network.tick(nudged=self._nudge)
        self.phase_ticks += 1
        self.relaxing.observe(network.observe().velocity_max, knobs["tolerance"].value)
        self._moving.move(input_credit(network))
        network.show(self._moving.x)
        return False


def dreams(
    chain: Chain, data: Dataset, prior: Prior | None, x: Array, labels: NDArray[np.int64], ticks: int,
    nudge: bool = True,
) -> Iterator[NDArray[np.float32]]:  # fmt: skip
    """Dream from each of the encoded pictures x (B, pixels) towards `labels` (B,); what is dreamt after every tick."""
    chain.clamp(x, labels)
    dreaming = Dreaming(chain, nudge, data, prior, x)
    knobs = phase_knobs()
    for _ in range(ticks):
        dreaming.tick(chain, knobs)
        yield dreaming.pictures

r"""Dreaming: the label is clamped, the input is free, and the same weights draw what they know of a class.

The top layer is pulled towards a class without pause. The credit that the nudged copies carry down to the input,

    recursive   c = gain W_in^T ds_0,  ds_0 = ds_1 + W_1^T g_1;        Hopfield   c = gain (sigma/2) W_in^T W_1^T ds_1

(= minus the gradient of the pull's energy by the picture), is what moves the picture, a little at every tick of the
network, while everything else goes on settling:

    x <- x + rate (d / rms(d) - x),      d = C c,      pixels kept within 0..1

C is the covariance of training pictures of all classes together: the class-blind prior that pixels which go together
change together. Without it (d = c) the picture goes where the network is most easily persuaded, which is not where
digits are. The leak -x holds it at the contrast of a usual picture: encoded pictures have RMS 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, split
from engine.learning.local import recursive_credit
from engine.network import Network
from engine.networks.chain import Chain
from engine.phases import Persistent

Array = NDArray[Any]
RATE = 0.01
"""Share of the way to its momentary goal that a picture goes in a tick."""
PICTURES = 512
"""Training pictures that the covariance is taken from, at most."""


def input_credit(chain: Chain) -> Array:
    """Minus the gradient of what nudges by the encoded pictures, (B, pixels), from the states of the last tick."""
    beta = chain.value("beta")
    moved = [(columns[:, :, 1] - columns[:, :, 2]) / (2 * beta) for columns in chain.columns()]
    W, W_in = chain.acting["W"][0], chain.acting["W_in"]
    if chain.kind == "hopfield":
        below = chain.value("sigma") / 2 * (moved[0][0] @ W)
    else:
        dz, ds = moved
        z = chain.columns()[0][:, :, 0]
        below = ds[0] + recursive_credit(z, dz, ds)[0] @ W
    credit: Array = chain.value("input_gain") * (below @ W_in)
    return credit


class Prior:
    """Which pixels go together: the covariance of training pictures, kept as its factor A, C = A^T A."""

    def __init__(self, data: Dataset, seed: int = 0) -> None:
        chosen = np.random.default_rng((seed, 8)).permutation(split(data).train)[:PICTURES]
        x = data.encode(data.images[chosen])
        self._factor = (x - x.mean(0)) / np.sqrt(len(x))

    def shape(self, credit: Array) -> Array:
        """C c for each row of credit (B, pixels)."""
        shaped: Array = credit @ self._factor.T @ self._factor
        return shaped

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Pictures that know of nothing but this covariance, encoded, RMS 1, (count, pixels)."""
        drawn = rng.standard_normal((count, len(self._factor))).astype(np.float32) @ self._factor
        scaled: Array = drawn / np.maximum(_rms(drawn), np.finfo(np.float32).tiny)
        return scaled


def _rms(rows: Array) -> Array:
    rms: Array = np.sqrt(np.square(rows).mean(-1, keepdims=True))
    return rms


class Dreaming(Persistent):
    """A schedule without phases in which the clamped pictures move. `prior` None leaves the credit as it is."""

    phase = "dream"

    def __init__(self, network: Network, nudge: bool, data: Dataset, prior: Prior | None) -> None:
        if not isinstance(network, Chain):
            raise ValueError(f"a {network.kind} network cannot dream")
        self._data, self._prior = data, prior
        self._low, self._high = (data.encode(np.full(data.shape, level, np.float32)) for level in (0, 1))
        super().__init__(network, nudge)

    def begin(self, network: Network) -> None:
        """Dream on from the picture that is clamped now."""
        super().begin(network)
        assert isinstance(network, Chain)
        self._x = network.read_in()[0].astype(np.float32)

    @property
    def pictures(self) -> NDArray[np.float32]:
        """What is dreamt, (B, *shape) in 0..1."""
        return self._data.decode(self._x)

    def tick(self, network: Network, knobs: Any) -> bool:
        """One tick of the network and one of the pictures; a dream is never over."""
        assert isinstance(network, Chain)
        if self._nudge:
            network.aim(steadily=True)
        network.tick(nudged=self._nudge)
        self.phase_ticks += 1
        self.relaxing.observe(network.observe().velocity_max, knobs["tolerance"].value)
        drive = np.nan_to_num(input_credit(network))
        if self._prior is not None:
            drive = self._prior.shape(drive)
        size = _rms(drive)
        goal = np.where(size > 0, drive / np.maximum(size, np.finfo(drive.dtype).tiny), 0)
        x = self._x + RATE * (goal - self._x)
        self._x = np.clip(x, self._low, self._high).astype(np.float32)
        network.show(self._x)
        return False

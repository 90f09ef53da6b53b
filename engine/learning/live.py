"""Learning in the live session: one sample at a time, from the very states that are on the screen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, split
from engine.learning.equilibrium import equilibrium_of
from engine.learning.from_ticks import tick_gradients
from engine.learning.growth import Growth
from engine.learning.lattice import credit
from engine.learning.optimise import Adam
from engine.learning.train import accuracy
from engine.networks.chain import Chain
from engine.networks.neural_cube import NeuralCube
from engine.networks.structure import structure_of

RUNNING = 100
"""The running accuracy counts this many samples back."""
TEST_EVERY = 20
"""Samples between two measurements on held-out pictures."""
TEST_SHARE = 200
"""Held-out pictures that are measured, at most."""
TEST_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Progress:
    """How live learning goes: samples learned from, share of right first answers, accuracy on held-out pictures."""

    samples: int
    running_accuracy: float | None
    test_accuracy: float


class LiveLearning:
    """Learns a chain's weights while it runs: after each nudged phase, or at every tick where there are no phases.

    Raises ValueError for a network that cannot learn so.
    """

    def __init__(self, chain: Chain, data: Dataset, seed: int) -> None:
        if chain.half_weights:
            raise ValueError("weights stored in half precision are too coarse to learn; load a preset without them")
        parts = split(data, 0)
        self._chain, self._data = chain, data
        self._train = parts.train
        self._test = np.random.default_rng((seed, 5)).permutation(parts.test)[:TEST_SHARE]
        self._rng = np.random.default_rng((seed, 4))
        self._order: NDArray[np.int64] = self._train[:0]
        self._optimiser = Adam(0.0)
        self._growth = None
        if isinstance(chain, NeuralCube) and "budget" in chain.parameters:
            self._growth = Growth(chain.lattice, chain.weights, chain.value("budget"), seed)
        self._answers: deque[bool] = deque(maxlen=RUNNING)
        self.samples = 0
        self._test_accuracy = self._measure()

    def next_sample(self) -> int:
        """The next training picture, in an order drawn anew for every pass."""
        if not len(self._order):
            self._order = self._rng.permutation(self._train)
        index, self._order = int(self._order[0]), self._order[1:]
        return index

    def answered(self, right: bool) -> None:
        """The network has answered a sample before learning from it."""
        self._answers.append(right)

    def update(self, label: int, rate: float) -> None:
        """Move the weights along minus the local gradients of the states as they are; those of dead neurons stay."""
        chain = self._chain
        cut = chain.cut()
        kept = {name: chain.weights[name][where] for name, where in cut.items()}
        self._optimiser.rate = rate
        self._optimiser.step(chain.weights, tick_gradients(chain, np.array([label])))
        if self._growth is not None:
            self._growth.keep(chain.weights)
        chain.bound()
        for name, where in cut.items():
            chain.weights[name][where] = kept[name]
        chain.weights_changed()

    def _grow(self, growth: Growth) -> None:
        chain = self._chain
        (columns,) = chain.columns()
        s, plus, minus = (columns[:, :, column].swapaxes(1, 2) for column in range(3))
        growth.budget = chain.value("budget")
        growth.hear(s, credit(s, plus, minus, chain.value("beta")))
        if growth.step(chain.weights):
            chain.bound()
            chain.weights_changed()

    def sample_done(self) -> None:
        """A sample has been learned from."""
        if self._growth is not None:
            self._grow(self._growth)
        self.samples += 1
        if self.samples % TEST_EVERY == 0:
            self._test_accuracy = self._measure()

    def _measure(self) -> float:
        chain = self._chain
        fixed = equilibrium_of(
            chain.kind, chain.acting, sigma=chain.value("sigma"), input_gain=chain.value("input_gain"),
            beta=chain.value("beta"), tolerance=TEST_TOLERANCE, plan=structure_of(chain),
        )  # fmt: skip
        return accuracy(fixed, self._data, self._test)

    @property
    def progress(self) -> Progress:
        """Where it stands."""
        running = sum(self._answers) / len(self._answers) if self._answers else None
        return Progress(self.samples, running, self._test_accuracy)

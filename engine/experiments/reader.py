"""Readers without a memory of their own: they see the last few pictures of a sequence, and nothing before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.learning.recall import last_cues, sequences
from engine.streams.cues import NOTHING, CueLanes

HIDDEN = 128
LEARNED_FROM = 6000
"""Sequences of ten pictures, or of as many as the reader sees, if that is more."""
LEAST_LENGTH = 10
Reader = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.int64]]


def ideal_reader(age: NDArray[np.int64], window: int, classes: int) -> float:
    """Expected accuracy of whoever knows all about the last `window` pictures and guesses otherwise.

    age (sequences,): pictures after the last cue. No reader of so many pictures does better.
    """
    return float(np.where(age < window, 1.0, 1 / classes).mean())


def trained_reader(data: Dataset, window: int, distraction: float, seed: int) -> Reader:
    """A perceptron with one hidden layer on the last `window` pictures, taught the class of the last cue."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng((seed, 17))
    cues = sequences(max(window, LEAST_LENGTH), LEARNED_FROM, rng)
    network = MLPClassifier((HIDDEN,), early_stopping=True, max_iter=60, random_state=seed)
    network.fit(_seen(CueLanes(data, held_out=False), cues, window, distraction, rng), last_cues(cues)[0])
    held_out = CueLanes(data, held_out=True)

    def read(cues: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        found: NDArray[np.int64] = network.predict(_seen(held_out, cues, window, distraction, rng))
        return found

    return read


def _seen(
    lanes: CueLanes, cues: NDArray[np.int64], window: int, distraction: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The last `window` pictures of every lane, (lanes, window * pixels)."""
    missing = max(window - len(cues), 0)
    padded = np.concatenate([np.full((missing, cues.shape[1]), NOTHING), cues])
    return np.concatenate([lanes.draw(now, distraction, rng) for now in padded[-window:]], 1)

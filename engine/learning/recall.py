"""Remembering the last cue: a chain learns from a stream, at every tick, and keeps nothing but its own state.

There are no sequences, no phases and no credit through time. Pictures follow each other, each for a few ticks; free and
nudged copies tick side by side and the weights move at every tick (as in `engine.learning.persistent`). A teacher
speaks only while a cue is in view and tells its class. At all other times the target is the answer that the network
gave before the picture came: keep what you hold. The state runs on through all of it.

The weights start at the edge, sigma ||W|| = 1, where nothing is remembered for long. The bound is above the edge, so
that learning can grow a coupling between the upper layers that holds itself up (a bistable pair). That is the memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network
from engine.data import Dataset
from engine.learning.from_ticks import tick_gradients
from engine.learning.optimise import Adam, clip_recurrent
from engine.networks.chain import Chain
from engine.preset import Preset
from engine.streams.cues import CUES, NOTHING, CueLanes, drawn_cues

Array = NDArray[Any]
Progress = Callable[[int, int], None]
MOST_CUES = 3
"""A test sequence has one to so many cues, anywhere."""


@dataclass(frozen=True, slots=True)
class CueRecipe:
    """How to learn from the stream. Everything random follows from `seed` and the preset's own."""

    pictures: int = 3000
    lanes: int = 32
    show: int = 5
    """Ticks of each picture."""
    rate: float = 2e-3
    """Of Adam for all ticks of a picture; falls along half a cosine."""
    often: float = 1.0
    seldom: float = 0.1
    """Share of cues among the pictures at first and at last; it falls geometrically."""
    distraction: float = 0.8
    """RMS of the noise while learning."""
    seed: int = 0
    shuffled: bool = False
    """Control: the teacher tells a class drawn at random."""


def chain_for(preset: Preset, lanes: int, weights: dict[str, Array] | None = None) -> Chain:
    """The preset's chain with its knobs, its first weights at the edge at most, or with these."""
    fresh = preset.model_copy(update={"weights_file": None})
    chain = build_network(fresh, samples=lanes, weights=weights)
    assert isinstance(chain, Chain)
    for name, value in preset.knobs.items():
        if name in chain.parameters:
            chain.set_parameter(name, value)
    if weights is None:
        for name in chain.recurrent:
            chain.weights[name] /= max(1.0, chain.value("sigma"))
        chain.weights_changed()
    return chain


def learn_cues(preset: Preset, data: Dataset, recipe: CueRecipe, progress: Progress | None = None) -> dict[str, Array]:
    """Weights that have learned from `recipe.pictures` pictures in every lane.

    Raises ValueError for weights in half precision, DataError for data without the classes of the cues.
    """
    chain = chain_for(preset, recipe.lanes)
    if chain.half_weights:
        raise ValueError("weights stored in half precision are too coarse to learn; load a preset without them")
    lanes, rng, optimiser = CueLanes(data, held_out=False), np.random.default_rng((recipe.seed, 13)), Adam(0.0)
    for number in range(recipe.pictures):
        past = number / recipe.pictures
        cues = drawn_cues(recipe.lanes, recipe.often * (recipe.seldom / recipe.often) ** past, rng)
        told = rng.choice(CUES, recipe.lanes) if recipe.shuffled else cues
        held = chain.logits().argmax(-1)
        target = np.where(cues == NOTHING, held, told)
        chain.clamp(lanes.draw(cues, recipe.distraction, rng), target)
        optimiser.rate = recipe.rate * (1 + math.cos(math.pi * past)) / 2 / recipe.show
        for _ in range(recipe.show):
            chain.aim()
            chain.tick(nudged=True)
            optimiser.step(chain.weights, tick_gradients(chain, target))
            chain.weights_changed()
        clip_recurrent(chain.weights, chain.recurrent)
        chain.weights_changed()
        if progress is not None:
            progress(number + 1, recipe.pictures)
    return chain.state_dict()


def sequences(length: int, lanes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cues at one to MOST_CUES places picked at random, NOTHING elsewhere, int64 (length, lanes)."""
    cues = np.full((length, lanes), NOTHING)
    for lane in range(lanes):
        places = rng.choice(length, min(int(rng.integers(1, MOST_CUES + 1)), length), replace=False)
        cues[places, lane] = rng.choice(CUES, len(places))
    return cues


def last_cues(cues: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Class of each lane's last cue, and how many pictures came after it; cues (length, lanes) as in `sequences`."""
    age = (cues[::-1] != NOTHING).argmax(0)
    return cues[len(cues) - 1 - age, np.arange(cues.shape[1])], age


def recalled(
    preset: Preset, weights: dict[str, Array], data: Dataset, cues: NDArray[np.int64], distraction: float, show: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:  # fmt: skip
    """Answers (length, lanes) after each picture of these sequences, of held-out cues, from rest."""
    chain = chain_for(preset, cues.shape[1], weights)
    lanes = CueLanes(data, held_out=True)
    answers = np.empty_like(cues)
    for number, now in enumerate(cues):
        chain.clamp(lanes.draw(now, distraction, rng), None)
        for _ in range(show):
            chain.tick(nudged=False)
        answers[number] = chain.logits().argmax(-1)
    return answers


def right_at_the_end(
    preset: Preset, weights: dict[str, Array], data: Dataset, cues: NDArray[np.int64], distraction: float, show: int,
    rng: np.random.Generator,
) -> float:  # fmt: skip
    """Share of the sequences, (length, lanes), whose last cue is answered after the last picture."""
    answers = recalled(preset, weights, data, cues, distraction, show, rng)
    return float((answers[-1] == last_cues(cues)[0]).mean())

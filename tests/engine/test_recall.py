"""A chain without a buffer remembers the last cue; a contraction and an untrained chain do not."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import build_network
from engine.data import digits
from engine.experiments import rhythm
from engine.experiments.reader import ideal_reader, trained_reader
from engine.experiments.registry import track
from engine.learning.recall import (
    MOST_CUES,
    CueRecipe,
    chain_for,
    last_cues,
    learn_cues,
    recalled,
    right_at_the_end,
    sequences,
)
from engine.preset import load_preset
from engine.session import Session
from engine.streams.cues import CUES, NOTHING, CueLanes

LANES = 64


@pytest.fixture(scope="module")
def shipped():
    preset = load_preset("last-cue")
    return preset, build_network(preset).state_dict()


def held(preset, weights, gap, distraction=0.5, seed=0):
    """Share of single cues, of both classes alike, that are named after `gap` pictures of noise."""
    cues = np.full((gap + 1, LANES), NOTHING)
    cues[0] = np.resize(CUES, LANES)
    return right_at_the_end(preset, weights, digits(), cues, distraction, 5, np.random.default_rng(seed))


def test_sequences_have_their_cues_and_the_last_one_is_found(rng):
    cues = sequences(30, 200, rng)
    counts = (cues != NOTHING).sum(0)
    assert set(counts) == set(range(1, MOST_CUES + 1))
    last, age = last_cues(cues)
    for lane in range(200):
        row = [cue for cue in cues[:, lane] if cue != NOTHING]
        assert last[lane] == row[-1]
        assert (cues[30 - age[lane] :, lane] == NOTHING).all()
        assert cues[29 - age[lane], lane] == row[-1]
    assert sequences(2, 50, rng).shape == (2, 50)


def test_the_shipped_chain_remembers_for_longer_than_any_buffer(shipped):
    assert held(*shipped, gap=300) > 0.9


def test_a_later_cue_overwrites_an_earlier_one(shipped):
    preset, weights = shipped
    cues = np.full((40, LANES), NOTHING)
    cues[0], cues[20] = np.resize(CUES, LANES), np.resize(CUES[::-1], LANES)
    answers = recalled(preset, weights, digits(), cues, 0.5, 5, np.random.default_rng(1))
    assert (answers[19] == cues[0]).mean() > 0.9
    assert (answers[39] == cues[20]).mean() > 0.9


def test_the_same_weights_below_the_edge_forget(shipped):
    preset, weights = shipped
    contraction = preset.model_copy(update={"knobs": preset.knobs | {"sigma": 0.95}})
    assert held(contraction, weights, gap=100) < 0.75


def test_the_state_is_all_the_memory_there_is(shipped):
    """Put back to rest in the middle of the noise, the chain no longer knows what it had held."""
    preset, weights = shipped
    chain, lanes, rng = chain_for(preset, LANES, weights), CueLanes(digits(), held_out=True), np.random.default_rng(2)
    cues = np.resize(CUES, LANES)

    def show(pictures, now):
        for _ in range(pictures):
            chain.clamp(lanes.draw(now, 0.5, rng), None)
            for _ in range(5):
                chain.tick(nudged=False)
        return float((chain.logits().argmax(-1) == cues).mean())

    show(1, cues)
    assert show(20, np.full(LANES, NOTHING)) > 0.9
    chain.reset(0)
    assert 0.25 < show(20, np.full(LANES, NOTHING)) < 0.75


def test_live_the_last_cue_is_answered(shipped):
    session = Session(shipped[0])
    for _ in range(400):
        session.tick()
    assert session.frame().rhythm.right > 0.9


def test_a_window_bounds_what_a_reader_can_know(rng):
    _, age = last_cues(sequences(100, 500, rng))
    ideal = ideal_reader(age, 10, 2)
    assert ideal == pytest.approx(0.5 + 0.5 * (age < 10).mean())
    assert ideal < 0.7
    cues = sequences(100, 500, rng)
    reader = trained_reader(digits(), 1, 0.5, 0)
    assert (reader(cues, rng) == last_cues(cues)[0]).mean() < 0.65
    assert (reader(np.full((1, 50), CUES[0]), rng) == CUES[0]).mean() > 0.9


@pytest.mark.slow
def test_learning_grows_the_memory():
    preset, data = rhythm.preset_of(rhythm.BISTABLE, 3), digits()
    assert held(preset, learn_cues(preset, data, CueRecipe(pictures=0, seed=3)), 100) < 0.75
    assert held(preset, learn_cues(preset, data, CueRecipe(pictures=1500, seed=3)), 100) > 0.9


def test_learning_is_the_same_for_the_same_seed_and_leaves_the_norms_bounded():
    preset, data = rhythm.preset_of(rhythm.BISTABLE, 0), digits()
    first, again, other = (learn_cues(preset, data, CueRecipe(pictures=6, lanes=4, seed=seed)) for seed in (0, 0, 1))
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, again[name])
    assert any((first[name] != other[name]).any() for name in first)
    assert np.linalg.norm(first["W"], 2, axis=(1, 2)).max() < 1 + 1e-4


@pytest.mark.slow
def test_every_part_of_the_track_gives_flat_rows():
    seen = set()
    for job in track("rhythm").jobs(True):
        if job["part"] in seen:
            continue
        seen.add(job["part"])
        rows = track("rhythm").run(**job | {"size": 40 if job["part"] == "memory" else 70})
        assert all(isinstance(value, str | int | float | None) for row in rows for value in row.values())
    assert seen == {"memory", "entrainment", "resonance"}

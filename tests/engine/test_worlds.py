"""Worlds: the right answer, told when it is due; and trials, which tell learning from repeating what was told."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import load_data
from engine.data import Dataset, split
from engine.preset import load_preset
from engine.trial import trial
from engine.tween_bench.game import Game
from engine.worlds.chase import NAMES, ChaseWorld
from engine.worlds.motion import COMMANDS, FIELD, NEAR, MotionWorld
from engine.worlds.score import Score
from engine.worlds.still import StillWorld
from engine.worlds.world import WINDOW


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(load_preset("tween-attention"))


def test_chase_is_the_game_of_the_bench() -> None:
    world, game = ChaseWorld(5), Game(1, 5)
    for tick in range(50):
        np.testing.assert_array_equal(world.observe(), game.observe()[0])
        wanted = world.answer()
        assert wanted == game.answer()[0]
        world.act(tick % 4)
        game.move(np.array([tick % 4]))
        scene = world.scene()
        assert (scene.wanted, scene.action) == (NAMES[wanted], NAMES[tick % 4])
        assert scene.right is (wanted == tick % 4)
    assert scene.points["agent"] == pytest.approx(tuple(game.agent[0]))


def test_the_score_counts_the_last_actions_only() -> None:
    score = Score()
    assert score.accuracy is None
    for _ in range(WINDOW):
        score.note(1, 0)
    assert (score.accuracy, score.last) == (0, False)
    for _ in range(WINDOW // 2):
        score.note(1, 1)
    assert (score.accuracy, score.last) == (0.5, True)


def test_motion_wants_the_command_that_leads_to_the_digit(digits: Dataset) -> None:
    world = MotionWorld(digits, 3)
    wanted = set()
    for _ in range(1500):
        picture = world.observe()[0]
        assert picture.shape == (FIELD, FIELD)
        column, up = world.scene().points["digit"]
        right, above = column * FIELD - FIELD / 2, up * FIELD - FIELD / 2
        answer = COMMANDS[world.answer()]
        wanted.add(answer)
        if max(abs(right), abs(above)) <= NEAR:
            assert answer == "stay"
        elif answer in ("right", "left"):
            assert abs(right) >= abs(above)
            assert (right > 0) is (answer == "right")
        else:
            assert abs(above) > abs(right)
            assert (above > 0) is (answer == "up")
        world.act(0)
    assert wanted == set(COMMANDS)


def test_the_digit_moves_by_single_pixels_inside_the_field_at_its_pace(digits: Dataset) -> None:
    world = MotionWorld(digits, 0)
    ink = world.observe().sum()
    moved = 0
    for _ in range(400):
        before = np.array(world.scene().points["digit"]) * FIELD
        world.act(0)
        step = np.abs(np.array(world.scene().points["digit"]) * FIELD - before).sum()
        assert round(float(step), 6) in (0, 1)
        assert world.observe().sum() == pytest.approx(ink)
        moved += step > 0.5
    assert 100 < moved < 220
    world.parameters["pace"] = world.parameters["pace"].set_to("pace", 0)
    picture = world.observe().copy()
    for _ in range(20):
        world.act(0)
    np.testing.assert_array_equal(world.observe(), picture)


def test_flicker_replaces_frames_by_noise_and_the_answer_stays(digits: Dataset) -> None:
    calm, noisy = MotionWorld(digits, 1), MotionWorld(digits, 1)
    noisy.parameters["flicker"] = noisy.parameters["flicker"].set_to("flicker", 1)
    noisy.act(0)
    calm.act(0)
    assert noisy.observe().mean() == pytest.approx(0.5, abs=0.1)
    assert calm.observe().mean() < 0.3


@pytest.mark.parametrize("rows", [False, True])
def test_a_picture_is_named_when_its_answer_is_due(digits: Dataset, rows: bool) -> None:
    latency = 4
    world = StillWorld(digits, 0, rows)
    world.latency = latency
    shown = []
    encoded = {digits.encode(digits.images[i]).tobytes(): i for i in split(digits, 0).train}
    for tick in range(60):
        seen = world.observe()
        assert seen.shape == ((8, 8) if rows else (1, 8, 8))
        index = encoded[np.ascontiguousarray(seen).tobytes()]
        shown.append(int(digits.labels[index]))
        told = world.answer()
        assert told == (shown[tick - latency] if tick >= latency else None)
        world.act(3)
        assert (world.scene().accuracy is None) is (tick < latency)
    assert world.scene().accuracy == pytest.approx(np.mean(np.array(shown[:-latency]) == 3))


def test_a_picture_that_stays_counts_once(digits: Dataset) -> None:
    world = StillWorld(digits, 0)
    world.latency = 2
    world.parameters["show"] = world.parameters["show"].set_to("show", 10)
    for _ in range(40):
        told = world.answer()
        world.act(0 if told is None else told)
    first_only = world.scene().accuracy
    assert first_only == 1
    assert len(world._score._lately) == 4


@pytest.mark.parametrize("seed", [0, 1])
def test_worlds_repeat_to_the_bit(digits: Dataset, seed: int) -> None:
    for make in (ChaseWorld, lambda s: MotionWorld(digits, s), lambda s: StillWorld(digits, s)):
        one, other = make(seed), make(seed)
        for tick in range(30):
            np.testing.assert_array_equal(one.observe(), other.observe())
            one.act(tick % 4)
            other.act(tick % 4)


@pytest.mark.parametrize(
    ("name", "ticks", "step"), [("tween-parallel", 1200, 0.02), ("tween-vision-motion", 3000, 0.01)]
)
def test_what_is_learned_lasts_when_learning_stops_and_a_tiny_step_learns_nothing(
    name: str, ticks: int, step: float
) -> None:
    taught = trial(load_preset(name), {"step": step}, ticks)
    control = trial(load_preset(name), {"step": 1e-5}, ticks)
    print(f"{name}: {taught['correct_learning']:.2f}, frozen {taught['correct_frozen']:.2f} "
          f"(control {control['correct_frozen']:.2f}, one answer {taught['most_frequent']:.2f})")  # fmt: skip
    assert taught["correct_frozen"] > max(control["correct_frozen"], taught["most_frequent"]) + 0.2
    assert len(taught["budget"]) == len(taught["kinds"]) == len(taught["gap"])
    assert taught["budget"][taught["bottleneck"] - 1] == min(taught["budget"])

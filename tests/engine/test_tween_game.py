"""The chase/avoid game: its rules, what latency costs in it, and what chains reach that learn while they play."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.tween.layer import Array, Cache, State, Weights
from engine.networks.tween.recurrent import LSTM
from engine.tween_bench.game import ACTIONS, AVOID, CHASE, FEATURES, JITTER, STEP, Game, task_at
from engine.tween_bench.measures import dip, measured, recovery
from engine.tween_bench.nets import FAMILIES, FRESH_NETS, NETS, WIDTH, NetError, parse_net
from engine.tween_bench.play import play
from engine.tween_bench.players import MODES, Mode, Settings, make_player
from engine.tween_bench.reference import blind_learner, delayed_policy

LANES = 10
SEED = 77
"""Neither that of the tuning nor that of the reported games."""


def game_at(agent: tuple[float, float], target: tuple[float, float], task: int = CHASE) -> Game:
    game = Game(1, 0)
    game.agent[0], game.target[0], game.task = agent, target, task
    return game


@pytest.mark.parametrize(
    ("target", "chase", "avoid"), [((0.9, 0.6), 0, 1), ((0.1, 0.6), 1, 0), ((0.6, 0.9), 2, 3), ((0.6, 0.1), 3, 2)]
)
def test_right_is_along_the_larger_distance_and_away_when_avoiding(
    target: tuple[float, float], chase: int, avoid: int
) -> None:
    assert game_at((0.5, 0.5), target).answer()[0] == chase
    assert game_at((0.5, 0.5), target, AVOID).answer()[0] == avoid


@pytest.mark.parametrize(("action", "moved"), [(0, (STEP, 0)), (1, (-STEP, 0)), (2, (0, STEP)), (3, (0, -STEP))])
def test_an_action_moves_the_agent_by_a_step_inside_the_square(action: int, moved: tuple[float, float]) -> None:
    game = game_at((0.5, 0.5), (0.5, 0.9))
    game.move(np.array([action]))
    np.testing.assert_allclose(game.agent[0] - 0.5, moved)
    for _ in range(60):
        game.move(np.array([action]))
    assert game.agent.min() >= 0
    assert game.agent.max() <= 1


def test_the_target_jitters_inside_its_field() -> None:
    game = Game(50, 3)
    for _ in range(200):
        before = game.target.copy()
        game.move(np.zeros(50, np.int64))
        assert np.abs(game.target - before).max() <= JITTER
        assert game.target.min() >= 0.1
        assert game.target.max() <= 0.9
    assert np.abs(game.target - before).min() > 0


def test_the_observation_is_what_it_says() -> None:
    seen = game_at((0.5, 0.4), (0.2, 0.8), AVOID).observe()
    np.testing.assert_allclose(seen, [[0.5, 0.4, 0.2, 0.8, -0.3, 0.4, 0.5, 1.0]])
    assert seen.shape == (1, FEATURES)


def test_the_task_is_switched_twice_by_the_number_of_the_tick() -> None:
    assert [task_at(tick, 300) for tick in (0, 99, 100, 199, 200, 299)] == [CHASE, CHASE, AVOID, AVOID, CHASE, CHASE]


def test_a_lanes_game_does_not_depend_on_how_many_play_beside_it() -> None:
    few, many = Game(2, 5), Game(9, 5)
    for _ in range(5):
        few.move(np.zeros(2, np.int64))
        many.move(np.zeros(9, np.int64))
    np.testing.assert_array_equal(many.target[:2], few.target)
    assert np.unique(many.target).size == many.target.size


@pytest.mark.parametrize(("latency", "mean"), [(0, 1.0), (1, 0.64), (3, 0.56), (5, 0.54), (9, 0.52), (15, 0.50)])
def test_the_delayed_policy_scores_what_the_design_says(latency: int, mean: float) -> None:
    right = delayed_policy(latency, lanes=LANES, seed=SEED)
    assert right.mean() == pytest.approx(mean, abs=0.02)


def test_to_know_ones_own_moves_is_worth_a_lot() -> None:
    blind, aware = (delayed_policy(3, lanes=LANES, seed=SEED, knows_moves=knows) for knows in (False, True))
    assert aware.mean() > blind.mean() + 0.2
    assert delayed_policy(0, lanes=2, seed=SEED, ticks=300, knows_moves=True).all()


def test_even_who_sees_nothing_beats_the_delayed_policy_by_dithering() -> None:
    """Four running means of the answers: what a learner has for free, so what memory and eyes must beat."""
    blind = blind_learner(0.1, lanes=LANES, seed=SEED)
    assert blind.mean() == pytest.approx(0.64, abs=0.015)
    assert blind.mean() > delayed_policy(3, lanes=LANES, seed=SEED).mean() + 0.05


@pytest.mark.parametrize("name", [*NETS, *FRESH_NETS])
def test_every_network_of_the_bench_reads_eight_numbers_and_gives_four(name: str) -> None:
    net = parse_net(name)
    layers = net.layers()
    assert len(layers) == net.depth
    assert int(np.prod(layers[0].shape_in)) == FEATURES
    assert layers[-1].shape == (ACTIONS,)


@pytest.mark.parametrize("name", ["", "dense", "dense-1", "dense-101", "gru-3", "lstm-3:blind", "dense-x", "dense--3"])
def test_a_network_that_is_none_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(NetError, match="no network of the game") as refusal:
        parse_net(name)
    assert "\n" not in str(refusal.value)


def test_a_regulated_network_sees_directions_at_one_length() -> None:
    near, far = (game_at((0.5, 0.5), (0.5 + 3 * d, 0.5 + 4 * d)).observe() for d in (0.001, 0.05))
    net = parse_net("dense-3:regulated")
    for x in (near, far):
        np.testing.assert_allclose(net.seen(x)[0, 4:6], [1.2, 1.6])
        np.testing.assert_array_equal(net.seen(x)[0, [0, 1, 2, 3, 6, 7]], x[0, [0, 1, 2, 3, 6, 7]])
    np.testing.assert_array_equal(parse_net("dense-3").seen(near), near)


def test_recovery_is_where_five_right_actions_in_a_row_begin() -> None:
    right = np.zeros((30, 3), bool)
    right[7:12, 0] = True
    right[3:7, 1] = True
    right[:, 2] = True
    np.testing.assert_array_equal(recovery(right), [7, 30, 0])


def test_a_dip_is_the_largest_distance_below_the_policy() -> None:
    policy = np.ones((100, 2), bool)
    right = policy.copy()
    right[20:30, 0] = False
    assert dip(right, policy) == pytest.approx(0.5)
    assert dip(policy, right) == 0


def test_measures_keep_thirds_and_windows_apart() -> None:
    right = np.repeat([[True], [False], [True]], 100, 0)
    found = measured(np.concatenate([right, ~right], 1), np.concatenate([right, right], 1))
    assert found["thirds"] == [0.5, 0.5, 0.5]
    assert found["windows"] == [0.5] * 15
    assert found["accuracy_sd"] == pytest.approx(np.sqrt(2) / 6)
    assert found["latency_bound_thirds"] == [1, 0, 1]
    assert found["dip_depth"] == pytest.approx([0, 0.5])


@pytest.mark.parametrize("mode", MODES)
def test_the_late_output_answers_what_was_seen_as_many_ticks_ago_as_there_are_layers(mode: Mode) -> None:
    """Without learning all modes act alike: by the full pass on an old observation."""
    layers = parse_net("dense-4").layers()
    late = make_player(mode, layers, 2, 1, Settings(0.0, momentum=0.0))
    fresh = make_player(mode, layers, 2, 1, Settings(0.0, momentum=0.0), "fresh")
    rng = np.random.default_rng(0)
    seen, acted, answered = [], [], []
    for _ in range(30):
        x, y = rng.standard_normal((2, FEATURES)), np.eye(ACTIONS)[rng.integers(0, ACTIONS, 2)]
        seen.append(x)
        acted.append(late.actions(x))
        answered.append(fresh.actions(x))
        late.learn(x, y)
        fresh.learn(x, y)
    np.testing.assert_array_equal(acted[4:], answered[:-4])
    assert len(np.unique(answered)) > 1


def test_a_batch_of_moments_is_learned_like_their_mean_one_by_one() -> None:
    """Memoryless layers take all moments at once; that is the same as one after the other."""
    rng = np.random.default_rng(0)
    xs, ys = rng.standard_normal((5, 2, FEATURES)), np.eye(ACTIONS)[rng.integers(0, ACTIONS, (5, 2))]
    batched = make_player("backprop", parse_net("dense-3").layers(), 2, 1, Settings(1e-3, momentum=0.0, interval=5))
    stepped = make_player("stepped", parse_net("dense-3").layers(), 2, 1, Settings(1e-3 / 5, momentum=0.0))
    for x, y in zip(xs, ys, strict=True):
        batched.learn(x, y)
        stepped.learn(x, y)
    start = make_player("stc", parse_net("dense-3").layers(), 2, 1, Settings(0.0))
    for one, other, was in zip(batched.chain.links, stepped.chain.links, start.chain.links, strict=True):  # type: ignore[attr-defined]
        moved, as_well, before = one.weights["W"], other.weights["W"], was.weights["W"]
        assert np.abs(moved - before).max() > 1e-6
        np.testing.assert_allclose(moved - before, as_well - before, atol=2e-2 * np.abs(moved - before).max())


def test_an_aligned_rival_learns_the_answer_of_now_from_the_observation_of_its_latency_ago() -> None:
    rng = np.random.default_rng(0)
    xs, ys = rng.standard_normal((9, 2, FEATURES)), np.eye(ACTIONS)[rng.integers(0, ACTIONS, (9, 2))]
    aligned, newest = (
        make_player("stepped", parse_net("lstm-3").layers(), 2, 1, Settings(0.1, aligned=on)) for on in (True, False)
    )
    for tick, (x, y) in enumerate(zip(xs, ys, strict=True)):
        aligned.learn(x, y)
        if tick >= 3:
            newest.learn(xs[tick - 3], y)
    for one, other in zip(aligned.chain.links, newest.chain.links, strict=True):  # type: ignore[attr-defined]
        for name, w in one.weights.items():
            np.testing.assert_array_equal(w, other.weights[name])


def test_runs_repeat_to_the_bit_and_seeds_differ() -> None:
    runs = [play("lstm-3", "stc", Settings(0.1), lanes=2, seed=seed, ticks=120) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("depth", [3, 9, 15])
def test_a_dense_chain_reaches_the_delayed_policy_of_its_own_latency(depth: int) -> None:
    right = play(f"dense-{depth}", "stc", Settings(0.05, momentum=0.0), lanes=LANES, seed=SEED)
    policy = delayed_policy(depth, lanes=LANES, seed=SEED)
    assert right.mean() > policy.mean()
    assert right[1000:2000].mean() > 0.95


def test_a_chain_that_does_not_learn_plays_by_chance() -> None:
    right = play("dense-3", "stc", Settings(0.0), lanes=LANES, seed=SEED)
    assert right.mean() < 0.35


def test_an_lstm_chain_reaches_64_and_beats_every_policy_without_memory() -> None:
    right = play("lstm-3", "stc", Settings(0.2, momentum=0.0), lanes=LANES, seed=SEED)
    policy = delayed_policy(3, lanes=LANES, seed=SEED)
    assert right.mean() >= 0.635
    assert right.mean() > policy.mean() + 0.05


class Amnesic(LSTM):
    """An LSTM that forgets everything between ticks."""

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        return super().forward(weights, x, tuple(np.zeros_like(memory) for memory in state))


def test_what_an_lstm_chain_that_sees_directions_gains_comes_from_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "amnesic", ((FEATURES,), lambda shape, first: Amnesic(shape, WIDTH)))
    settings = Settings(0.2, momentum=0.0)
    with_memory, without = (
        play(f"{family}-3:regulated", "stc", settings, lanes=2 * LANES, seed=SEED).mean(0)
        for family in ("lstm", "amnesic")
    )
    error = np.sqrt((with_memory.var(ddof=1) + without.var(ddof=1)) / (2 * LANES))
    print(f"with memory {with_memory.mean():.4f}, without {without.mean():.4f}, standard error {error:.4f}")
    assert with_memory.mean() - without.mean() > 3 * error
    assert with_memory.mean() > blind_learner(0.1, lanes=2 * LANES, seed=SEED).mean() + 0.01


def test_without_latency_a_dense_chain_of_three_is_right_nine_times_in_ten_in_every_third() -> None:
    right = play("relu-3:regulated", "stc", Settings(0.02, momentum=0.0), lanes=LANES, seed=SEED, rule="fresh")
    assert min(part.mean() for part in np.array_split(right, 3)) > 0.9


STEPPED = {"dense-3": Settings(0.02, momentum=0.0), "dense-9": Settings(0.02, momentum=0.0)}
BATCHES = {"dense-3": Settings(0.2, momentum=0.0, interval=5), "dense-9": Settings(0.05, momentum=0.0, interval=5)}


@pytest.mark.parametrize("net", ["dense-3", "dense-9"])
def test_a_chain_turns_round_after_the_second_switch_before_backpropagation_does(net: str) -> None:
    """Rivals with their tuned settings (benchmarks/results/tween.md), the chain with those of dense-9; ticks."""
    tuned: dict[Mode, Settings] = {
        "stc": Settings(0.1, momentum=0.0), "stepped": STEPPED[net], "backprop": BATCHES[net]
    }  # fmt: skip
    needed = {
        mode: recovery(play(net, mode, settings, lanes=2 * LANES, seed=SEED)[2000:]) for mode, settings in tuned.items()
    }
    print({mode: (float(ticks.mean()), float(np.median(ticks))) for mode, ticks in needed.items()})
    for rival in ("stepped", "backprop"):
        assert needed["stc"].mean() < needed[rival].mean()
        assert np.median(needed["stc"]) < np.median(needed[rival])

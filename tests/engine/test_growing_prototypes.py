"""Novelty, transient modules and the prototype cache; and what they do when the heavy body comes back."""

from __future__ import annotations

import numpy as np
import pytest

from engine.experiments import passage
from engine.networks.growing.novelty import SETTLE, Novelty, distance
from engine.networks.growing.prototypes import DOUBT, RADIUS, PrototypeCache
from engine.networks.growing.transient import REACH, TransientModule

CACHE, NONE, WRONG, FROZEN = passage.WAYS


def watched(novelty, rng, ticks, *, size=1.0, pull=0.0):
    """Residuals of a size, plus the same pull on all samples; the levels of each tick."""
    levels = []
    for _ in range(ticks):
        novelty.observe(size * rng.standard_normal((8, 2)) + pull, rng.standard_normal((8, 3)))
        levels.append(novelty.level)
    return levels


def test_trouble_begins_with_larger_residuals_and_ends_with_them():
    rng, novelty = np.random.default_rng(0), Novelty()
    watched(novelty, rng, SETTLE + 400)
    assert not novelty.troubled
    watched(novelty, rng, 30, size=5)
    assert novelty.troubled
    assert 20 < novelty.ticks <= 30
    watched(novelty, rng, 300)
    assert not novelty.troubled


def test_quiet_is_seldom_taken_for_trouble():
    rng, novelty = np.random.default_rng(1), Novelty()
    troubled = 0
    for _ in range(3000):
        watched(novelty, rng, 1)
        troubled += novelty.troubled
    assert troubled == 0


def test_a_signature_tells_troubles_of_one_size_apart():
    rng = np.random.default_rng(0)
    found = []
    for size, pull in ((2.0, 0.0), (2.0, 0.0), (0.2, 2.0), (0.2, 2.0)):
        novelty = Novelty()
        watched(novelty, rng, 200, size=size, pull=pull)
        found.append(novelty.signature())
    same = distance(found[0], found[1]), distance(found[2], found[3])
    assert max(same) < RADIUS < distance(found[0], found[2])
    assert found[2][2] > 0.9 > 0.3 > found[0][2]


def test_a_nascent_module_changes_nothing_and_learns_a_function():
    rng = np.random.default_rng(0)
    module = TransientModule(2, 1)
    places = rng.uniform(-REACH, REACH, (4000, 8, 2))
    assert (module.predict(places[0]) == 0).all()
    assert module.cells == 0

    def wanted(x):
        return np.sin(2 * x[:, :1]) * x[:, 1:]

    for x in places:
        module.learn(x, wanted(x))
    test = rng.uniform(-1.9, 1.9, (500, 2))
    assert np.abs(module.predict(test) - wanted(test)).mean() < 0.02
    twin = TransientModule(2, 1)
    twin.adopt(module.template)
    assert (twin.predict(test) == module.predict(test)).all()


def test_many_samples_in_one_place_do_not_make_a_step_too_long():
    module = TransientModule(2, 1, rate=1.0)
    crowd = np.full((200, 2), 0.3)
    for _ in range(3):
        module.learn(crowd, np.ones((200, 1)))
    assert module.predict(crowd) == pytest.approx(1, abs=1e-9)


def nothing(_):
    """No prototype explains anything."""
    return 0.0


def test_the_cache_gives_the_nearest_merges_the_same_and_forgets_the_longest_unused():
    cache = PrototypeCache(capacity=2)
    a, b, c = np.zeros(5), np.array([0, 0, 1, 0, 0.0]), np.array([0, 0, 0, 1, 1.0])
    assert cache.recall(a, nothing) is None
    cache.keep(a, {"w": np.ones(1)})
    cache.keep(b, {"w": 2 * np.ones(1)})
    assert cache.recall(a + 0.1, nothing).template["w"] == 1
    assert cache.recall(c, nothing) is None
    cache.keep(a + 0.1, {"w": 3 * np.ones(1)})
    assert len(cache) == 2
    assert cache.recall(a, nothing).template["w"] == 3
    cache.keep(c, {"w": 4 * np.ones(1)})
    assert cache.recall(b, nothing) is None
    assert cache.recall(a, nothing).template["w"] == 3


def test_where_no_signature_is_near_what_explains_best_is_recalled_beyond_doubt():
    cache = PrototypeCache()
    for k in range(3):
        cache.keep(np.eye(5)[k], {"w": np.full(1, float(k))})
    far, near = np.eye(5)[4], np.eye(5)[2]
    found = cache.recall(far, lambda p: DOUBT + p.template["w"][0] % 2)
    assert (found.template["w"], found.uses) == (1, 1)
    assert cache.recall(far, lambda _: DOUBT - 0.1) is None
    assert cache.recall(near, nothing).template["w"] == 2


@pytest.fixture(scope="module")
def rows():
    return {way: passage.run(way, 0.002, 2) for way in passage.WAYS}


def test_the_cache_adapts_at_the_second_passage_in_half_the_ticks_of_the_first(rows):
    for way in passage.WAYS:
        print(way, [(row["astray"], row["ticks"], row["began_with"]) for row in rows[way]])
    first, second, third = (row["astray"] for row in rows[CACHE])
    assert first > 20
    assert max(second, third) <= first / 2
    assert [row["began_with"] for row in rows[CACHE]] == ["nascent", "passage", "passage"]


def test_without_the_cache_or_with_the_wrong_prototype_it_takes_as_long_again(rows):
    for way in (NONE, WRONG):
        first, second, third = (row["astray"] for row in rows[way])
        assert min(second, third) > 0.6 * first
    assert [row["began_with"] for row in rows[WRONG]] == ["nascent", "wind", "wind"]


def test_a_frozen_model_is_astray_all_the_time(rows):
    for row in rows[FROZEN]:
        assert row["astray"] == row["ticks"] > 200
        assert row["error"] == row["frozen_error"]
        assert row["error"] > 4 * rows[CACHE][row["passage"] - 1]["error"]

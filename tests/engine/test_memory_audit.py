"""The memory audit: flat for equilibrium propagation, growing for backpropagation; the tool would see a cheat."""

from __future__ import annotations

import numpy as np
import pytest

from engine.experiments import memory
from engine.learning.align import cosine

LAYERS = 10
SHORT, LONG = 20, 120
STORED = 2 * (LONG - SHORT) * LAYERS * memory.SAMPLES * memory.NEURONS * 4
"""Bytes of z and s in float32 for the additional ticks."""


@pytest.fixture(scope="module")
def growth():
    """What LONG ticks need beyond what SHORT ticks need, by method; None where the system does not tell."""
    found = {}
    for method in memory.METHODS:
        (short,), (long,) = (memory.run(method, "ticks", LAYERS, ticks, 0) for ticks in (SHORT, LONG))
        resident = short["peak_resident"], long["peak_resident"]
        found[method] = (
            long["peak_bytes"] - short["peak_bytes"],
            None if None in resident else resident[1] - resident[0],
        )
    return found


def test_equilibrium_propagation_needs_no_more_memory_for_more_ticks(growth):
    traced, resident = growth[memory.EQPROP]
    assert abs(traced) < 0.01 * STORED
    assert resident is None or abs(resident) < 0.1 * STORED


@pytest.mark.parametrize("method", [memory.BACKPROP, memory.CONTROL])
def test_whoever_stores_the_relaxation_is_seen_to_grow(growth, method):
    """By the bytes of the states, with both tools."""
    traced, resident = growth[method]
    assert traced == pytest.approx(STORED, rel=0.02)
    assert resident is None or resident == pytest.approx(STORED, rel=0.15)


def test_both_methods_do_the_whole_work():
    """The measured runs end in gradients that agree; fewer ticks, or no nudge, would not."""
    ticks = LAYERS + memory.TO_SETTLE
    batch = memory.Batch(LAYERS, seed=0)
    local = memory.by_equilibrium(batch.chain(), batch, ticks)
    through = memory.by_backpropagation(batch.weights(), batch, ticks)
    hurried = memory.by_equilibrium(batch.chain(), batch, LAYERS // 2)
    for name in through:
        assert cosine(local[name], through[name]) > 0.999, name
    assert cosine(hurried["W"], through["W"]) is None or cosine(hurried["W"], through["W"]) < 0.9


def test_storing_changes_the_memory_and_nothing_else():
    batch = memory.Batch(4, seed=0)
    plain, storing = (memory.by_equilibrium(batch.chain(), batch, 30, storing) for storing in (False, True))
    for name in plain:
        np.testing.assert_array_equal(plain[name], storing[name])


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = memory.jobs(quick)
        assert {job["method"] for job in jobs} == set(memory.METHODS)
        assert len({tuple(sorted(job.items())) for job in jobs}) == len(jobs)


def test_a_failed_measurement_says_so():
    with pytest.raises(RuntimeError, match="measures memory failed"):
        memory.run("eqprop", "ticks", 3, -1, -1)

"""The power audit: lazy ticks keep the classes at a fraction of the FLOPs; as few FLOPs on clocked ticks do not."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.build import load_data
from engine.experiments import energy
from engine.preset import load_preset

DIGITS = 16


def rows_of(method, streamed=False, coarse=None, epsilons=(), digits=DIGITS):
    return energy.run(method, streamed, coarse, list(epsilons), digits, 1, 0)


@pytest.fixture(scope="module")
def preset():
    return load_preset(energy.PRESET)


@pytest.fixture(scope="module")
def digits(preset):
    return energy.show(load_data(preset), False, 6, 0)


@pytest.fixture(scope="module")
def from_rest():
    return rows_of(energy.LAZY, coarse=10, epsilons=(0.1, 0.02, 0.001))


@pytest.fixture(scope="module")
def clocked():
    return rows_of(energy.CLOCKED)


def test_a_twentieth_of_the_flops_gives_the_same_classes(from_rest):
    at = {row["epsilon"]: row for row in from_rest}
    assert at[0.02]["agrees"] == 1
    assert at[0.02]["saved"] > 0.95
    assert at[0.001]["saved"] < at[0.02]["saved"] < at[0.1]["saved"] < 1


def test_so_few_flops_on_clocked_ticks_answer_nothing(from_rest, clocked):
    """The control: whatever the lazy network spends, the clocked one would not have seen the picture at the top."""
    spent = max(row["flops_per_answer"] for row in from_rest)
    cheap = [r for r in clocked if r["method"] == energy.CUT and r["flops_per_answer"] < 2 * spent]
    assert len(cheap) >= 3
    assert max(row["agrees"] for row in cheap) < 0.5
    late = [row for row in clocked if row["method"] == energy.CUT][-1]
    assert late["agrees"] == 1


def test_an_epsilon_is_chosen_only_if_all_smaller_ones_change_nothing():
    rows = [{"agrees": share, "unsettled": lost} for share, lost in ((1, 0), (1, 0), (0.99, 0), (1, 0))]
    assert energy.largest_unchanged(rows) is rows[1]
    assert energy.largest_unchanged(rows[2:]) is None
    rows[1]["unsettled"] = 0.1
    assert energy.largest_unchanged(rows) is rows[0]


def test_clocked_flops_are_those_that_the_network_counts(preset, digits):
    """Ticks of a batch, sample by sample, cost what the digits cost one by one."""
    chain = energy.network(preset, 1)
    for x in digits.pictures[0]:
        before = chain.effective_flops
        chain.reset(0)
        before = chain.effective_flops
        energy.settle(chain, x[None])
        digits_flops = chain.effective_flops - before
        alone = replace(digits, pictures=x[None, None], labels=digits.labels[:1])
        assert energy.clocked(preset, alone).flops == digits_flops


def test_digits_are_shown_each_on_their_own(preset, digits):
    """From rest neither classes nor FLOPs depend on the company or on the order."""
    order = np.array([4, 0, 5, 2, 1, 3])
    other = replace(digits, pictures=digits.pictures[:, order], labels=digits.labels[order])
    flops, answers, _ = energy._lazily(preset, digits, 10, 0.02)
    other_flops, other_answers, _ = energy._lazily(preset, other, 10, 0.02)
    np.testing.assert_array_equal(answers[:, order], other_answers)
    assert flops == pytest.approx(other_flops, rel=1e-12)


def test_a_stream_goes_on_from_where_the_network_rests(from_rest):
    """... so a small change of the picture costs less than the whole picture from rest."""
    (streamed,) = rows_of(energy.LAZY, True, 10, (0.02,), 4)
    assert streamed["saved"] > 0.97
    assert streamed["agrees"] == 1
    assert streamed["flops_per_answer"] < 0.8 * next(r for r in from_rest if r["epsilon"] == 0.02)["flops_per_answer"]


def test_the_stream_ends_every_morph_on_a_whole_digit(preset):
    data = load_data(preset)
    what = energy.show(data, True, 5, 1)
    assert what.pictures.shape[:2] == (energy.MORPHS, 5)
    alone = energy.show(data, False, 5, 1)
    np.testing.assert_allclose(what.pictures[-1], np.roll(alone.pictures[0], -1, axis=0), atol=1e-6)
    np.testing.assert_array_equal(what.labels, np.roll(alone.labels, -1))
    np.testing.assert_allclose(what.pictures[0] - what.start, (what.pictures[-1] - what.start) / 10, atol=1e-5)


def test_the_rivals_are_measured(clocked):
    (forward,) = rows_of(energy.FORWARD)
    assert forward["flops_per_answer"] == 2 * 100 * 64 * 64
    assert 0.7 < forward["accuracy"] <= 1
    (layerwise,) = rows_of(energy.LAYERWISE)
    assert layerwise["agrees"] == 1
    assert forward["flops_per_answer"] < layerwise["flops_per_answer"] < clocked[0]["flops_per_answer"]


def test_rows_are_json_and_can_be_drawn(from_rest, clocked):
    json.dumps([*from_rest, *clocked], allow_nan=False)
    axes = Figure().subplots()
    energy.figure([*from_rest, *clocked], axes)
    assert sum(row["chosen"] is True for row in from_rest) == 1
    assert len(axes.lines) == 1 + 1 + 2  # lazy, its ring, clocked and cut short


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = energy.jobs(quick)
        assert {job["method"] for job in jobs} == {energy.LAZY, energy.CLOCKED, energy.LAYERWISE, energy.FORWARD}
        assert all(set(job) == set(inspect.signature(energy.run).parameters) for job in jobs)

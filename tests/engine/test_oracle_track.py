"""The oracle track: the race foretells errors, shuffled times do not; sliding to another class slows it."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.build import load_data
from engine.data import split
from engine.experiments import oracle
from engine.experiments.energy import network
from engine.oracle import statistics
from engine.oracle.answers import answers
from engine.oracle.readout import SLOW
from engine.preset import load_preset

NOISY = [show for show in oracle.NOISES if show != "clean"]


@pytest.fixture(scope="module")
def rows():
    few = pytest.MonkeyPatch()
    few.setattr(statistics.interval, "__kwdefaults__", {"draws": 60})
    yield oracle.run(oracle.FRESH, 8, 3, 0)
    few.undo()


def of(rows, show, score):
    (row,) = [r for r in rows if (r["show"], r["score"], r["share"]) == (show, score, None)]
    return row


def slide(rows, show, score):
    return [r["median"] for r in rows if (r["show"], r["score"]) == (show, score) and r["share"] is not None]


@pytest.mark.parametrize("show", ["clean", *NOISY])
def test_the_race_foretells_errors_nearly_as_well_as_confidence(rows, show):
    race = of(rows, show, oracle.RACE)
    assert race["errors"] > 5
    assert race["auroc"] > 0.8
    assert race["behind_confidence"] < 0.05
    assert race["correlation"] < -0.85
    assert race["median_wrong"] > race["median_right"] + 10
    assert race["risk_90"] < race["risk_100"]
    assert race["never"] == 0
    assert race["agrees"] > 0.97


def test_shuffled_times_foretell_nothing(rows):
    found = [of(rows, show, oracle.SHUFFLED) for show in oracle.SHOWS]
    enough = [row for row in found if row["errors"] > 20]
    assert len(enough) > 2
    assert np.mean([row["auroc"] for row in enough]) == pytest.approx(0.5, abs=0.08)
    assert all(row["auroc_low"] < 0.55 and abs(row["correlation"]) < 0.15 for row in enough)
    assert all(abs(row["risk_90"] - row["risk_100"]) < 0.03 for row in enough)


def test_the_time_to_rest_alone_is_a_weak_oracle(rows):
    for show in NOISY:
        assert of(rows, show, oracle.T_RELAX)["auroc"] < of(rows, show, oracle.RACE)["auroc"] - 0.1
        assert of(rows, show, oracle.T_RELAX)["correlation"] < 0


def test_a_five_that_slides_into_a_three_takes_longest_on_its_way(rows):
    between, within = (slide(rows, show, oracle.RACE) for show in oracle.SLIDES)
    assert len(between) == len(within) == len(oracle.SHARES)
    assert 2 < np.argmax(between) < len(between) - 3
    rise = max(between) - max(between[0], between[-1])
    assert rise > 10
    assert max(within) - max(within[0], within[-1]) < 0.3 * rise
    shuffled = slide(rows, "5 into 3", oracle.SHUFFLED)
    assert max(shuffled) - max(shuffled[0], shuffled[-1]) < 0.7 * rise


def test_slides_are_of_held_out_digits_and_none_is_half_and_half():
    data = load_data(load_preset("deep-100"))
    test = split(data).test
    known = data.encode(data.images[test])
    show = oracle.shown(data, "5 into 3", 1)
    assert set(show.labels) == {5, 3}
    assert not (show.share == 0.5).any()
    for share, label in ((0.0, 5), (1.0, 3)):
        for x in show.x[show.share == share]:
            (found,) = np.flatnonzero((np.abs(known - x) < 1e-5).all(1))
            assert data.labels[test[found]] == label
    assert {len(set(show.share[show.source == pair])) for pair in set(show.source)} == {len(oracle.SHARES)}


def test_rows_are_json_and_can_be_drawn(rows):
    json.dumps(rows, allow_nan=False)
    assert len({tuple(row) for row in rows}) == 1, "every row has the same columns"
    axes = Figure().subplots()
    oracle.figure(rows, axes)
    assert len(axes.containers) == len(oracle.SCORES)


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = oracle.jobs(quick)
        assert all(set(job) == set(inspect.signature(oracle.run).parameters) for job in jobs)
        assert {job["network"] for job in jobs} == {oracle.SHIPPED, oracle.FRESH}


@pytest.mark.slow
def test_the_shipped_network_reaches_the_figures_it_is_known_for():
    preset = load_preset(oracle.SHIPPED)
    data = load_data(preset)
    for what, least in (("clean", 0.9), ("noise 0.3", 0.8), ("noise 0.6", 0.8)):
        show = oracle.shown(data, what, 0)
        found = answers(network(preset, len(show.labels)), show.x)
        wrong = found.logits.argmax(-1) != show.labels
        race, confidence = statistics.auroc(found.decided, wrong), statistics.auroc(1 - found.confidence, wrong)
        assert race >= least
        assert race > confidence - 0.03
        assert statistics.auroc(np.random.default_rng(0).permutation(found.decided), wrong) < 0.8


@pytest.mark.slow
def test_slow_is_what_one_in_twenty_right_answers_are():
    preset = load_preset(oracle.SHIPPED)
    data = load_data(preset)
    chosen = np.random.default_rng(2).choice(split(data).train, 500, replace=False)
    x = data.encode(data.images[chosen])
    x += 0.3 * np.random.default_rng(3).standard_normal(x.shape, np.float32)
    found = answers(network(preset, len(x)), x)
    right = found.logits.argmax(-1) == data.labels[chosen]
    racing = found.decided[right] - (preset.layers - 1)
    assert 0.93 < (racing <= SLOW).mean() < 0.97

"""The healing and homeostasis tracks: each effect is there, and its control shows none."""

from __future__ import annotations

import json

import pytest

from engine.experiments import healing, homeostasis
from engine.experiments.healing import KICK, LAYER, LESIONS, NOISES, NOTHING

LAYERS = 8


@pytest.fixture(scope="module")
def rows():
    return healing.run("eqprop", layers=LAYERS, epochs=2, seed=0)


@pytest.fixture(scope="module")
def lesions(rows):
    return {row["disturbance"]: row for row in rows if row["layer"] is None and row["disturbance"] in LESIONS}


def test_rows_are_flat_json_with_the_same_fields(rows):
    json.dumps(rows, allow_nan=False)
    assert len({tuple(sorted(row)) for row in rows}) == 1
    assert len(rows) == len(LESIONS) * (1 + LAYERS) + sum(map(len, NOISES.values()))


def test_cutting_out_nothing_changes_nothing(lesions):
    row = lesions[NOTHING]
    assert row["level"] == 0
    assert row["ticks"] == 1
    assert row["distance"] < 1e-5
    assert row["credit_cosine"] > 0.99999
    assert row["accuracy"] == row["accuracy_whole"]


@pytest.mark.parametrize("lesion", ["15 %", "50 %", LAYER])
def test_a_lesion_moves_the_rest_and_the_credit_and_healing_undoes_it(lesions, lesion):
    row = lesions[lesion]
    assert 5 < row["ticks"] < 200
    assert row["distance"] > 0.1
    assert row["credit_cosine"] < 0.99
    assert row["credit_ticks"] > LAYERS // 2
    assert row["undone"] < 1e-4


def test_a_kick_of_the_state_alone_leaves_nothing(lesions):
    row, lesion = lesions[KICK], lesions["15 %"]
    assert row["jump"] > lesion["jump"] > 0.1
    assert row["ticks"] > 5
    assert row["distance"] < 1e-4
    assert row["credit_cosine"] > 0.9999


def test_half_the_neurons_cost_answers_and_learning_brings_them_back(lesions):
    row = lesions["50 %"]
    assert row["level"] == 0.5
    assert row["accuracy"] < row["accuracy_whole"] - 0.04
    assert row["accuracy_relearned"] > row["accuracy"] + 0.02
    assert row["accuracy_relearned_shuffled"] < row["accuracy_relearned"] - 0.05
    assert row["accuracy"] < lesions["15 %"]["accuracy"]


def test_the_profiles_are_of_every_layer(rows):
    for lesion in LESIONS:
        layers = [row for row in rows if row["disturbance"] == lesion and row["layer"] is not None]
        assert [row["layer"] for row in layers] == list(range(1, LAYERS + 1))
        same = all(abs(row["credit_after"] / row["credit_before"] - 1) < 1e-3 for row in layers)
        assert same == (lesion in (NOTHING, KICK))


@pytest.mark.parametrize("knob", NOISES)
def test_noise_shakes_by_its_level_and_leaves_nothing(rows, knob):
    found = [row for row in rows if row["disturbance"] == knob]
    distances = [row["distance"] for row in found]
    assert distances == sorted(distances)
    assert distances[0] > 0.02
    assert all(5 < row["ticks"] < 200 and row["undone"] < 1e-4 for row in found)


def test_dead_neurons_stay_dead_while_the_rest_learns_again(rng):
    preset = healing.Preset(name="t", title="t", network="recursive", layers=3, neurons=16, seed=1)
    data = healing.load_data(preset)
    chain = healing._watched(
        preset, data, healing.train(preset, data, healing.Recipe(epochs=1)).weights, rng.integers(0, 9, 4)
    )
    chain.ablate(healing.drawn_lesion(~chain.ablated, 0.25, rng))
    cut = chain.cut()
    before = {name: array.copy() for name, array in chain.acting.items()}
    again = healing._relearned(preset, data, before, cut, "eqprop", 0, False)
    for name, where in cut.items():
        assert not again[name][where].any()
        assert (again[name] != before[name])[~where].mean() > 0.9


def test_the_same_job_gives_the_same_rows():
    assert healing.run("backprop", 2, 1, 3) == healing.run("backprop", 2, 1, 3)


@pytest.mark.parametrize("track", [healing, homeostasis])
def test_jobs_are_what_run_takes(track):
    words = track.run.__code__.co_varnames[: track.run.__code__.co_argcount]
    for quick in (True, False):
        assert all(set(job) == set(words) for job in track.jobs(quick))


@pytest.fixture(scope="module", params=["recursive", "hopfield"])
def regulated(request):
    found = homeostasis.run(request.param, "clocked", layers=10, ticks=4000, seed=1)
    json.dumps(found, allow_nan=False)
    return {(row["regulator"], row["start"]): row for row in found}


def test_the_velocity_leads_to_the_edge_and_neither_a_coin_nor_nothing_does(regulated):
    spread = {}
    for regulator in homeostasis.REGULATORS:
        ends = [regulated[regulator, start]["final_sigma"] for start in homeostasis.STARTS]
        spread[regulator] = max(ends) / min(ends)
    by_velocity, off, coin = (spread[name] for name in homeostasis.REGULATORS)
    assert by_velocity < 1.3
    assert off == pytest.approx(2.0 / 0.3)
    assert coin > 2.5
    assert 0.9 < regulated["velocity", 0.3]["final_sigma"] < 1.35


def test_only_regulated_does_a_boiling_network_rest_for_good(regulated):
    kept = regulated["velocity", 2.0]
    assert kept["first_rest"] is not None
    assert kept["rest_share"] > 0.3
    if kept["network"] == "recursive":
        assert regulated["off (control)", 2.0]["first_rest"] is None

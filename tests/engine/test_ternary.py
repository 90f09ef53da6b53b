"""Ternary weights: really ternary, learned by flips that have a reason, packed to two bits and read back."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import build_network, load_data
from engine.data import split
from engine.experiments import ternary
from engine.experiments.ternary import WAYS, operations
from engine.learning.ternary import FlipDescent, packed_weights
from engine.learning.train import Recipe, accuracy, equilibrium_for, train
from engine.linalg import spectral_norms
from engine.preset import Preset, load_preset
from engine.trits import packed, trits_of, unpacked
from engine.weights import read_weights, write_weights

SYNAPSES = ("W_in", "W_out", "R", "W")


def preset(layers=4, network="recursive"):
    return Preset(name="t", title="t", network=network, layers=layers, neurons=64, knobs={"sigma": 0.9})


def recipe(epochs=3, **changes):
    return Recipe(epochs=epochs, method="ternary", **changes)


@pytest.fixture(scope="module")
def rows():
    return {way: ternary.run(way, layers=4, epochs=4, seed=0)[0] for way in WAYS}


@pytest.fixture(scope="module")
def trained():
    return train(preset(), load_data(preset()), recipe())


def test_flips_read_digits(rows):
    assert rows["flips"]["test_accuracy"] > 0.9


@pytest.mark.parametrize("way", [way for way in WAYS if "control" in way])
def test_controls_do_not(rows, way):
    assert rows[way]["test_accuracy"] < rows["flips"]["test_accuracy"] - 0.4


def test_the_blind_control_flips_as_often(rows):
    asked, blind = rows["flips"]["accepted"], rows["blind flips (control)"]["accepted"]
    assert 0.5 * asked < blind < 2 * asked
    assert rows["infinite temperature (control)"]["accepted"] == 1
    assert rows["no flips (control)"]["accepted"] is None


def test_straight_through_and_floats_are_there_to_compare_with(rows):
    assert rows["float32"]["test_accuracy"] > 0.95
    assert rows["straight-through"]["test_accuracy"] > 0.9
    assert rows["straight-through"]["bytes"] == pytest.approx(rows["flips"]["bytes"], rel=1e-6)


def test_a_ternary_synapse_takes_two_bits_and_zeros_cost_nothing(rows):
    row = rows["flips"]
    biases = 4 * 4 * 64
    scales = 4 * (4 + 4 + 1 + 1)
    synapses = (row["bytes_float32"] - biases) / 4
    assert row["bytes"] == biases + scales + synapses / 4
    assert 0.2 < row["zeros"] < 0.6
    assert row["operations"] < 0.5 * row["operations_float32"]
    assert rows["float32"]["operations"] == rows["float32"]["operations_float32"]


def test_operations_are_counted_by_hand():
    R = np.array([[[0.5, 0.0], [0.0, 0.0]]])
    W = np.array([[[0.5, -0.5], [0.0, 0.0]]])
    weights = {"R": R, "W": W, "b": np.ones((1, 2))}
    assert operations(weights, ticks=4.0, ternary=True) == 3 * (1 + 2) + (2 + 2)
    assert operations(weights, ticks=4.0, ternary=False) == 3 * 8 + 8


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_weights_are_ternary_and_recurrent_norms_are_at_most_one(network):
    report = train(preset(3, network), load_data(preset()), recipe(1))
    for name, tensor in report.weights.items():
        if name == "b":
            continue
        for layer in tensor.reshape(-1, *tensor.shape[-2:]):
            values = np.unique(layer)
            assert len(values) == 3
            assert values[1] == 0
            assert values[0] == -values[2]
    recurrent = report.weights["R" if network == "recursive" else "W"]
    assert spectral_norms(recurrent).max() <= 1


def test_most_synapses_stay_as_they_were(trained):
    start = dict(
        train(preset(), load_data(preset()), recipe(1), flips=FlipDescent(2e-3, ("R",), 0, attempts=0)).weights
    )
    changed = np.sign(trained.weights["W"]) != np.sign(start["W"])
    assert 0.005 < changed.mean() < 0.5


def test_metropolis_accepts_what_the_temperature_allows(rng):
    """Share of accepted steps by energy difference, against the formula."""
    descent = FlipDescent(1.0, (), 0, temperature=2.0, price=1.0, attempts=1.0)
    slope = rng.standard_normal((1, 400, 400))
    after = descent._flip(np.zeros_like(slope), slope, 2.0, rng)
    change = np.abs(slope)
    rms = np.sqrt((slope**2).mean())
    for low, high in ((0.0, 0.3), (0.3, 0.8), (0.8, 1.5), (1.5, 2.5)):
        near = (change > low * rms) & (change < high * rms)
        down = near & (np.sign(slope) == -np.sign(after))
        up = near & (np.sign(slope) == np.sign(after))
        cost = change[near] / rms
        expected = [np.exp(-np.maximum(0, sign * cost + 1) / 2).mean() / 2 for sign in (-1, 1)]
        assert down.sum() / near.sum() == pytest.approx(expected[0], abs=0.015)
        assert up.sum() / near.sum() == pytest.approx(expected[1], abs=0.015)


def test_at_zero_temperature_only_steps_that_gain_more_than_the_price_happen(rng):
    descent = FlipDescent(1.0, (), 0, price=1.5, attempts=1.0)
    slope = rng.standard_normal((2, 50, 50))
    rms = np.sqrt((slope**2).mean((1, 2), keepdims=True))
    after = descent._flip(np.zeros_like(slope), slope, 0.0, rng)
    moved = after != 0
    assert moved.any()
    assert (np.abs(slope) > 1.5 * rms)[moved].all()
    assert (np.sign(after) == -np.sign(slope))[moved].all()


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(trained):
    again = train(preset(), load_data(preset()), recipe())
    other = train(preset(), load_data(preset()), recipe(seed=1))
    for name in SYNAPSES:
        np.testing.assert_array_equal(trained.weights[name], again.weights[name])
    assert (np.sign(trained.weights["W"]) != np.sign(other.weights["W"])).any()


def test_resumed_training_ends_with_the_same_bits(trained, tmp_path):
    checkpoint = tmp_path / "c.safetensors"

    class KilledError(Exception):
        pass

    def kill(what, done, total):
        if what.startswith("epoch 3"):
            raise KilledError

    data = load_data(preset())
    with pytest.raises(KilledError):
        train(preset(), data, recipe(), progress=kill, checkpoint=checkpoint)
    report = train(preset(), data, recipe(), checkpoint=checkpoint, resume=True)
    for name, tensor in trained.weights.items():
        np.testing.assert_array_equal(tensor, report.weights[name])


def test_packed_weights_are_read_back_to_the_bit(trained, tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, packed_weights(trained.weights))
    back = unpacked(read_weights(path))
    assert set(back) == set(trained.weights)
    for name, tensor in trained.weights.items():
        np.testing.assert_array_equal(back[name], tensor)
    assert path.stat().st_size < sum(tensor.nbytes for tensor in trained.weights.values()) / 10


@pytest.mark.parametrize("columns", [1, 3, 4, 5])
def test_rows_of_any_length_are_packed(columns, rng):
    tensor = np.float32(0.25) * rng.integers(-1, 2, (2, 3, columns)).astype(np.float32)
    tensor[:, 0, 0] = 0.25
    np.testing.assert_array_equal(unpacked(packed("x", tensor))["x"], tensor)


def test_what_is_not_ternary_is_not_packed(rng):
    with pytest.raises(ValueError, match=r"W: these weights are not -1, 0 and 1"):
        packed("W", rng.standard_normal((2, 4, 4)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda entries: entries.pop("x.scale"), r"x\.trits has no x\.scale"),
        (lambda entries: entries.pop("x.trits"), r"x\.scale has no x\.trits"),
        (lambda entries: entries.update({"x.scale": np.ones((7, 1, 1), np.float32)}), "do not belong together"),
        (lambda entries: entries["x.trits"].__setitem__((0, 0, 0), 255), "rows of different lengths"),
    ],
)
def test_a_spoilt_file_is_explained(spoil, words):
    entries = packed("x", np.ones((2, 3, 5), np.float32))
    spoil(entries)
    with pytest.raises(ValueError, match=words):
        unpacked(entries)


def test_the_shipped_preset_reads_digits_with_ternary_weights():
    shipped = load_preset("ternary-100")
    assert shipped.weights_file.stat().st_size < 2**20
    weights = build_network(shipped, "numpy").state_dict()
    for name in SYNAPSES:
        trits_of(weights[name])
    data = load_data(shipped)
    assert accuracy(equilibrium_for(shipped, weights, 1e-4), data, split(data).test) > 0.95


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = ternary.jobs(quick)
        assert {job["method"] for job in jobs} == set(WAYS)
        assert all(set(job) == {"method", "layers", "epochs", "seed"} for job in jobs)

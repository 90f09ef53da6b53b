"""The figures that the program promises, through the probe."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.preset import load_preset
from engine.probe import probe

KEYS = {
    "preset", "network", "layers", "neurons", "backend", "dtype", "sigma", "beta", "settled", "t_relax", "t_nudge",
    "d_nudge", "nudge_rms", "credit_ratio", "velocity_max", "saturated_share", "finite", "ticks", "ticks_per_second",
    "dense_flops", "effective_flops",
}  # fmt: skip


def test_deep_100_settles_and_the_credit_reaches_layer_1():
    found = probe(load_preset("deep-100"))
    assert set(found) >= KEYS
    assert found["layers"] == 100
    assert found["settled"]
    assert 110 <= found["t_relax"] <= 200
    assert found["d_nudge"] == 100
    assert 0.5 <= found["credit_ratio"] <= 20
    assert found["credit_ratio"] == pytest.approx(found["nudge_rms"][0] / found["nudge_rms"][-1])
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["deep-100", "edge-of-chaos"])
def test_above_the_edge_it_never_settles_but_stays_finite(name):
    found = probe(load_preset(name), {"sigma": 1.5}, max_ticks=2000)
    assert not found["settled"]
    assert found["t_relax"] is None
    assert found["finite"]
    assert found["velocity_max"] > 0.01
    assert all(np.isfinite(found["nudge_rms"]))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["deep-100", "hopfield-100"])
def test_the_wildest_knobs_leave_every_number_finite(name, backend):
    wild = {"sigma": 3.0, "input_gain": 5.0, "noise": 1.0, "beta": 1.0}
    found = probe(load_preset(name), wild, max_ticks=400, backend=backend)
    assert found["finite"]
    assert not found["settled"]


def test_the_edge_of_chaos_preset_boils():
    assert not probe(load_preset("edge-of-chaos"))["settled"]


def test_t_relax_grows_with_sigma():
    ticks = [probe(load_preset("deep-100"), {"sigma": sigma})["t_relax"] for sigma in (0, 0.5, 0.8, 0.9, 0.95, 1.0)]
    assert ticks[0] == 101
    assert ticks == sorted(ticks)
    assert ticks[-1] > ticks[1] + 20


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["tiny", "hopfield-100"])
def test_backends_measure_the_same(name, backend):
    found, reference = (probe(load_preset(name), backend=b) for b in (backend, "numpy"))
    assert found["backend"] == backend
    assert abs(found["t_relax"] - reference["t_relax"]) <= 1
    np.testing.assert_allclose(found["nudge_rms"], reference["nudge_rms"], rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("name", ["tiny", "deep-100"])
def test_persistent_nudging_ends_at_the_clocked_credit(name):
    clocked, persistent = (probe(load_preset(name), {"persistent": p, "tolerance": 1e-5}) for p in (0, 1))
    assert persistent["mode"] == "persistent"
    np.testing.assert_allclose(persistent["nudge_rms"], clocked["nudge_rms"], rtol=5e-3)


def test_no_nudge_no_credit():
    found = probe(load_preset("tiny"), {"beta": 0.0}, max_ticks=200)
    assert found["d_nudge"] == 0
    assert found["credit_ratio"] is None
    assert found["nudge_rms"] == [0.0] * 6


def test_the_work_is_counted_in_multiply_adds():
    found = probe(load_preset("tiny"), max_ticks=100)
    weights = 2 * 6 * 16 * 16
    free = found["t_relax"]
    nudged = found["ticks"] - free
    assert found["dense_flops"] == 2 * weights * (free + 5 * nudged)
    assert found["effective_flops"] == found["dense_flops"]


def test_another_sample_is_another_picture():
    assert probe(load_preset("tiny"), sample=1)["probabilities"] != probe(load_preset("tiny"))["probabilities"]


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="max_ticks"):
        probe(load_preset("tiny"), max_ticks=0)

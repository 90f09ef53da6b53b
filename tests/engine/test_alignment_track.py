"""The alignment track: the nudge finds the gradient in every layer; random directions and no nudge do not."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.experiments import alignment

LAYERS = 6


@pytest.fixture(scope="module")
def rows():
    cases = [
        (alignment.EQPROP, "float64", 0.01), (alignment.EQPROP, "float32", 0.01), (alignment.EQPROP, "float64", 1.0),
        (alignment.RANDOM, "float64", 0.01), (alignment.NO_NUDGE, "float64", 0.01),
    ]  # fmt: skip
    return {
        (network, *case): alignment.run(network, *case, LAYERS, 0) for network in alignment.PRESETS for case in cases
    }


@pytest.mark.parametrize("network", alignment.PRESETS)
@pytest.mark.parametrize(("dtype", "least"), [("float64", 0.999), ("float32", 0.99)])
def test_the_update_points_along_the_exact_gradient_in_every_layer(rows, network, dtype, least):
    found = rows[network, alignment.EQPROP, dtype, 0.01]
    assert not any(row["below_floor"] for row in found)
    assert min(row["cosine"] for row in found) >= least
    families = {"recursive": {"R", "W", "b"}, "hopfield": {"W", "b"}}[network]
    assert {(r["family"], r["layer"]) for r in found} == {(f, n) for f in families for n in range(1, LAYERS + 1)}


@pytest.mark.parametrize("network", alignment.PRESETS)
def test_a_random_direction_does_not(rows, network):
    found = [abs(row["cosine"]) for row in rows[network, alignment.RANDOM, "float64", 0.01]]
    assert np.mean(found) < 0.2
    assert max(found) < 0.6


@pytest.mark.parametrize("network", alignment.PRESETS)
def test_without_a_nudge_every_layer_is_below_the_floor(rows, network):
    found = rows[network, alignment.NO_NUDGE, "float64", 0.01]
    assert all(row["below_floor"] for row in found)
    assert alignment.worst(found) is None


@pytest.mark.parametrize("network", alignment.PRESETS)
def test_a_strong_nudge_bends_the_update(rows, network):
    """The finite difference is measured: its error grows with beta."""
    weak, strong = (alignment.worst(rows[network, alignment.EQPROP, "float64", beta]) for beta in (0.01, 1.0))
    assert 1 - strong > 100 * (1 - weak)


def test_rows_are_json_and_can_be_drawn(rows):
    together = [row for found in rows.values() for row in found]
    json.dumps(together, allow_nan=False)
    axes = Figure().subplots()
    alignment.figure(together, axes)
    assert len(axes.containers) == 4


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = alignment.jobs(quick)
        assert all(set(job) == set(inspect.signature(alignment.run).parameters) for job in jobs)
        assert {job["update"] for job in jobs} == {alignment.EQPROP, alignment.RANDOM, alignment.NO_NUDGE}

"""The persistent track: a network without phases learns what the clocked one does, and nothing from shuffled labels."""

from __future__ import annotations

import inspect
import json

import pytest
from matplotlib.figure import Figure

from engine.experiments import persistent


@pytest.fixture(scope="module")
def found():
    """(network, method) -> rows of small networks."""
    return {
        (network, method): persistent.run(network, method, layers, 3, 0)
        for network, layers in (("recursive", 4), ("hopfield", 2))
        for method in persistent.METHODS
    }


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_it_learns_without_phases(found, network):
    last = {method: found[network, method][-1]["test_accuracy"] for method in persistent.METHODS}
    assert last["clocked"] > 0.9
    assert last["persistent"] > last["clocked"] - 0.03
    assert last["persistent"] > last["read-out only (control)"] + 0.03
    assert last["shuffled labels (control)"] < 0.25


def test_the_layers_below_the_read_out_take_part(found):
    """... from the first epoch on, or the two would learn alike."""
    for network in ("recursive", "hopfield"):
        first = {method: found[network, method][0]["test_accuracy"] for method in persistent.METHODS}
        assert first["persistent"] > first["read-out only (control)"] + 0.05


def test_rows_are_json_and_can_be_drawn(found):
    rows = [row for of_method in found.values() for row in of_method]
    json.dumps(rows, allow_nan=False)
    assert [row["epoch"] for row in found["recursive", "persistent"]] == [1, 2, 3]
    axes = Figure().subplots()
    persistent.figure(rows, axes)
    assert len(axes.containers) == len(found)


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = persistent.jobs(quick)
        assert all(set(job) == set(inspect.signature(persistent.run).parameters) for job in jobs)
        assert {job["method"] for job in jobs} == set(persistent.METHODS)

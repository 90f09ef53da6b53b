"""The depth track: both teachers learn at every depth, shuffled labels teach nothing."""

from __future__ import annotations

import inspect
import json

import pytest
from matplotlib.figure import Figure

from engine.experiments import depth

CONTROL = "shuffled labels (control)"


@pytest.fixture(scope="module")
def rows():
    return [row for layers in (3, 12) for method in depth.METHODS for row in depth.run(method, layers, 2, 0)]


def test_every_method_learns_at_both_depths_and_the_control_does_not(rows):
    for row in rows:
        if row["method"] == CONTROL:
            assert row["test_accuracy"] < 0.25
        else:
            assert row["test_accuracy"] > 0.85
            assert row["train_loss"] < 1


def test_equilibrium_propagation_is_not_backpropagation_under_another_name(rows):
    """They follow the same gradient by other ways, so losses agree closely and not exactly; without recurrence the
    network is another."""
    loss = {(row["method"], row["layers"]): row["train_loss"] for row in rows}
    for layers in (3, 12):
        eqprop, backprop = loss["eqprop", layers], loss["backprop", layers]
        assert eqprop != backprop
        assert eqprop == pytest.approx(backprop, rel=1e-3)
        assert loss["backprop, no recurrence", layers] != pytest.approx(backprop, rel=0.02)


def test_rows_can_be_drawn_and_repeat(rows):
    json.dumps(rows, allow_nan=False)
    axes = Figure().subplots()
    depth.figure(rows, axes)
    assert len(axes.containers) == len(depth.METHODS)
    (again,) = depth.run("eqprop", 3, 2, 0)
    (first,) = [row for row in rows if (row["method"], row["layers"]) == ("eqprop", 3)]
    assert {**again, "seconds": 0} == {**first, "seconds": 0}


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = depth.jobs(quick)
        assert {job["method"] for job in jobs} == set(depth.METHODS)
        assert all(set(job) == set(inspect.signature(depth.run).parameters) for job in jobs)

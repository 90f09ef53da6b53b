"""The convolution track: both teachers learn, the kernels do part of it, shuffled labels teach nothing."""

from __future__ import annotations

import inspect
import json

import pytest
from matplotlib.figure import Figure

from engine.experiments import convolution


@pytest.fixture(scope="module")
def rows():
    return {method: convolution.run(method, 1, 2, 0)[0] for method in convolution.METHODS}


def test_both_teachers_learn_and_the_controls_learn_less(rows):
    for method in ("eqprop", "backprop"):
        assert rows[method]["test_accuracy"] > 0.9
        assert rows[method]["train_loss"] < rows["read-out only (control)"]["train_loss"]
    assert rows["shuffled labels (control)"]["test_accuracy"] < 0.25


def test_the_operators_keep_their_norm(rows):
    for row in rows.values():
        assert 0.5 < row["largest_norm"] < 1.01


def test_equilibrium_propagation_is_not_backpropagation_under_another_name(rows):
    eqprop, backprop = rows["eqprop"]["train_loss"], rows["backprop"]["train_loss"]
    assert eqprop != backprop
    assert eqprop == pytest.approx(backprop, rel=0.02)


def test_rows_can_be_drawn_and_repeat(rows):
    json.dumps(rows, allow_nan=False)
    axes = Figure().subplots()
    convolution.figure(list(rows.values()), axes)
    assert len(axes.containers) == len(convolution.METHODS)
    (again,) = convolution.run("eqprop", 1, 2, 0)
    assert {**again, "seconds": 0} == {**rows["eqprop"], "seconds": 0}


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = convolution.jobs(quick)
        assert {job["method"] for job in jobs} == set(convolution.METHODS)
        assert all(set(job) == set(inspect.signature(convolution.run).parameters) for job in jobs)

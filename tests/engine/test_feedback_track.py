"""The feedback track: layers learn through fixed or drifting random matrices, and not through ever new ones."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.experiments import feedback
from engine.learning.equilibrium import equilibrium_of
from engine.learning.teachers import DRIFT, REDRAWN, FeedbackTeacher, ReadOutTeacher
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_backend


@pytest.fixture(scope="module")
def found():
    return {method: feedback.run("recursive", method, 4, 5, 0)[0] for method in feedback.METHODS}


@pytest.mark.parametrize("method", ["fixed feedback", "drifting feedback"])
def test_layers_learn_through_random_feedback(found, method):
    row = found[method]
    assert row["test_accuracy"] > 0.9
    assert row["test_accuracy"] > found["read-out only (control)"]["test_accuracy"] + 0.03
    assert row["alignment"] > 0.1
    assert row["test_accuracy"] < found["exact transposes"]["test_accuracy"]
    assert found["exact transposes"]["alignment"] > 0.999


def test_feedback_that_never_stays_teaches_the_layers_nothing(found):
    control = found["redrawn feedback (control)"]
    assert abs(control["alignment"]) < 0.05
    assert control["test_accuracy"] < found["fixed feedback"]["test_accuracy"] - 0.03


def test_shuffled_labels_teach_nothing(found):
    assert found["shuffled labels (control)"]["test_accuracy"] < 0.25


@pytest.fixture
def small():
    weights = RecursiveChain(3, 16, 12, 4, load_backend("numpy"), seed=1).state_dict()
    return equilibrium_of("recursive", weights)


@pytest.mark.parametrize(("drift", "low", "high"), [(0.0, 1.0, 1.0), (DRIFT, 0.99, 0.99999), (REDRAWN, -0.3, 0.3)])
def test_feedback_moves_by_its_drift(small, drift, low, high):
    teacher = FeedbackTeacher(small, 0, drift)
    before = small.feedback["W"].copy()
    teacher.updated()
    after = small.feedback["W"]
    cosine = float((before * after).sum() / np.linalg.norm(before) / np.linalg.norm(after))
    assert low - 1e-6 <= cosine <= high + 1e-6
    np.testing.assert_allclose(after[0] @ after[0].T, np.eye(16), atol=1e-5)


def test_the_read_out_teacher_moves_nothing_else(small, rng):
    taught = []
    ReadOutTeacher(small).lesson(rng.standard_normal((5, 12)), np.arange(5) % 4, lambda g, share: taught.append(g))
    free = small.settle(rng.standard_normal((5, 12)))
    assert [set(gradients) for gradients in taught] == [{"W_out"}]
    x, labels = free.read.x, np.arange(5) % 4
    ReadOutTeacher(small).lesson(x, labels, lambda g, share: taught.append(g))
    whole = small.gradients(free, small.nudge(free, labels))
    np.testing.assert_allclose(taught[-1]["W_out"], whole["W_out"], rtol=1e-6)


def test_rows_are_json_and_can_be_drawn(found):
    rows = list(found.values())
    json.dumps(rows, allow_nan=False)
    axes = Figure().subplots()
    feedback.figure(rows, axes)
    assert len(axes.containers) == len(feedback.METHODS)


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = feedback.jobs(quick)
        assert all(set(job) == set(inspect.signature(feedback.run).parameters) for job in jobs)
        assert {job["method"] for job in jobs} == set(feedback.METHODS)

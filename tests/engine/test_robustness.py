"""Robustness: disturbances act, act as much as they say, and find nothing in a network that has learned nothing."""

from __future__ import annotations

import numpy as np
import pytest

from engine.experiments import robustness
from engine.experiments.robustness import LEVELS, TWINS, ablated
from engine.learning.equilibrium import equilibrium_of
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_backend

CONTROL = "shuffled labels (control)"


@pytest.fixture(scope="module")
def found():
    """method -> kind -> accuracies by level, of small networks."""
    answer = {}
    for method in TWINS:
        rows = robustness.run(method, layers=4, epochs=2, seed=0)
        answer[method] = {kind: [r["accuracy"] for r in rows if r["kind"] == kind] for kind in LEVELS}
    return answer


@pytest.mark.parametrize("kind", LEVELS)
@pytest.mark.parametrize("method", [method for method in TWINS if method != CONTROL])
def test_accuracy_falls_as_the_disturbance_grows(found, method, kind):
    by_level = found[method][kind]
    assert by_level[0] > 0.85
    assert by_level[-1] < by_level[0] - 0.02
    assert by_level[-1] < by_level[1]
    assert by_level[-1] > 0.2


@pytest.mark.parametrize("method", TWINS)
def test_undisturbed_networks_answer_alike_however_they_are_settled(found, method):
    """The state noise's ticks and the other kinds' sweeps."""
    undisturbed = [by_level[0] for by_level in found[method].values()]
    assert max(undisturbed) - min(undisturbed) < 0.003


def test_a_network_trained_on_shuffled_labels_stays_at_chance(found):
    for by_level in found[CONTROL].values():
        assert max(by_level) < 0.25


def test_the_same_job_gives_the_same_rows():
    assert robustness.run("eqprop", 2, 1, 3) == robustness.run("eqprop", 2, 1, 3)


def test_ablation_silences_its_share_of_every_layer(rng):
    weights = RecursiveChain(5, 16, 12, 4, load_backend("numpy"), seed=1).state_dict()
    weights["b"] += 0.3
    before = {name: tensor.copy() for name, tensor in weights.items()}
    free = equilibrium_of("recursive", ablated(weights, 0.25, rng)).settle(rng.standard_normal((3, 12)))
    silent = (free.states[0] == 0).all(-1)
    assert (silent.sum(-1) == 4).all()
    assert len({tuple(np.flatnonzero(layer)) for layer in silent}) > 1
    for name, tensor in weights.items():
        np.testing.assert_array_equal(tensor, before[name])


def test_jobs_are_what_run_takes():
    for quick in (True, False):
        jobs = robustness.jobs(quick)
        assert {job["method"] for job in jobs} == set(TWINS)
        assert all(set(job) == {"method", "layers", "epochs", "seed"} for job in jobs)

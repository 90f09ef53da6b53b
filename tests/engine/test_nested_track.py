"""The track nested: contraction by level, and learning beside the controls."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from engine.data import load_dataset, split
from engine.experiments import nested


@pytest.fixture(scope="module")
def rows():
    tight = [
        row
        for sigma in (0.99, 1.5)
        for row in [
            {"measure": "contraction", "raised": 0, "sigma": sigma, "case": nested.CASES[2],
             **nested.contraction(_raised(sigma), nested.CASES[2], 0)}
        ]
    ]  # fmt: skip
    learned = [nested.run("learning", way=way, data="digits", levels=2, epochs=2, seed=0)[0] for way in nested.WAYS]
    return [*tight, *learned]


def _raised(sigma):
    preset = nested.preset_of("nested", 2, 0)
    knobs = dict.fromkeys(preset.knobs, sigma)
    return preset.model_copy(update={"dtype": "float64", "knobs": knobs})


def test_one_state_below_the_edge_and_several_above(rows):
    below, above = (row for row in rows if row["measure"] == "contraction")
    assert below["one_state"]
    assert below["rests"]
    assert below["factor"] < 0.99
    assert not above["one_state"]


def test_nested_and_flat_have_as_many_parameters_and_learn_and_the_controls_do_not(rows):
    found = {row["way"]: row for row in rows if row["measure"] == "learning"}
    assert len({row["parameters"] for row in found.values()}) == 1
    assert min(found["nested"]["test_accuracy"], found["flat"]["test_accuracy"]) > 0.9
    assert found["nested, shuffled labels (control)"]["test_accuracy"] < 0.25
    assert found["nested, read-out only (control)"]["test_accuracy"] < found["nested"]["test_accuracy"]


def test_rows_are_json_and_the_figure_is_drawn(rows):
    json.dumps(rows, allow_nan=False)
    figure = Figure()
    axes = figure.add_subplot()
    nested.figure(rows, axes)
    assert axes.get_legend_handles_labels()[1]


@pytest.mark.parametrize("quick", [True, False])
def test_jobs_fit_run(quick):
    jobs = nested.jobs(quick)
    runs = {"learning": nested._learned, "contraction": nested._contraction}
    for job in jobs:
        names = set(inspect.signature(runs[job["measure"]]).parameters)
        assert set(job) == names | {"measure"}
    assert len({json.dumps(job, sort_keys=True) for job in jobs}) == len(jobs)


def test_loops_are_many_alike_in_number_and_no_pixel_tells_the_class():
    data = load_dataset("loops")
    assert data.images.shape == (3200, 16, 16)
    np.testing.assert_array_equal(np.bincount(data.labels), [800] * 4)
    assert len(np.unique(data.images.reshape(3200, -1), axis=0)) == 3200
    part = split(data).train
    images, labels = data.images[part].reshape(len(part), -1), data.labels[part]
    best = 0.0
    for pixel in images.T:
        order = labels[np.argsort(pixel)]
        best = max(best, np.mean([np.bincount(piece).max() / len(piece) for piece in np.array_split(order, 20)]))
    assert best < 0.6

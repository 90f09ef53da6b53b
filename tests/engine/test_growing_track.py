"""The track growing: the bench in small, with one row a method."""

from __future__ import annotations

import inspect
import json

import pytest
from matplotlib.figure import Figure

from engine.experiments import growing


@pytest.fixture(scope="module")
def rows():
    return growing.run("lorenz63", 0, steps=60, ticks=1200, units=30, tries=1)


def test_every_method_has_a_row_and_sparse_rivals_as_many_weights_as_the_graph(rows):
    found = {row["method"]: row for row in rows}
    assert {"grown", "dense", "pruned", "random sparse", "persistence"} <= set(found)
    assert found["random sparse"]["nnz"] == found["pruned"]["nnz"] == found["grown"]["nnz"] < found["dense"]["nnz"]
    assert found["persistence"]["nnz"] == 0
    assert found["dense"]["one_step_nrmse"] != found["grown"]["one_step_nrmse"]
    assert found["dense, least squares"]["one_step_nrmse"] < found["persistence"]["one_step_nrmse"]


def test_rows_are_json_and_the_figure_has_a_mark_for_each(rows):
    json.dumps(rows, allow_nan=False)
    axes = Figure().add_subplot()
    growing.figure(rows, axes)
    told = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {"grown", "dense"} <= set(told)
    assert axes.get_xlabel() == "weights (lorenz63)"


@pytest.mark.parametrize("quick", [True, False])
def test_jobs_are_what_run_takes(quick):
    jobs = growing.jobs(quick)
    for job in jobs:
        inspect.signature(growing.run).bind(**job)
    assert len({(job["data"], job["seed"]) for job in jobs}) == len(jobs)

"""Edits that change no output: clones, merges, modules that fall asleep and wake."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.networks.growing.clone import clone, merge
from engine.networks.growing.core import BudgetError
from engine.networks.growing.fade import Fading
from engine.networks.growing.graph import Graph
from engine.networks.growing.hibernation import Hibernation
from tests.engine.growing_cases import outputs, wanderers, watched, wire

STATES = wanderers(5, 2)


def clones_of(graph: Graph, line: int) -> np.ndarray:
    """Other lines with the source, reader and latency of this one."""
    c = graph.connectors
    same = (c.source == c.source[line]) & (c.reader == c.reader[line]) & (c.latency == c.latency[line])
    same[line] = False
    return np.flatnonzero(same)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_a_clone_and_its_merger_change_no_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wire(watched(STATES), rng, cells=30, latency=1)
    before, cells = outputs(graph), graph.core.struct
    line = int(rng.choice(graph.terms.lines_used()))
    copy = clone(graph, line)
    assert graph.core.struct > cells
    np.testing.assert_allclose(outputs(graph), before, atol=1e-9)
    assert copy in clones_of(graph, line)
    graph.connectors.taps[copy, 0] += 0.5
    assert not np.allclose(outputs(graph), before, atol=1e-6)
    graph.connectors.taps[copy, 0] -= 0.5
    merge(graph, line, copy)
    graph.compact()
    np.testing.assert_allclose(outputs(graph), before, atol=1e-9)
    assert graph.core.struct == cells


def test_a_clone_hears_at_once_what_its_line_heard_last() -> None:
    graph = wire(watched(STATES), np.random.default_rng(4), cells=30)
    graph.connectors.reliability[:] = 0.2
    for _ in range(3):
        graph.begin_tick()
        graph.gather()
        graph.commit()
    graph.begin_tick()
    graph.gather()
    before = graph.next.copy()
    clone(graph, int(graph.terms.lines_used()[0]))
    graph.gather()
    np.testing.assert_allclose(graph.next, before, atol=1e-9)


def test_only_a_clone_is_merged() -> None:
    graph = watched(STATES)
    lines = graph.line(0, 3), graph.line(0, 4)
    with pytest.raises(ValueError, match="no clone"):
        merge(graph, *lines)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_module_sleeps_as_an_identity_and_wakes_as_it_was(seed: int) -> None:
    graph = wire(watched(STATES), np.random.default_rng(seed), cells=30, latency=1)
    fading = Fading(graph)
    sleep = Hibernation(graph, fading)
    node = int(graph.core.M_idx[0, 0]) // 2
    rows = slice(2 * node, 2 * node + 2)
    before, weights, cells = outputs(graph), np.sort(graph.core.W_vals), graph.core.struct
    asleep = sleep.consolidate(node)
    assert asleep > 0
    np.testing.assert_allclose(outputs(graph), before, atol=1e-9)
    for _ in range(80):
        fading.step()
    sleep.renumber(graph.compact()[0])
    assert graph.core.struct == cells - asleep
    quiet = outputs(graph)
    assert not quiet[rows].any()
    others = np.delete(np.arange(graph.states), rows)
    np.testing.assert_allclose(quiet[others], before[others], atol=1e-9)
    assert sleep.materialise(node) == asleep
    np.testing.assert_allclose(outputs(graph), quiet, atol=1e-9)
    for _ in range(20):
        sleep.step()
    sleep.renumber(graph.compact()[0])
    for _ in range(60):
        sleep.step()
    np.testing.assert_allclose(outputs(graph), before, atol=1e-6)
    np.testing.assert_allclose(np.sort(graph.core.W_vals), weights, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_no_random_edit_exceeds_a_budget_or_changes_an_output_when_made(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, taps, shapes = (int(n) for n in rng.integers((10, 1, 1), (40, 8, 15)))
    graph = wire(watched(STATES, cells=cells, taps=taps, shapes=shapes), rng, cells=20, taps=4)
    fading = Fading(graph)
    sleep = Hibernation(graph, fading)
    for _ in range(40):
        before, struct = outputs(graph), (graph.core.struct, graph.connectors.struct, graph.terms.struct)
        node, what = int(rng.integers(5)), rng.integers(4)
        try:
            if what == 0 and len(graph.connectors):
                clone(graph, int(rng.integers(len(graph.connectors))))
            elif what == 1:
                sleep.consolidate(node)
            elif what == 2:
                sleep.materialise(node)
            else:
                for line in range(len(graph.connectors)):
                    for copy in clones_of(graph, line)[:1]:
                        if np.array_equal(graph.connectors.taps[line], graph.connectors.taps[copy]):
                            merge(graph, line, int(copy))
        except BudgetError:
            assert (graph.core.struct, graph.connectors.struct, graph.terms.struct) == struct
        np.testing.assert_allclose(outputs(graph), before, atol=1e-6)
        if rng.random() < 0.5:
            fading.step()
            sleep.step()
        if rng.random() < 0.3:
            terms, lines = graph.compact()
            fading.renumber(terms, lines)
            sleep.renumber(terms)
        assert graph.core.struct <= cells
        assert graph.connectors.struct <= taps
        assert graph.terms.struct <= shapes
        with suppress(BudgetError):
            graph.connect(int(rng.integers(graph.states)), int(rng.integers(graph.states)), 0.2)
        assert graph.core.struct <= cells

"""Equations that a graph has found: exactly what its cells and taps come to, in the stream's own units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.dynamics import make_stream
from engine.networks.growing.equations import Equation, Factor, Seen, equations
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.live import Live
from engine.networks.growing.planner import Planner
from engine.networks.growing.report import Growth, report
from engine.networks.growing.settings import GrowthSettings
from engine.networks.growing.wiring import Wiring
from kernels.sparse import PRODUCT
from tests.engine.growing_cases import watched, wire

TICKS = 40


def reported(graph: Graph, stream: Any) -> Growth:
    learner = Learner(graph)
    return report(Planner(learner), Live(learner, 0), stream.truth.adjacency, Wiring.of(graph, stream))


def euler_of_lorenz63(stream: Any) -> Graph:
    """A graph whose cells are Euler's step of Lorenz's equations, written in scaled numbers by hand."""
    graph = watched(stream.states, memory=1)
    (x0, y0, z0), (sx, sy, sz) = graph.centre.astype(float), graph.spread.astype(float)
    beta = 8 / 3
    linear = {
        0: {1: 10 * sy, 0: -10 * sx},
        1: {0: (28 - z0) * sx, 1: -sy, 2: -x0 * sz},
        2: {0: y0 * sx, 1: x0 * sy, 2: -beta * sz},
    }
    constant = {0: 10 * (y0 - x0), 1: x0 * (28 - z0) - y0, 2: x0 * y0 - beta * z0}
    products = {1: (0, 2, -sx * sz), 2: (0, 1, sx * sy)}
    for row in range(3):
        size = stream.dt / float(graph.spread[row] * graph.unit[row])
        graph.core.add(np.array([[row, 0]]), np.array([constant[row] * size]))
        for source, weight in linear[row].items():
            graph.connect(row, source, weight * size)
        if row in products:
            left, right, weight = products[row]
            term = graph.term(PRODUCT, row, graph.line(row, left), graph.line(row, right))
            graph.core.add(np.array([[row, term]]), np.array([weight * size]))
    return graph


def test_eulers_step_of_lorenz63_is_read_as_its_equations() -> None:
    stream = make_stream("lorenz63", steps=2000)
    found = equations(reported(euler_of_lorenz63(stream), stream))
    assert [equation.text for equation in found] == [
        "x' = 10 y - 10 x",
        "y' = 28 x - x z - y",
        "z' = x y - 2.67 z",
    ]
    values = {part.what: part.coefficient for part in found[2].told}
    assert values == pytest.approx({"x y": 1, "z": -8 / 3}, rel=1e-5)
    assert [part.reads() for part in found[2].told] == [{0, 1}, {2}]
    assert stream.truth.written[0] == "10 (y - x)"


def value(factor: Factor, states: np.ndarray) -> float:
    """Of what was seen in states (T, S), the last of them now."""
    if isinstance(factor, Seen):
        past = states[len(states) - factor.late - factor.order - 1 : len(states) - factor.late, factor.number]
        return float(np.diff(past, n=factor.order)[-1])
    line = sum(weight * value(seen, states) for seen, weight in factor.line)
    return max(0.0, factor.knot - line if factor.below else line - factor.knot)


@pytest.mark.parametrize("seed", range(4))
def test_terms_add_up_to_what_the_graph_predicts(seed: int) -> None:
    """Products of tapped lines, hinges, late lines: nothing is lost when all is multiplied out."""
    stream = make_stream("fhn", nodes=5, steps=300, seed=seed)
    graph = wire(watched(stream.states, memory=4), np.random.default_rng(seed), cells=40, taps=25, latency=2)
    found: tuple[Equation, ...] = equations(reported(graph, stream))
    assert sum(len(equation.parts) for equation in found) > 60
    past = stream.states[100 : 100 + TICKS]
    told = graph.roll_out(past, 1)[0].reshape(-1) - past[-1].reshape(-1)
    flat = past.reshape(TICKS, -1)
    for equation, change in zip(found, told, strict=True):
        rate = sum(p.coefficient * np.prod([value(f, flat) for f in p.factors]) for p in equation.parts)
        assert stream.dt * rate == pytest.approx(change, rel=1e-5, abs=1e-7)


def test_terms_come_by_their_effect_and_small_ones_are_not_told() -> None:
    stream = make_stream("lorenz96", nodes=6, steps=500)
    graph = Graph(6, 1, GrowthSettings(memory=1), dtype=np.float64)
    graph.measure(stream.states)
    for source, weight in ((1, 0.5), (2, -2.0), (3, 1e-6)):
        graph.connect(0, source, weight)
    equation = equations(reported(graph, stream))[0]
    effects = [part.effect for part in equation.parts]
    assert effects == sorted(effects, reverse=True)
    assert {part.what for part in equation.told} == {"x[3]", "x[2]", ""}
    assert "x[4]" in {part.what for part in equation.parts}
    assert equations(reported(graph, stream))[1].text == "x[2]' = 0"


@pytest.mark.parametrize("name", ["lorenz63", "lorenz96", "fhn", "heat", "wave", "black-hole", "doublewell"])
def test_every_stream_writes_down_the_equation_of_each_number(name: str) -> None:
    stream = make_stream(name, steps=60)
    assert len(stream.truth.written) == len(stream.names) == stream.nodes * stream.features
    assert len(set(stream.names)) == len(stream.names)


def test_written_equations_are_those_that_are_integrated() -> None:
    """Lorenz 1996 and FitzHugh-Nagumo, evaluated as they are written."""
    for name, parameters in (("lorenz96", {"nodes": 7}), ("fhn", {"nodes": 6})):
        stream = make_stream(name, steps=60, **parameters)
        state, rate = stream.clean[5], stream.truth.rate
        assert rate is not None
        numbers = dict(zip(stream.names, state.reshape(-1), strict=True))
        for side, expected in zip(stream.truth.written, rate(0.0, state).reshape(-1), strict=True):
            assert computed(side, numbers) == pytest.approx(expected, rel=2e-3, abs=2e-3)


def computed(side: str, numbers: dict[str, float]) -> float:
    """The value of words such as `0.1 (v[1] + 0.7 - 0.8 w[1])`."""
    for name, number in sorted(numbers.items(), key=lambda pair: -len(pair[0])):
        side = side.replace(name, f"({float(number)!r})")
    python = side.replace("^", "**")
    for before in ") (", "0 (", "1 (", "2 (", "3 (", "4 (", "5 (", "6 (", "7 (", "8 (", "9 (":
        python = python.replace(before, f"{before[0]} * (")
    return float(eval(python, {"__builtins__": {}}))

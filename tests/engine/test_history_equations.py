"""Equations out of the log: PySINDy finds the seven terms of Lorenz-63 in replayed states, and none in shuffled ones.

The network stands in for any that models a system: one layer of three neurons whose states follow the equations.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from engine.history import History, Replay
from tests.engine.history_frames import frame

pysindy = pytest.importorskip("pysindy")

STEP = 0.005
TICKS = 6000
SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3
TERMS = {
    (0, "x"): -SIGMA, (0, "y"): SIGMA,
    (1, "x"): RHO, (1, "y"): -1.0, (1, "x z"): -1.0,
    (2, "z"): -BETA, (2, "x y"): 1.0,
}  # fmt: skip


def lorenz(_time, p):
    x, y, z = p
    return [SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z]


@pytest.fixture(scope="module")
def states():
    """What the log replays, (ticks, 3)."""
    times = STEP * np.arange(TICKS)
    path = solve_ivp(lorenz, (0, times[-1]), [-8, 7, 27], t_eval=times, rtol=1e-10, atol=1e-10).y.T
    history = History()
    for tick, state in enumerate(path):
        history.append(frame(tick, state[None], np.zeros((1, 3)) if tick == 0 else (state - path[tick - 1])[None]))
    replayed = Replay(history).trajectory(0, TICKS).states.astype(np.float64)
    assert 0 < np.abs(replayed - path).max() < 2e-4
    return replayed


def found_terms(states):
    model = pysindy.SINDy(
        optimizer=pysindy.STLSQ(threshold=0.3),
        feature_library=pysindy.PolynomialLibrary(degree=2),
        differentiation_method=pysindy.FiniteDifference(order=4),
    )
    model.fit(states, t=STEP, feature_names=["x", "y", "z"])
    names = model.get_feature_names()
    return {(row, names[column]): value for (row, column), value in np.ndenumerate(model.coefficients()) if value != 0}


def test_the_seven_terms_are_found_within_two_per_cent(states):
    found = found_terms(states)
    assert set(found) == set(TERMS)
    worst = max(abs(found[term] / true - 1) for term, true in TERMS.items())
    print(f"largest error of a coefficient: {worst:.4%}")
    assert worst < 0.02


def test_states_in_another_order_have_no_such_equations(states):
    found = found_terms(np.random.default_rng(0).permutation(states))
    right = [term for term, true in TERMS.items() if abs(found.get(term, 0.0) / true - 1) < 0.1]
    assert len(right) <= 1

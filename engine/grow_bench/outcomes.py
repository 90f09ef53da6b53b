"""How well a model tells what may come, where chance decides: likelihood and calibration on the test part.

A point prediction is a Gaussian of one width, that of its residuals in training: it collapses to the mean where there
are two outcomes. The grown graph has its distribution head, which looks at the training part until it stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.scores import calibration, nll
from engine.grow_bench.problem import PAST, Model, Problem
from engine.networks.growing.head import DistributionHead

Array = NDArray[np.float64]
CHECKS = 8


@dataclass(frozen=True, slots=True)
class Told:
    """Of the test part: negative log likelihood in nats, p-value of calibration, components of the head."""

    nll: float
    p_value: float
    components: int


def told(model: Model, problem: Problem, *, head: bool) -> Told:
    """With a head that may grow, or as a plain point prediction."""
    states = problem.stream.states
    width = states[0].size
    cuts = {"training": (PAST, problem.first), "test": (problem.last, len(states))}
    parts = {}
    for name, (first, last) in cuts.items():
        before = states[first - 1 : last - 1].reshape(last - first, width)
        predicted = model.one_step(states[first - PAST : last - 1]).reshape(last - first, width)
        parts[name] = before, predicted, states[first:last].reshape(last - first, width)
    distribution = DistributionHead(width, limit=6 if head else 0)
    for _ in range(CHECKS):
        decision = distribution.check(*parts["training"])
        if decision.why and not decision.grew:
            break
    levels = distribution.levels(*parts["test"])
    p_value = min(calibration(column) for column in levels.T)
    return Told(nll(distribution.log_density(*parts["test"])), p_value, distribution.components)


def true_density(problem: Problem) -> Told | None:
    """What the stream's own transition density scores; None where it is not known."""
    density = problem.stream.truth.density
    if density is None:
        return None
    x = problem.stream.states[problem.last - 1 :].reshape(-1)
    now, later = x[:-1], x[1:]
    return Told(nll(density.log_density(now, later)), calibration(density.distribution(now, later)), 0)

"""Who takes part, and the few settings that each is given to choose from on validation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.grow_bench.equations import LINEAR, QUADRATIC, Equations, has_pysindy
from engine.grow_bench.family import Look, pruned, random_sparse, ridge, trained
from engine.grow_bench.grown import Grown
from engine.grow_bench.problem import PAST, Data, Model, Problem
from engine.grow_bench.reservoir import EchoState, has_reservoirpy

Array = NDArray[np.float64]
Settings = Mapping[str, Any]
GROWN = "grown"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much everybody may do: gradient steps of batches of 256, weights of the sparse rivals, neurons."""

    steps: int
    weights: int
    """What the grown graph has used of its tokens on the same stream."""
    units: int


class Persistence:
    """The next state is the last one: what nobody may be worse than."""

    weights = tokens = 0

    def one_step(self, states: Array) -> Array:
        """See `Model`."""
        return states[PAST - 1 :]

    def roll_out(self, past: Array, steps: int) -> Array:
        """See `Model`."""
        return np.repeat(past[:, -1:], steps, axis=1)

    def adjacency(self) -> None:
        """Nobody reads anybody."""


_RATES = (0.03, 0.01, 0.003)
_SHAPES = ("products", "hinges", "products and hinges")
_PASTS: tuple[Settings, ...] = (
    {"memory": 3, "jitter": 0.01},
    {"memory": 6},
    {"memory": 1},
    {"memory": 2},
    {"memory": 6, "jitter": 0.01},
)
_LOOKS: tuple[Settings, ...] = (*_PASTS, {"memory": 2, "late": True}, {"memory": 2, "late": True, "jitter": 0.01})
_FAMILY: tuple[Settings, ...] = tuple({"rate": rate, **look} for rate in _RATES for look in _LOOKS)
_GROWN: tuple[Settings, ...] = tuple(
    {"rate": 0.01, "shapes": _SHAPES[(turn + at) % len(_SHAPES)], **past}
    for turn in range(len(_SHAPES))
    for at, past in enumerate(_PASTS)
)
"""Unlike ones come first, for those who try a few only."""
_RIDGES: tuple[Settings, ...] = tuple(
    {"penalty": penalty, **look} for penalty in (1e-8, 1e-6, 1e-4, 1e-2) for look in _LOOKS
)
_RESERVOIRS: tuple[Settings, ...] = tuple(
    {"radius": radius, "scaling": scaling, "ridge": ridge, "squares": squares}
    for squares in (True, False)
    for radius in (0.4, 0.9)
    for scaling in (0.1, 0.4)
    for ridge in (1e-9, 1e-6, 1e-3)
)
_THRESHOLDS = (0.1, 0.02, 0.5)


def _grown(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return Grown(problem, budget.steps, seed, **settings)


def _dense(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return trained(problem, budget.steps, seed, settings["rate"], _look(settings))


def _ridge(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return ridge(problem, seed, settings["penalty"], _look(settings))


def _pruned(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return pruned(problem, budget.steps, seed, settings["rate"], _look(settings), budget.weights)


def _random(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return random_sparse(problem, budget.steps, seed, settings["rate"], _look(settings), budget.weights)


def _look(settings: Settings) -> Look:
    return Look(settings["memory"], settings.get("late", False), settings.get("jitter", 0.0))


def _reservoir(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return EchoState(problem, seed, units=budget.units, **settings)


def _equations(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    degree = 2 if problem.stream.states[0].size <= QUADRATIC else 1
    return Equations(problem, degree=degree, **settings)


def _persistence(problem: Problem, budget: Budget, seed: int, settings: Settings) -> Model:
    return cast(Model, Persistence())


@dataclass(frozen=True, slots=True)
class Method:
    """A way to a model."""

    make: Callable[[Problem, Budget, int, Settings], Model]
    grid: tuple[Settings, ...]
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot be run here."""
    sparse: bool = False
    """Whether it is given as many weights as the graph has grown."""


def _needs(package: str, has: Callable[[], bool]) -> Callable[[], str | None]:
    return lambda: None if has() else f"{package} is not installed (pip install {package})"


METHODS: dict[str, Method] = {
    GROWN: Method(_grown, _GROWN),
    "dense": Method(_dense, _FAMILY),
    "dense, least squares": Method(_ridge, _RIDGES),
    "pruned": Method(_pruned, _FAMILY, sparse=True),
    "random sparse": Method(_random, _FAMILY, sparse=True),
    "echo state": Method(_reservoir, _RESERVOIRS, _needs("reservoirpy", has_reservoirpy)),
    "PySINDy": Method(_equations, tuple({"threshold": t} for t in _THRESHOLDS), _needs("pysindy", has_pysindy)),
    "persistence": Method(_persistence, ({},)),
}


def applies(method: str, data: Data, problem: Problem) -> bool:
    """Whether a method can say anything about a stream: PySINDy needs few numbers, polynomials and no chance."""
    if method != "PySINDy":
        return True
    return data.name not in ("fhn", "doublewell", "black-hole") and problem.stream.states[0].size <= LINEAR

"""Where the gradients of a batch come from: equilibrium propagation, random feedback, or backpropagation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.learning.equilibrium import Equilibrium
from engine.learning.growth import Growth
from engine.learning.lattice import CubeEquilibrium
from engine.learning.local import read_out_error
from engine.linalg import orthogonal_stack, polar, semi_orthogonal
from engine.networks.chain import softmax
from engine.preset import Preset

Array = NDArray[Any]
Method = Literal["eqprop", "feedback", "drifting", "redrawn", "read-out", "persistent", "backprop", "ternary"]


Update = Callable[[dict[str, Array], float], None]
"""Moves the weights along minus the gradients by name; the number is the share of a whole step."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a batch showed at its free fixed point: mean cross-entropy, and how many answers were right."""

    loss: float
    correct: int


class Teacher(Protocol):
    """Teaches batches to the weights it was made for."""

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """Work out gradients for encoded pictures x (B, pixels) and labels (B,), and `update` once or more."""

    def updated(self) -> None:
        """The weights have changed for the next batch."""

    def state_dict(self) -> dict[str, Array]:
        """What a checkpoint must keep besides weights and optimiser."""

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""


def lesson_from(logits: Array, labels: NDArray[np.int64]) -> Lesson:
    """Loss and right answers of logits (B, classes)."""
    probabilities = softmax(logits.astype(np.float64))[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).mean())
    return Lesson(loss if np.isfinite(logits).all() else math.nan, int((logits.argmax(-1) == labels).sum()))


class EquilibriumTeacher:
    """Centred equilibrium propagation: settle, nudge both ways, settle, compare locally."""

    def __init__(self, equilibrium: Equilibrium) -> None:
        self.equilibrium = equilibrium

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """One update."""
        free = self.equilibrium.settle(x)
        update(self.equilibrium.gradients(free, self.equilibrium.nudge(free, labels)), 1.0)
        return lesson_from(free.logits, labels)

    def updated(self) -> None:
        """Transposes are made anew."""
        self.equilibrium.refresh()

    def state_dict(self) -> dict[str, Array]:
        """What the fixed points keep."""
        return self.equilibrium.state_dict()

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""
        self.equilibrium.load_state_dict(state)


class GrowingTeacher(EquilibriumTeacher):
    """Equilibrium propagation in a lattice whose synapses come and go (`engine.learning.growth`)."""

    def __init__(self, equilibrium: CubeEquilibrium, growth: Growth) -> None:
        super().__init__(equilibrium)
        self._cube, self._growth = equilibrium, growth

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """One update."""
        free = self._cube.settle(x)
        nudged = self._cube.nudge(free, labels)
        self._growth.hear(free.states[0], self._cube.credit(free, nudged))
        update(self._cube.gradients(free, nudged), 1.0)
        return lesson_from(free.logits, labels)

    def updated(self) -> None:
        """Synapses die and are born; transposes are made anew."""
        self._growth.keep(self._cube.weights)
        self._growth.step(self._cube.weights)
        super().updated()

    def state_dict(self) -> dict[str, Array]:
        """Which synapses exist, and how loud the nudge was."""
        return {**super().state_dict(), **self._growth.state_dict()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""
        super().load_state_dict(state)
        self._growth.load_state_dict(state)


INNER_TICKS = 40
"""Ticks of each layer that backpropagation unrolls (recursive chain)."""
CONV_TICKS = 16
"""The same for the convolutional chain, which comes to rest sooner."""
TICKS = 100
"""Synchronous ticks that backpropagation unrolls (Hopfield chain)."""
UNROLLED = ("recursive", "hopfield", "conv")
"""Networks that backpropagation can unroll."""
DRIFT = 0.01
"""How far drifting feedback walks at an update, relative to its norm per entry."""
REDRAWN = 1e3
"""A walk so far that nothing is left of where it began: fresh random feedback for every batch."""


def random_feedback(equilibrium: Equilibrium, rng: np.random.Generator) -> dict[str, Array]:
    """Random orthogonal matrices in the place of every transpose, and a random read-out for the force."""
    layers, neurons = equilibrium.weights["b"].shape
    classes = len(equilibrium.weights["W_out"])
    backward = {
        name: orthogonal_stack(rng, layers, neurons).astype(equilibrium.dtype) for name in equilibrium.couplings
    }
    return {**backward, "W_out": semi_orthogonal(rng, classes, neurons).astype(equilibrium.dtype)}


class FeedbackTeacher(EquilibriumTeacher):
    """Feedback alignment: the nudge travels down through random matrices instead of transposes.

    It stays as it is (Lillicrap et al. 2016, Nature Communications 7), or walks at random by `drift` at every update,
    so that the forward weights follow a moving target.
    """

    def __init__(self, equilibrium: Equilibrium, seed: int, drift: float = 0.0) -> None:
        super().__init__(equilibrium)
        self._drift = drift
        self._seed, self._steps = seed, 0
        self._feedback = random_feedback(equilibrium, np.random.default_rng((seed, 2)))
        equilibrium.feedback = self._feedback

    def updated(self) -> None:
        """Transposes are made anew; drifting feedback takes a step."""
        super().updated()
        if self._drift > 0:
            rng = np.random.default_rng((self._seed, 2, self._steps + 1))  # (seed, 2, 0) would be (seed, 2) again
            for matrix in self._feedback.values():
                step = rng.standard_normal(matrix.shape).astype(matrix.dtype) / np.sqrt(matrix.shape[-1])
                matrix[...] = polar(matrix + self._drift * step)
            self._steps += 1

    def state_dict(self) -> dict[str, Array]:
        """The feedback as it is now."""
        return {**self._feedback, "steps": np.array([self._steps])}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over; the random walk goes on where it was."""
        for name, matrix in self._feedback.items():
            matrix[...] = state[name]
        self._steps = int(state["steps"][0])


class ReadOutTeacher(EquilibriumTeacher):
    """Control: only the read-out learns, from the error that it makes; no credit goes down and nothing below moves."""

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """One update."""
        free = self.equilibrium.settle(x)
        error = read_out_error(free.logits, labels)
        update({"W_out": (error.T @ free.read.top.T) / -len(labels)}, 1.0)
        return lesson_from(free.logits, labels)


class BackpropTeacher(EquilibriumTeacher):
    """The rival: backpropagation through the same relaxation of the same network (`engine.learning.backprop`)."""

    def lesson(self, x: Array, labels: NDArray[np.int64], update: Update) -> Lesson:
        """One update."""
        from engine.learning.backprop import gradient_of_batch, gradient_through_ticks
        from engine.learning.backprop_conv import gradient_of_conv_batch
        from engine.learning.conv import ConvEquilibrium

        net = self.equilibrium
        knobs = {"sigma": net.sigma, "input_gain": net.input_gain}
        if isinstance(net, ConvEquilibrium):
            gradients, loss, correct = gradient_of_conv_batch(
                net.plan, net.weights, x, labels, **knobs, inner_ticks=CONV_TICKS
            )
        elif net.kind == "recursive":
            gradients, loss, correct = gradient_of_batch(net.weights, x, labels, **knobs, inner_ticks=INNER_TICKS)
        else:
            gradients, loss, correct = gradient_through_ticks(net.kind, net.weights, x, labels, **knobs, ticks=TICKS)
        update(gradients, 1.0)
        return Lesson(loss, correct)


def teacher_of(method: Method, equilibrium: Equilibrium, preset: Preset, batch: int, seed: int) -> Teacher:
    """The teacher of this name for the weights of `equilibrium`, a network of `preset`."""
    if method == "eqprop" and equilibrium.kind == CubeEquilibrium.kind:
        assert isinstance(equilibrium, CubeEquilibrium)
        budget = float(preset.knobs.get("budget", 1))
        return GrowingTeacher(equilibrium, Growth(equilibrium.space, equilibrium.weights, budget, seed))
    if method in ("eqprop", "ternary"):
        return EquilibriumTeacher(equilibrium)
    if method == "backprop":
        return BackpropTeacher(equilibrium)
    if method == "persistent":
        from engine.learning.persistent import PersistentTeacher

        return PersistentTeacher(equilibrium, preset, batch)
    if method == "read-out":
        return ReadOutTeacher(equilibrium)
    return FeedbackTeacher(equilibrium, seed, {"feedback": 0.0, "drifting": DRIFT, "redrawn": REDRAWN}[method])

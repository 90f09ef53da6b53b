"""Training: epochs of batches, held-out accuracy, early stop, checkpoints that survive a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, plan_of
from engine.data import Dataset, split
from engine.learning.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from engine.learning.equilibrium import Equilibrium, equilibrium_of
from engine.learning.optimise import OPTIMISERS, Optimiser
from engine.learning.teachers import UNROLLED, Method, Teacher, teacher_of
from engine.learning.ternary import FlipDescent
from engine.networks.chain import PLAIN, common_knobs
from engine.preset import Preset

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, batches done and batches in all."""
RATES = {"cube": 1e-2, "nested": 1e-2}
"""First step sizes that suit networks better than the recipe's own: a voxel has few synapses, and small ones; in a nest
most layers say but a small part of what their Block gives on."""
LOCAL = ("eqprop", "persistent", "read-out")
"""Methods that need no matrices, so that every network can learn by them."""
VALIDATION_SHARE = 0.1
"""Part of the training pictures that decides on an early stop."""


class TrainingError(ValueError):
    """Training that cannot be done or went wrong; one readable line."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Everything random follows from `seed` and the preset's own (for the first weights)."""

    epochs: int = 5
    batch: int = 64
    rate: float = 2e-3
    """Falls along half a cosine to nothing at the last batch (Loshchilov & Hutter 2017, arXiv 1608.03983)."""
    optimiser: str = "adam"
    """Not asked for by the method "ternary", which flips weights."""
    method: Method = "eqprop"
    beta: float = 0.01
    """Nudge strength while training: small, so that credit which grows on its way down a deep chain stays in the linear
    range. Displacements keep their relative precision in float32, so nothing is lost (see `kernels`)."""
    noise: float = 0.3
    """Standard deviation of Gaussian noise on the standardised training pictures, fresh in every epoch."""
    seed: int = 0
    patience: int | None = None
    """Stop after this many epochs without a better accuracy on the validation part; None trains to the end."""
    tolerance: float = 1e-5
    shuffled: bool = False
    """Control: train on labels in random order."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch left: loss and accuracy while it ran, held-out accuracy after it, seconds."""

    number: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The trained weights (as `Chain.weights`) and what was measured; accuracies are of the last weights."""

    weights: dict[str, Array]
    history: list[Epoch]
    seconds: float
    train_accuracy: float
    test_accuracy: float
    stopped_early: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)


def equilibrium_for(preset: Preset, weights: dict[str, Array], tolerance: float = 1e-5) -> Equilibrium:
    """The fixed points of a preset's network with these weights, knobs where the preset puts them."""
    knobs = common_knobs((PLAIN,))
    sigma, input_gain, beta = (float(preset.knobs.get(n, knobs[n].value)) for n in ("sigma", "input_gain", "beta"))
    return equilibrium_of(
        preset.network, weights, sigma=sigma, input_gain=input_gain, beta=beta, tolerance=tolerance,
        plan=plan_of(preset),
    )  # fmt: skip


def accuracy(equilibrium: Equilibrium, data: Dataset, indices: NDArray[np.int64], batch: int = 256) -> float:
    """Share of the pictures `indices` whose class the free fixed point names."""
    right = 0
    for part in batches(indices, batch):
        logits = equilibrium.settle(data.encode(data.images[part])).logits
        right += int((logits.argmax(-1) == data.labels[part]).sum())
    return right / len(indices)


def batches(indices: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Consecutive parts of at most `size`."""
    return [indices[first : first + size] for first in range(0, len(indices), size)]


def first_weights(preset: Preset) -> dict[str, Array]:
    """Untrained weights of a preset's network, whatever weights file it names."""
    fresh = preset.model_copy(update={"weights_file": None, "weights": None})
    return build_network(fresh, "numpy").state_dict()


def train(
    preset: Preset,
    data: Dataset,
    recipe: Recipe,
    *,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    weights: dict[str, Array] | None = None,
    flips: FlipDescent | None = None,
    teaching: Callable[[Equilibrium], Teacher] | None = None,
) -> Report:
    """Train a preset's network from its first weights (or `weights`, changed in place).

    After every epoch `checkpoint` is written whole or not at all; with `resume` training goes on from it and ends with
    the same bits as if it had never stopped. `flips` makes the weights ternary instead of the recipe's optimiser,
    `teaching` the teacher instead of the recipe's method.
    Raises TrainingError, WeightsError.
    """
    started = time.perf_counter()
    parts = split(data, 0)
    learning, validation = _validation(parts.train, recipe)
    labels = data.labels
    if recipe.shuffled:
        labels = labels.copy()
        labels[learning] = np.random.default_rng((recipe.seed, 3)).permutation(labels[learning])
    weights = first_weights(preset) if weights is None else weights
    equilibrium = equilibrium_for(preset, weights, recipe.tolerance)
    equilibrium.beta = recipe.beta
    known = (*LOCAL, "backprop") if equilibrium.kind in UNROLLED else LOCAL
    if not equilibrium.matrices and recipe.method not in known:
        raise TrainingError(f"{preset.name}: a {equilibrium.kind} learns by {' or '.join(known)}, not {recipe.method}")
    if teaching is None:
        teacher = teacher_of(recipe.method, equilibrium, preset, recipe.batch, recipe.seed)
    else:
        teacher = teaching(equilibrium)
    optimiser: Optimiser = OPTIMISERS[recipe.optimiser](recipe.rate)
    if flips is None and recipe.method == "ternary":
        flips = FlipDescent(recipe.rate, equilibrium.recurrent, recipe.seed)
    if flips is not None:
        optimiser = flips
        flips.begin(weights)
        teacher.updated()
    told = {"recipe": asdict(recipe), "preset": preset.model_dump(mode="json"), "data": data.name}
    history: list[Epoch] = []
    spent = 0.0
    if resume and checkpoint is not None and checkpoint.exists():
        saved = read_checkpoint(checkpoint)
        saved.belongs_to(told, checkpoint)
        for name, array in weights.items():
            array[...] = saved.weights[name]
        teacher.updated()
        optimiser.load_state_dict(saved.optimiser)
        teacher.load_state_dict(saved.teacher)
        history, spent = [Epoch(**epoch) for epoch in saved.history], saved.seconds
    count = len(batches(learning, recipe.batch))
    stopped = False
    for number in range(len(history) + 1, recipe.epochs + 1):
        since = time.perf_counter()
        rng = np.random.default_rng((recipe.seed, number))
        order = rng.permutation(learning)
        loss, right = 0.0, 0
        for done, part in enumerate(batches(order, recipe.batch)):
            if progress is not None:
                progress(f"epoch {number} of {recipe.epochs}", (number - 1) * count + done, recipe.epochs * count)
            x = data.encode(data.images[part])
            if recipe.noise > 0:
                x += recipe.noise * rng.standard_normal(x.shape, np.float32)
            past = ((number - 1) * count + done) / (recipe.epochs * count)
            rate = recipe.rate * (1 + math.cos(math.pi * past)) / 2

            def update(gradients: dict[str, Array], share: float, rate: float = rate) -> None:
                optimiser.rate = rate * share
                optimiser.step(weights, gradients)

            lesson = teacher.lesson(x, labels[part], update)
            if not math.isfinite(lesson.loss):
                raise TrainingError(f"{preset.name}: the network left the finite numbers in epoch {number}")
            if flips is None:
                equilibrium.bound()
            teacher.updated()
            loss += lesson.loss * len(part)
            right += lesson.correct
        history.append(
            Epoch(
                number, loss / len(learning), right / len(learning), accuracy(equilibrium, data, parts.test),
                accuracy(equilibrium, data, validation) if len(validation) else None, time.perf_counter() - since,
            )
        )  # fmt: skip
        if checkpoint is not None:
            seconds = spent + time.perf_counter() - started
            epochs = [asdict(epoch) for epoch in history]
            state = optimiser.state_dict(), teacher.state_dict()
            write_checkpoint(checkpoint, Checkpoint(told, epochs, seconds, weights, *state))
        if _run_dry(history, recipe.patience):
            stopped = True
            break
    if progress is not None:
        progress("measuring", recipe.epochs * count, recipe.epochs * count)
    return Report(
        weights,
        history,
        spent + time.perf_counter() - started,
        accuracy(equilibrium, data, parts.train),
        accuracy(equilibrium, data, parts.test),
        stopped,
    )


def _validation(train_part: NDArray[np.int64], recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if recipe.patience is None:
        return train_part, train_part[:0]
    order = np.random.default_rng((recipe.seed, 0)).permutation(train_part)
    kept = max(1, round(VALIDATION_SHARE * len(order)))
    return order[kept:], order[:kept]


def _run_dry(history: list[Epoch], patience: int | None) -> bool:
    if patience is None or len(history) <= patience:
        return False
    seen = [epoch.validation_accuracy or 0.0 for epoch in history]
    return max(seen[-patience:]) <= max(seen[:-patience])

"""Feedback alignment: learning through random matrices in the place of every transpose."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.data import Dataset, split
from engine.experiments.curves import over_seeds
from engine.learning.align import cosine
from engine.learning.checkpoint import Checkpoint, read_checkpoint
from engine.learning.exact import exact_gradients
from engine.learning.teachers import Method
from engine.learning.train import Recipe, equilibrium_for, train
from engine.preset import Preset

Array = NDArray[Any]

TITLE = "Feedback alignment: learning without weight transport"
QUESTION = (
    "How well does a network learn if its nudge travels down through random matrices, fixed or slowly walking, instead "
    "of its own transposes, and how far does the update then point along the exact gradient? Controls: feedback drawn "
    "anew for every batch, only the read-out learning, and shuffled labels."
)
METHODS: dict[str, tuple[Method, bool]] = {
    "exact transposes": ("eqprop", False),
    "fixed feedback": ("feedback", False),
    "drifting feedback": ("drifting", False),
    "redrawn feedback (control)": ("redrawn", False),
    "read-out only (control)": ("read-out", False),
    "shuffled labels (control)": ("feedback", True),
}
"""The teacher, and whether labels are shuffled."""
RATES = {"recursive": 5e-3, "hopfield": 1e-2}
"""The same for every method."""
SIGMA = 0.9
SAMPLES = 16
"""Training pictures over which the final update is compared with the exact gradient."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network, depth, method and seed."""
    epochs, seeds = (3, 1) if quick else (10, 3)
    depths = {"recursive": (4,) if quick else (2, 6, 12, 30, 100), "hopfield": (2,) if quick else (2, 4)}
    return [
        {"network": network, "method": method, "layers": layers, "epochs": epochs, "seed": seed}
        for network in depths
        for layers in depths[network]
        for method in METHODS
        for seed in range(seeds)
    ]


def run(network: str, method: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; one row: accuracies, and alignment, the mean over layers of the cosine of the final update of W with
    its exact gradient (None where nothing below the read-out learns)."""
    teacher, shuffled = METHODS[method]
    preset = Preset.model_validate(
        {"name": "feedback", "title": TITLE, "network": network, "layers": layers, "neurons": 64, "seed": seed,
         "knobs": {"sigma": SIGMA}}
    )  # fmt: skip
    data = load_data(preset)
    recipe = Recipe(epochs=epochs, rate=RATES[network], method=teacher, seed=seed, shuffled=shuffled)
    with TemporaryDirectory() as folder:
        path = Path(folder, "trained.safetensors")
        report = train(preset, data, recipe, checkpoint=path)
        end = read_checkpoint(path)
    return [
        {"track": "feedback", "network": network, "method": method, "layers": layers, "epochs": epochs, "seed": seed,
         "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy,
         "alignment": None if teacher == "read-out" else alignment(preset, data, recipe, end)}
    ]  # fmt: skip


def alignment(preset: Preset, data: Dataset, recipe: Recipe, end: Checkpoint) -> float | None:
    """Mean cosine over the layers of the update of W with its exact gradient; None if no layer has either."""
    chosen = split(data).train[:SAMPLES]
    x, labels = data.encode(data.images[chosen]), data.labels[chosen]
    fixed = equilibrium_for(preset, end.weights)
    fixed.beta = recipe.beta
    fixed.feedback = {name: end.teacher[name] for name in (*fixed.couplings, "W_out")} if end.teacher else None
    free = fixed.settle(x)
    update = fixed.gradients(free, fixed.nudge(free, labels))["W"]
    exact = exact_gradients(fixed.kind, end.weights, x, labels, fixed.sigma, fixed.input_gain)["W"]
    cosines = [cosine(a, b) for a, b in zip(update, exact, strict=True)]
    known = [value for value in cosines if value is not None]
    return float(np.mean(known)) if known else None


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over depth; recursive chain solid, Hopfield chain dashed."""
    for network, style in (("recursive", "o-"), ("hopfield", "s--")):
        axes.set_prop_cycle(None)
        for method in METHODS:
            chosen = [row for row in rows if (row["network"], row["method"]) == (network, method)]
            label = method if network == "recursive" else "_Hopfield chain"
            over_seeds(axes, chosen, "layers", "test_accuracy", label, style)
    axes.plot([], [], "ks--", label="Hopfield chain")
    axes.set_xscale("log")
    axes.set_xlabel("layers")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

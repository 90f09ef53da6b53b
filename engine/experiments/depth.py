"""Depth: what a network of L layers reads after the same budget, by how it was trained."""

from __future__ import annotations

from typing import Any

from engine.build import load_data
from engine.experiments.curves import over_seeds
from engine.learning.teachers import Method
from engine.learning.train import Recipe, train
from engine.preset import Preset

TITLE = "Depth: accuracy after the same budget"
QUESTION = (
    "How well does a chain of L layers read held-out digits after the same number of epochs? Equilibrium propagation "
    "beside backpropagation through the same relaxation of the same network, and beside an ordinary residual network "
    "of the same size (sigma = 0). Control: training on shuffled labels."
)
METHODS: dict[str, tuple[Method, float, bool]] = {
    "eqprop": ("eqprop", 0.9, False),
    "backprop": ("backprop", 0.9, False),
    "backprop, no recurrence": ("backprop", 0.0, False),
    "shuffled labels (control)": ("eqprop", 0.9, True),
}
"""The teacher, sigma, and whether labels are shuffled."""
NEURONS = 64


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per method, depth and seed; the deepest first, so that no long job is left for the end."""
    depths, epochs, seeds = ((10, 4), 2, 1) if quick else ((200, 100, 30, 10), 5, 3)
    return [
        {"method": method, "layers": layers, "epochs": epochs, "seed": seed}
        for layers in depths
        for method in METHODS
        for seed in range(seeds)
    ]


def run(method: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; one row: accuracies on training and held-out digits, the last epoch's mean loss, seconds."""
    teacher, sigma, shuffled = METHODS[method]
    preset = Preset(
        name="depth", title=TITLE, network="recursive", layers=layers, neurons=NEURONS, seed=seed,
        knobs={"sigma": sigma},
    )  # fmt: skip
    recipe = Recipe(epochs=epochs, method=teacher, seed=seed, shuffled=shuffled)
    report = train(preset, load_data(preset), recipe)
    return [
        {"track": "depth", "method": method, "layers": layers, "neurons": NEURONS, "epochs": epochs, "seed": seed,
         "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy,
         "train_loss": report.history[-1].loss, "seconds": report.seconds}
    ]  # fmt: skip


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over the number of layers."""
    for method in METHODS:
        over_seeds(axes, [row for row in rows if row["method"] == method], "layers", "test_accuracy", method)
    axes.axhline(0.1, linestyle=":", color="grey", label="chance")
    axes.set_xscale("log")
    axes.set_xlabel("layers")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

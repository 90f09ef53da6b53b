"""Convolution: what chains of convolutional blocks read, by how they were trained, and the norms they end with."""

from __future__ import annotations

from typing import Any

from engine.build import load_data, plan_of
from engine.experiments.curves import over_seeds
from engine.learning.teachers import Method
from engine.learning.train import Recipe, train
from engine.networks.conv.norm import Recurrences
from engine.networks.conv.plan import Plan
from engine.preset import Preset

TITLE = "Convolution: accuracy of convolutional chains"
QUESTION = (
    "How well does a chain of convolutional blocks, at two resolutions, read held-out digits after the same number of "
    "epochs, taught by equilibrium propagation or by backpropagation through the same relaxation? Does the norm of "
    "every recurrent operator stay at 1? Controls: only the read-out learns, and shuffled labels."
)
METHODS: dict[str, tuple[Method, bool]] = {
    "eqprop": ("eqprop", False),
    "backprop": ("backprop", False),
    "read-out only (control)": ("read-out", False),
    "shuffled labels (control)": ("eqprop", True),
}
"""The teacher, and whether labels are shuffled."""
SIGMA = 0.9


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per method, number of residual blocks and seed; the deepest first."""
    depths, epochs, seeds = ((1,), 2, 1) if quick else ((4, 2, 1), 6, 3)
    return [
        {"method": method, "blocks": blocks, "epochs": epochs, "seed": seed}
        for blocks in depths
        for method in METHODS
        for seed in range(seeds)
    ]


def _preset(blocks: int, seed: int) -> Preset:
    """A first layer and so many residual blocks at each of two resolutions."""
    stages: list[dict[str, Any]] = [{"channels": 16}, {"channels": 32, "stride": 2}]
    tables = [
        table
        for stage in stages
        for table in (stage, {"channels": stage["channels"], "residual": True, "repeat": blocks})
    ]
    told = {"name": "convolution", "title": TITLE, "network": "conv", "seed": seed, "conv": tables}
    return Preset.model_validate({**told, "knobs": {"sigma": SIGMA}})


def run(method: str, blocks: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; one row: accuracies on training and held-out digits, the last loss, seconds, the largest norm."""
    teacher, shuffled = METHODS[method]
    preset = _preset(blocks, seed)
    recipe = Recipe(epochs=epochs, method=teacher, seed=seed, shuffled=shuffled)
    report = train(preset, load_data(preset), recipe)
    plan = plan_of(preset)
    assert isinstance(plan, Plan)
    norms = Recurrences(plan, report.weights["W_out"].dtype).norms(report.weights)
    return [
        {"track": "convolution", "method": method, "blocks": blocks, "layers": preset.layers, "epochs": epochs,
         "seed": seed, "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy,
         "train_loss": report.history[-1].loss, "largest_norm": max(norms.values()), "seconds": report.seconds}
    ]  # fmt: skip


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over the number of layers."""
    for method in METHODS:
        over_seeds(axes, [row for row in rows if row["method"] == method], "layers", "test_accuracy", method)
    axes.axhline(0.1, linestyle=":", color="grey", label="chance")
    axes.set_xlabel("layers")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

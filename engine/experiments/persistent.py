"""Clockless learning: a weak target pulls all the time and the weights move at every tick, beside clocked phases."""

from __future__ import annotations

from typing import Any

from engine.build import load_data
from engine.experiments.curves import over_seeds
from engine.learning.teachers import Method
from engine.learning.train import Recipe, train
from engine.preset import Preset

TITLE = "Persistent learning: no phases, no clock"
QUESTION = (
    "Does a network whose weights move at every tick, while free and nudged copies run on side by side, learn as well "
    "as one that waits for its free and its nudged phase to settle, from the same pictures and at the same rate? "
    "Controls: shuffled labels, and only the read-out learning."
)
METHODS: dict[str, tuple[Method, bool]] = {
    "clocked": ("eqprop", False),
    "persistent": ("persistent", False),
    "read-out only (control)": ("read-out", False),
    "shuffled labels (control)": ("persistent", True),
}
"""The teacher, and whether labels are shuffled."""
RATES = {"recursive": 4e-3, "hopfield": 1e-2}
"""The same for every method."""
SIGMA = 0.9


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network, method and seed."""
    epochs, seeds = (2, 1) if quick else (5, 3)
    depths = (("recursive", 4), ("hopfield", 2)) if quick else (("recursive", 12), ("hopfield", 2), ("hopfield", 4))
    return [
        {"network": network, "method": method, "layers": layers, "epochs": epochs, "seed": seed}
        for network, layers in depths
        for method in METHODS
        for seed in range(seeds)
    ]


def run(network: str, method: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; a row per epoch: held-out accuracy after it, running accuracy on the training pictures in it."""
    teacher, shuffled = METHODS[method]
    preset = Preset.model_validate(
        {"name": "persistent", "title": TITLE, "network": network, "layers": layers, "neurons": 64, "seed": seed,
         "knobs": {"sigma": SIGMA}}
    )  # fmt: skip
    recipe = Recipe(epochs=epochs, rate=RATES[network], method=teacher, seed=seed, shuffled=shuffled)
    report = train(preset, load_data(preset), recipe)
    return [
        {"track": "persistent", "network": network, "method": method, "layers": layers, "epoch": epoch.number,
         "epochs": epochs, "seed": seed, "test_accuracy": epoch.test_accuracy, "train_accuracy": epoch.train_accuracy}
        for epoch in report.history
    ]  # fmt: skip


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Held-out accuracy over the epochs; the recursive chain solid, the deepest Hopfield chain dashed."""
    deepest = max((row["layers"] for row in rows if row["network"] == "hopfield"), default=0)
    for network, style in (("recursive", "o-"), ("hopfield", "s--")):
        axes.set_prop_cycle(None)
        for method in METHODS:
            chosen = [row for row in rows if (row["network"], row["method"]) == (network, method)]
            chosen = [row for row in chosen if network == "recursive" or row["layers"] == deepest]
            label = method if network == "recursive" else "_Hopfield chain"
            over_seeds(axes, chosen, "epoch", "test_accuracy", label, style)
    axes.plot([], [], "ks--", label=f"Hopfield chain, {deepest} layers")
    axes.set_xlabel("epoch")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

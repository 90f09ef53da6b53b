"""Growth: a cube with fewer synapses, placed by the nudge or at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.experiments.curves import over_seeds
from engine.learning.equilibrium import Equilibrium
from engine.learning.growth import TURNOVER, Growth
from engine.learning.lattice import CubeEquilibrium
from engine.learning.teachers import GrowingTeacher
from engine.learning.train import Recipe, first_weights, train
from engine.networks.neural_cube import BELOW, joined
from engine.preset import Preset
from kernels.lattice_reference import lattice_mask

TITLE = "Growth: where synapses are, at a fixed budget"
QUESTION = (
    "How well does a cube read digits with half, or a quarter, of its synapses, if they grow where the nudge is loud "
    "and die where it is silent? Controls: death and birth at random at the same pace; a random choice made once, "
    "before training; the whole lattice; shuffled labels."
)
WAYS = ("nudge", "random turnover (control)", "random once (control)", "shuffled labels (control)")
BUDGETS = (1.0, 0.5, 0.25)
SIGMA = 0.3
RATE = 1e-2


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per way, budget and seed; with the whole budget there is but one way, and its control."""
    side, epochs, seeds = (6, 3, 1) if quick else (8, 12, 3)
    return [
        {"way": way, "budget": budget, "side": side, "epochs": epochs, "seed": seed}
        for way in WAYS
        for budget in BUDGETS
        for seed in range(seeds)
        if budget < 1 or way in (WAYS[0], WAYS[3])
    ]


def run(way: str, budget: float, side: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; one row: accuracies, the share of synapses left, least and most synapses of a layer, seconds."""
    preset = Preset.model_validate(
        {"name": "growth", "title": TITLE, "network": "cube", "layers": side, "seed": seed, "knobs": {"sigma": SIGMA}}
    )
    weights = first_weights(preset)
    places = lattice_mask(side, side)
    if way == WAYS[2]:
        _thin(weights, places, budget, seed)

    def teaching(equilibrium: Equilibrium) -> GrowingTeacher:
        assert isinstance(equilibrium, CubeEquilibrium)
        at_random = way in WAYS[1:3]
        turnover = 0.0 if way == WAYS[2] else TURNOVER
        growth = Growth(equilibrium.space, equilibrium.weights, budget, seed, turnover=turnover, blind=at_random)
        return GrowingTeacher(equilibrium, growth)

    recipe = Recipe(epochs=epochs, rate=RATE, seed=seed, shuffled=way == WAYS[3])
    report = train(preset, load_data(preset), recipe, weights=weights, teaching=teaching)
    exists = joined(report.weights["U"], report.weights["R"], (1.0, 1.0)) != 0
    per_layer = exists.sum((1, 2)) / places.sum((1, 2))
    return [
        {"track": "growth", "way": way, "budget": budget, "side": side, "epochs": epochs, "seed": seed,
         "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy,
         "share": float(exists.sum() / places.sum()), "sparsest_layer": float(per_layer.min()),
         "densest_layer": float(per_layer.max()), "seconds": report.seconds}
    ]  # fmt: skip


def _thin(weights: dict[str, Any], places: NDArray[np.bool_], budget: float, seed: int) -> None:
    """Leave a random choice of synapses, in place."""
    inside = np.flatnonzero(places)
    gone = np.random.default_rng((seed, 13)).permutation(inside)[: len(inside) - round(budget * len(inside))]
    kept = np.ones(places.shape, bool)
    kept.reshape(-1)[gone] = False
    weights["U"] *= kept[:, :BELOW]
    weights["R"] *= kept[:, BELOW:]


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over the share of synapses."""
    whole = [row for row in rows if row["budget"] == 1 and row["way"] == WAYS[0]]
    for way in WAYS:
        chosen = [row for row in rows if row["way"] == way]
        if chosen and way in WAYS[1:3]:
            chosen = [*chosen, *whole]
        over_seeds(axes, chosen, "budget", "test_accuracy", way)
    axes.axhline(0.1, linestyle=":", color="grey", label="chance")
    axes.set_xlabel("synapses, share of the lattice")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

"""Ternary weights: what synapses of -1, 0 and 1 read, remember and cost, and that their flips have a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.data import split
from engine.experiments.curves import over_seeds
from engine.learning.optimise import Adam
from engine.learning.ternary import FLOATS, FlipDescent, nearly, packed_weights
from engine.learning.train import Recipe, equilibrium_for, train
from engine.preset import Preset

Array = NDArray[Any]

TITLE = "Ternary weights by stochastic energy descent"
QUESTION = (
    "How well does a chain read whose weights are -1, 0 or 1 times one scale a layer, learned by flips that Metropolis "
    "accepts by the energy difference that the local credit tells? Beside it float32 weights and ternary ones with "
    "hidden floats (straight-through). Controls: energy differences dealt out to the synapses at random (as many "
    "flips, blind), infinite temperature, no flips at all (scales and biases learn alone), shuffled labels."
)
NEURONS = 64
SIGMA = 0.9


@dataclass(frozen=True, slots=True)
class Way:
    """How weights move. kind: flips, straight-through, float."""

    kind: str = "flips"
    temperature: float = 0.5
    attempts: float = 0.3
    blind: bool = False
    shuffled: bool = False


WAYS = {
    "flips": Way(),
    "float32": Way("float"),
    "straight-through": Way("straight-through"),
    "blind flips (control)": Way(blind=True),
    "infinite temperature (control)": Way(temperature=np.inf),
    "no flips (control)": Way(attempts=0.0),
    "shuffled labels (control)": Way(shuffled=True),
}


class StraightThrough(FlipDescent):
    """The usual way, with a hidden float behind every synapse: floats follow the gradient of what they round to."""

    def begin(self, weights: Mapping[str, Array]) -> None:
        """Keep the floats, round the weights."""
        self._hidden = {name: tensor.copy() for name, tensor in weights.items()}
        self._mover = Adam(self.rate)
        super().begin(weights)

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move the hidden floats and round anew."""
        self._mover.rate = self.rate
        self._mover.step(self._hidden, gradients)
        for name, hidden in self._hidden.items():
            if name in FLOATS:
                weights[name][...] = hidden
                continue
            stack = hidden.reshape(-1, *hidden.shape[-2:])
            signs, self._scales[name] = nearly(stack)
            self._write(name, weights[name].reshape(stack.shape), signs)


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per way, depth and seed."""
    depths, epochs, seeds = ((6,), 5, 1) if quick else ((100, 30, 12, 6), 10, 3)
    return [
        {"method": method, "layers": layers, "epochs": epochs, "seed": seed}
        for layers in depths
        for method in WAYS
        for seed in range(seeds)
    ]


def run(method: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; one row. accepted: share of tried steps that were made; bytes of all weights as a file holds them.

    operations: per digit, layer after layer: a float weight takes a multiply-add (2), a ternary one that is not 0 an
    addition, and each neuron's sum one multiplication by the scale. They are counted, not timed: the processor here
    multiplies by zeros too.
    """
    way = WAYS[method]
    preset = Preset(
        name="ternary", title=TITLE, network="recursive", layers=layers, neurons=NEURONS, seed=seed,
        knobs={"sigma": SIGMA},
    )  # fmt: skip
    data = load_data(preset)
    recipe = Recipe(epochs=epochs, seed=seed, shuffled=way.shuffled)
    flips = _descent(way, recipe)
    report = train(preset, data, recipe, flips=flips)
    test = split(data).test
    free = equilibrium_for(preset, report.weights).settle(data.encode(data.images[test]))
    whole = 4 * sum(tensor.size for tensor in report.weights.values())
    ternary = flips is not None
    held = sum(entry.nbytes for entry in packed_weights(report.weights).values()) if ternary else whole
    synapses = [tensor for name, tensor in report.weights.items() if name not in FLOATS]
    return [
        {"track": "ternary", "method": method, "layers": layers, "epochs": epochs, "seed": seed,
         "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy,
         "accepted": flips.flipped / flips.tried if flips is not None and flips.tried else None,
         "zeros": float(np.mean(np.concatenate([tensor.ravel() == 0 for tensor in synapses]))),
         "bytes": held, "bytes_float32": whole, "seconds": report.seconds,
         "operations": operations(report.weights, free.ticks, ternary),
         "operations_float32": operations(report.weights, free.ticks, False)}
    ]  # fmt: skip


def _descent(way: Way, recipe: Recipe) -> FlipDescent | None:
    if way.kind == "float":
        return None
    if way.kind == "straight-through":
        return StraightThrough(recipe.rate, ("R",), recipe.seed)
    return FlipDescent(
        recipe.rate, ("R",), recipe.seed, temperature=way.temperature, attempts=way.attempts, blind=way.blind
    )


def operations(weights: Mapping[str, Array], ticks: float, ternary: bool) -> float:
    """Of one digit through a recursive chain whose layers tick `ticks` times each in the mean."""
    times = {"R": ticks - 1}
    total = 0.0
    for name, tensor in weights.items():
        if name not in FLOATS:
            outputs = tensor.size // tensor.shape[-1]
            once = np.count_nonzero(tensor) + outputs if ternary else 2 * tensor.size
            total += times.get(name, 1) * once
    return float(total)


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over depth, each way of moving the weights."""
    for method in WAYS:
        style = ":o" if "control" in method else "-o"
        over_seeds(axes, [row for row in rows if row["method"] == method], "layers", "test_accuracy", method, style)
    axes.axhline(0.1, linestyle=":", color="grey", label="chance")
    axes.set_xscale("log")
    axes.set_xlabel("layers")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

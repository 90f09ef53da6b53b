"""Robustness: what noise and lesions leave of a trained network's answers, by how it was trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.data import split
from engine.learning.equilibrium import Equilibrium
from engine.learning.teachers import Method
from engine.learning.train import Recipe, equilibrium_for, train
from engine.networks.chain import Chain
from engine.preset import Preset

Array = NDArray[Any]

TITLE = "Robustness: noise and ablation"
QUESTION = (
    "How does test accuracy fall with noise on the input, on the states while they settle and on the weights, and with "
    "the share of neurons that is cut out? Equilibrium propagation beside backpropagation through the same relaxation "
    "and an ordinary residual network of the same size (sigma = 0), same budget. Control: training on shuffled labels."
)


@dataclass(frozen=True, slots=True)
class Twin:
    """One way to train the same chain."""

    teacher: Method
    sigma: float
    shuffled: bool = False


TWINS = {
    "eqprop": Twin("eqprop", 0.9),
    "backprop": Twin("backprop", 0.9),
    "backprop, no recurrence": Twin("backprop", 0.0),
    "shuffled labels (control)": Twin("eqprop", 0.9, shuffled=True),
}
LEVELS = {
    "input": (0.0, 0.3, 0.6, 1.0, 1.5, 2.0),
    "state": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "weight": (0.0, 0.1, 0.2, 0.4, 0.7, 1.0),
    "ablation": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
}
"""Standard deviations: of the noise on a standardised pixel; on every neuron's input, fresh at every tick; on every
weight, relative to the RMS of its layer's matrix. Ablation: share of each layer's neurons."""
DRAWS = 3
"""Noise patterns and lesions per level, of which the accuracy is the mean."""
TO_SETTLE = 60
"""A network of L layers is read out after L plus this many noisy ticks."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per twin and seed."""
    layers, epochs, seeds = (12, 2, 1) if quick else (100, 5, 3)
    return [
        {"method": method, "layers": layers, "epochs": epochs, "seed": seed}
        for method in TWINS
        for seed in range(seeds)
    ]


def run(method: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once; a row per kind and level: method, kind, level, accuracy on held-out digits.

    Twins of a seed meet the same noise and the same lesions.
    """
    twin = TWINS[method]
    preset = Preset(
        name="robustness", title=TITLE, network="recursive", layers=layers, neurons=64, seed=seed,
        knobs={"sigma": twin.sigma},
    )  # fmt: skip
    data = load_data(preset)
    recipe = Recipe(epochs=epochs, method=twin.teacher, seed=seed, shuffled=twin.shuffled)
    trained = equilibrium_for(preset, train(preset, data, recipe).weights)
    test = split(data).test
    x, labels = data.encode(data.images[test]), data.labels[test]
    rows = []
    for number, (kind, levels) in enumerate(LEVELS.items()):
        for level in levels:
            draws = 1 if level == 0 else DRAWS
            answers = [
                _DISTURBED[kind](preset, trained, x, level, np.random.default_rng((seed, number, draw)))
                for draw in range(draws)
            ]
            right = float(np.mean([(answer == labels).mean() for answer in answers]))
            rows.append(
                {"track": "robustness", "method": method, "layers": layers, "kind": kind, "level": level,
                 "seed": seed, "accuracy": right}
            )  # fmt: skip
    return rows


def _answers(network: Equilibrium, x: Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = network.settle(x).logits.argmax(-1)
    return found


def _noisy_input(
    preset: Preset, network: Equilibrium, x: Array, level: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    return _answers(network, x + level * rng.standard_normal(x.shape, np.float32))


def _noisy_states(
    preset: Preset, network: Equilibrium, x: Array, level: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Ticks of the live network; the read-out is of the last noisy tick."""
    chain = build_network(preset, samples=len(x))
    assert isinstance(chain, Chain)
    chain.adopt(network.weights)
    chain.reset(int(rng.integers(2**32)))
    chain.set_parameter("sigma", network.sigma)
    chain.set_parameter("noise", level)
    chain.clamp(x, None)
    for _ in range(preset.layers + TO_SETTLE):
        chain.tick(nudged=False)
    found: NDArray[np.int64] = chain.logits().argmax(-1)
    return found


def _noisy_weights(
    preset: Preset, network: Equilibrium, x: Array, level: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Nothing is clipped afterwards: a disturbed recurrence may leave the contraction."""
    disturbed = {}
    for name, tensor in network.weights.items():
        if name == "b":
            disturbed[name] = tensor
            continue
        rms = np.sqrt(np.square(tensor).mean((-2, -1), keepdims=True))
        disturbed[name] = tensor + level * rms * rng.standard_normal(tensor.shape, np.float32)
    return _answers(equilibrium_for(preset, disturbed), x)


def ablated(weights: dict[str, Array], share: float, rng: np.random.Generator) -> dict[str, Array]:
    """A recursive chain's weights with `share` of every layer's neurons cut out: their z stays 0."""
    cut = {name: tensor.copy() for name, tensor in weights.items()}
    neurons = weights["b"].shape[1]
    for layer in range(len(weights["b"])):
        dead = rng.permutation(neurons)[: round(share * neurons)]
        for name in ("R", "W", "b"):
            cut[name][layer, dead] = 0
    return cut


def _ablated(
    preset: Preset, network: Equilibrium, x: Array, level: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    return _answers(equilibrium_for(preset, ablated(network.weights, level, rng)), x)


_Disturbed = Callable[[Preset, Equilibrium, Array, float, np.random.Generator], NDArray[np.int64]]
_DISTURBED: dict[str, _Disturbed] = {
    "input": _noisy_input, "state": _noisy_states, "weight": _noisy_weights, "ablation": _ablated,
}  # fmt: skip


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over input noise, mean and standard deviation over seeds."""
    for method in TWINS:
        levels, means, spreads = [], [], []
        for level in LEVELS["input"]:
            found = [r["accuracy"] for r in rows
                     if r["method"] == method and r["kind"] == "input" and r["level"] == level]  # fmt: skip
            if found:
                levels.append(level)
                means.append(np.mean(found))
                spreads.append(np.std(found))
        if levels:
            axes.errorbar(levels, means, spreads, marker="o", capsize=2, label=method)
    axes.set_xlabel("noise on the input, standard deviations of a pixel")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

"""Gradient alignment: how far the update that a ticking network reads off itself points along the exact gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.experiments.curves import over_seeds
from engine.learning.align import compare, prepared_chain, ticked_update
from engine.learning.exact import exact_gradients
from engine.learning.from_ticks import tick_gradients
from engine.networks.chain import Chain
from engine.preset import Preset, load_preset

Array = NDArray[Any]

TITLE = "Gradient alignment: per-layer cosine with the exact gradient"
QUESTION = (
    "Does equilibrium propagation, run tick by tick in single and double precision, find the gradient that the "
    "implicit function theorem gives, in every layer, and up to which nudge strength? Layers whose credit is below the "
    "numerical floor are marked, not averaged in. Controls: a random direction, and no nudge at all."
)
EQPROP, RANDOM, NO_NUDGE = "eqprop", "random direction (control)", "zero nudge (control)"
PRESETS = {"recursive": "deep-100", "hopfield": "hopfield-100"}
"""The recursive chain is the trained one, if it has as many layers."""
SIGMAS = {"recursive": 0.9, "hopfield": 0.99}
BETAS = {"recursive": (1.0, 0.1, 0.01, 0.001), "hopfield": (0.1, 0.03, 0.01, 0.003)}
SAMPLES = 4
"""Pictures that gradients are means over; every seed takes the next ones of the data set."""
TO_SETTLE = 100
"""The control without a nudge ticks as often as there are layers and this many times more."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network, precision, beta and seed; the controls in double precision."""
    layers, seeds = (8, 1) if quick else (100, 3)
    cases = []
    for network, betas in BETAS.items():
        cases += [(network, EQPROP, dtype, beta) for dtype in ("float64", "float32") for beta in betas[quick:]]
        cases += [(network, RANDOM, "float64", betas[-1]), (network, NO_NUDGE, "float64", betas[-1])]
    return [
        {"network": network, "update": update, "dtype": dtype, "beta": beta, "layers": layers, "seed": seed}
        for network, update, dtype, beta in cases
        for seed in range(seeds)
    ]


def run(network: str, update: str, dtype: str, beta: float, layers: int, seed: int) -> list[dict[str, Any]]:
    """A row per weight family and layer, layer 1 first: cosine (None where there is none), below_floor."""
    preset = _preset(network, layers, dtype)
    data = load_data(preset)
    sigma = SIGMAS[network]
    chain = prepared_chain(preset, {"sigma": sigma, "beta": beta}, SAMPLES, "numba")
    chosen = (seed * SAMPLES + np.arange(SAMPLES)) % len(data.labels)
    x, labels = data.encode(data.images[chosen]), data.labels[chosen]
    exact = exact_gradients(chain.kind, chain.weights, x, labels, sigma, chain.value("input_gain"))
    if update == RANDOM:
        rng = np.random.default_rng(seed)
        found: dict[str, Array] = {name: rng.standard_normal(gradient.shape) for name, gradient in exact.items()}
        unresolved = np.zeros(layers, bool)
    elif update == NO_NUDGE:
        chain.clamp(x, labels)
        found, unresolved = _without_force(chain, labels), np.zeros(layers, bool)
    else:
        chain.clamp(x, labels)
        found, unresolved = ticked_update(chain, labels)
    families = (*chain.couplings, "b")
    alignment = compare({name: found[name] for name in families}, exact, families, unresolved)
    return [
        {"track": "alignment", "network": network, "method": update, "dtype": dtype, "sigma": sigma, "beta": beta,
         "layers": layers, "seed": seed, "family": name, "layer": layer + 1, "cosine": value,
         "below_floor": alignment.below_floor[name][layer]}
        for name in families
        for layer, value in enumerate(alignment.cosine[name])
    ]  # fmt: skip


def _without_force(chain: Chain, labels: NDArray[np.int64]) -> dict[str, Array]:
    """What the network reads off itself after nudged ticks in which nothing nudges."""
    for _ in range(chain.layout.layers + TO_SETTLE):
        chain.tick(nudged=True)
    return tick_gradients(chain, labels)


def _preset(network: str, layers: int, dtype: str) -> Preset:
    preset = load_preset(PRESETS[network]).model_copy(update={"dtype": dtype})
    return preset if preset.layers == layers else preset.model_copy(update={"layers": layers, "weights_file": None})


def worst(rows: list[dict[str, Any]]) -> float | None:
    """The smallest cosine of all layers above the floor; None if there is none."""
    known = [row["cosine"] for row in rows if not row["below_floor"]]
    return min(known) if known else None


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """1 - the worst layer's cosine over beta; single precision dashed. Controls are told in the legend."""
    told = []
    for network in PRESETS:
        for dtype, style in (("float64", "o-"), ("float32", "s--")):
            chosen = [r for r in rows if (r["network"], r["method"], r["dtype"]) == (network, EQPROP, dtype)]
            points = []
            for beta, seed in sorted({(row["beta"], row["seed"]) for row in chosen}):
                of_run = [row for row in chosen if (row["beta"], row["seed"]) == (beta, seed)]
                least = worst(of_run)
                points.append({"beta": beta, "missing": None if least is None else max(1 - least, 1e-16)})
            over_seeds(axes, points, "beta", "missing", f"{network}, sigma {SIGMAS[network]:g}, {dtype}", style)
        random = [abs(r["cosine"]) for r in rows if r["network"] == network and r["method"] == RANDOM]
        if random:
            told.append(f"{network}: |cosine| of a random direction {np.mean(random):.3f}")
        silent = [r["below_floor"] for r in rows if r["network"] == network and r["method"] == NO_NUDGE]
        if silent:
            told.append(f"{network}: no nudge, {np.mean(silent):.0%} of layers below the floor")
    for words in told:
        axes.plot([], [], " ", label=words)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("nudge strength beta")
    axes.set_ylabel("1 - cosine of the worst layer")
    axes.legend(fontsize=6)

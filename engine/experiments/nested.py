"""Nested blocks: do they contract, and what do they learn beside a flat chain of as many parameters?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.experiments.curves import over_seeds
from engine.learning.teachers import Method
from engine.learning.train import Recipe, train
from engine.networks.nested.chain import NestedChain
from engine.networks.nested.nest import sigma_of
from engine.preset import Preset

Array = NDArray[Any]

TITLE = "Nested blocks: chains within chains"
QUESTION = (
    "Does a nest come to one state from wherever it starts while sigma is below 1 at every level, and where does that "
    "stop, if one level's sigma is raised, or all? And how well does it learn digits and pictures of closed and open "
    "curves, stripes and speckles, beside a flat chain of as many layers, all of the same size? Controls: only the "
    "read-out learning, and shuffled labels."
)
SIGMA = 0.9
SIGMAS = (0.5, 0.9, 0.99, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
WAYS: dict[str, tuple[str, Method, bool]] = {
    "nested": ("nested", "eqprop", False),
    "flat": ("recursive", "eqprop", False),
    "nested, read-out only (control)": ("nested", "read-out", False),
    "nested, shuffled labels (control)": ("nested", "eqprop", True),
}
"""Network, teacher, and whether labels are shuffled."""
RATES = {"nested": 1e-2, "recursive": 5e-3}
"""The better of 5e-3 and 1e-2, and of 2e-3 and 5e-3, on digits after three epochs of one seed."""
CASES = ("no input", "a digit", "no input, aligned weights")
"""An input flattens the slopes, so without one is harder; aligned, with all R and W the identity, is the hardest."""
COPIES = 3
"""Starts that are compared."""
TICKS, PATIENCE = 2000, 200
"""At most so many ticks; fewer where a distance has not halved within the second number."""
NEAR, REST = 1e-9, 1e-9
"""Distance, and velocity, that count as none."""


def preset_of(network: str, levels: int, seed: int, data: str = "digits") -> Preset:
    """Three layers in each chain of a nest, or a flat chain of as many layers as the nest has in all."""
    common = {"name": "nested", "title": TITLE, "network": network, "neurons": 64, "seed": seed, "data": data}
    if network == "nested":
        sigmas = {sigma_of(level): SIGMA for level in range(1, levels + 1)}
        return Preset.model_validate({**common, "nested": [{"layers": 3}] * levels, "knobs": sigmas})
    layers = sum(3**level for level in range(1, levels + 1))
    return Preset.model_validate({**common, "layers": layers, "knobs": {"sigma": SIGMA}})


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One per way, data and seed; and one per raised level (0: all) and seed."""
    levels, epochs, seeds = (2, 2, 1) if quick else (3, 6, 3)
    learning = [
        {"measure": "learning", "way": way, "data": data, "levels": levels, "epochs": epochs, "seed": seed}
        for data in ("digits", "loops")
        for way in WAYS
        for seed in range(seeds)
    ]
    contraction = [
        {"measure": "contraction", "raised": raised, "levels": levels, "seed": seed}
        for raised in range(levels + 1)
        for seed in range(seeds)
    ]
    return [*contraction, *learning]


def run(measure: str, **params: Any) -> list[dict[str, Any]]:
    """Train once, one row; or raise a level's sigma, a row for each step."""
    return _learned(**params) if measure == "learning" else _contraction(**params)


def _learned(way: str, data: str, levels: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    network, method, shuffled = WAYS[way]
    preset = preset_of(network, levels, seed, data)
    recipe = Recipe(epochs=epochs, rate=RATES[network], method=method, seed=seed, shuffled=shuffled)
    report = train(preset, load_data(preset), recipe)
    return [
        {"track": "nested", "measure": "learning", "way": way, "data": data, "levels": levels, "epochs": epochs,
         "seed": seed, "parameters": sum(array.size for array in report.weights.values()),
         "test_accuracy": report.test_accuracy, "train_accuracy": report.train_accuracy, "seconds": report.seconds}
    ]  # fmt: skip


def _contraction(raised: int, levels: int, seed: int) -> list[dict[str, Any]]:
    """Raise sigma of one level (0: of all), in all CASES."""
    rows = []
    for case in CASES:
        for sigma in SIGMAS:
            moved = range(1, levels + 1) if raised == 0 else (raised,)
            preset = preset_of("nested", levels, seed)
            knobs = {**preset.knobs, **{sigma_of(level): sigma for level in moved}}
            found = contraction(preset.model_copy(update={"dtype": "float64", "knobs": knobs}), case, seed)
            rows.append({"track": "nested", "measure": "contraction", "raised": raised, "levels": levels,
                         "sigma": sigma, "case": case, "seed": seed, **found})  # fmt: skip
    return rows


def contraction(preset: Preset, case: str, seed: int) -> dict[str, Any]:
    """From COPIES random starts, untrained: do all come to rest (`rests`), at one place (`one_state`), and by which
    factor does the distance between them shrink a tick of level 1 (`factor`, geometric mean)."""
    chain = build_network(preset, samples=COPIES)
    assert isinstance(chain, NestedChain)
    for name, value in preset.knobs.items():
        chain.set_parameter(name, value)
    data = load_data(preset)
    picture = data.encode(data.images[:1]).astype(chain.dtype)
    chain.clamp(np.repeat(picture if case == CASES[1] else 0 * picture, COPIES, axis=0), None)
    if case == CASES[2]:
        for name in chain.couplings:
            chain.weights[name][...] = np.eye(chain.neurons)
        chain.weights_changed()
    rng = np.random.default_rng((seed, 17))
    for states in chain.columns():
        states[:, :, 0] = rng.uniform(-0.9, 0.9, states[:, :, 0].shape)
    distances = [_spread(chain)]
    for _ in range(TICKS):
        chain.tick(nudged=False)
        distances.append(_spread(chain))
        velocity = float(chain.observe().velocity_max.max())
        if distances[-1] < NEAR and velocity < REST:
            break
        if len(distances) > PATIENCE and distances[-1] > max(distances[-PATIENCE] / 2, NEAR):
            break
    done = len(distances) - 1
    return {
        "rests": velocity < REST,
        "one_state": distances[-1] < NEAR,
        "factor": float((max(distances[-1], 1e-300) / distances[0]) ** (1 / done)),
        "ticks": done,
        "velocity": velocity,
    }


def _spread(chain: NestedChain) -> float:
    """Largest difference between two copies' z."""
    z = chain.columns()[0][:, :, 0]
    return float(np.ptp(z, axis=1).max())


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """By how much distances shrink, over sigma of the raised level, without an input; aligned weights dashed."""
    measured = [row for row in rows if row["measure"] == "contraction"]
    for case, style in ((CASES[0], "o-"), (CASES[2], "s--")):
        axes.set_prop_cycle(None)
        for raised in sorted({row["raised"] for row in measured}):
            chosen = [row for row in measured if (row["raised"], row["case"]) == (raised, case)]
            label = f"level {raised} raised" if raised else "all levels raised"
            over_seeds(axes, chosen, "sigma", "factor", label if case == CASES[0] else "_aligned", style)
    axes.plot([], [], "ks--", label="aligned weights")
    axes.axhline(1, linestyle=":", color="grey")
    axes.axvline(1, linestyle=":", color="grey")
    axes.set_xlabel("sigma")
    axes.set_ylabel("distance shrinks by, a tick")
    axes.legend(fontsize=7)

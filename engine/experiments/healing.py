"""Healing: what a lesion or noise in mid-inference does to state, credit and answers, and what of it comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.data import Dataset, split
from engine.learning.optimise import Adam, clip_recurrent
from engine.learning.teachers import Method, teacher_of
from engine.learning.train import Recipe, accuracy, batches, equilibrium_for, train
from engine.networks.chain import Chain
from engine.networks.disturbance import drawn_lesion
from engine.preset import Preset

Array = NDArray[Any]
TITLE = "Healing: lesions and noise in mid-inference"
QUESTION = (
    "A resting network loses neurons, or is shaken by noise: how far is it thrown, how many ticks until it rests again "
    "and where, how does the credit profile change, what is left of the accuracy, and what does one more epoch beside "
    "the dead neurons bring back? Equilibrium propagation beside its twin trained by backpropagation, same budget. "
    "Controls: cutting out nothing; a kick that changes the state alone, in a random direction; re-learning on "
    "shuffled labels."
)
SIGMA = 0.9
NOTHING, LAYER, KICK = "none (control)", "one layer", "kick (control)"
SHARES = {"15 %": 0.15, "50 %": 0.5}
LESIONS = (NOTHING, *SHARES, LAYER, KICK)
NOISES = {"input_noise": (0.1, 0.3, 1.0), "noise": (0.1, 0.3, 1.0), "weight_noise": (0.1, 0.2, 0.4)}
"""Knobs and where they are put: standard deviations of a pixel, of a neuron's input, and in RMS of each matrix."""
KICKED = 0.4
"""Standard deviation of the kick, which throws a state about as far as a lesion does."""
PICTURES = 64
"""Held-out pictures that are watched settling, as one batch."""
TOLERANCE = 1e-5
LONGEST = 3000
SHAKEN = 200
"""Ticks that noise lasts."""
RATE = 5e-4
"""First step of re-learning; it falls along half a cosine."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per way of training and seed."""
    layers, epochs, seeds = (12, 2, 1) if quick else (100, 5, 3)
    methods: tuple[Method, ...] = ("eqprop", "backprop")
    return [{"method": m, "layers": layers, "epochs": epochs, "seed": s} for m in methods for s in range(seeds)]


@dataclass(frozen=True, slots=True)
class _Rest:
    """A settled network: z and s of the free copy and the credit, all (L, B, N), and the ticks that both took."""

    states: list[Array]
    ticks: int | None
    nudge_ticks: int | None
    credit: Array

    @property
    def profile(self) -> Array:
        """RMS credit per layer."""
        rms: Array = np.sqrt(np.square(self.credit).mean((1, 2)))
        return rms


def _until(chain: Chain, nudged: bool) -> int | None:
    """Tick until the free copy (or the displacements) rest; how many ticks that took."""
    below = TOLERANCE * (chain.value("beta") * chain.pull if nudged else 1)
    for tick in range(1, LONGEST + 1):
        chain.tick(nudged)
        seen = chain.observe()
        if float((seen.nudge_velocity_max if nudged else seen.velocity_max).max()) < below:
            return tick
    return None


def _free(chain: Chain) -> list[Array]:
    return [state[:, :, 0].copy() for state in chain.columns()]


def _tick(chain: Chain) -> float:
    chain.tick(nudged=False)
    return float(chain.observe().velocity_max.max())


def _rest(chain: Chain) -> _Rest:
    """Settle, nudge, settle again, and let go of the nudge."""
    chain.release()
    ticks = _until(chain, nudged=False)
    free = _free(chain)
    chain.aim()
    nudge_ticks = _until(chain, nudged=True)
    stream = chain.columns()[-1]
    credit = (stream[:, :, 1] - stream[:, :, 2]) / (2 * chain.value("beta"))
    chain.release()
    return _Rest(free, ticks, nudge_ticks, credit)


def _apart(now: list[Array], then: list[Array], living: Array) -> float:
    """RMS distance of the living neurons' states z, relative to the RMS of z."""
    moved = np.square(now[0] - then[0])[living[:, None].repeat(now[0].shape[1], 1)].mean()
    return float(np.sqrt(moved / np.square(then[0]).mean()))


def run(method: Method, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Train once, then disturb the resting network in every way.

    Rows by disturbance and level: jump and distance (RMS of the living z against the rest before, relative: after one
    tick, and where it rests or, for noise, at its last tick), ticks and credit_ticks until state and nudge rest (None:
    never), credit_cosine (mean over layers), credit_ratio (layer 1 to top), undone (distance left after healing, or
    after the noise), accuracy on all held-out pictures, accuracy_watched on those that are watched.
    For lesions also one row per layer: credit_before and credit_after, RMS per layer.
    """
    preset = Preset(
        name="healing", title=TITLE, network="recursive", layers=layers, neurons=64, seed=seed, knobs={"sigma": SIGMA}
    )
    data = load_data(preset)
    trained = train(preset, data, Recipe(epochs=epochs, method=method, seed=seed)).weights
    test = split(data).test
    whole = accuracy(equilibrium_for(preset, trained), data, test)
    chain = _watched(preset, data, trained, test[:PICTURES])
    told = {"track": "healing", "method": method, "layers": layers, "seed": seed, "accuracy_whole": whole}
    rows: list[dict[str, Any]] = []
    labels = data.labels[test[:PICTURES]]
    rest = _rest(chain)
    for lesion in LESIONS:
        rng = np.random.default_rng((seed, 11, LESIONS.index(lesion)))
        dead, jump, after = _hurt(chain, lesion, rest, rng)
        acting, cut = {name: array.copy() for name, array in chain.acting.items()}, chain.cut()
        found: dict[str, Any] = {
            **told, "disturbance": lesion, "level": float(dead.mean()), **_compared(rest, after, ~dead, jump),
            "accuracy": accuracy(equilibrium_for(preset, acting), data, test),
            "accuracy_watched": float((chain.logits().argmax(-1) == labels).mean()),
        }  # fmt: skip
        if lesion != KICK:
            for name, shuffled in (("accuracy_relearned", False), ("accuracy_relearned_shuffled", True)):
                again = _relearned(preset, data, acting, cut, method, seed, shuffled)
                found[name] = accuracy(equilibrium_for(preset, again), data, test)
        chain.heal()
        found["undone"] = _apart(_rest(chain).states, rest.states, np.ones_like(dead))
        rows.append(_whole_row(found))
        rows += [
            _whole_row({**told, "disturbance": lesion, "level": float(dead.mean()), "layer": layer,
                        "credit_before": float(before), "credit_after": float(now)})
            for layer, (before, now) in enumerate(zip(rest.profile, after.profile, strict=True), start=1)
        ]  # fmt: skip
    for knob, levels in NOISES.items():
        for level in levels:
            shaken = _shaken(chain, knob, level, rest, labels)
            rows.append(_whole_row({**told, "disturbance": knob, "level": level, **shaken}))
    return rows


_FIELDS = ("jump", "distance", "ticks", "credit_ticks", "credit_cosine", "credit_ratio", "undone", "accuracy",
           "accuracy_watched", "accuracy_relearned", "accuracy_relearned_shuffled", "layer", "credit_before",
           "credit_after")  # fmt: skip


def _whole_row(known: dict[str, Any]) -> dict[str, Any]:
    """The same fields in every row, None where there is nothing to say."""
    return {**dict.fromkeys(_FIELDS), **known}


def _watched(preset: Preset, data: Dataset, weights: dict[str, Array], pictures: NDArray[np.int64]) -> Chain:
    chain = build_network(preset, samples=len(pictures))
    assert isinstance(chain, Chain)
    chain.adopt({name: array.copy() for name, array in weights.items()})
    chain.set_parameter("sigma", SIGMA)
    chain.set_parameter("beta", 0.01)
    chain.clamp(data.encode(data.images[pictures]), data.labels[pictures])
    return chain


def _hurt(chain: Chain, lesion: str, rest: _Rest, rng: np.random.Generator) -> tuple[Array, float, _Rest]:
    """Disturb the resting chain: the dead neurons, the distance after one tick, and where it rests."""
    dead = np.zeros_like(chain.ablated)
    if lesion in SHARES:
        dead = drawn_lesion(~dead, SHARES[lesion], rng)
    elif lesion == LAYER:
        dead[len(dead) // 2] = True
    if lesion == KICK:
        z = chain.columns()[0]
        shape = z[:, :, 0].shape
        z[:, :, 0] = np.clip(z[:, :, 0] + KICKED * rng.standard_normal(shape), -1, 1).astype(chain.dtype)
    else:
        chain.ablate(dead)
    first = _tick(chain)
    jump = _apart(_free(chain), rest.states, ~dead)
    after = _rest(chain)
    ticks = 1 if first < TOLERANCE else None if after.ticks is None else 1 + after.ticks
    return dead, jump, _Rest(after.states, ticks, after.nudge_ticks, after.credit)


def _compared(before: _Rest, after: _Rest, living: Array, jump: float) -> dict[str, Any]:
    cosines = [
        float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-30))
        for a, b in zip(before.credit.astype(np.float64), after.credit.astype(np.float64), strict=True)
    ]
    return {
        "jump": jump, "distance": _apart(after.states, before.states, living), "ticks": after.ticks,
        "credit_ticks": after.nudge_ticks, "credit_cosine": float(np.mean(cosines)),
        "credit_ratio": float(after.profile[0] / max(after.profile[-1], 1e-30)),
    }  # fmt: skip


def _shaken(chain: Chain, knob: str, level: float, rest: _Rest, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Noise on for SHAKEN ticks and off again; the answers are those of the last noisy tick."""
    _until(chain, nudged=False)
    everyone = np.ones_like(chain.ablated)
    chain.set_parameter(knob, level)
    _tick(chain)
    jump = _apart(_free(chain), rest.states, everyone)
    for _ in range(SHAKEN - 1):
        _tick(chain)
    distance = _apart(_free(chain), rest.states, everyone)
    right = float((chain.logits().argmax(-1) == labels).mean())
    chain.set_parameter(knob, 0)
    ticks = _until(chain, nudged=False)
    left = _apart(_free(chain), rest.states, everyone)
    return {
        "jump": jump, "distance": distance, "ticks": ticks, "undone": left, "accuracy_watched": right,
    }  # fmt: skip


def _relearned(
    preset: Preset, data: Dataset, weights: dict[str, Array], cut: dict[str, NDArray[np.bool_]], method: Method,
    seed: int, shuffled: bool,
) -> dict[str, Array]:  # fmt: skip
    """The weights after one more epoch by the same teacher, with what is cut kept at 0."""
    weights = {name: array.copy() for name, array in weights.items()}
    recipe = Recipe(method=method, seed=seed)
    equilibrium = equilibrium_for(preset, weights)
    equilibrium.beta = recipe.beta
    teacher = teacher_of(method, equilibrium, preset, recipe.batch, seed)
    optimiser = Adam(RATE)
    rng = np.random.default_rng((seed, 12))
    order = rng.permutation(split(data).train)
    labels = data.labels.copy()
    if shuffled:
        labels[order] = rng.permutation(labels[order])

    def update(gradients: dict[str, Array], share: float) -> None:
        optimiser.step(weights, gradients)

    parts = batches(order, recipe.batch)
    for done, part in enumerate(parts):
        optimiser.rate = RATE * (1 + np.cos(np.pi * done / len(parts))) / 2
        x = data.encode(data.images[part])
        x += recipe.noise * rng.standard_normal(x.shape, np.float32)
        teacher.lesson(x, labels[part], update)
        clip_recurrent(weights, equilibrium.recurrent)
        for name, where in cut.items():
            weights[name][where] = 0
        teacher.updated()
    return weights


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy before a lesion, beside it, and after one more epoch; mean and standard deviation over seeds."""
    stages = {"accuracy_whole": "whole", "accuracy": "lesioned", "accuracy_relearned": "+1 epoch",
              "accuracy_relearned_shuffled": "+1 epoch, shuffled labels"}  # fmt: skip
    for method, style in (("eqprop", "o-"), ("backprop", "s--")):
        for lesion, colour in (("15 %", "tab:orange"), ("50 %", "tab:red"), (LAYER, "tab:blue"), (NOTHING, "0.5")):
            chosen = [r for r in rows if r["method"] == method and r["disturbance"] == lesion and r["layer"] is None]
            if not chosen:
                continue
            values = np.array([[r[stage] for stage in stages] for r in chosen], float)
            axes.errorbar(range(len(stages)), values.mean(0), values.std(0), fmt=style, color=colour, capsize=2,
                          markersize=4, label=f"{method}, {lesion}")  # fmt: skip
    axes.set_xticks(range(len(stages)), list(stages.values()), fontsize=7)
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=6)

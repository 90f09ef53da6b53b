"""Power audit: what an answer costs, event-driven against clocked, a forward pass beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.data import Dataset, split
from engine.learning.train import equilibrium_for
from engine.metrics import Settling
from engine.networks.chain import LAZY, PLAIN, Chain
from engine.preset import Preset, load_preset

TITLE = "Power audit: FLOPs of an answer"
QUESTION = (
    "How many FLOPs does the event-driven network spend on a test digit, from rest and on a stream in which each digit "
    "morphs into the next, at the largest epsilon that changes no answer? Rivals: clocked ticks until rest, the same "
    "relaxation layer after layer, and one forward pass of an ordinary residual network of the same size."
)
PRESET = "deep-100"
EPSILONS = (3e-4, 1e-3, 3e-3, 1e-2, 1.5e-2, 2e-2, 2.5e-2, 3e-2, 4e-2, 5e-2, 7e-2, 1e-1)
TOLERANCE = 1e-4
GIVE_UP = 600
MORPHS = 10
"""Steps in which a digit of the stream turns into the next; the network rests after each."""
STREAM = 40
"""Digits of the stream."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per way of showing digits."""
    digits = 60 if quick else 0
    return [{"streamed": streamed, "digits": digits, "quick": quick, "seed": 0} for streamed in (False, True)]


def run(streamed: bool, digits: int, quick: bool, seed: int) -> list[dict[str, Any]]:
    """Rows: method, epsilon, flops_per_digit, saved (against clocked ticks), accuracy, agrees (answers unchanged)."""
    preset = load_preset(PRESET)
    data = load_data(preset)
    test = np.random.default_rng(seed).permutation(split(data).test)
    epsilons = EPSILONS[1::2] if quick else EPSILONS
    if streamed:
        return _stream(preset, data, test[: 8 if quick else STREAM], epsilons, seed)
    return _from_rest(preset, data, test[:digits] if digits else test, epsilons, seed)


def _network(preset: Preset, samples: int, epsilon: float | None) -> Chain:
    chain = build_network(preset, samples=samples)
    assert isinstance(chain, Chain)
    for name, value in preset.knobs.items():
        if name in chain.parameters:
            chain.set_parameter(name, value)
    chain.set_parameter("dynamics", PLAIN if epsilon is None else LAZY)
    if epsilon is not None:
        chain.set_parameter("epsilon", epsilon)
        _lay_out_memory(chain)
    return chain


def _lay_out_memory(chain: Chain) -> None:
    """One tick at rest without input, so that making the lazy memory is not counted as work of the first digit."""
    gain = chain.value("input_gain")
    chain.set_parameter("input_gain", 0.0)
    chain.tick(nudged=False)
    chain.set_parameter("input_gain", gain)


def _settle(chain: Chain, x: NDArray[np.float32]) -> tuple[NDArray[np.int64], float, NDArray[np.float64]]:
    """Answers (B,), FLOPs really spent on all samples, and each sample's ticks until rest (B,)."""
    before = chain.effective_flops
    chain.clamp(x, None)
    settling = Settling(chain.samples)
    for _ in range(GIVE_UP):
        chain.tick(nudged=False)
        settling.observe(chain.observe().velocity_max, TOLERANCE)
        if settling.of_batch is not None:
            break
    ticks = np.where(settling.first < 0, GIVE_UP, settling.first).astype(np.float64)
    return chain.logits().argmax(-1), chain.effective_flops - before, ticks


def _flops_per_tick(chain: Chain) -> float:
    """Of one sample, dense."""
    return 2.0 * sum(chain.weights[name].size for name in chain.couplings)


def _row(method: str, epsilon: float | None, flops: float, clocked: float, right: float, agrees: float,
         streamed: bool, seed: int) -> dict[str, Any]:  # fmt: skip
    return {
        "track": "energy", "method": method, "epsilon": epsilon, "flops_per_digit": flops, "saved": 1 - flops / clocked,
        "accuracy": right, "agrees": agrees, "streamed": streamed, "seed": seed,
    }  # fmt: skip


def _from_rest(
    preset: Preset, data: Dataset, test: NDArray[np.int64], epsilons: tuple[float, ...], seed: int
) -> list[dict[str, Any]]:
    x, labels = data.encode(data.images[test]), data.labels[test]
    dense = _network(preset, len(test), None)
    answers, _, ticks = _settle(dense, x)
    clocked = float(ticks.mean()) * _flops_per_tick(dense)
    right = float((answers == labels).mean())
    rows = [_row("clocked", None, clocked, clocked, right, 1.0, False, seed)]
    rows += _other_rivals(preset, dense, x, labels, answers, clocked, seed)
    for epsilon in epsilons:
        found, flops, _ = _settle(_network(preset, len(test), epsilon), x)
        agrees = float((found == answers).mean())
        right = float((found == labels).mean())
        rows.append(_row("lazy", epsilon, flops / len(test), clocked, right, agrees, False, seed))
    return rows


def _other_rivals(
    preset: Preset, chain: Chain, x: NDArray[np.float32], labels: NDArray[np.int64], answers: NDArray[np.int64],
    clocked: float, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """The same relaxation layer after layer, and one forward pass of a residual network without recurrence.

    The forward pass is only counted: how well such a network reads is the matter of the depth track.
    """
    rows = []
    couplings = [chain.weights[name][0].size for name in chain.couplings]
    layers = chain.layout.layers
    if chain.kind == "recursive":
        free = equilibrium_for(preset, chain.weights, TOLERANCE).settle(x)
        found = free.logits.argmax(-1)
        own, up = couplings
        flops = 2.0 * layers * ((free.ticks - 1) * own + up)
        right, agrees = float((found == labels).mean()), float((found == answers).mean())
        rows.append(_row("layer after layer", None, flops, clocked, right, agrees, False, seed))
    forward = 2.0 * layers * couplings[-1]
    return [*rows, _row("backprop forward", None, forward, clocked, float("nan"), float("nan"), False, seed)]


def _stream(
    preset: Preset, data: Dataset, test: NDArray[np.int64], epsilons: tuple[float, ...], seed: int
) -> list[dict[str, Any]]:
    """One digit after the other without a reset, in MORPHS steps each; answers are compared after every step."""
    pictures = data.encode(data.images[test])
    shown = np.concatenate(
        [
            (1 - a) * now[None] + a * following[None]
            for now, following in zip(pictures, np.roll(pictures, -1, axis=0), strict=True)
            for a in np.arange(1, MORPHS + 1) / MORPHS
        ]
    ).astype(np.float32)
    dense = _network(preset, 1, None)
    _settle(dense, pictures[:1])
    steps = [_settle(dense, x[None]) for x in shown]
    answers = np.array([int(found[0]) for found, _, _ in steps])
    per_digit = MORPHS * _flops_per_tick(dense)
    clocked = float(np.mean([ticks[0] for _, _, ticks in steps])) * per_digit
    ends = slice(MORPHS - 1, None, MORPHS)
    labels = np.roll(data.labels[test], -1)
    rows = [_row("clocked", None, clocked, clocked, float((answers[ends] == labels).mean()), 1.0, True, seed)]
    for epsilon in epsilons:
        lazy = _network(preset, 1, epsilon)
        _settle(lazy, pictures[:1])
        taken = [_settle(lazy, x[None]) for x in shown]
        found = np.array([int(answer[0]) for answer, _, _ in taken])
        flops = float(np.mean([spent for _, spent, _ in taken])) * MORPHS
        right = float((found[ends] == labels).mean())
        rows.append(_row("lazy", epsilon, flops, clocked, right, float((found == answers).mean()), True, seed))
    return rows


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over FLOPs per digit, both ways of showing, rivals as single marks."""
    for streamed, style in ((False, "o-"), (True, "s--")):
        lazy = [row for row in rows if row["method"] == "lazy" and row["streamed"] == streamed]
        if lazy:
            words = "lazy, streamed" if streamed else "lazy, from rest"
            axes.plot([r["flops_per_digit"] for r in lazy], [r["accuracy"] for r in lazy], style, label=words)
    for row in rows:
        if row["method"] in ("clocked", "layer after layer") and not row["streamed"]:
            axes.plot(row["flops_per_digit"], row["accuracy"], "x", label=row["method"])
        if row["method"] == "backprop forward":
            axes.axvline(row["flops_per_digit"], linestyle=":", color="grey", label="one forward pass")
    axes.set_xscale("log")
    axes.set_xlabel("FLOPs per digit")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=7)

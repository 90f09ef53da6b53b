"""Power audit: what an answer costs, event-driven against clocked, a forward pass beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.data import Dataset, split
from engine.learning.train import Recipe, equilibrium_for, train
from engine.metrics import Settling
from engine.networks.chain import LAZY, PLAIN, Chain, softmax
from engine.preset import Preset, load_preset

Array = NDArray[Any]

TITLE = "Power audit: FLOPs of an answer"
QUESTION = (
    "How many FLOPs does the event-driven network spend on a test digit, each on its own, from rest and on a stream in "
    "which each digit morphs into the next, at the largest epsilon that changes no digit's class? Rivals: clocked "
    "ticks until rest, the same relaxation layer after layer, and one forward pass of an ordinary residual network of "
    "the same size trained by backpropagation. Control: as few FLOPs spent on clocked ticks, read out too early."
)
PRESET = "deep-100"
CLOCKED, CUT, LAYERWISE, FORWARD = "clocked", "clocked, cut short (control)", "layer after layer", "backprop forward"
COARSE = (1.0, 10.0, 20.0)
EPSILONS = (1e-3, 3e-3, 1e-2, 1.5e-2, 2e-2, 2.5e-2, 3e-2, 5e-2, 1e-1)
STREAM_EPSILONS = (3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 5e-2)
TOLERANCE = 1e-4
"""A network rests once nothing changes by more than this in a tick."""
GIVE_UP = 2000
MORPHS = 10
"""Steps in which a digit of the stream turns into the next; the network rests after each."""
CUTS = (2, 4, 8, 16, 32, 64, 80, 90, 100, 110, 120)
"""Ticks after which the control is read out."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """Rivals, and one job per way of showing digits and coarseness. `digits` 0 is the whole test part."""
    digits, epochs, seeds = (30, 2, 1) if quick else (0, 5, 3)
    plain: dict[str, Any] = {"coarse": None, "epsilons": [], "digits": digits, "epochs": epochs}
    rivals = [
        *({"method": CLOCKED, "streamed": streamed, **plain, "seed": 0} for streamed in (True, False)),
        {"method": LAYERWISE, "streamed": False, **plain, "seed": 0},
        *({"method": FORWARD, "streamed": False, **plain, "seed": seed} for seed in range(seeds)),
    ]
    lazy = []
    for streamed in (True, False):
        epsilons = STREAM_EPSILONS if streamed else EPSILONS
        chosen = list(epsilons[1::2] if quick else epsilons)
        lazy += [
            {**plain, "method": LAZY, "streamed": streamed, "coarse": coarse, "epsilons": chosen, "seed": 0}
            for coarse in COARSE
        ]
    return lazy + rivals


@dataclass(frozen=True, slots=True)
class Show:
    """What is shown: B digits by themselves (streamed False), or B morphs, each from a digit to the next.

    pictures (steps, B, pixels); start (B, pixels), what the network rests at before, None for rest at zero; labels
    (B,) of the last step.
    """

    pictures: Array
    start: Array | None
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clocked:
    """What clocked ticks until rest answer: FLOPs per picture, classes and their leads in probability (steps, B)."""

    flops: float
    answers: NDArray[np.int64]
    leads: Array


def show(data: Dataset, streamed: bool, digits: int, seed: int) -> Show:
    """Test digits in an order drawn with `seed`, the first `digits` of them (0: all)."""
    test = np.random.default_rng(seed).permutation(split(data).test)
    test = test[:digits] if digits else test
    x, labels = data.encode(data.images[test]), data.labels[test]
    if not streamed:
        return Show(x[None], None, labels)
    shares = (np.arange(1, MORPHS + 1) / MORPHS).astype(np.float32)[:, None, None]
    return Show((1 - shares) * x + shares * np.roll(x, -1, axis=0), x, np.roll(labels, -1))


def network(preset: Preset, samples: int, coarse: float | None = None) -> Chain:
    """The preset's network with its knobs set; lazy if `coarse` is given."""
    chain = build_network(preset, samples=samples)
    assert isinstance(chain, Chain)
    for name, value in preset.knobs.items():
        if name in chain.parameters:
            chain.set_parameter(name, value)
    chain.set_parameter("dynamics", PLAIN if coarse is None else LAZY)
    if coarse is not None:
        chain.set_parameter("coarse", coarse)
    return chain


def settle(chain: Chain, x: Array) -> NDArray[np.int64]:
    """Show x (B, pixels) until every sample has come to rest; ticks that each took (B,), -1 where it never did."""
    chain.clamp(x, None)
    settling = Settling(chain.samples)
    for _ in range(GIVE_UP):
        chain.tick(nudged=False)
        settling.observe(chain.observe().velocity_max, TOLERANCE)
        if settling.of_batch is not None:
            break
    return settling.first


def clocked(preset: Preset, what: Show) -> Clocked:
    """Samples of a batch tick side by side and are counted apart."""
    chain = network(preset, len(what.labels))
    if what.start is not None:
        settle(chain, what.start)
    ticks, logits = [], []
    for step in what.pictures:
        first = settle(chain, step)
        ticks.append(np.where(first < 0, GIVE_UP, first))
        logits.append(chain.logits().astype(np.float64))
    likely = np.sort(softmax(np.stack(logits)))
    flops = float(np.mean(ticks)) * flops_per_tick(preset)
    return Clocked(flops, np.stack(logits).argmax(-1), likely[..., -1] - likely[..., -2])


def flops_per_tick(preset: Preset) -> float:
    """Of one sample, dense, in the couplings."""
    chain = network(preset, 1)
    return 2.0 * sum(chain.weights[name].size for name in chain.couplings)


def run(
    method: str, streamed: bool, coarse: float | None, epsilons: list[float], digits: int, epochs: int, seed: int
) -> list[dict[str, Any]]:
    """Rows of one method.

    flops_per_answer: in the couplings, per picture shown (a digit of the stream is MORPHS pictures); saved: against
    clocked ticks. accuracy and agrees (class as with clocked ticks) are of whole digits; agrees_steps is of all
    pictures shown, and lead_lost the largest lead in probability that a class had where the lazy answer differs.
    unsettled: share of pictures without rest. chosen: the largest epsilon that, like all smaller ones, leaves every
    digit's class unchanged; chosen_strictly: every picture's.
    """
    preset = load_preset(PRESET)
    data = load_data(preset)
    what = show(data, streamed, digits, seed)
    truth = clocked(preset, what)

    def row(flops: float, answers: NDArray[np.int64] | None, **more: Any) -> dict[str, Any]:
        blank = dict.fromkeys(("epsilon", "accuracy", "agrees", "agrees_steps", "lead_lost", "unsettled"))
        found = {} if answers is None else _compared(answers, what, truth)
        return {
            "track": "energy", "method": method, "streamed": streamed, "coarse": coarse, "digits": len(what.labels),
            "seed": seed, **blank, "chosen": None, "chosen_strictly": None, "flops_per_answer": flops,
            "saved": 1 - flops / truth.flops, **found, **more,
        }  # fmt: skip

    if method == LAZY:
        assert coarse is not None
        measured = []
        for epsilon in sorted(epsilons):
            flops, answers, unsettled = _lazily(preset, what, coarse, epsilon)
            measured.append(row(flops, answers, epsilon=epsilon, unsettled=unsettled))
        for mark, share in (("chosen", "agrees"), ("chosen_strictly", "agrees_steps")):
            best = largest_unchanged(measured, share)
            for found in measured:
                found[mark] = found is best
        return measured
    if method == FORWARD:
        flops, right = _forward(preset, data, epochs, seed)
        return [row(flops, None, accuracy=right)]
    if method == LAYERWISE:
        return [row(*_layer_after_layer(preset, what))]
    rows = [row(truth.flops, truth.answers)]
    if not streamed:
        cuts = _cut_short(preset, what.pictures[0], CUTS)
        rows += [row(cut * flops_per_tick(preset), answers[None], method=CUT) for cut, answers in cuts]
    return rows


def _compared(answers: NDArray[np.int64], what: Show, truth: Clocked) -> dict[str, Any]:
    changed = answers != truth.answers
    return {
        "accuracy": float((answers[-1] == what.labels).mean()), "agrees": float(1 - changed[-1].mean()),
        "agrees_steps": float(1 - changed.mean()),
        "lead_lost": float(truth.leads[changed].max()) if changed.any() else None,
    }  # fmt: skip


def largest_unchanged(rows: Sequence[dict[str, Any]], share: str = "agrees") -> dict[str, Any] | None:
    """Of rows by rising epsilon, the last one before the first in which a class has changed (or nothing rests)."""
    best = None
    for row in rows:
        if row[share] < 1 or row["unsettled"] > 0:
            break
        best = row
    return best


def _lazily(preset: Preset, what: Show, coarse: float, epsilon: float) -> tuple[float, NDArray[np.int64], float]:
    """FLOPs per picture, classes (steps, B), share of pictures without rest.

    Each digit by itself in a network that holds one sample; in a stream one after the other, without a reset.
    """
    chain = network(preset, 1, coarse)
    chain.set_parameter("epsilon", epsilon)
    if what.start is not None:
        settle(chain, what.start[:1])
    found = np.zeros(what.pictures.shape[:2], np.int64)
    spent, unsettled = 0.0, 0
    for digit in range(len(what.labels)):
        if what.start is None:
            chain.reset(0)
        before = chain.effective_flops
        for step, pictures in enumerate(what.pictures):
            unsettled += int(settle(chain, pictures[digit : digit + 1])[0] < 0)
            found[step, digit] = chain.logits()[0].argmax()
        spent += chain.effective_flops - before
    return spent / found.size, found, unsettled / found.size


def _cut_short(preset: Preset, x: Array, cuts: Iterable[int]) -> list[tuple[int, NDArray[np.int64]]]:
    """Answers (B,) of clocked ticks from rest, read out after so many."""
    chain = network(preset, len(x))
    chain.clamp(x, None)
    found = []
    for cut in cuts:
        while chain.ticks < cut:
            chain.tick(nudged=False)
        found.append((cut, chain.logits().argmax(-1)))
    return found


def _layer_after_layer(preset: Preset, what: Show) -> tuple[float, NDArray[np.int64]]:
    """FLOPs and answers (1, B) if each layer of the recursive chain waits for the one below.

    It reads that one once, in the tick in which it has no state of its own to read yet.
    """
    weights = network(preset, 1).state_dict()
    free = equilibrium_for(preset, weights, TOLERANCE).settle(what.pictures[0])
    return 2.0 * weights["R"].size * free.ticks, free.logits.argmax(-1)[None]


def _forward(preset: Preset, data: Dataset, epochs: int, seed: int) -> tuple[float, float]:
    """FLOPs and accuracy of a residual network of the same size without recurrence, trained by backpropagation."""
    knobs = {**preset.knobs, "sigma": 0.0}
    twin = preset.model_copy(update={"knobs": knobs, "weights_file": None, "seed": seed})
    report = train(twin, data, Recipe(epochs=epochs, method="backprop", seed=seed))
    return 2.0 * report.weights["W"].size, report.test_accuracy


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Accuracy over FLOPs per answer; solid from rest, dashed streamed, a ring around the epsilon chosen."""
    for streamed, style in ((False, "o-"), (True, "s--")):
        for coarse in sorted({row["coarse"] for row in rows if row["method"] == LAZY}):
            lazy = [r for r in rows if (r["method"], r["streamed"], r["coarse"]) == (LAZY, streamed, coarse)]
            if not lazy:
                continue
            words = f"lazy, coarse {coarse:g}, {'streamed' if streamed else 'from rest'}"
            flops, right = [r["flops_per_answer"] for r in lazy], [r["accuracy"] for r in lazy]
            (line,) = axes.plot(flops, right, style, markersize=3, label=words)
            for row in lazy:
                if row["chosen"]:
                    axes.plot(
                        row["flops_per_answer"], row["accuracy"], "o", markersize=9, fillstyle="none",
                        color=line.get_color(),
                    )  # fmt: skip
    for method, style in ((CLOCKED, "kx"), (LAYERWISE, "k+"), (FORWARD, "k^"), (CUT, "k:")):
        shown = [row for row in rows if row["method"] == method and not row["streamed"]]
        if shown:
            axes.plot([r["flops_per_answer"] for r in shown], [r["accuracy"] for r in shown], style, label=method)
    axes.set_xscale("log")
    axes.set_xlabel("FLOPs per answer")
    axes.set_ylabel("test accuracy")
    axes.legend(fontsize=6)

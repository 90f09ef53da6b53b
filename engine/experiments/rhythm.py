"""Rhythm: when a network falls in with its input, how it amplifies it near the edge, and what it remembers of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.build import build_network, load_data, stream_of
from engine.experiments.curves import over_seeds
from engine.experiments.reader import ideal_reader, trained_reader
from engine.learning.recall import CueRecipe, last_cues, learn_cues, recalled, right_at_the_end, sequences
from engine.networks.chain import Chain
from engine.preset import Preset, load_preset
from engine.streams.cues import CUES, NOTHING

TITLE = "Rhythm: entrainment and memory"
QUESTION = (
    "Below which sigma does a chain answer a periodic input with one response, whatever it began with? And can a chain "
    "without any buffer tell which of two rare cues came last, in sequences of 10, 100 and 1,000 noisy pictures, with "
    "one set of weights? Controls: two starts, readers of the last picture and of the last ten, a chain that "
    "contracts, and a teacher who tells classes at random."
)
SIGMAS = (0.5, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0)
GAINS = (0.1, 0.25, 0.5)
LAYERS, NEURONS = 20, 64
ENTRAINED = 1e-4
CONTRACTION, BISTABLE = 0.95, 3.0
METHODS: dict[str, tuple[float, bool]] = {
    "eqprop, sigma 3": (BISTABLE, False),
    "eqprop, sigma 0.95 (a contraction)": (CONTRACTION, False),
    "told at random (control)": (BISTABLE, True),
}
"""Sigma, and whether the teacher tells classes at random."""
READERS = {"reader of the last picture": 1, "reader of the last 10 pictures": 10}
"""Pictures that a trained reader sees."""
IDEAL = "best possible reader of the last 10 pictures"
LENGTHS = (10, 100, 1000)
GAPS = (0, 1, 3, 10, 30, 100, 300, 999)
DISTRACTION = 0.5
LANES = 256


def jobs(quick: bool) -> list[dict[str, Any]]:
    """Entrainment by network, stream and seed; resonance by seed; memory by method and seed."""
    seeds = 1 if quick else 3
    pictures = 300 if quick else CueRecipe().pictures
    found: list[dict[str, Any]] = []
    for seed in range(seeds):
        found += [
            {"part": "memory", "what": method, "size": pictures, "seed": seed} for method in (*METHODS, *READERS, IDEAL)
        ]
        found += [
            {"part": "entrainment", "what": f"{network}, {stream}", "size": 1000 if quick else 1500, "seed": seed}
            for network in ("recursive", "hopfield")
            for stream in ("bar", "sine", "digits")
        ]
        found.append({"part": "resonance", "what": "one layer", "size": 400 if quick else 1200, "seed": seed})
    return found


def run(part: str, what: str, size: int, seed: int) -> list[dict[str, Any]]:
    """One job of `jobs`; size: ticks, or pictures to learn from."""
    rows = {"memory": _memory, "entrainment": _entrainment, "resonance": _resonance}[part](what, size, seed)
    return [{"track": "rhythm", "part": part, "what": what, "seed": seed, **row} for row in rows]


def _entrainment(what: str, ticks: int, seed: int) -> list[dict[str, Any]]:
    """A row per sigma and gain: when max |x(t) - x(t - T)| fell under ENTRAINED for good, its largest value in the last
    period, how far a copy with another start ended away, and the RMS swing of a neuron about its mean."""
    network, stream = what.split(", ")
    rows = []
    for sigma in SIGMAS:
        for gain in GAINS:
            preset = Preset.model_validate(
                {"name": "rhythm", "title": TITLE, "network": network, "layers": LAYERS, "neurons": NEURONS,
                 "stream": stream, "seed": seed, "knobs": {"sigma": sigma, "input_gain": gain}}
            )  # fmt: skip
            rows.append({"sigma": sigma, "gain": gain, **_followed(preset, ticks, seed)})
    return rows


def _followed(preset: Preset, ticks: int, seed: int) -> dict[str, Any]:
    """Two copies follow a stream; the second one saw noise for a period before."""
    stream = stream_of(preset)
    assert stream is not None
    period = stream.period(stream.knobs)
    assert period is not None
    chain = _two_copies(preset)
    rng = np.random.default_rng((seed, 15))
    past = np.zeros((period, *chain.ablated.shape), np.float32)
    entrained, apart = None, math.inf
    largest = starts = 0.0
    for tick in range(ticks):
        x = np.stack([stream.at(tick, stream.knobs).x] * 2)
        if tick < period:
            x[1] = rng.standard_normal(x.shape[1])
        chain.show(x)
        chain.tick(nudged=False)
        state = chain.channels(0)[0]
        apart = float(np.abs(state - past[tick % period]).max())
        past[tick % period] = state
        if tick >= period:
            entrained = None if apart >= ENTRAINED else tick if entrained is None else entrained
        if tick >= ticks - period:
            largest = max(largest, apart)
            starts = max(starts, float(np.abs(state - chain.channels(1)[0]).max()))
    swing = float(np.sqrt(np.square(past - past.mean(0)).mean()))
    return {"period": period, "entrained_after": entrained, "apart": largest, "starts_apart": starts, "swing": swing}


def _two_copies(preset: Preset) -> Chain:
    chain = build_network(preset, samples=2)
    assert isinstance(chain, Chain)
    for name, value in preset.knobs.items():
        chain.set_parameter(name, value)
    return chain


def _resonance(what: str, ticks: int, seed: int) -> list[dict[str, Any]]:
    """A row per sigma and period: RMS swing of one layer under one faint sine, relative to that at sigma = 0, beside
    the law of a random orthogonal recurrence, 1 / sqrt(1 - sigma^2) at every frequency."""
    rows = []
    for period in (4, 16, 64):
        swings = {}
        for sigma in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99):
            preset = Preset(
                name="resonance", title=TITLE, network="recursive", layers=1, neurons=256, stream="sine", seed=seed,
                dtype="float64", knobs={"sigma": sigma, "input_gain": 1e-4},
            )  # fmt: skip
            swings[sigma] = _swing(preset, ticks, period)
        rows += [
            {"sigma": sigma, "period": period, "amplification": swing / swings[0.0],
             "law": 1 / math.sqrt(1 - sigma * sigma)}
            for sigma, swing in swings.items()
        ]  # fmt: skip
    return rows


def _swing(preset: Preset, ticks: int, period: int) -> float:
    stream = stream_of(preset)
    assert stream is not None
    knobs = {
        "period": stream.knobs["period"].set_to("period", period),
        "harmonics": stream.knobs["harmonics"].set_to("harmonics", 1),
    }
    chain = _two_copies(preset)
    squares = 0.0
    for tick in range(ticks):
        chain.show(np.stack([stream.at(tick, knobs).x] * 2))
        chain.tick(nudged=False)
        if tick >= ticks - period:
            squares += float(np.square(chain.channels(0)[0]).mean())
    return math.sqrt(squares / period)


def preset_of(sigma: float, seed: int) -> Preset:
    """The shipped chain that remembers, untrained, with another bound and seed."""
    shipped = load_preset("last-cue")
    knobs = shipped.knobs | {"sigma": sigma}
    return shipped.model_copy(update={"knobs": knobs, "seed": seed, "weights_file": None})


def _memory(method: str, pictures: int, seed: int) -> list[dict[str, Any]]:
    """A row per length: share of sequences of held-out cues whose last one is named after the last picture. Of a chain
    also a row per gap: the same after so many pictures of noise on one cue."""
    data = load_data(preset_of(BISTABLE, seed))
    rng = np.random.default_rng((seed, 16))
    tests = {length: sequences(length, LANES, rng) for length in LENGTHS}
    wanted = {length: last_cues(cues) for length, cues in tests.items()}
    if method == IDEAL:
        return [{"length": n, "accuracy": ideal_reader(age, READERS["reader of the last 10 pictures"], len(CUES))}
                for n, (_, age) in wanted.items()]  # fmt: skip
    if method in READERS:
        reader = trained_reader(data, READERS[method], DISTRACTION, seed)
        return [{"length": n, "accuracy": float((reader(cues, rng) == wanted[n][0]).mean())}
                for n, cues in tests.items()]  # fmt: skip
    sigma, shuffled = METHODS[method]
    preset, recipe = preset_of(sigma, seed), CueRecipe(pictures=pictures, seed=seed, shuffled=shuffled)
    weights = learn_cues(preset, data, recipe)

    rows: list[dict[str, Any]] = [
        {"length": n, "accuracy": right_at_the_end(preset, weights, data, cues, DISTRACTION, recipe.show, rng)}
        for n, cues in tests.items()
    ]
    one = np.full((GAPS[-1] + 1, LANES), NOTHING)
    one[0] = np.resize(CUES, LANES)
    held = recalled(preset, weights, data, one, DISTRACTION, recipe.show, rng)
    return rows + [{"gap": gap, "accuracy": float((held[gap] == one[0]).mean())} for gap in GAPS]


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Share of remembered cues over the number of pictures that came after them."""
    held = [row for row in rows if row.get("gap") is not None]
    for method in METHODS:
        found = [{**row, "pictures": row["gap"] + 1} for row in held if row["what"] == method]
        over_seeds(axes, found, "pictures", "accuracy", method)
    ideal = READERS["reader of the last 10 pictures"]
    axes.step([1, ideal, ideal, GAPS[-1] + 1], [1, 1, 0.5, 0.5], "--", color="grey", label=IDEAL)
    axes.axhline(0.5, linestyle=":", color="grey", label="chance")
    axes.set_xscale("log")
    axes.set_xlabel("pictures since the cue, itself included")
    axes.set_ylabel("cues remembered")
    axes.legend(fontsize=7)

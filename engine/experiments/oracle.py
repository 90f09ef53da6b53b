"""Oracle: does the time that an answer takes tell whether it is right?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.data import Dataset, split
from engine.experiments.curves import over_seeds
from engine.experiments.energy import network as network_of
from engine.learning.train import Recipe, train
from engine.networks.chain import Chain
from engine.oracle.answers import Answers, answers
from engine.oracle.race import Rules, race
from engine.oracle.statistics import (
    auroc,
    interval,
    partial_rank_correlation,
    rank_correlation,
    risk_area,
    risk_coverage,
)
from engine.preset import Preset, load_preset

Array = NDArray[Any]
TITLE = "Oracle: settling time as a measure of doubt"
QUESTION = (
    "Does a network take longer over the held-out digits that it reads wrong? T_relax by itself, and the time of a "
    "competitive read-out that races beside the network, against softmax confidence: AUROC for errors, rank "
    "correlation, risk at several coverages; on clean and noisy digits and on a 5 that slides into a 3. Controls: the "
    "same times dealt out to other samples; a race in which classes do not compete; a 5 that slides into another 5."
)
SHIPPED, FRESH = "deep-100", "fresh"
"""The trained preset, and a small chain trained anew from its seed."""
SIGMA = 0.9
NOISES = {"clean": 0.0, "noise 0.3": 0.3, "noise 0.6": 0.6, "noise 1": 1.0}
"""Standard deviations of the noise on a standardised pixel."""
SLIDES = {"5 into 3": (5, 3), "5 into another 5 (control)": (5, 5)}
SHOWS = (*NOISES, *SLIDES)
SHARES = np.linspace(0, 1, 12)
"""How much of the second digit is blended in; an even number, so that none is half and half."""
CONFIDENCE, T_RELAX, RACE = "confidence", "T_relax", "competitive"
ALONE, SHUFFLED = "race without competition (control)", "shuffled times (control)"
SCORES = (CONFIDENCE, T_RELAX, RACE, ALONE, SHUFFLED)
NO_COMPETITION = Rules(leak=0.0, excitation=0.0, inhibition=0.0)
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.5)


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network and seed: of noise and pairs for the shipped network, of training too for a fresh one."""
    epochs, seeds = (2, {SHIPPED: 1, FRESH: 1}) if quick else (5, {SHIPPED: 3, FRESH: 5})
    return [
        {"network": network, "layers": layers, "epochs": epochs if network == FRESH else 0, "seed": seed}
        for network, layers in ((SHIPPED, 100), (FRESH, 12))
        for seed in range(seeds[network])
    ]


@dataclass(frozen=True, slots=True)
class Show:
    """Samples to read: x (B, pixels), their right answers (B,), the picture each is made of, for slides the share."""

    x: Array
    labels: NDArray[np.int64]
    source: NDArray[np.int64]
    share: NDArray[np.float64] | None = None


def shown(data: Dataset, what: str, seed: int) -> Show:
    """Held-out digits: as they are, in noise, or sliding from one to another; right is then whichever is nearer."""
    test = split(data).test
    rng = np.random.default_rng((seed, SHOWS.index(what)))
    if what in NOISES:
        x = data.encode(data.images[test])
        noise = NOISES[what] * rng.standard_normal(x.shape, np.float32)
        return Show((x + noise).astype(np.float32), data.labels[test], np.arange(len(test)))
    one, other = (rng.permutation(test[data.labels[test] == digit]) for digit in SLIDES[what])
    count = min(len(one), len(other))
    first, last = data.encode(data.images[one[:count]]), data.encode(data.images[other[:count]])
    share = np.repeat(SHARES, count)
    blend = share[:, None].astype(np.float32)
    start, end = np.tile(first, (len(SHARES), 1)), np.tile(last, (len(SHARES), 1))
    labels = np.where(share < 0.5, *SLIDES[what])
    return Show((1 - blend) * start + blend * end, labels, np.tile(np.arange(count), len(SHARES)), share)


def run(network: str, layers: int, epochs: int, seed: int) -> list[dict[str, Any]]:
    """Rows per show and score. A score is high where the network should doubt: 1 - confidence, or a time in ticks.

    Share None, all samples together: auroc for errors; behind_confidence, by how much it is less than that of
    confidence; correlation with confidence (ranks); beyond_confidence, rank correlation with errors of what a linear
    fit on confidence leaves; risk_area under the risk-coverage curve; risk_X, share of errors if only the X % of the
    lowest scores are answered; median_right and median_wrong. _low and _high are 95 % bootstrap intervals over
    pictures (pairs of a slide). never: share of samples without a finite score; agrees: with the race's winner.
    For slides also a row per share of the second digit: errors, median.
    """
    preset = load_preset(SHIPPED) if network == SHIPPED else _fresh(layers, seed)
    data = load_data(preset)
    trained = None if network == SHIPPED else train(preset, data, Recipe(epochs=epochs, seed=seed)).weights
    rows = []
    for what in SHOWS:
        show = shown(data, what, seed)
        chain = network_of(preset, len(show.labels))
        if trained is not None:
            chain.adopt(trained)
        told = {"track": "oracle", "network": network, "layers": layers, "epochs": epochs, "seed": seed, "show": what}
        rows += [{**told, **row} for row in measured(chain, show, seed)]
    return rows


def _fresh(layers: int, seed: int) -> Preset:
    return Preset(
        name="oracle", title=TITLE, network="recursive", layers=layers, neurons=64, seed=seed, knobs={"sigma": SIGMA}
    )


def scores(found: Answers, rng: np.random.Generator) -> dict[str, Array]:
    """Every score of the samples, (B,); inf stands for never."""
    return {
        CONFIDENCE: 1 - found.confidence,
        T_RELAX: found.t_relax,
        RACE: found.decided,
        ALONE: race(found.logits, NO_COMPETITION).time,
        SHUFFLED: rng.permutation(found.decided),
    }


def measured(chain: Chain, show: Show, seed: int) -> list[dict[str, Any]]:
    """The rows of one show, without what all rows of a job share."""
    found = answers(chain, show.x)
    wrong = found.logits.argmax(-1) != show.labels
    agrees = float((found.choice == found.logits.argmax(-1)).mean())
    doubt = 1 - found.confidence
    by_name = scores(found, np.random.default_rng((seed, 14)))
    rows: list[dict[str, Any]] = []
    for name, score in by_name.items():
        rows.append(
            {"share": None, "score": name, "samples": len(wrong), "errors": int(wrong.sum()), "agrees": agrees,
             "never": float(np.isinf(score).mean()), "median": _number(np.median(score)),
             **_compared(score, doubt, wrong, show.source, seed)}
        )  # fmt: skip
    blank = dict.fromkeys(rows[0])
    for share in [] if show.share is None else SHARES:
        here = show.share == share
        for name, score in by_name.items():
            rows.append(
                {**blank, "share": float(share), "score": name, "samples": int(here.sum()),
                 "errors": int(wrong[here].sum()), "median": _number(np.median(score[here]))}
            )  # fmt: skip
    return rows


def _compared(
    score: Array, doubt: Array, wrong: NDArray[np.bool_], source: NDArray[np.int64], seed: int
) -> dict[str, Any]:
    def rank(score: Array, doubt: Array, wrong: NDArray[np.bool_]) -> float | None:
        return auroc(score, wrong)

    def behind(score: Array, doubt: Array, wrong: NDArray[np.bool_]) -> float | None:
        one, other = auroc(doubt, wrong), auroc(score, wrong)
        return None if one is None or other is None else one - other

    def beyond(score: Array, doubt: Array, wrong: NDArray[np.bool_]) -> float | None:
        return partial_rank_correlation(score, wrong, doubt)

    told: dict[str, Any] = {}
    for name, measure in (("auroc", rank), ("behind_confidence", behind), ("beyond_confidence", beyond)):
        told[name] = measure(score, doubt, wrong)
        told[f"{name}_low"], told[f"{name}_high"] = interval(measure, score, doubt, wrong, groups=source, seed=seed)
    told["correlation"] = rank_correlation(score, 1 - doubt)
    told["risk_area"] = risk_area(score, wrong)
    risk = risk_coverage(score, wrong)[1]
    for coverage in COVERAGES:
        told[f"risk_{coverage * 100:.0f}"] = float(risk[round(coverage * len(risk)) - 1])
    for name, where in (("median_right", ~wrong), ("median_wrong", wrong)):
        told[name] = _number(np.median(score[where])) if where.any() else None
    return told


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """AUROC for errors over what was shown, mean and standard deviation over seeds; dashed the fresh networks."""
    looks = dict(zip(SCORES, ("tab:blue", "tab:orange", "tab:green", "tab:brown", "0.6"), strict=True))
    shows = [*NOISES, "5 into 3"]
    for network, style in ((SHIPPED, "o-"), (FRESH, "s--")):
        for score, colour in looks.items():
            chosen = [
                {**row, "place": shows.index(row["show"])}
                for row in rows
                if (row["network"], row["score"], row["share"]) == (network, score, None) and row["show"] in shows
            ]
            known = score in axes.get_legend_handles_labels()[1]
            over_seeds(axes, chosen, "place", "auroc", "_" if known else score, style, color=colour)
    axes.axhline(0.5, linestyle=":", color="grey")
    axes.set_xticks(range(len(shows)), shows)
    axes.set_xlabel(f"solid: {SHIPPED}, dashed: small networks trained afresh")
    axes.set_ylabel("AUROC for errors")
    axes.legend(fontsize=6)

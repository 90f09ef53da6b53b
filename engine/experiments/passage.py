"""Passage: what a cache of prototypes is worth when a trouble comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.dynamics import Stream, make_stream
from engine.networks.growing.novelty import distance
from engine.networks.growing.prototypes import RADIUS, Prototype, PrototypeCache
from engine.networks.growing.trouble import Troubles

Array = NDArray[np.float64]
TITLE = "Passage: a trouble that comes back"
QUESTION = (
    "A heavy body passes light ones on springs, goes, and comes back; in between a wind blows. A model of the springs "
    "notices by its novelty signal and is given a transient module. How long is it astray at the second and third "
    "passage if the module comes from the cache of prototypes? Controls: a nascent module each time (no cache); the "
    "prototype of the wrong trouble; no module (frozen)."
)
WAYS = ("cache", "no cache (control)", "wrong prototype (control)", "frozen (control)")
WARM = 400
"""Quiet ticks that the springs are learned from; then they stay."""
TROUBLE, ASTRAY = 4.0, 0.25
"""See `run`."""
WIND = 0.3
WINDOW = 20
"""Ticks that errors are averaged over."""
REACH = 4.0
"""Unit of length that a module sees places in."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per way and seed."""
    return [
        {"way": way, "noise": noise, "seed": seed}
        for noise in ((0.002,) if quick else (0.002, 0.005))
        for way in WAYS
        for seed in range(1 if quick else 5)
    ]


class Springs:
    """Each light body's next state as a linear function of its own, by least squares over the first WARM ticks."""

    def __init__(self, states: Array) -> None:
        self._weights = np.stack(
            [np.linalg.lstsq(_with_one(states[:WARM, i]), states[1 : WARM + 1, i])[0] for i in range(states.shape[1])]
        )

    def predict(self, state: Array) -> Array:
        """(bodies, 4) from (bodies, 4)."""
        found: Array = np.einsum("im,imo->io", _with_one(state), self._weights)
        return found


def _with_one(states: Array) -> Array:
    return np.concatenate([states, np.ones((*states.shape[:-1], 1))], -1)


def run(way: str, noise: float, seed: int) -> list[dict[str, Any]]:
    """A row per passage: ticks in trouble, those of them astray, mean error in trouble, what the module began with.

    Errors are in standard deviations of the states. In trouble: the frozen model's error is above TROUBLE times that
    of quiet times. Astray: beyond the quiet error, which is the noise's, more than ASTRAY of the frozen model's is
    left (of the variance, the square of it). The ticks of a passage, and as many before and after it, are looked at.
    """
    stream = make_stream("black-hole", steps=6000, noise=noise, seed=seed, wind=WIND)
    errors, frozen, began = followed(stream, way)
    trouble, astray = judged(errors, frozen, float(np.sqrt(np.square(frozen[:WARM]).mean())))
    rows = []
    for number, (first, last) in enumerate(stream.truth.passages, 1):
        around = slice(max(2 * first - last, 0), 2 * last - first)
        here = trouble[around]
        told = {"ticks": int(here.sum()), "astray": int((astray[around] & here).sum())}
        means = {"error": float(errors[around][here].mean()), "frozen_error": float(frozen[around][here].mean())}
        named = {"track": "passage", "way": way, "noise": noise, "seed": seed, "passage": number}
        rows.append({**named, **told, **means, "began_with": began.get(number, "nothing")})
    return rows


def judged(errors: Array, without: Array, quiet: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which ticks are in trouble and which astray (see `run`), of errors with and without a module, all (T,)."""
    ours, theirs = _smooth(errors), _smooth(without)
    return theirs > TROUBLE * quiet, ours**2 - quiet**2 > ASTRAY**2 * (theirs**2 - quiet**2)


def followed(stream: Stream, way: str) -> tuple[Array, Array, dict[int, str]]:
    """Errors of the way and of the frozen model, both (T - 1,), and what each passage's module began with."""
    states, scale = stream.states, stream.scale[1:].mean(0)
    springs = Springs(states[:, 1:])
    began: dict[int, str] = {}
    names: dict[Prototype | None, str] = {None: "nascent"}
    errors, frozen = np.zeros(len(states) - 1), np.zeros(len(states) - 1)
    tick = 0

    def choose(cache: PrototypeCache, signature: Array, explains: Callable[[Prototype], float]) -> Prototype | None:
        what = _name(stream, tick)
        recalled = cache.recall(signature, explains) if way == WAYS[0] else None
        chosen = _wrong(cache, signature) if way == WAYS[2] and what.isdigit() else recalled
        if what.isdigit():
            began[int(what)] = names[chosen]
        return chosen

    troubles = Troubles(states.shape[1] - 1, scale.size, _from_the_heavy, (0,), modules=1, choose=choose)
    for tick, (now, later) in enumerate(pairwise(states)):
        residuals = (later[1:] - springs.predict(now[1:])) / scale
        left = residuals - troubles.correct(now)
        errors[tick], frozen[tick] = np.sqrt(np.square(left).mean()), np.sqrt(np.square(residuals).mean())
        troubles.observe(now, residuals, now[1:] / scale, learn=way != WAYS[3])
        if troubles.kept is not None:
            names[troubles.kept] = "passage" if _name(stream, tick).isdigit() else "wind"
            troubles.kept = None
    return errors, frozen, began


def _from_the_heavy(state: Array, source: int) -> Array:
    """Where it is as seen by the light bodies, (bodies, 2)."""
    found: Array = (state[source, :2] - state[1:, :2]) / REACH
    return found


def _wrong(cache: PrototypeCache, signature: Array) -> Prototype | None:
    """The one with the farthest signature, if it is none that the signature would find."""
    others = [p for p in cache if distance(p.signature, signature) > RADIUS]
    return max(others, key=lambda p: distance(p.signature, signature), default=None)


def _name(stream: Stream, tick: int) -> str:
    """The number of the passage nearest in time, or "wind"."""
    spells = [(f"{i}", *span) for i, span in enumerate(stream.truth.passages, 1)]
    spells += [("wind", *span) for span in stream.truth.gusts]
    return min(spells, key=lambda spell: max(spell[1] - tick, tick - spell[2], 0))[0]


def _smooth(errors: Array) -> Array:
    """Root mean square over the last WINDOW ticks, (T,)."""
    total = np.cumsum(np.pad(np.square(errors), (WINDOW, 0)))
    found: Array = np.sqrt((total[WINDOW:] - total[:-WINDOW]) / WINDOW)
    return found


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Ticks astray over the passages."""
    from engine.experiments.curves import over_seeds

    least = min(row["noise"] for row in rows)
    for way in WAYS:
        over_seeds(axes, [r for r in rows if (r["way"], r["noise"]) == (way, least)], "passage", "astray", way)
    axes.set_xlabel("passage")
    axes.set_ylabel("ticks astray")
    axes.set_xticks([1, 2, 3])
    axes.legend(fontsize=7)

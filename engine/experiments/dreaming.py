"""Dreaming: are the pictures that a network draws of a class of that class, for a reader who knows nothing of it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.data import Dataset, split
from engine.dreaming import Moving, Prior, dreams, ticks_of
from engine.experiments.curves import over_seeds
from engine.learning.align import prepared_chain
from engine.learning.train import Recipe, accuracy, equilibrium_for, first_weights, train
from engine.preset import Preset, load_preset

Array = NDArray[Any]
TITLE = "Dreaming: what the network knows of a class"
QUESTION = (
    "The label is clamped and the input is free: is the picture that comes of it read as that class by a support "
    "vector machine trained on real digits alone, and how far does it lie from the nearest real one? Beside it: the "
    "same without the prior (which pixels go together, of all classes), and a linear reader's weights in place of the "
    "network's credit. Controls: no nudge, random weights, weights trained on shuffled labels, and pictures drawn "
    "from the prior alone."
)
SIGMA = 0.9
SHIPPED = "deep-100"
EACH = 3
"""Dreams of each class, from pictures drawn from the prior."""
MOMENTS = 10
DREAM, BARE, RIVAL = "dream", "no prior", "linear reader (rival)"
NO_NUDGE, RANDOM, SHUFFLED = "zero nudge (control)", "random weights (control)", "shuffled labels (control)"
ALONE = "prior alone (control)"
WAYS = (DREAM, BARE, RIVAL, NO_NUDGE, RANDOM, SHUFFLED, ALONE)
DRAWN = 500
"""Pictures of the prior alone."""


class Reader:
    """A support vector machine (Cortes & Vapnik 1995) and nearest neighbours, of real training pictures alone."""

    def __init__(self, data: Dataset) -> None:
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.svm import SVC

        parts = split(data)
        pictures = data.images.reshape(len(data.images), -1)
        known, labels = pictures[parts.train], data.labels[parts.train]
        self._machine = SVC(C=10).fit(known, labels)
        self._neighbours = KNeighborsClassifier(5).fit(known, labels)
        held_out = pictures[parts.test]
        self.accuracy = float(self._machine.score(held_out, data.labels[parts.test]))
        self._usual = float(np.median(self._nearest(held_out)))

    def _nearest(self, pictures: Array) -> Array:
        distances: Array = self._neighbours.kneighbors(pictures, 1)[0][:, 0]
        return distances

    def judge(self, pictures: Array, labels: Array) -> dict[str, float]:
        """Shares of pictures (B, *shape) that both read as `labels` (B,), and the median distance to the nearest real
        picture, in the median distance from a held-out picture to its nearest."""
        flat = pictures.reshape(len(pictures), -1)
        return {
            "share": float((self._machine.predict(flat) == labels).mean()),
            "share_neighbours": float((self._neighbours.predict(flat) == labels).mean()),
            "distance": float(np.median(self._nearest(flat))) / self._usual,
        }


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network and seed."""
    networks = (("recursive", 6, 2, False), ("hopfield", 3, 3, False)) if quick else (
        ("recursive", 100, 5, True), ("recursive", 12, 5, False), ("hopfield", 6, 5, False),
        ("hopfield", 12, 5, False),
    )  # fmt: skip
    return [
        {"network": network, "layers": layers, "epochs": epochs, "shipped": shipped, "seed": seed}
        for network, layers, epochs, shipped in networks
        for seed in range(1 if quick else 3)
    ]


def run(network: str, layers: int, epochs: int, shipped: bool, seed: int) -> list[dict[str, Any]]:
    """Train, or take the weights that come with the program (the control still trains), and dream in every way.

    Rows per way and moment: tick, dreams (how many), share and share_neighbours of them that are read as the class,
    share_own (that the network itself reads so; None where there is none), distance; and the held-out accuracies of
    reader and network, None where nothing was learned.
    """
    preset = Preset.model_validate(
        {"name": "dreaming", "title": TITLE, "network": network, "layers": layers, "neurons": 64, "seed": seed,
         "knobs": {"sigma": SIGMA}}
    )  # fmt: skip
    data = load_data(preset)
    reader, prior = Reader(data), Prior(data, seed)
    rng = np.random.default_rng((seed, 13))
    labels = np.tile(np.arange(data.classes), EACH)
    start = data.encode(data.decode(prior.draw(len(labels), rng)))
    ticks = ticks_of(layers)
    told = {"track": "dreaming", "network": network, "layers": layers, "epochs": epochs, "shipped": shipped,
            "seed": seed, "accuracy_reader": reader.accuracy}  # fmt: skip
    rows: list[dict[str, Any]] = []
    for way, weights, right in _networks(preset, data, epochs, shipped):
        chain = prepared_chain(preset, {}, len(labels), weights=weights)
        dreamt = dreams(chain, data, None if way == BARE else prior, start, labels, ticks, nudge=way != NO_NUDGE)
        for tick, pictures in _moments(dreamt, ticks):
            own = float((chain.logits().argmax(-1) == labels).mean())
            rows.append({**told, "way": way, "tick": tick, "dreams": len(labels), **reader.judge(pictures, labels),
                         "share_own": own, "accuracy": right})  # fmt: skip
    for tick, pictures in _moments(_linear(data, prior, start, labels, ticks), ticks):
        rows.append({**told, "way": RIVAL, "tick": tick, "dreams": len(labels), **reader.judge(pictures, labels),
                     "share_own": None, "accuracy": None})  # fmt: skip
    wanted = np.tile(np.arange(data.classes), DRAWN // data.classes)
    alone = reader.judge(data.decode(prior.draw(len(wanted), rng)), wanted)
    return [*rows, {**told, "way": ALONE, "tick": 0, "dreams": len(wanted), **alone, "share_own": None,
                    "accuracy": None}]  # fmt: skip


def _networks(
    preset: Preset, data: Dataset, epochs: int, shipped: bool
) -> Iterator[tuple[str, dict[str, Array], float | None]]:
    """Ways to dream with a network, its weights and its accuracy."""
    recipe = Recipe(epochs=epochs, seed=preset.seed)
    if shipped:
        learned = build_network(load_preset(SHIPPED), "numpy").state_dict()
        right = accuracy(equilibrium_for(preset, learned), data, split(data).test)
    else:
        report = train(preset, data, recipe)
        learned, right = report.weights, report.test_accuracy
    for way in (DREAM, BARE, NO_NUDGE):
        yield way, learned, right
    yield RANDOM, first_weights(preset), None
    report = train(preset, data, replace(recipe, shuffled=True))
    yield SHUFFLED, report.weights, report.test_accuracy


def _moments(dreamt: Iterable[Array], ticks: int) -> Iterator[tuple[int, Array]]:
    """Some of the ticks, the last one among them, and what is dreamt then."""
    told = {round(ticks * part / MOMENTS) for part in range(1, MOMENTS + 1)}
    return ((tick, pictures) for tick, pictures in enumerate(dreamt, start=1) if tick in told)


def _linear(data: Dataset, prior: Prior, x: Array, labels: NDArray[np.int64], ticks: int) -> Iterator[Array]:
    """Pictures that a logistic regression's weights drive as the credit drives a dream."""
    from sklearn.linear_model import LogisticRegression

    train_part = split(data).train
    linear = LogisticRegression(max_iter=2000).fit(data.encode(data.images[train_part]), data.labels[train_part])
    moving = Moving(data, prior, x)
    for _ in range(ticks):
        moving.move(linear.coef_[labels].astype(np.float32))
        yield moving.pictures


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Share read as the class over the time of the dream, in parts of its length: mean and deviation over networks."""
    looks = {DREAM: "o-", BARE: "s-", RIVAL: "^-", NO_NUDGE: "o:", RANDOM: "s:", SHUFFLED: "^:"}
    for way, style in looks.items():
        chosen = [
            {**row, "part": round(MOMENTS * row["tick"] / ticks_of(row["layers"])) / MOMENTS}
            for row in rows if row["way"] == way
        ]  # fmt: skip
        over_seeds(axes, chosen, "part", "share", way, style)
    alone = [row["share"] for row in rows if row["way"] == ALONE]
    if alone:
        axes.axhline(float(np.mean(alone)), color="0.5", linewidth=0.8, linestyle="--", label=ALONE)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("part of the dream")
    axes.set_ylabel("read as the clamped class")
    axes.legend(fontsize=6)

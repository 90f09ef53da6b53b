"""Two rare cues in a stream of noise; what is told is which of them came last, however long ago that was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.data import DataError, Dataset, split
from engine.knobs import Knob
from engine.streams.stream import Heard

CUES = (6, 7)
"""Pictures of these classes are cues: of the digits, the two that are told apart most easily."""
NOTHING = -1
"""In the place of a cue: noise."""


class CueLanes:
    """Streams side by side. Cues are pictures of the training part or of the held-out one, noise is white.

    Raises DataError for a data set without such classes.
    """

    def __init__(self, data: Dataset, held_out: bool) -> None:
        self._data = data
        parts = split(data)
        part = parts.test if held_out else parts.train
        self._pools = {cue: part[data.labels[part] == cue] for cue in CUES}
        if not all(map(len, self._pools.values())):
            raise DataError(f"{data.name}: has no pictures of the classes {' and '.join(map(str, CUES))} for cues")

    def draw(self, cues: NDArray[np.int64], noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
        """Encoded pictures (lanes, pixels) for cues (lanes,): class, or NOTHING for noise of RMS `noise`."""
        x = noise * rng.standard_normal((len(cues), self._data.pixels), np.float32)
        for cue, pool in self._pools.items():
            lanes = np.flatnonzero(cues == cue)
            x[lanes] = self._data.encode(self._data.images[rng.choice(pool, len(lanes))])
        return x.astype(np.float32)


def drawn_cues(lanes: int, often: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Either cue with the chance `often` for both together, else NOTHING, int64 (lanes,)."""
    return np.where(rng.random(lanes) < often, rng.choice(CUES, lanes), NOTHING)


class CueStream:
    """One lane of held-out cues; the label is the class of the last one, None before the first."""

    kind = "cues"

    def __init__(self, data: Dataset, seed: int) -> None:
        self._lanes = CueLanes(data, held_out=True)
        self.knobs: dict[str, Knob] = {
            "show": Knob(5, 1, 100, "ticks", "How long each picture is shown.", "integer"),
            "cue_rate": Knob(0.02, 0, 1, "", "Chance that the next picture is a cue and not noise."),
            "distraction": Knob(0.5, 0, 2, "", "RMS of the noise between the cues; that of a cue is about 1."),
        }
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Begin again; the first picture is a cue."""
        self._rng = np.random.default_rng((seed, 12))
        self._heard: Heard | None = None
        self._until = 0

    def period(self, knobs: Mapping[str, Knob]) -> None:
        """It never repeats itself."""

    def at(self, tick: int, knobs: Mapping[str, Knob]) -> Heard:
        """The picture of this tick."""
        if self._heard is None or tick >= self._until:
            often = 1.0 if self._heard is None else knobs["cue_rate"].value
            (cue,) = cues = drawn_cues(1, often, self._rng)
            (x,) = self._lanes.draw(cues, knobs["distraction"].value, self._rng)
            last = None if self._heard is None else self._heard.label
            self._heard = Heard(x, last if cue == NOTHING else int(cue))
            self._until = tick + int(knobs["show"].value)
        return self._heard

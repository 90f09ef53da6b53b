"""One dream per class: what a preset's network draws when it is asked for each of its classes in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.build import load_data
from engine.data.dataset import Summary
from engine.dreaming import DREAMERS, Prior, dreams, ticks_of
from engine.learning.align import prepared_chain
from engine.networks.chain import Chain, softmax
from engine.preset import Preset, PresetError
from kernels.backends import AUTO

MOMENTS = 5
"""Moments of a dream that are kept, the first and the last one among them."""
Progress = Callable[[str, int, int], None]
"""Called with what is being done, ticks done and ticks in all."""


@dataclass(frozen=True, slots=True)
class ClassDreams:
    """pictures: float32 (moments, classes, *shape) in 0..1; ticks: after how many each moment was.

    probabilities: float32 (classes, classes), what the network itself answers at the end, a row per class asked for.
    """

    preset: Preset
    chain: Chain
    data: Summary
    pictures: NDArray[np.float32]
    ticks: tuple[int, ...]
    probabilities: NDArray[np.float32]


def dream_all(
    preset: Preset,
    overrides: Mapping[str, float | str],
    ticks: int | None = None,
    backend: str = AUTO,
    progress: Progress | None = None,
) -> ClassDreams:
    """Dream of every class at once, each from the mean picture of the data set, which is of no class.

    `ticks` None takes as many as the chain's depth asks for. Raises PresetError, KnobError, BackendError.
    """
    if preset.network not in DREAMERS:
        raise PresetError(f"{preset.name}: a {preset.network} network cannot dream")
    data = load_data(preset)
    chain = prepared_chain(preset, overrides, data.classes, backend)
    ticks = ticks_of(preset.layers) if ticks is None else ticks
    moments = sorted({round(ticks * part / (MOMENTS - 1)) for part in range(MOMENTS)})
    x = np.zeros((data.classes, data.pixels), np.float32)
    kept = [data.decode(x)]
    prior = Prior(data, preset.seed)
    for done, pictures in enumerate(dreams(chain, data, prior, x, np.arange(data.classes), ticks), start=1):
        if done in moments:
            kept.append(pictures)
        if progress is not None:
            progress("dreaming", done, ticks)
    answers = softmax(chain.logits()).astype(np.float32)
    return ClassDreams(preset, chain, data.summary, np.stack(kept), tuple(moments), answers)

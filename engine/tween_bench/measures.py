"""What is measured of a run, from whether each action was right, (ticks, lanes).

A switch is judged in the third that it begins:

    dip_depth       how far the network falls below the delayed policy of the same latency in the same games: the
                    largest difference of their accuracies over SMOOTH ticks and all lanes, in the BEHIND ticks after
    recovery_ticks  ticks from the switch to the first RUN right actions in a row, mean over lanes; the length of the
                    third for a lane that never gets there. The policy itself needs about its latency. Right after a
                    switch the right move stays the same for tens of ticks, so chance seldom makes such a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOWS = 15
SMOOTH = 10
BEHIND = 200
RUN = 5


def measured(right: NDArray[np.bool_], policy: NDArray[np.bool_]) -> Mapping[str, Any]:
    """Of a run and of the delayed policy in the same games: JSON-ready."""
    accuracy = right.mean(0)
    recoveries = [recovery(third_of(right, third)) for third in (1, 2)]
    return {
        "accuracy_mean": float(accuracy.mean()),
        "accuracy_sd": _sd(accuracy),
        "thirds": parts(right, 3),
        "windows": parts(right, WINDOWS),
        "dip_depth": [dip(third_of(right, third), third_of(policy, third)) for third in (1, 2)],
        "recovery_ticks": [float(ticks.mean()) for ticks in recoveries],
        "recovery_sd": [_sd(ticks) for ticks in recoveries],
        "recovery_median": [float(np.median(ticks)) for ticks in recoveries],
        "latency_bound": float(policy.mean()),
        "latency_bound_thirds": parts(policy, 3),
        "latency_bound_recovery_ticks": [float(recovery(third_of(policy, third)).mean()) for third in (1, 2)],
    }


def parts(right: NDArray[np.bool_], count: int) -> list[float]:
    """Accuracy in equal parts of the run."""
    return [float(part.mean()) for part in np.array_split(right, count)]


def third_of(right: NDArray[np.bool_], third: int) -> NDArray[np.bool_]:
    """Third 0, 1 or 2 of a run."""
    length = len(right) // 3
    return right[third * length : (third + 1) * length]


def dip(right: NDArray[np.bool_], policy: NDArray[np.bool_]) -> float:
    """Dip depth in one third."""
    behind = _smooth(policy.mean(1)) - _smooth(right.mean(1))
    return max(float(behind[:BEHIND].max()), 0.0)


def recovery(right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Recovery ticks in one third, (lanes,)."""
    runs = np.lib.stride_tricks.sliding_window_view(right, RUN, 0).all(-1)
    return np.where(runs.any(0), runs.argmax(0), len(right))


def _sd(values: NDArray[Any]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _smooth(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of SMOOTH values from each on."""
    return np.convolve(curve, np.full(SMOOTH, 1 / SMOOTH), "valid")

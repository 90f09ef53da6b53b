"""How well a score foretells errors. A score is high where the network should doubt; `wrong` (samples,) are its errors.

Never-decided samples score inf: they rank last, tied with each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


def rank_correlation(one: Floats | Bools, other: Floats | Bools) -> float | None:
    """Spearman's, ties at their mean rank; None where one of them is constant."""
    found = _rank_correlations(one, other)
    return None if found is None else float(found[0, 1])


def partial_rank_correlation(one: Floats | Bools, other: Floats | Bools, given: Floats | Bools) -> float | None:
    """Rank correlation of what linear fits on the ranks of `given` leave of both; None where one leaves nothing."""
    r = _rank_correlations(one, other, given)
    if r is None:
        return None
    left = (1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2)
    return float((r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(left)) if left > 1e-12 else None


def _rank_correlations(*columns: Floats | Bools) -> NDArray[np.float64] | None:
    """Of all pairs; None where a column is constant."""
    ranks = np.stack([_ranks(column) for column in columns])
    return None if (np.ptp(ranks, axis=1) == 0).any() else np.asarray(np.corrcoef(ranks), np.float64)


def _ranks(values: Floats | Bools) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def auroc(score: Floats, wrong: Bools) -> float | None:
    """Chance that an error scores higher than a right answer, a tie counting half (Mann & Whitney 1947).

    None without errors, or with nothing else.
    """
    errors = int(wrong.sum())
    right = len(wrong) - errors
    if not errors or not right:
        return None
    return float((_ranks(score)[wrong].sum() - errors * (errors + 1) / 2) / (errors * right))


def risk_coverage(score: Floats, wrong: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage and risk, each (samples,): answer only the k samples of the lowest scores, and err in this share.

    (El-Yaniv & Wiener 2010.) Within a tie every order is as likely as any other, so the risk is the expected one.
    """
    _, group, count = np.unique(score, return_inverse=True, return_counts=True)
    expected = np.bincount(group, wrong) / count
    answered = np.arange(1, len(score) + 1)
    return answered / len(score), np.cumsum(np.repeat(expected, count)) / answered


def risk_area(score: Floats, wrong: Bools) -> float:
    """Area under the risk-coverage curve: mean risk over all coverages (Geifman, Uziel & El-Yaniv 2019)."""
    return float(risk_coverage(score, wrong)[1].mean())


def interval(
    measure: Callable[..., float | None],
    *columns: NDArray[np.generic],
    groups: NDArray[np.generic],
    seed: int,
    draws: int = 500,
) -> tuple[float | None, float | None]:
    """95 % bootstrap interval of `measure(*columns)`; draws where it is None are left out.

    Samples of one group (samples,) are drawn together: they are made of the same picture.
    """
    rng = np.random.default_rng(seed)
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    found = []
    for _ in range(draws):
        pick = np.concatenate([members[i] for i in rng.integers(0, len(sizes), len(sizes))])
        value = measure(*(column[pick] for column in columns))
        if value is not None:
            found.append(value)
    if not found:
        return None, None
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)

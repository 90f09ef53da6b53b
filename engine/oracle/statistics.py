"""How well a score foretells errors. A score is high where the network should doubt; `wrong` (samples,) are its errors.

Never-decided samples score inf: they rank last, tied with each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
FEWEST_ERRORS = 10
"""Below this many errors no logistic regression is fitted."""


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Spearman's, ties at their mean rank; None where one of them is constant."""
    return _correlation(_ranks(one), _ranks(other))


def partial_rank_correlation(one: Floats, other: Floats, given: Floats) -> float | None:
    """Rank correlation of what a linear fit on the ranks of `given` leaves of both; None where it leaves nothing."""
    base = np.stack([np.ones(len(given)), _ranks(given)], 1)
    left = []
    for ranks in (_ranks(one), _ranks(other)):
        rest = ranks - base @ np.linalg.lstsq(base, ranks, rcond=None)[0]
        left.append(np.where(np.abs(rest) < 1e-9 * len(rest), 0.0, rest))
    return _correlation(*left)


def _ranks(values: Floats) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def _correlation(one: Floats, other: Floats) -> float | None:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def auroc(score: Floats, wrong: Bools) -> float | None:
    """Chance that an error scores higher than a right answer; None without errors, or with nothing else."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wrong, _ranks(score))) if wrong.any() and not wrong.all() else None


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
    measure: Callable[..., float | None], *columns: NDArray[np.generic], seed: int, draws: int = 500
) -> tuple[float | None, float | None]:
    """95 % bootstrap interval of `measure(*columns)` over samples; draws where it is None are left out."""
    rng = np.random.default_rng(seed)
    picks = (rng.integers(0, len(columns[0]), len(columns[0])) for _ in range(draws))
    found = [value for value in (measure(*(c[pick] for c in columns)) for pick in picks) if value is not None]
    if not found:
        return None, None
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def predicted_errors(scores: list[Floats], wrong: Bools, seed: int) -> NDArray[np.float64] | None:
    """Held-out error probability of every sample, by logistic regression on the ranks of all `scores` together.

    Five stratified folds, drawn with `seed`. None with fewer than FEWEST_ERRORS errors or right answers.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    if min(wrong.sum(), (~wrong).sum()) < FEWEST_ERRORS:
        return None
    features = StandardScaler().fit_transform(np.stack([_ranks(score) for score in scores], 1))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    chances = cross_val_predict(LogisticRegression(), features, wrong, cv=folds, method="predict_proba")
    return np.asarray(chances[:, 1], np.float64)

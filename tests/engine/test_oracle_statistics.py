"""The oracle's statistics, against libraries and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from engine.oracle.statistics import (
    auroc,
    interval,
    partial_rank_correlation,
    rank_correlation,
    risk_area,
    risk_coverage,
)


def test_auroc_and_correlation_are_the_libraries(rng):
    for _ in range(20):
        score = rng.integers(0, 8, 60).astype(float)
        wrong = rng.random(60) < 0.3
        assert auroc(score, wrong) == pytest.approx(roc_auc_score(wrong, score))
        other = rng.normal(size=60)
        assert rank_correlation(score, other) == pytest.approx(spearmanr(score, other).statistic)


def test_never_ranks_last():
    wrong = np.array([False, False, True, True])
    assert auroc(np.array([1.0, 2.0, np.inf, np.inf]), wrong) == 1
    assert auroc(np.array([1.0, np.inf, np.inf, 2.0]), wrong) == pytest.approx(0.625)


def test_what_does_not_exist_is_none():
    score = np.arange(5.0)
    assert auroc(score, np.zeros(5, bool)) is None
    assert auroc(score, np.ones(5, bool)) is None
    assert rank_correlation(score, np.ones(5)) is None
    assert partial_rank_correlation(score, score[::-1] ** 2, score) is None
    nothing = interval(auroc, score, np.zeros(5, bool), groups=np.arange(5), seed=0)
    assert nothing == (None, None)


def test_partial_correlation_is_what_linear_fits_on_ranks_leave(rng):
    given = rng.normal(size=400)
    one, other = given + rng.normal(size=400), given + rng.normal(size=400)
    ranks = [np.argsort(np.argsort(column)).astype(float) for column in (one, other, given)]
    left = [r - np.polyval(np.polyfit(ranks[2], r, 1), ranks[2]) for r in ranks[:2]]
    found = partial_rank_correlation(one, other, given)
    assert found == pytest.approx(np.corrcoef(left)[0, 1])
    assert abs(found) < 0.15 < rank_correlation(one, other)
    assert partial_rank_correlation(one, one + 0.3 * other, given) > 0.5


def test_risk_and_coverage_by_hand():
    score, wrong = np.array([3.0, 1.0, 2.0, 4.0]), np.array([True, False, False, False])
    coverage, risk = risk_coverage(score, wrong)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert risk_area(score, wrong) == pytest.approx((1 / 3 + 1 / 4) / 4)
    tied = risk_coverage(np.ones(4), wrong)[1]
    assert tied == pytest.approx([0.25] * 4)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    """Scores of errors are one standard deviation higher: the true AUROC is Phi(1 / sqrt 2) = 0.760."""
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        wrong = rng.random(150) < 0.4
        low, high = interval(auroc, rng.normal(size=150) + wrong, wrong, groups=np.arange(150), seed=seed, draws=200)
        held += low < 0.760 < high
    assert 50 <= held <= 60


def test_copies_of_a_picture_do_not_narrow_the_interval(rng):
    wrong = rng.random(80) < 0.4
    score = rng.normal(size=80) + wrong
    alone = np.ptp(interval(auroc, score, wrong, groups=np.arange(80), seed=0))
    copies = np.tile(score, 9), np.tile(wrong, 9)
    together = np.ptp(interval(auroc, *copies, groups=np.tile(np.arange(80), 9), seed=0))
    apart = np.ptp(interval(auroc, *copies, groups=np.arange(720), seed=0))
    assert together == pytest.approx(alone, rel=0.1)
    assert apart < 0.5 * alone

"""Scores against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.dynamics import make_stream
from engine.dynamics.integrate import integrate
from engine.dynamics.scores import calibration, edge_f1, errors, nll, nrmse, valid_time


def test_the_mean_state_has_an_error_of_one_and_the_truth_none() -> None:
    stream = make_stream("fhn", steps=500)
    mean = np.broadcast_to(stream.states.mean(0), stream.states.shape)
    assert nrmse(mean, stream.states, stream.scale) == pytest.approx(1)
    assert nrmse(stream.states, stream.states, stream.scale) == 0


def test_a_forecast_is_valid_until_its_first_large_error() -> None:
    true = np.zeros((100, 2, 1))
    predicted = true.copy()
    predicted[30:] = 0.41
    predicted[60:] = 0
    scale = np.ones((2, 1))
    assert valid_time(predicted, true, scale, 0.5) == 15
    assert valid_time(predicted, true, scale, 0.5, lyapunov_time=3) == 5
    assert valid_time(predicted, true, scale, 0.5, limit=0.5) == 50
    assert valid_time(true + 1, true, scale, 0.5) == 0
    predicted[10] = np.nan
    assert valid_time(predicted, true, scale, 1.0) == 10
    predicted[11], predicted[12] = np.inf, 1e300
    assert np.isfinite(errors(predicted, true, scale)).all()


def test_the_true_equations_with_a_wrong_start_last_as_long_as_chaos_lets_them() -> None:
    """An error of delta grows e-fold per Lyapunov time, so it takes ln(0.4 / delta) of them to show."""
    stream = make_stream("lorenz63", steps=1500)
    assert stream.truth.rate is not None
    lasts = []
    for first in range(0, 1000, 100):
        start = stream.clean[first] + 1e-5 * stream.scale
        path = integrate(stream.truth.rate, start, 500, stream.dt)
        span = slice(first, first + 500)
        lasts.append(valid_time(path, stream.clean[span], stream.scale, stream.dt, stream.truth.lyapunov_time))
    assert np.mean(lasts) == pytest.approx(np.log(0.4 / 1e-5), rel=0.4)


def test_edges_found() -> None:
    true = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]], bool)
    assert edge_f1(true, true) == 1
    assert edge_f1(np.eye(3, dtype=bool), true) == 0
    assert edge_f1(np.ones((3, 3), bool), true) == pytest.approx(2 * 2 / (6 + 2))


def test_likelihood_and_calibration_tell_the_true_density_from_a_wrong_one() -> None:
    x = np.random.default_rng(0).standard_normal(4000)
    from scipy.stats import norm

    assert nll(norm.logpdf(x)) == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=0.05)
    assert calibration(norm.cdf(x)) > 0.05
    assert calibration(norm.cdf(x, scale=1.2)) < 1e-3
    assert nll(norm.logpdf(x, scale=1.2)) > nll(norm.logpdf(x))

"""Change points are where something happened, and not where nothing did."""

from __future__ import annotations

import numpy as np
import pytest

from engine.commands import SelectSample, SetParameter
from engine.history import History
from engine.history.change import LEAST, STANDS_OUT, WINDOW, change_points, change_snr
from engine.history.segment import INDEX
from engine.preset import load_preset
from engine.session import Session
from tests.engine.history_frames import frame


def index_of(change):
    index = np.zeros(len(change), INDEX)
    index["change"] = change
    return index


def snr_by_hand(y, t):
    before = y[max(0, t - WINDOW) : t]
    return abs(y[t] - before.mean()) / (before.std() + 0.1)


def test_it_is_what_its_definition_says():
    rng = np.random.default_rng(0)
    change = 10.0 ** rng.uniform(-3, 0, 300)
    snr = change_snr(index_of(change))
    y = np.log10(change.astype(np.float32).astype(float) + 5e-5)
    assert snr[LEAST:] == pytest.approx([snr_by_hand(y, t) for t in range(LEAST, 300)], rel=1e-6)
    assert (snr[:LEAST] == 0).all()


def test_a_step_in_the_pace_stands_out_in_both_directions():
    rng = np.random.default_rng(1)
    pace = np.concatenate([np.full(200, 1e-3), np.full(200, 1e-1), np.full(200, 1e-3)])
    snr = change_snr(index_of(pace * rng.uniform(0.9, 1.1, 600)))
    assert change_points(snr).tolist() == [200, 400]


def test_noise_of_any_strength_has_hardly_any_change_points():
    rng = np.random.default_rng(2)
    for strength in (1e-5, 1e-2, 10.0):
        snr = change_snr(index_of(strength * np.abs(rng.normal(1, 0.2, 5000))))
        assert len(change_points(snr)) <= 5000 * 0.002


def test_trifles_below_the_tolerance_do_not_stand_out():
    change = np.zeros(300)
    change[150] = 1e-6
    assert change_snr(index_of(change)).max() < 0.1


def test_not_a_number_neither_stands_out_nor_spreads():
    change = np.full(300, 1e-2)
    change[100] = np.nan
    snr = change_snr(index_of(change))
    assert np.isfinite(snr).all()
    assert snr[200:].max() < 1


def test_no_frames_have_no_change_points():
    assert change_points(change_snr(index_of(np.zeros(0)))).size == 0
    assert change_points(change_snr(index_of(np.zeros(3)))).size == 0


def test_events_in_a_running_network_are_found_and_its_rest_is_not():
    """Samples and knobs changed at known ticks of a network at rest, against as many drawn ticks of that rest."""
    session, history = Session(load_preset("tiny")), History()
    for name, value in (("advance", 0), ("t_nudge", 1)):
        session.apply(SetParameter(name, value))
    events = []
    for event in range(12):
        for _ in range(120):
            session.tick()
            history.append(session.frame())
        events.append(len(history))
        session.apply(SelectSample(event + 1) if event % 2 else SetParameter("sigma", 0.5 + 0.05 * event))
    for _ in range(60):
        session.tick()
        history.append(session.frame())
    snr = change_snr(history.index()[1])
    found = change_points(snr)
    hit = [any(0 <= point - event <= 2 for point in found) for event in events]
    assert all(hit)
    rest = np.concatenate([np.arange(event - 20, event) for event in events])
    assert (snr[rest] < STANDS_OUT).all()


def test_changes_count_per_tick():
    rows = []
    for step in (1, 10):
        history = History()
        for number in range(50):
            history.append(frame(step * number, np.full((1, 9), 0.01 * step * number)))
        rows.append(history.index()[1]["change"][5:])
    assert rows[0] == pytest.approx(0.01, rel=0.02)
    assert rows[1] == pytest.approx(0.01, rel=0.02)

"""The competitive read-out: slow where the contest is close, silent where there is none, and never before its time."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from engine.commands import LoadPreset, Reset, SelectSample, SetParameter
from engine.oracle.answers import answers
from engine.oracle.race import Race, Rules, race
from engine.oracle.readout import SLOW, ReadOut
from engine.preset import load_preset
from engine.session import Session


def written_out(logits, rules, ticks):
    """The equation of `engine.oracle.race`, class by class; the accumulators after so many ticks, without an end."""
    x = np.zeros(len(logits))
    for _ in range(ticks):
        f = np.maximum(x, 0)
        moved = []
        for i in range(len(x)):
            drive = logits[i] - sum(logits) / len(logits)
            others = sum(f[j] for j in range(len(x)) if j != i)
            moved.append(x[i] + drive - rules.leak * x[i] + rules.excitation * f[i] - rules.inhibition * others)
        x = np.array(moved)
    return x


def test_accumulators_obey_the_equation(rng):
    logits = rng.normal(0, 3, (4, 5))
    rules = Rules(leak=0.03, excitation=0.02, inhibition=0.05, threshold=1e9)
    run = Race(4, 5, rules)
    for ticks in range(1, 40):
        run.tick(logits)
        expected = np.array([written_out(row, rules, ticks) for row in logits])
        np.testing.assert_allclose(run.activity * rules.threshold, expected, rtol=1e-9, atol=1e-9)


def test_the_threshold_decides_between_two_ticks_and_a_decision_stands(rng):
    logits = rng.normal(0, 4, (20, 6))
    run = Race(20, 6)
    seen = [run.activity]
    while run.running:
        run.tick(logits)
        seen.append(run.activity)
    for sample, when in enumerate(run.time):
        before, after = seen[math.ceil(when) - 1][sample], seen[math.ceil(when)][sample]
        assert before.max() < 1 <= after.max()
        assert run.choice[sample] == after.argmax()
        assert when - math.floor(when) == pytest.approx((1 - before.max()) / (after.max() - before.max()))
        np.testing.assert_array_equal(seen[-1][sample], after)


def test_what_all_logits_share_changes_nothing(rng):
    logits = rng.normal(0, 3, (30, 10))
    np.testing.assert_allclose(race(logits + 17.0).time, race(logits).time, rtol=1e-9)


def contest(margins):
    """Two classes that lead by far, apart by these margins."""
    logits = np.zeros((len(margins), 6))
    logits[:, 2], logits[:, 4] = 5.0, 5.0 - np.asarray(margins)
    return logits


def test_time_grows_as_the_margin_shrinks_by_the_logarithm():
    """e grows by excitation + inhibition - leak a tick, so each halving of the margin costs as long as the next."""
    rules = Rules()
    run = race(contest([2.0**-k for k in range(20)]))
    assert (run.choice == 2).all()
    assert (np.diff(run.time) > 0).all()
    a_halving = math.log(2) / math.log(1 + rules.excitation + rules.inhibition - rules.leak)
    assert np.diff(run.time)[8:] == pytest.approx(a_halving, rel=0.02)


def test_without_competition_a_close_contest_takes_no_longer():
    """Control: what makes the time grow without bound is the competition."""
    run = race(contest([2.0**-k for k in range(20)]), Rules(leak=0, excitation=0, inhibition=0))
    assert np.ptp(run.time) < 0.1 * run.time.min()


def test_a_tie_never_decides_and_all_else_does():
    run = race(contest([1.0, 0.0, 1e-9]), most=20000)
    assert np.isinf(run.time).tolist() == [False, True, False]
    assert run.choice.tolist() == [2, -1, 2]
    assert run.running == 1


def test_a_tie_of_strong_logits_is_the_last():
    margins = [0.0, 1e-6, 0.1, 1.0, 4.0]
    run = race(contest(margins) * 4)
    assert np.argmax(run.time) == 0
    assert (np.diff(run.time) < 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_never_decides_and_disturbs_nobody(bad):
    logits = contest([1.0, 1.0])
    logits[1, 3] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = race(logits, most=500)
    assert run.choice.tolist() == [2, -1]
    assert run.time[0] == race(contest([1.0])).time[0]


class Counted:
    """A network of three layers whose logits are as they are; counts how often they are asked for."""

    def __init__(self, logits):
        self._logits, self.samples, self.asked = np.asarray(logits), len(logits), 0

        class Layout:
            layers = 3

        self.layout = Layout

    def logits(self):
        self.asked += 1
        return self._logits


def test_the_race_opens_when_news_can_have_reached_the_top():
    network = Counted(contest([1.0]))
    readout = ReadOut(network)
    network.asked = 0
    for waited in range(1, 3):
        readout.tick()
        assert network.asked == 0
        assert not readout.decision(0).race.any()
        assert readout.decision(0).waited == waited
    readout.tick()
    assert network.asked == 1
    assert readout.decision(0).race.any()
    while readout.running:
        readout.tick()
    assert readout.time[0] == pytest.approx(race(contest([1.0])).time[0] + 2)
    asked = network.asked
    for _ in range(10):
        readout.tick()
    assert network.asked == asked, "nobody reads the logits after the decision"


def test_a_decision_is_late_by_its_ticks_and_an_open_one_by_those_waited():
    quick, close = ReadOut(Counted(contest([4.0]) * 4)), ReadOut(Counted(contest([1e-3])))
    for _ in range(300):
        quick.tick()
        close.tick()
    quick, close = quick.decision(0), close.decision(0)
    assert quick.ticks < quick.slow == close.slow == 2 + SLOW < close.ticks
    assert (quick.choice, close.choice) == (2, 2)
    assert (quick.late, close.late) == (False, True)
    open_ = ReadOut(Counted(contest([0.0])))
    for _ in range(int(2 + SLOW)):
        open_.tick()
    assert not open_.decision(0).late
    open_.tick()
    assert open_.decision(0).late
    assert open_.decision(0).ticks is None


# beside a running network


@pytest.fixture
def session():
    session = Session(load_preset("deep-100"), "numba")
    session.apply(SetParameter("advance", 0))
    return session


def run(session, ticks):
    for _ in range(ticks):
        session.tick()
    return session.frame().decision


def test_the_frame_tells_the_race_and_then_the_decision(session):
    before = run(session, 99)
    assert (before.waited, before.opens, before.ticks, before.choice) == (99, 100, None, None)
    assert not before.race.any()
    assert run(session, 10).race.max() > 0
    after = run(session, 150)
    assert 100 < after.ticks < after.slow
    assert after.choice == session.network.logits()[0].argmax() == 0
    assert after.race[0] >= 1
    assert after.waited == 259


def test_another_picture_a_knob_and_a_reset_start_it_anew_and_beta_does_not(session):
    run(session, 200)
    session.apply(SetParameter("beta", 0.05))
    assert run(session, 1).waited == 201
    for command in (SelectSample(3), SetParameter("sigma", 0.8), Reset()):
        run(session, 50)
        session.apply(command)
        fresh = session.frame().decision
        assert (fresh.waited, fresh.ticks) == (0, None)
        assert not fresh.race.any()


def test_the_next_sample_is_a_race_of_its_own(session):
    session.apply(SetParameter("advance", 1))
    sample = session.frame().sample
    while session.frame().sample == sample:
        before = session.frame().decision
        session.tick()
    assert before.ticks is not None
    assert session.frame().decision.waited == 0


def test_without_phases_too(session):
    session.apply(SetParameter("persistent", 1))
    session.apply(Reset())
    assert run(session, 200).choice == 0


def test_a_broken_state_is_never_decided_about(session):
    run(session, 90)
    for state in session.network._states:
        state[...] = np.nan
    assert run(session, 300).choice is None


def test_a_tween_chain_has_no_clock_and_the_next_network_has_one():
    session = Session(load_preset("tween-chase"))
    assert run(session, 3) is None
    session.apply(LoadPreset(load_preset("tiny")))
    assert run(session, 3).waited == 3


def test_a_batch_is_answered_as_each_of_its_samples_alone():
    from engine.build import build_network, load_data

    preset = load_preset("tiny")
    data = load_data(preset)
    x = data.encode(data.images[:3])
    weights = build_network(preset, "numba").state_dict()
    weights["W_out"] = 30 * weights["W_out"]

    def answered(x):
        network = build_network(preset, "numba", len(x), {name: array.copy() for name, array in weights.items()})
        return answers(network, x)

    together = answered(x)
    for i in range(3):
        alone = answered(x[i : i + 1])
        assert alone.t_relax[0] == together.t_relax[i]
        assert alone.decided[0] == pytest.approx(together.decided[i], abs=1e-3)
        assert alone.choice[0] == together.choice[i]
    assert len(set(together.decided)) == 3
    assert np.isfinite(together.decided).all()

"""Homeostasis: sigma finds the edge from both sides by the velocity alone; without it nothing of the kind happens."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.commands import LoadPreset, Reset, SetParameter
from engine.homeostasis import FIRST_STEP, LARGEST_STEP, LOWEST, MOVING, SMALLEST_STEP, Homeostat
from engine.preset import load_preset, parse_preset
from engine.session import Session

WHERE = {"recursive": (0.95, 1.35), "hopfield": (0.9, 1.1)}
"""Where the edge of these small networks lies: tanh's slope moves the recursive chain's beyond 1."""
PRESET = 'title = "t"\nnetwork = "{}"\nlayers = 12\nneurons = 36\nseed = {}\n[knobs]\n{}'


def session_of(kind: str, sigma: float, on: bool = True, seed: int = 0, **knobs: float) -> Session:
    words = "".join(f"{name} = {value}\n" for name, value in {"hold": 10, **knobs}.items())
    session = Session(parse_preset(PRESET.format(kind, seed, words), "t", "t"), "numba")
    session.apply(SetParameter("sigma", sigma))
    session.apply(SetParameter("homeostasis", float(on)))
    return session


def sigmas(session: Session, ticks: int) -> list[float]:
    seen = []
    for _ in range(ticks):
        session.tick()
        seen.append(session.knobs["sigma"].value)
    return seen


@pytest.mark.parametrize("persistent", [0, 1])
@pytest.mark.parametrize("sigma", [0.3, 2.0])
@pytest.mark.parametrize("kind", WHERE)
def test_sigma_finds_the_edge_and_hovers_there(kind, sigma, persistent):
    session = session_of(kind, sigma, persistent=persistent)
    seen = sigmas(session, 9000)
    low, high = WHERE[kind]
    assert low < min(seen[-3000:]) < max(seen[-3000:]) < high
    assert len(set(seen[-3000:])) > 1
    assert session.frame().knobs["sigma"].value == seen[-1]
    assert session.frame().metrics.finite


@pytest.mark.parametrize("tolerance", [1e-9, 1e-6, 1e-2, 0.1])
@pytest.mark.parametrize("kind", WHERE)
def test_it_does_so_at_any_tolerance(kind, tolerance):
    for sigma in (0.3, 2.0):
        last = np.median(sigmas(session_of(kind, sigma, tolerance=tolerance, t_free=250, t_nudge=150), 14000)[-2000:])
        assert 0.85 < last < 1.4


@pytest.mark.parametrize("kind", WHERE)
def test_without_it_sigma_stays_and_the_boiling_network_never_rests(kind):
    assert set(sigmas(session_of(kind, 0.3, on=False), 500)) == {0.3}
    session = session_of("recursive", 2.0, on=False, t_free=2000)
    velocities = []
    for _ in range(2000):
        session.tick()
        velocities.append(session.frame().metrics.velocity_max)
    assert min(velocities) > 1e-2
    assert session.knobs["sigma"].value == 2.0


def test_a_boiling_network_comes_to_rest():
    session = session_of("recursive", 2.0)
    while session.frame().metrics.t_relax is None:
        session.tick()
        assert session.network.ticks < 5000
    assert session.knobs["sigma"].value < 1.5


def test_every_verdict_is_of_the_velocity_alone():
    """A network whose velocities are replaced by those of another obeys the other."""

    class Calm:
        """The session's network, which says that it rests whatever it does."""

        def __init__(self, network):
            self._network = network

        def __getattr__(self, name):
            return getattr(self._network, name)

        def observe(self):
            seen = self._network.observe()
            seen.sums[:, :, 3] = 0
            return seen

    session = session_of("recursive", 2.0)
    session.network = Calm(session.network)
    seen = sigmas(session, 8000)
    assert seen[-1] == session.knobs["sigma"].high


def test_a_person_may_still_move_sigma():
    session = session_of("recursive", 0.9)
    sigmas(session, 4000)
    session.apply(SetParameter("sigma", 2.5))
    assert session.frame().knobs["sigma"].value == 2.5
    assert sigmas(session, 9000)[-1] < 1.35
    session.apply(SetParameter("homeostasis", 0))
    assert len(set(sigmas(session, 1000))) == 1


def test_resets_and_presets_in_between_do_no_harm():
    session = session_of("hopfield", 2.0)
    for _ in range(4):
        sigmas(session, 100)
        session.apply(Reset())
    session.apply(LoadPreset(load_preset("tiny")))
    assert session.knobs["homeostasis"].value == 0
    assert set(sigmas(session, 300)) == {0.8}


@pytest.mark.parametrize("persistent", [0, 1])
@pytest.mark.parametrize("kind", WHERE)
def test_a_broken_state_is_put_to_rest_again(kind, persistent):
    session = session_of(kind, 0.9, persistent=persistent)
    sigmas(session, 50)
    for state in session.network._states:
        state[3] = np.nan
    seen = sigmas(session, 3)
    assert 0.5 < seen[0] < 0.9
    assert session.frame().metrics.finite
    assert sigmas(session, 1500)[-1] > 0.9


def test_a_sample_of_one_tick_says_nothing():
    assert set(sigmas(session_of("recursive", 0.9, t_free=1, t_nudge=1, hold=0), 500)) == {0.9}


def test_in_noise_nothing_rests_and_it_brakes_to_the_end():
    session = session_of("recursive", 0.9, noise=0.2, t_free=100)
    seen = sigmas(session, 6000)
    assert seen[-1] == LOWEST
    assert session.frame().sample > 3


# the regulator by itself


def verdict_of(velocities, layers=10, tolerance=1e-4):
    homeostat = Homeostat(layers, np.dtype(np.float32))
    for velocity in velocities:
        homeostat.observe(velocity, tolerance)
    return homeostat.verdict


def test_verdicts():
    ticks = np.arange(300)
    assert verdict_of(0.5 * 0.9**ticks) == "rests"
    assert verdict_of(0.5 * 0.96 ** ticks[:150]) == "undecided"
    assert verdict_of(0.5 * 0.999**ticks) == "diverges"
    assert verdict_of(1e-3 * 1.01**ticks) == "diverges"
    assert verdict_of([0.5] * 55) == "undecided"
    assert verdict_of([0.5] * 150 + list(0.5 * 0.9**ticks), layers=100) == "rests"
    assert verdict_of([0.1, math.nan]) == "diverges"
    assert verdict_of([math.inf]) == "diverges"


def test_what_counts_as_rest():
    for_ever = np.full(300, 3e-6)
    assert verdict_of(for_ever, tolerance=1e-12) == "rests"
    assert verdict_of(for_ever * 100, tolerance=1e-12) == "diverges"
    assert verdict_of([MOVING * 1.5] * 300, tolerance=0.1) == "diverges"


def test_steps_grow_while_verdicts_agree_and_shrink_when_they_turn():
    homeostat = Homeostat(10, np.dtype(np.float64))
    sigma, steps = 1.0, []
    for verdict in ["rests"] * 12 + ["diverges", "rests"] * 8:
        homeostat.verdict = verdict
        moved = homeostat.regulated(sigma, 100.0)
        assert (moved > sigma) == (verdict == "rests")
        steps.append(abs(math.log(moved / sigma)))
        sigma = moved
    assert steps[0] == pytest.approx(math.log(1 + FIRST_STEP))
    assert steps[:12] == sorted(steps[:12])
    assert max(steps) == pytest.approx(math.log(1 + LARGEST_STEP))
    assert steps[-1] == pytest.approx(math.log(1 + SMALLEST_STEP))


def test_sigma_stays_within_bounds():
    homeostat = Homeostat(10, np.dtype(np.float64))
    homeostat.verdict = "rests"
    assert homeostat.regulated(0.0, 3.0) > LOWEST
    assert homeostat.regulated(2.99, 3.0) == 3.0
    homeostat.verdict = "diverges"
    assert homeostat.regulated(LOWEST, 3.0) == LOWEST
    homeostat.disturbed()
    assert homeostat.regulated(0.7, 3.0) == 0.7

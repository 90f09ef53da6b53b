"""A session obeys commands, goes through its phases and publishes what it measured."""

from __future__ import annotations

import numpy as np
import pytest

from engine.commands import LoadPreset, Nudge, Reset, SelectSample, SetInput, SetParameter, SetTarget, Throttle
from engine.data import digits
from engine.frame import OSCILLATING, SATURATED
from engine.preset import load_preset
from engine.session import Session


@pytest.fixture
def session():
    return Session(load_preset("tiny"))


def run(session, ticks):
    for _ in range(ticks):
        session.tick()
    return session.frame()


def phases(session, ticks):
    seen = []
    for _ in range(ticks):
        if not seen or seen[-1] != session.phase:
            seen.append(session.phase)
        session.tick()
    return seen


def test_clocked_phases_follow_each_other_and_the_next_sample_comes(session):
    assert phases(session, 200)[:5] == ["free", "nudged", "hold", "free", "nudged"]
    assert session.frame().sample == 1


def test_in_the_free_phase_there_is_no_blue_and_in_the_hold_there_is(session):
    while session.phase == "free":
        assert not session.frame().nudge.any()
        session.tick()
    while session.phase != "hold":
        session.tick()
    frame = session.frame()
    assert frame.metrics.d_nudge == 6
    assert frame.metrics.settled
    assert frame.metrics.nudge_floor == 0


def test_without_a_nudge_nothing_ever_turns_blue(session):
    session.apply(Nudge(False))
    assert set(phases(session, 150)) == {"free", "hold"}
    assert not session.frame().nudge.any()
    session.apply(SetParameter("advance", 0))
    run(session, 100)
    session.apply(Nudge(True))
    assert session.phase == "nudged"


def test_a_reset_is_the_same_start_again(session):
    first = run(session, 20)
    session.apply(SelectSample(0))
    session.apply(Reset())
    again = run(session, 20)
    np.testing.assert_array_equal(first.activation, again.activation)
    assert again.tick == 20
    assert again.epoch == first.epoch + 1


def test_a_drawn_picture_is_clamped_and_nudged_towards_what_it_looks_like(session):
    image = np.zeros((8, 8), np.float32)
    image[2:6, 3:5] = 1
    session.apply(SetInput(image))
    frame = run(session, 30)
    assert frame.sample is None
    assert frame.label is None
    np.testing.assert_array_equal(frame.image, image)
    assert frame.metrics.d_nudge >= 1


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.float32), np.full((8, 8), np.nan, np.float32)])
def test_a_bad_picture_is_refused_and_the_old_one_stays(session, image):
    before = session.frame().image
    with pytest.raises(ValueError, match=r"picture|NaN"):
        session.apply(SetInput(image))
    np.testing.assert_array_equal(session.frame().image, before)


def test_the_target_decides_the_credit(session):
    credits = []
    for label in (3, 7):
        session.apply(SetTarget(label))
        while session.phase != "hold":
            session.tick()
        frame = session.frame()
        assert frame.label == label
        credits.append(frame.nudge)
    assert np.abs(credits[0] - credits[1]).max() > 1e-3
    with pytest.raises(ValueError, match="class 12"):
        session.apply(SetTarget(12))


def test_samples_wrap_around(session):
    session.apply(SelectSample(1797 + 3))
    assert session.frame().sample == 3
    assert session.frame().label == digits().labels[3]


def test_another_preset_replaces_the_network(session):
    session.apply(LoadPreset(load_preset("hopfield-100")))
    frame = run(session, 3)
    assert frame.preset == "hopfield-100"
    assert frame.activation.shape == (100, 64)
    assert "red-black" in frame.knobs["dynamics"].choices
    assert frame.metrics.energy is not None


def test_a_preset_that_cannot_be_built_leaves_the_old_one_running(session):
    broken = load_preset("tiny").model_copy(update={"knobs": {"sigma": 99.0}})
    with pytest.raises(ValueError, match="sigma"):
        session.apply(LoadPreset(broken))
    assert run(session, 1).preset == "tiny"
    assert session.knobs["sigma"].value == 0.8


def test_frames_are_copies(session):
    frame = run(session, 5)
    kept = frame.activation.copy()
    run(session, 5)
    np.testing.assert_array_equal(frame.activation, kept)


def test_flags_mark_what_is_saturated_and_what_oscillates():
    session = Session(load_preset("edge-of-chaos"))
    session.apply(SetParameter("sigma", 1.4))
    frame = run(session, 300)
    saturated = (frame.flags & SATURATED) > 0
    np.testing.assert_array_equal(saturated, np.abs(frame.activation) > 0.97)
    assert 0.05 < frame.metrics.oscillating_share < 1
    assert frame.metrics.oscillating_share == ((frame.flags & OSCILLATING) > 0).mean()
    session.apply(SetParameter("advance", 0))
    session.apply(SetParameter("sigma", 0.5))
    assert run(session, 300).metrics.oscillating_share == 0


def test_channels_of_the_frame_agree_with_the_reductions(session):
    frame = run(session, 12)
    m = frame.metrics
    for channel, rms in (
        (frame.activation, m.rms_activation),
        (frame.velocity, m.rms_velocity),
        (frame.nudge, m.rms_nudge),
    ):
        np.testing.assert_allclose(np.sqrt((channel**2).mean(1)), rms, rtol=1e-5)
    assert m.velocity_max >= np.abs(frame.velocity).max() - 1e-7
    assert m.probabilities.sum() == pytest.approx(1)


def test_moving_sigma_makes_it_settle_anew(session):
    while session.phase != "hold":
        session.tick()
    session.apply(SetParameter("sigma", 0.5))
    assert session.phase == "free"
    session.apply(SetParameter("beta", 0.2))
    assert session.phase == "free"


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_throttle_must_be_a_number_of_ticks(session, bad):
    with pytest.raises(ValueError, match="throttle"):
        session.apply(Throttle(bad))

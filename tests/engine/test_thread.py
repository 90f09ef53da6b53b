"""The engine thread: obeys, publishes only the newest, survives errors, ends quickly from any state."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from engine.commands import LoadPreset, Nudge, Pause, Reset, SetParameter, Step, Throttle
from engine.mailbox import Mailbox
from engine.preset import load_preset
from engine.thread import EngineThread


@pytest.fixture
def engine():
    engine = EngineThread(load_preset("tiny"))
    engine.start()
    yield engine
    assert engine.stop()
    assert "engine" not in {thread.name for thread in threading.enumerate()}


def frame_where(engine, condition, patience=20.0):
    """The first published frame that fulfils the condition."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        frame = engine.mailbox.take()
        if frame is not None and condition(frame):
            return frame
        time.sleep(0.002)
    raise AssertionError("no such frame came")


def message(engine, patience=20.0):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        text = engine.errors.take()
        if text is not None:
            return text
        time.sleep(0.002)
    raise AssertionError("no message came")


def test_the_mailbox_keeps_only_the_newest():
    box = Mailbox()
    assert box.take() is None
    for value in range(1000):
        box.put(value)
    assert not box.empty
    assert box.take() == 999
    assert box.take() is None
    assert box.empty


def test_a_step_is_exactly_one_tick_and_ten_are_ten(engine):
    engine.send(Pause(True))
    still = frame_where(engine, lambda f: f.paused)
    engine.send(Step(1))
    frame_where(engine, lambda f: f.tick == still.tick + 1 and f.paused)
    engine.send(Step(10))
    frame_where(engine, lambda f: f.tick == still.tick + 11)
    time.sleep(0.05)
    assert engine.mailbox.take() is None


def test_pause_holds_and_play_goes_on(engine):
    engine.send(Pause(True))
    still = frame_where(engine, lambda f: f.paused)
    engine.send(Pause(False))
    assert frame_where(engine, lambda f: f.tick > still.tick + 3)


def test_commands_act_while_paused(engine):
    engine.send(Pause(True))
    engine.send(SetParameter("sigma", 0.25))
    frame = frame_where(engine, lambda f: f.knobs["sigma"].value == 0.25)
    assert frame.paused
    engine.send(Reset())
    assert frame_where(engine, lambda f: f.tick == 0)


def test_the_throttle_is_kept_and_can_be_lifted(engine):
    engine.send(Throttle(50))
    slow = frame_where(engine, lambda f: f.metrics.ticks_per_second > 0 and f.tick > 60).metrics.ticks_per_second
    engine.send(Throttle(0))
    frame_where(engine, lambda f: f.metrics.ticks_per_second > 4 * slow)


def test_a_refused_command_is_a_message_and_the_engine_goes_on(engine):
    engine.send(SetParameter("sigma", 99))
    assert "sigma" in message(engine)
    engine.send(LoadPreset(load_preset("tiny").model_copy(update={"knobs": {"nope": 1.0}})))
    assert "nope" in message(engine)
    tick = frame_where(engine, lambda f: True).tick
    frame_where(engine, lambda f: f.tick > tick)


def test_an_exception_in_a_tick_pauses_and_says_so(engine, monkeypatch):
    def broken(nudged):
        raise RuntimeError("the sky fell")

    network = engine._session.network
    sound = network.tick
    monkeypatch.setattr(network, "tick", broken)
    text = message(engine)
    assert "sky fell" in text
    assert "paused" in text
    assert frame_where(engine, lambda f: f.paused)
    monkeypatch.setattr(network, "tick", sound)
    engine.send(Pause(False))
    frame_where(engine, lambda f: not f.paused and f.tick > 0)


def test_frames_are_never_torn(engine):
    engine.send(Throttle(0))
    for _ in range(50):
        frame = frame_where(engine, lambda f: True)
        rms = np.sqrt((frame.activation**2).mean(1))
        np.testing.assert_allclose(rms, frame.metrics.rms_activation, rtol=1e-5)


@pytest.mark.parametrize(
    "commands",
    [
        [],
        [Pause(True)],
        [Throttle(0.01)],
        [Throttle(0)],
        [Nudge(False), Pause(True), Step(10**9)],
        [LoadPreset(load_preset("deep-100"))],
    ],
    ids=["running", "paused", "throttled", "unlimited", "stepping", "loading"],
)
def test_it_ends_within_two_seconds_from_any_state(commands):
    engine = EngineThread(load_preset("tiny"))
    engine.start()
    for command in commands:
        engine.send(command)
    time.sleep(0.05)
    assert engine.stop(timeout=2.0)


def test_stopping_before_starting_is_fine():
    assert EngineThread(load_preset("tiny")).stop()

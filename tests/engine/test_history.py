"""The log: any state in the ring within the tolerance of the live one, memory under the cap, the oldest goes first."""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import AblateRegion, LoadPreset, Pause, Reset, SelectSample, SetParameter, Step, Throttle
from engine.data.dataset import Summary
from engine.frame import Frame
from engine.history import History, HistoryError, Replay
from engine.history.forms import put_together, take_apart
from engine.history.ring import MIB
from engine.history.segment import FRAMES
from engine.history.tolerance import TOLERANCES, Tolerance
from engine.knobs import Knob
from engine.layout import Layout
from engine.networks.growing.ledger import Commit
from engine.preset import load_preset
from engine.session import Session
from engine.thread import LOG_SHARE, EngineThread
from tests.engine.history_frames import assert_replays, frame, metrics, misses

SMALL = MIB
"""The least cap, which these streams fill."""


def stream(seed, count, layers, neurons, tame):
    """Frames of everything that a stream may do: rest, noise, jumps, NaN, skipped ticks, resets, another shape."""
    rng = np.random.default_rng(seed)
    state, before = rng.normal(size=(layers, neurons)), np.zeros((layers, neurons))
    tick, epoch, knob = 0, 0, 0.9
    nudge = np.zeros((layers, neurons))
    for _ in range(count):
        before = state
        kind = rng.choice(["rest", "noise", "few", "jump", "huge", "not finite", "skip", "reset", "shape", "knob"],
                          p=[0.3, 0.2, 0.2, 0.06, 0.04, 0.02, 0.08, 0.03, 0.02, 0.05])  # fmt: skip
        if tame and kind in ("huge", "not finite", "shape"):
            kind = "noise"
        tick += 1
        match kind:
            case "noise":
                state = state + rng.normal(size=state.shape) * 10.0 ** rng.uniform(-6, -1)
                nudge = nudge * 0.9 + rng.normal(size=state.shape) * 10.0 ** rng.uniform(-25, -1)
            case "few":
                state = np.where(rng.random(state.shape) < 0.05, state + 0.01, state)
            case "jump":
                state, nudge = rng.normal(size=state.shape), np.zeros(state.shape)
            case "huge":
                state = state * 10.0 ** rng.uniform(0, 30)
            case "not finite":
                state = np.where(rng.random(state.shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf]), state)
            case "skip":
                tick += int(rng.integers(1, 50))
            case "reset":
                tick, epoch, state = 0, epoch + 1, np.zeros(state.shape)
            case "shape":
                state = nudge = rng.normal(size=(layers, int(rng.integers(1, 9))))
                before, epoch = np.zeros_like(state), epoch + 1
            case "knob":
                knob = float(rng.uniform(0, 3))
        with np.errstate(invalid="ignore", over="ignore"):
            state32 = state.astype(np.float32)
            velocity = state32 - before.astype(np.float32)
        yield frame(
            tick, state32, velocity, nudge, rng.integers(0, 64, state.shape).astype(np.uint8), epoch=epoch,
            knobs={"sigma": Knob(knob, 0, 3, "", "A knob.")}, label=int(rng.integers(10)),
            data=Summary(str(rng.integers(2)), 10, 10),
            metrics=metrics(
                layers, phase=str(rng.choice(["free", "nudged"])), t_relax=None if rng.random() < 0.5 else tick,
                velocity_max=float(rng.random()), rms_nudge=rng.random(layers).astype(np.float32),
            ),
        )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 60), st.integers(1, 320))
def test_any_state_in_the_ring_is_within_the_tolerance_of_the_live_one(seed, layers, neurons, count):
    history = History(SMALL)
    live = []
    for made in stream(seed, count, layers, neurons, tame=False):
        history.append(made)
        live.append(made)
        assert history.used <= history.cap
    first, end = history.span
    assert end == len(live)
    replay = Replay(history)
    order = np.random.default_rng(seed).permutation(np.arange(first, end))[:40].tolist()
    for number in [*range(first, end), *order]:
        assert_replays(live[number], replay.frame(number))
    assert max(history.worst().values()) <= 1


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(200, 600))
def test_the_cap_is_never_exceeded_and_the_oldest_goes_first(seed, neurons):
    history = History(SMALL)
    live: dict[int, Frame] = {}
    oldest = 0
    for number, made in enumerate(stream(seed, 700, 2, neurons, tame=True)):
        history.append(made)
        live[number] = made
        first, end = history.span
        assert history.used <= history.cap
        assert end == number + 1, "the newest is always there"
        assert first >= oldest, "what is gone does not come back"
        oldest = first
    assert oldest > 0, "the ring must have been full, or this test shows nothing"
    assert len(history) * neurons * 2 * 12 > SMALL / 2, "and well used"
    replay = Replay(history)
    for number in range(oldest, 700):
        assert_replays(live[number], replay.frame(number))
    with pytest.raises(LookupError):
        Replay(history).frame(oldest - 1)
    with pytest.raises(LookupError):
        replay.frame(700)


def test_the_memory_counted_is_the_memory_taken():
    rng = np.random.default_rng(0)
    frames = [frame(tick, rng.normal(size=(4, 500))) for tick in range(40)]
    Replay(one := History(SMALL)).history.append(frames[0])
    del one
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        history = History(4 * MIB)
        for tick in range(2000):
            history.append(frames[tick % 40])
        taken = tracemalloc.get_traced_memory()[0] - before
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert history.used > 3 * MIB
    assert taken > 0.8 * history.used
    coder = 2 * MIB  # what the coder works with: of fixed size, and no part of the log
    assert peak < history.cap + coder


def test_a_network_too_large_for_the_cap_is_told_and_harms_nothing():
    history = History(SMALL)
    rng = np.random.default_rng(0)
    history.append(frame(1, rng.normal(size=(1, 9))))
    history.append(frame(1, rng.normal(size=(50, 2000)), epoch=1))
    history.append(frame(2, rng.normal(size=(1, 9)), epoch=2))
    assert history.refused == 1
    assert len(history) == 2
    assert Replay(history).frame(1).tick == 2


def test_another_cap_takes_effect_at_once():
    history = History(4 * MIB)
    live = list(stream(3, 900, 2, 500, tame=True))
    for made in live:
        history.append(made)
    held = len(history)
    assert history.used > SMALL
    history.resize(SMALL)
    assert history.used <= SMALL
    assert 0 < len(history) < held
    history.append(live[0])
    first, end = history.span
    assert end == 901
    assert_replays(live[899], Replay(history).frame(899))
    assert_replays(live[0], Replay(history).frame(900))
    assert first > 0
    with pytest.raises(HistoryError, match="too small"):
        history.resize(1000)


def test_velocities_follow_from_differences_and_cost_nothing_while_ticks_follow_each_other():
    rng = np.random.default_rng(1)
    state = rng.normal(size=(3, 400)).astype(np.float32)
    sizes = {}
    for step in (1, 2):
        history = History()
        now = state
        for tick in range(1, 200):
            velocity = (0.05 * rng.normal(size=state.shape)).astype(np.float32)
            now = now + velocity
            made = frame(step * tick, now, velocity)
            history.append(made)
            if tick % 40 == 0:
                assert_replays(made, Replay(history).frame(tick - 1))
        sizes[step] = history.used
    assert sizes[1] < 0.7 * sizes[2]


def test_a_network_at_rest_costs_little():
    state = np.random.default_rng(0).normal(size=(100, 64))
    cost = []
    for speed in (0.0, 0.01):
        history = History()
        history.append(frame(0, state))
        first = history.used
        for tick in range(1, FRAMES):
            history.append(frame(tick, state + speed * tick))
        cost.append((history.used - first) / (FRAMES - 1))
    assert cost[0] < 100, "bytes a frame: its row in the index and a few empty blocks"
    assert cost[1] > 6400


def test_what_the_log_says_it_missed_is_what_it_missed():
    rng = np.random.default_rng(5)
    history, live = History(), []
    for tick in range(300):
        live.append(frame(tick, np.cumsum(rng.normal(size=(2, 50)), 1) * 0.01 * tick, nudge=rng.normal(size=(2, 50))))
        history.append(live[-1])
    replay = Replay(history)
    for path in ("activation", "nudge"):
        missed = max(misses(path, getattr(f, path), getattr(replay.frame(i), path)).max() for i, f in enumerate(live))
        assert 0.5 < missed <= 1
        assert history.worst()[path] == pytest.approx(missed, rel=1e-6)


def test_tolerances_are_kept_as_asked():
    coarse = {**TOLERANCES, "activation": Tolerance.absolute(0.1, 10.0)}
    rng = np.random.default_rng(2)
    sizes = []
    for tolerances in (TOLERANCES, coarse):
        history, live = History(tolerances=tolerances), []
        rng = np.random.default_rng(2)
        for tick in range(100):
            live.append(frame(2 * tick, rng.normal(size=(2, 200)) * 0.2))
            history.append(live[-1])
        replay = Replay(history)
        missed = max(misses("activation", f.activation, replay.frame(i).activation, tolerances).max()
                     for i, f in enumerate(live))  # fmt: skip
        assert 0.9 < missed <= 1
        sizes.append(history.used)
    assert sizes[1] < sizes[0]
    with pytest.raises(ValueError, match="cannot be kept"):
        Tolerance(0.0, 1.0)


@pytest.mark.parametrize("name", ["tiny", "hopfield-100", "edge-of-chaos", "tween-chase", "ternary-100", "last-cue"])
def test_every_network_is_replayed_through_commands_of_all_kinds(name):
    session = Session(load_preset(name))
    history, live = History(), []

    def run(ticks):
        for _ in range(ticks):
            session.tick()
            live.append(session.frame())
            history.append(live[-1])

    run(60)
    knob = "step" if name == "tween-chase" else "sigma"
    session.apply(SetParameter(knob, 0.05))
    run(20)
    session.apply(AblateRegion(np.random.default_rng(0).random(live[-1].flags.shape) < 0.2))
    run(20)
    if name not in ("tween-chase", "last-cue"):
        session.apply(SelectSample(7))
        session.apply(SetParameter("persistent", 1))
    run(FRAMES)
    session.apply(Reset())
    run(10)
    session.apply(LoadPreset(load_preset("tiny")))
    run(10)
    replay = Replay(history)
    assert len(history) == len(live)
    for number, shown in enumerate(live):
        replayed = replay.frame(number)
        assert_replays(shown, replayed)
        assert (shown.links is None) == (replayed.links is None)
        assert replayed.rhythm is None
        if shown.links is not None and shown.scene is not None:
            assert replayed.links.names == shown.links.names
            assert misses("links.gap", shown.links.gap, replayed.links.gap).max() <= 1
            assert replayed.scene.points == shown.scene.points
            assert (replayed.scene.action, replayed.scene.right) == (shown.scene.action, shown.scene.right)
    names = ("tick", "metrics.velocity_max", "metrics.t_relax", "metrics.nonsense")
    series = replay.series(names, 50, len(live) - 5)
    assert np.array_equal(series[:, 0], [f.tick for f in live[50:-5]])
    assert np.array_equal(series[:, 1], [f.metrics.velocity_max for f in live[50:-5]])
    known = [np.nan if f.metrics.t_relax is None else f.metrics.t_relax for f in live[50:-5]]
    assert np.array_equal(series[:, 2], known, equal_nan=True)
    assert np.isnan(series[:, 3]).all()


def test_states_over_time_are_those_of_the_frames():
    session, history = Session(load_preset("tiny")), History()
    for _ in range(300):
        session.tick()
        history.append(session.frame())
    replay = Replay(history)
    path = replay.trajectory(40, 290, [0, 5, 17])
    assert path.states.shape == (250, 3)
    for i in (0, 100, 249):
        shown = replay.frame(40 + i)
        assert path.ticks[i] == shown.tick
        assert np.array_equal(path.states[i], shown.activation.reshape(-1)[[0, 5, 17]])
    speeds = replay.trajectory(40, 45, path="metrics.rms_velocity").states
    assert np.array_equal(speeds[3], replay.frame(43).metrics.rms_velocity)
    for missing in ("velocity", "flags", "nonsense"):
        with pytest.raises(HistoryError, match=f"holds no {missing}"):
            replay.trajectory(40, 45, path=missing)
    history.append(frame(1, np.zeros((1, 4)), epoch=9))
    with pytest.raises(HistoryError, match="another network"):
        replay.trajectory(290, 301)


def test_the_engine_logs_every_tick_while_ticks_are_slow_and_frames_it_offers_while_they_are_fast():
    engine = EngineThread(load_preset("tiny"))
    for command in (Pause(True), Reset(), Throttle(60), Step(90)):
        engine.send(command)
    engine.start()
    history = engine.history

    def ticks_since_the_reset():
        _, index = history.index()
        return index["tick"][index["epoch"] == index["epoch"][-1]]

    wait_for(lambda: len(history) > 1 and len(ticks_since_the_reset()) == 90)
    slow, logged = ticks_since_the_reset(), len(history)
    assert set(np.diff(slow)) <= {1, 2}, "where the nudge begins, the floor is measured by a tick of its own"
    engine.send(Throttle(0))
    engine.send(Pause(False))
    wait_for(lambda: history.index()[1]["tick"][-1] >= 3000)
    fast = history.index()[1]
    assert engine.stop()
    assert np.diff(fast["tick"][logged - 1 :]).max() > 2


def wait_for(condition):
    patience = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        patience.wait(0.002)
    raise AssertionError("it did not come")


def test_a_log_that_is_dear_takes_no_more_than_its_share_at_full_speed_and_every_tick_when_slow(monkeypatch):
    dear = 0.005
    whole = History.append

    def append(self, made, when=None):
        until = time.thread_time() + dear
        while time.thread_time() < until:
            pass
        whole(self, made, when)

    monkeypatch.setattr(History, "append", append)
    engine = EngineThread(load_preset("tiny"))
    engine.send(Throttle(0))
    begun = time.perf_counter()
    engine.start()
    wait_for(lambda: len(engine.history) >= 5)
    elapsed = time.perf_counter() - begun
    assert (len(engine.history) - 2) * dear / LOG_SHARE <= elapsed, "but for the first and the one that is due"
    engine.send(Throttle(50))
    logged = len(engine.history)
    wait_for(lambda: len(engine.history) >= logged + 30)
    ticks = engine.history.index()[1]["tick"][-20:]
    assert engine.stop()
    assert set(np.diff(ticks)) <= {1, 2}


def test_a_log_that_fails_is_told_once_and_the_engine_runs_on(monkeypatch):
    def fail(self, made, when=None):
        raise TypeError("an odd frame")

    monkeypatch.setattr(History, "append", fail)
    engine = EngineThread(load_preset("tiny"))
    engine.start()
    seen: list[str] = []
    wait_for(lambda: (text := engine.errors.take()) is not None and seen.append(text) is None)
    ticks = {made.tick for made in frames_of(engine, 3)}
    assert engine.stop()
    assert "an odd frame" in seen[0]
    assert engine.errors.take() is None
    assert len(ticks) == 3


def frames_of(engine, count):
    found: list[Frame] = []
    wait_for(lambda: (made := engine.mailbox.take()) is not None and (found.append(made) or len(found) >= count))
    return found


def test_readers_and_the_writer_do_not_disturb_each_other():
    history = History(SMALL)
    live = list(stream(8, 1200, 2, 300, tame=True))
    trouble: list[str] = []
    ended = threading.Event()

    def read():
        replay, rng = Replay(history), np.random.default_rng(0)
        while not ended.is_set():
            first, end = history.span
            if end == first:
                continue
            number = int(rng.integers(first, end))
            try:
                assert_replays(live[number], replay.frame(number))
                history.index()
                history.worst()
            except LookupError:
                pass
            except Exception as error:
                trouble.append(f"{type(error).__name__}: {error}")
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number, made in enumerate(live):
        history.append(made)
        if number == 600:
            history.resize(2 * SMALL)
    ended.set()
    for reader in readers:
        reader.join(10)
    assert trouble == []


@pytest.mark.slow
def test_half_an_hour_of_deep_100_stays_under_the_cap_and_within_the_tolerance():
    """Every tick of 30 minutes at 30 a second, run as fast as it goes."""
    session, history = Session(load_preset("deep-100")), History()
    rng = np.random.default_rng(0)
    kept = set(rng.integers(0, 54_000, 150).tolist())
    live = {}
    for number in range(54_000):
        session.tick()
        made = session.frame()
        history.append(made)
        if number in kept:
            live[number] = made
        assert history.used <= history.cap
    assert history.span == (0, 54_000), "all of it is still there"
    replay = Replay(history)
    for number, made in live.items():
        assert_replays(made, replay.frame(number))
    print(f"{history.used / MIB:.1f} of {history.cap / MIB:.0f} MiB, {history.used / 54_000:.0f} bytes a frame")


def test_what_cannot_be_logged_is_refused():
    with pytest.raises(TypeError, match="complex cannot be logged"):
        History().append(frame(1, np.zeros((1, 1)), seed=1j))


def test_layouts_of_any_class_that_a_frame_may_hold_come_back():
    history = History()
    history.append(frame(1, np.zeros((2, 6)), layout=Layout(2, 2, 3)))
    assert Replay(history).frame(0).layout == Layout(2, 2, 3)


def test_members_that_come_again_in_frame_after_frame_come_back_from_each():
    """Commits of a growing graph: plain objects that never change, so their parts are kept from one to the next."""
    commits = [Commit(k, 10 * k, "grow", k, k, f"what {k}", predicted=0.1 * k, sources=(k, 2)) for k in range(4)]
    one, two, three, four = commits
    for told in ((one, two), (one, two, three), (three, one), (two, two), (four, replace(two, realised=0.5), two)):
        numbers, arrays = [], []
        form = take_apart(told, numbers, arrays)
        assert put_together(form, iter(numbers), iter(arrays)) == told

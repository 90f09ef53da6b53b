"""A contraction falls in with its input, a chain above the edge does not; what is measured is what happened."""

from __future__ import annotations

import numpy as np
import pytest

from engine.commands import (
    Ablate,
    Dream,
    Learn,
    Nudge,
    Reset,
    SelectSample,
    SetInput,
    SetParameter,
    SetTarget,
    TakeSnapshot,
)
from engine.history import History, Replay
from engine.learning.align import align_snapshot
from engine.mailbox import Mailbox
from engine.preset import load_preset, parse_preset
from engine.probe import probe
from engine.rhythm import MOMENTS, TICKS, RhythmMeter
from engine.session import Session

STREAMS = ("bar", "sine", "digits")
ENTRAINED = 1e-4


def session_of(stream="bar", sigma=0.9, network="recursive", layers=6, **knobs):
    table = "\n".join(f"{name} = {value}" for name, value in {"sigma": sigma, "input_gain": 0.25, **knobs}.items())
    text = f'title="T"\nnetwork="{network}"\nlayers={layers}\nneurons=64\nstream="{stream}"\n[knobs]\n{table}\n'
    return Session(parse_preset(text, "mine", "mine.toml"))


def run(session, ticks):
    for _ in range(ticks):
        session.tick()
    return session.frame()


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("network", ["recursive", "hopfield"])
@pytest.mark.parametrize("sigma", [0.5, 0.9, 0.95])
def test_below_the_edge_the_response_has_the_period_of_the_input(stream, network, sigma):
    frame = run(session_of(stream, sigma, network), 400)
    assert frame.metrics.entrainment < ENTRAINED
    assert frame.metrics.settled
    assert 32 < frame.metrics.t_relax <= 400
    assert np.ptp(frame.rhythm.path[-32:, 0], 0).min() > 0.05


@pytest.mark.parametrize("stream", STREAMS)
def test_at_sigma_one_and_a_half_it_has_not(stream):
    session = session_of(stream, 1.5)
    apart = []
    for _ in range(800):
        session.tick()
        apart.append(session.frame().metrics.entrainment)
    assert min(apart[400:]) > 100 * ENTRAINED
    assert session.frame().metrics.t_relax is None
    assert not session.frame().metrics.settled


def test_a_contraction_forgets_where_it_began():
    sessions = [session_of("sine", 0.9) for _ in range(2)]
    run(sessions[0], 77)
    rng = np.random.default_rng(0)
    z = sessions[0].network.columns()[0]
    z[:, :, 0] = rng.uniform(-1, 1, z[:, :, 0].shape)
    run(sessions[1], 77)
    ends = [run(session, 400).activation for session in sessions]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-5)


def test_the_meter_agrees_with_brute_force(rng):
    states = rng.standard_normal((90, 3, 16)).astype(np.float32)
    meter = RhythmMeter(3, 16, 0)
    for tick, state in enumerate(states):
        meter.observe(state, 20)
        expected = None if tick < 20 else float(np.abs(state - states[tick - 20]).max())
        assert meter.entrainment == pytest.approx(expected)
    rhythm = meter.rhythm("x")
    assert rhythm.layers == (1, 2, 3)
    assert rhythm.path.shape == (90, 3, 2)
    np.testing.assert_array_equal(rhythm.section, rhythm.path[::20])
    np.testing.assert_array_equal(np.isnan(rhythm.entrainments), np.arange(90) < 20)
    assert (np.linalg.norm(rhythm.path, axis=-1) <= np.linalg.norm(states[:, [0, 1, 2]], axis=-1) + 1e-5).all()


def test_the_meter_keeps_the_newest_and_begins_anew_with_another_period(rng):
    meter = RhythmMeter(2, 9, 0)
    states = rng.standard_normal((TICKS + 30, 2, 9)).astype(np.float32)
    for state in states:
        meter.observe(state, 2)
    rhythm = meter.rhythm("x")
    assert len(rhythm.path) == TICKS
    assert len(rhythm.section) == MOMENTS
    other = RhythmMeter(2, 9, 0)
    other.observe(states[-1], 2)
    np.testing.assert_array_equal(rhythm.path[-1], other.rhythm("x").path[-1])
    meter.observe(states[0], 3)
    assert meter.entrainment is None
    assert len(meter.rhythm("x").section) == 1
    meter.observe(states[1], None)
    assert meter.rhythm("x").period is None
    assert not len(meter.rhythm("x").section)


def test_what_is_not_finite_is_never_entrained():
    meter = RhythmMeter(1, 4, 0)
    for _ in range(5):
        meter.observe(np.full((1, 4), np.nan, np.float32), 2)
    assert not meter.entrainment < ENTRAINED


@pytest.mark.parametrize(
    ("stream", "knob", "value"),
    [
        ("bar", "period", 20),
        ("sine", "period", 20),
        ("digits", "period", 20),
        ("sine", "harmonics", 1),
        ("digits", "items", 2),
        ("cues", "show", 2),
        ("cues", "cue_rate", 0.9),
        ("cues", "distraction", 1.5),
    ],
)
def test_every_knob_of_a_stream_changes_what_happens(stream, knob, value):
    plain, moved = session_of(stream, layers=3), session_of(stream, layers=3, **{knob: value})
    assert np.abs(run(plain, 60).rhythm.path - run(moved, 60).rhythm.path).max() > 1e-2


def test_tolerance_decides_when_it_counts_as_entrained():
    times = [run(session_of("bar", 0.9, tolerance=t), 300).metrics.t_relax for t in (1e-2, 1e-4)]
    assert times[0] < times[1]


def test_a_moved_period_is_measured_anew():
    session = session_of("bar")
    assert run(session, 200).metrics.settled
    session.apply(SetParameter("period", 50))
    assert session.frame().metrics.t_relax is None
    frame = run(session, 40)
    assert frame.rhythm.period == 50
    assert frame.metrics.entrainment is None
    assert run(session, 300).metrics.settled


def test_a_reset_is_the_same_start_again():
    session = session_of("cues", layers=3)
    first = run(session, 120)
    session.apply(Reset())
    again = run(session, 120)
    np.testing.assert_array_equal(first.activation, again.activation)
    np.testing.assert_array_equal(first.rhythm.path, again.rhythm.path)


def test_the_nudge_follows_and_can_be_switched_off():
    session = session_of("digits", layers=4)
    frame = run(session, 200)
    assert frame.metrics.phase == "listening"
    assert frame.metrics.d_nudge == 4
    assert frame.nudge.any()
    session.apply(Nudge(False))
    assert not run(session, 1).nudge.any()


def test_the_picture_and_the_class_are_those_of_the_moment():
    session = session_of("digits", layers=3, period=8, items=2)
    frames = [run(session, 1) for _ in range(8)]
    assert [frame.label for frame in frames] == [0] * 4 + [1] * 4
    assert np.abs(frames[0].image - frames[-1].image).max() > 0.5
    assert all(frame.sample is None for frame in frames)


def test_the_share_of_right_answers_is_that_of_the_ticks_with_a_class(rng):
    meter = RhythmMeter(2, 4, 0)
    told = [None, None, True, False, True, True]
    for right in told:
        meter.observe(rng.standard_normal((2, 4)).astype(np.float32), None, right)
    assert meter.rhythm("x").right == pytest.approx(3 / 4)
    assert run(session_of("bar", layers=3), 10).rhythm.right is None
    session = session_of("digits", layers=3, period=9, items=3)
    hits = []
    for _ in range(40):
        frame = run(session, 1)
        hits.append(frame.metrics.probabilities.argmax() == frame.label)
    assert 0 < np.mean(hits) < 1
    assert frame.rhythm.right == pytest.approx(np.mean(hits))


def test_a_lesion_changes_the_response_and_it_is_entrained_again():
    session = session_of("bar")
    before = run(session, 320).activation
    session.apply(Ablate(0.3))
    frame = run(session, 320)
    assert np.abs(frame.activation - before).max() > 0.1
    assert frame.metrics.settled


@pytest.mark.parametrize(
    "command",
    [SelectSample(3), SetInput(np.zeros((8, 8), np.float32)), SetTarget(3), Learn(True), Dream(True)],
)
def test_what_makes_no_sense_under_a_stream_is_refused_and_it_goes_on(command):
    session = session_of("bar")
    run(session, 5)
    with pytest.raises(ValueError, match="follows the stream bar"):
        session.apply(command)
    assert run(session, 200).metrics.settled


def test_lazy_ticks_are_entrained_to_within_their_threshold():
    session = session_of("bar", 0.9, dynamics='"lazy"', epsilon=1e-3)
    frame = run(session, 400)
    assert frame.metrics.entrainment < 2e-2
    assert frame.metrics.effective_flops < frame.metrics.dense_flops


def test_the_past_of_a_stream_is_logged_without_its_rhythm():
    """The rhythm goes a thousand ticks back; logged with every frame it would fill the memory in no time."""
    session, history = session_of("digits", layers=3), History()
    for _ in range(200):
        session.tick()
        history.append(session.frame())
    assert history.used < 200 * 4000
    shown, past = session.frame(), Replay(history).frame(199)
    assert shown.rhythm is not None
    assert past.rhythm is None
    assert past.metrics.phase == "listening"
    assert past.metrics.entrainment == shown.metrics.entrainment
    assert past.label == shown.label


def test_alignment_is_measured_beside_a_stream():
    preset = load_preset("rhythm").model_copy(update={"layers": 4})
    session = Session(preset)
    run(session, 50)
    reply = Mailbox()
    session.apply(TakeSnapshot(reply))
    assert align_snapshot(reply.take()).min_cosine > 0.99


def test_a_probe_tells_entrainment():
    report = probe(load_preset("rhythm"), max_ticks=150)
    assert report["mode"] == "listening"
    assert report["entrainment"] < ENTRAINED
    assert report["t_relax"] < 200
    assert report["velocity_max"] > 1e-3
    above = probe(load_preset("rhythm"), {"sigma": 1.5}, max_ticks=150)
    assert above["entrainment"] > 100 * ENTRAINED
    assert above["t_relax"] is None
    with pytest.raises(ValueError, match="stream"):
        probe(load_preset("rhythm"), sample=3)


def test_just_above_the_edge_the_section_is_a_curve_and_not_a_point():
    """A weakly driven chain beats against its input: it never comes back to where it was, and does not fill a disc."""
    section = run(Session(load_preset("resonance")), 4000).rhythm.section[-60:, -1]
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(section.T)))
    assert spread[1] > 0.05
    below = Session(load_preset("resonance"))
    below.apply(SetParameter("sigma", 0.9))
    point = run(below, 1000).rhythm.section[-10:, -1]
    assert np.ptp(point, 0).max() < ENTRAINED

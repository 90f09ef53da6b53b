"""Streams repeat themselves as they say, and say nothing of the time before."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engine.commands import SetParameter
from engine.data import digits, split
from engine.data.dataset import make_dataset
from engine.data.errors import DataError
from engine.preset import Preset, PresetError, load_preset, parse_preset
from engine.session import Session
from engine.streams import build_stream
from engine.streams.cues import CUES, NOTHING, CueLanes

PERIODIC = ("bar", "sine", "digits")


def moved(stream, **values):
    return stream.knobs | {name: stream.knobs[name].set_to(name, value) for name, value in values.items()}


@pytest.mark.parametrize("kind", PERIODIC)
@pytest.mark.parametrize("period", [7, 32])
def test_after_a_period_all_comes_again_and_not_before(kind, period):
    stream = build_stream(kind, digits(), 0, 0)
    knobs = moved(stream, period=period)
    assert stream.period(knobs) == period
    heard = np.stack([stream.at(tick, knobs).x for tick in range(3 * period)])
    assert heard.dtype == np.float32
    np.testing.assert_array_equal(heard[:period], heard[period : 2 * period])
    for shorter in range(1, period):
        assert np.abs(heard[shorter:] - heard[:-shorter]).max() > 0.1


@pytest.mark.parametrize("kind", ["sine", "cues"])
def test_the_seed_decides(kind):
    first, again, other = (build_stream(kind, digits(), 0, seed) for seed in (0, 0, 1))
    for tick in range(20):
        expected = first.at(tick, first.knobs).x
        np.testing.assert_array_equal(again.at(tick, again.knobs).x, expected)
        assert np.abs(other.at(tick, other.knobs).x - expected).max() > 0.1


def test_a_mixture_of_sines_is_as_loud_as_a_picture_whatever_it_is_mixed_of():
    stream = build_stream("sine", digits(), 0, 3)
    for count in (1, 3, 6):
        knobs = moved(stream, harmonics=count)
        heard = np.stack([stream.at(tick, knobs).x for tick in range(32)])
        lines = np.square(np.abs(np.fft.rfft(heard, axis=0))).sum(1)
        assert (lines[count + 1 :] < 1e-6 * lines.max()).all()
        assert lines[count] > 1e-3 * lines.max()
        assert 0.7 < np.sqrt(np.square(heard).mean()) < 1.3


def test_the_bar_moves_at_a_steady_speed():
    stream = build_stream("bar", digits(), 0, 0)
    knobs = moved(stream, period=16)
    rows = [digits().decode(stream.at(tick, knobs).x)[0] for tick in range(16)]
    angles = [np.angle((row * np.exp(2j * np.pi * np.arange(8) / 8)).sum()) for row in rows]
    np.testing.assert_allclose(np.diff(np.unwrap(angles)), 2 * np.pi / 16, atol=0.02)


def test_a_sequence_shows_its_digits_in_turn_with_their_classes():
    stream = build_stream("digits", digits(), 5, 0)
    knobs = moved(stream, period=12, items=4)
    heard = [stream.at(tick, knobs) for tick in range(12)]
    assert [one.label for one in heard] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert heard[0] is heard[2]
    for one in heard[::3]:
        (index,) = np.flatnonzero((digits().encode(digits().images) == one.x).all(1))
        assert index >= 5


def test_cues_come_from_the_part_they_should_and_are_named_until_the_next():
    data = digits()
    x = {name: {tuple(row) for row in data.encode(data.images[part])}
         for name, part in (("train", split(data).train), ("test", split(data).test))}  # fmt: skip
    rng = np.random.default_rng(0)
    for held_out, here, there in ((False, "train", "test"), (True, "test", "train")):
        drawn = CueLanes(data, held_out).draw(rng.choice(CUES, 40), 0.5, rng)
        assert all(tuple(row) in x[here] and tuple(row) not in x[there] for row in drawn)
    stream = build_stream("cues", data, 0, 0)
    knobs = moved(stream, show=3, cue_rate=0.3)
    heard = [stream.at(tick, knobs) for tick in range(600)]
    assert heard[0].label in CUES
    last = None
    for one in heard:
        if tuple(one.x) in x["test"]:
            last = one.label
        assert one.label == last
    changes = np.flatnonzero([a is not b for a, b in pairwise(heard)]) + 1
    assert set(np.diff(changes)) == {3}


def test_noise_between_cues_is_as_loud_as_asked():
    rng = np.random.default_rng(0)
    drawn = CueLanes(digits(), False).draw(np.full(200, NOTHING), 0.7, rng)
    assert np.sqrt(np.square(drawn).mean()) == pytest.approx(0.7, rel=0.02)


def test_cues_need_their_classes():
    images = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    small = make_dataset("small", images, np.arange(40) % 4)
    with pytest.raises(DataError, match="small: has no pictures of the classes 6 and 7"):
        build_stream("cues", small, 0, 0)


@pytest.mark.parametrize("kind", PERIODIC)
def test_pictures_in_colour_are_heard_too(kind):
    images = np.random.default_rng(0).random((40, 8, 8, 3)).astype(np.float32)
    stream = build_stream(kind, make_dataset("colour", images, np.arange(40) % 4), 0, 0)
    assert stream.at(3, stream.knobs).x.shape == (192,)


GOOD = 'title = "T"\nnetwork = "recursive"\nlayers = 3\nneurons = 9\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + 'stream = "radio"\n', "stream: .*'bar', 'sine', 'digits' or 'cues'"),
        (GOOD + 'stream = "bar"\nmode = "persistent"\n', "a network that follows it has no mode"),
        (GOOD + 'stream = "bar"\n[knobs]\nhold = 3\n', "unknown parameter 'hold'"),
        (GOOD + 'stream = "bar"\n[knobs]\nperiod = 401\n', "outside its range 2 to 400"),
    ],
)
def test_faults_are_named(text, words):
    with pytest.raises(PresetError, match=words):
        Session(parse_preset(text, "mine", "mine.toml"))


@pytest.mark.parametrize("name", ["tween-chase", "grow-heat"])
def test_a_network_with_a_world_of_its_own_follows_no_stream(name):
    with pytest.raises(ValueError, match="a stream is for a network without a world"):
        Preset.model_validate(load_preset(name).model_dump() | {"stream": "bar"})


@pytest.mark.parametrize("name", ["cube-8", "cube-energy", "nested-27", "ternary-100"])
def test_every_other_network_falls_in_with_a_stream(name):
    preset = load_preset(name)
    session = Session(preset.model_copy(update={"stream": "digits", "knobs": {}}))
    for knob in ("sigma", "input_gain"):
        if knob in preset.knobs:
            session.apply(SetParameter(knob, preset.knobs[knob]))
    for _ in range(250):
        session.tick()
    assert session.frame().metrics.entrainment < 1e-4
    assert session.frame().metrics.settled

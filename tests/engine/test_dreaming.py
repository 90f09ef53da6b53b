"""Dreaming: the credit is the gradient, the session obeys in its sleep, and dreams are of what they should be of."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.build import load_data
from engine.commands import (
    Ablate,
    Dream,
    Heal,
    Learn,
    LoadPreset,
    Nudge,
    Pause,
    Reset,
    SelectSample,
    SetInput,
    SetParameter,
    SetTarget,
)
from engine.data import split
from engine.data.dataset import make_dataset
from engine.dreaming import Moving, Prior, dreams, input_credit, ticks_of
from engine.dreams import dream_all
from engine.experiments import dreaming
from engine.experiments.dreaming import ALONE, BARE, DREAM, NO_NUDGE, RANDOM, RIVAL, SHUFFLED, Reader
from engine.learning.align import prepared_chain
from engine.networks.chain import WEAK
from engine.preset import Preset, PresetError, load_preset, parse_preset
from engine.session import Session


def small(network="recursive", layers=5, **changes):
    return Preset(name="t", title="t", network=network, layers=layers, neurons=16, seed=3, **changes)


@pytest.fixture(scope="module")
def data():
    return load_data(small())


@pytest.fixture(scope="module")
def reader(data):
    return Reader(data)


# the credit


@pytest.mark.parametrize("network", ["recursive", "hopfield", "cube"])
def test_the_credit_is_the_gradient_of_the_pull_by_the_picture(network, data, rng):
    layers, sigma = (4, 0.4) if network == "cube" else (5, 0.9)
    chain = prepared_chain(small(network, layers, dtype="float64"), {"beta": 0.1, "sigma": sigma}, 2, "numpy")
    labels = np.array([3, 8])
    x = data.encode(data.images[:2]).astype(float)
    chain.clamp(x, labels)

    def rest():
        for _ in range(200):
            chain.tick(nudged=False)

    def energy(moved):
        chain.show(moved)
        rest()
        error = np.full((2, data.classes), -1 / data.classes)
        error[np.arange(2), labels] += 1
        return (WEAK * error * chain.logits()).sum(-1)

    rest()
    chain.aim(steadily=True)
    for _ in range(200):
        chain.tick(nudged=True)
    credit = input_credit(chain)
    chain.release()
    step = 1e-4
    for pixel in rng.choice(np.flatnonzero(data.images[:100].std(0).ravel()), 6, replace=False):
        aside = np.zeros_like(x)
        aside[:, pixel] = step
        slope = (energy(x + aside) - energy(x - aside)) / (2 * step)
        np.testing.assert_allclose(credit[:, pixel], slope, rtol=1e-3, atol=1e-4 * np.abs(credit).max())


def test_without_beta_there_is_no_credit(data):
    chain = prepared_chain(small(), {"beta": 0}, 2, "numpy")
    for pictures in dreams(chain, data, None, np.ones((2, 64), np.float32), np.array([1, 2]), 30):
        assert np.isfinite(pictures).all()
    assert not input_credit(chain).any()


# the picture


def test_a_picture_goes_where_it_is_driven_and_stays_a_picture(data, rng):
    drive = rng.standard_normal((3, 64)).astype(np.float32)
    moving = Moving(data, None, np.zeros((3, 64), np.float32))
    for _ in range(600):
        moving.move(1e-30 * drive)
    assert moving.pictures.min() >= 0
    assert moving.pictures.max() <= 1
    inside = (moving.pictures.reshape(3, 64) > 0.01) & (moving.pictures.reshape(3, 64) < 0.99)
    goal = drive / np.sqrt(np.square(drive).mean(-1, keepdims=True))
    np.testing.assert_allclose(moving.x[inside], goal[inside], atol=0.01)


@pytest.mark.parametrize("drive", [0.0, np.nan, np.inf])
def test_without_a_drive_it_fades_to_the_mean(data, drive):
    moving = Moving(data, Prior(data), data.encode(data.images[:2]))
    for _ in range(1200):
        moving.move(np.full((2, 64), drive, np.float32))
    np.testing.assert_allclose(moving.pictures, np.stack([data.decode(np.zeros(64))] * 2), atol=1e-4)


def test_the_prior_is_the_covariance_of_training_pictures(rng):
    pictures = rng.random((60, 4, 4)).astype(np.float32) * np.linspace(0.1, 1, 16).reshape(4, 4).astype(np.float32)
    few = make_dataset("few", pictures, np.arange(60) % 3)
    prior = Prior(few)
    known = few.encode(few.images[split(few).train])
    expected = np.cov(known.T, bias=True)
    np.testing.assert_allclose(prior.shape(np.eye(16, dtype=np.float32)), expected, atol=1e-5)
    drawn = prior.draw(4000, rng)
    np.testing.assert_allclose(np.square(drawn).mean(-1), 1, rtol=1e-5)
    assert np.corrcoef(np.cov(drawn.T).ravel(), expected.ravel())[0, 1] > 0.99


# the session


@pytest.fixture
def session():
    return Session(parse_preset('title = "t"\nnetwork = "recursive"\nlayers = 4\nneurons = 16\n', "t", "t"), "numpy")


def run(session, ticks):
    for _ in range(ticks):
        session.tick()
    return session.frame()


def dreaming_session(session, label=3, ticks=60):
    session.apply(Dream(True))
    session.apply(SetTarget(label))
    return run(session, ticks)


def test_a_dream_moves_the_picture_and_holds_it_when_it_ends(session):
    sample = session.frame().image
    frame = dreaming_session(session)
    assert (frame.dreaming, frame.label, frame.sample) == (True, 3, None)
    assert frame.metrics.phase == "dream"
    assert frame.metrics.phase_ticks == 60
    assert np.abs(frame.image - sample).max() > 0.1
    assert np.abs(run(session, 1).image - frame.image).max() > 0
    last = session.frame().image
    session.apply(Dream(False))
    frame = run(session, 300)
    assert not frame.dreaming
    assert frame.sample is None
    assert frame.metrics.settled
    np.testing.assert_allclose(frame.image, last, atol=1e-6)
    session.apply(SelectSample(0))
    np.testing.assert_array_equal(session.frame().image, sample)


def test_what_it_ends_with_is_what_the_network_reads(session):
    frame = dreaming_session(session, ticks=200)
    session.apply(Dream(False))
    run(session, 3)
    seen = session.network.read_in()[0][0]
    np.testing.assert_allclose(seen, session._data.encode(frame.image), atol=1e-5)


def test_another_target_goes_on_from_the_picture_and_a_reset_begins_anew(session):
    first = session.frame().image
    before = dreaming_session(session, 3).image
    session.apply(SetTarget(5))
    np.testing.assert_allclose(session.frame().image, before, atol=1e-6)
    other = run(session, 60).image
    session.apply(Reset())
    frame = session.frame()
    assert frame.dreaming
    np.testing.assert_allclose(frame.image, first, atol=1e-6)
    assert np.abs(run(session, 60).image - other).max() > 0.01
    again = []
    for _ in range(2):
        session.apply(Reset())
        again.append(run(session, 50).image)
    np.testing.assert_array_equal(*again)


@pytest.mark.parametrize("command", [SelectSample(7), SetInput(np.eye(8, dtype=np.float32), 4)])
def test_another_picture_is_where_the_dream_goes_on(session, command):
    dreaming_session(session)
    session.apply(command)
    frame = session.frame()
    wanted = command.image if isinstance(command, SetInput) else session._data.picture(7)
    np.testing.assert_allclose(frame.image, wanted, atol=1e-6)
    assert frame.dreaming
    assert 0 < np.abs(run(session, 5).image - wanted).max() < 0.1


def test_knobs_lesions_and_switches_leave_the_dream_where_it_is(session):
    dreaming_session(session)
    session.apply(SetParameter("input_noise", 0.5))
    run(session, 3)
    for command in (
        SetParameter("sigma", 0.7), SetParameter("persistent", 1), SetParameter("input_gain", 0.8), Ablate(0.2),
        Heal(), SetParameter("dynamics", "lazy"), Pause(True), Pause(False), Dream(True),
    ):  # fmt: skip
        before = session.frame().image
        session.apply(command)
        assert session.phase == "dream"
        np.testing.assert_array_equal(session.frame().image, before)
        assert np.abs(run(session, 1).image - before).max() < 0.1
    session.apply(Dream(False))
    assert session.phase == "persistent"


def test_noise_on_the_input_is_not_dreamt(session):
    session.apply(SetParameter("input_noise", 2.0))
    session.apply(SetParameter("advance", 0))
    run(session, 5)
    before = session.frame().image
    session.apply(Dream(True))
    np.testing.assert_allclose(session.frame().image, before, atol=1e-6)


def test_without_the_nudge_the_picture_fades_and_with_it_comes_again(session):
    mean = session._data.decode(np.zeros(64))
    far = np.abs(dreaming_session(session, ticks=300).image - mean).max()
    session.apply(Nudge(False))
    faded = np.abs(run(session, 600).image - mean).max()
    assert faded < 0.01 < 0.1 < far
    session.apply(Nudge(True))
    assert np.abs(run(session, 300).image - mean).max() > 0.1


def test_homeostasis_does_not_act_on_dreams(session):
    session.apply(SetParameter("homeostasis", 1))
    dreaming_session(session, ticks=600)
    assert session.knobs["sigma"].value == 0.9
    session.apply(Dream(False))
    run(session, 600)
    assert session.knobs["sigma"].value != 0.9


def test_the_race_for_an_answer_starts_anew_when_a_dream_begins_and_when_it_ends(session):
    for on in (True, False):
        run(session, 300)
        assert session.frame().decision.waited > 0
        session.apply(Dream(on))
        assert session.frame().decision.waited == 0


def test_dreams_teach_nothing(session):
    session.apply(Learn(True))
    run(session, 5)
    before = {name: array.copy() for name, array in session.network.state_dict().items()}
    assert "Learning is off" in session.apply(Dream(True))
    assert session.frame().learning is None
    with pytest.raises(ValueError, match="end the dream first"):
        session.apply(Learn(True))
    run(session, 200)
    for name, array in session.network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_another_preset_is_awake(session):
    dreaming_session(session)
    session.apply(LoadPreset(load_preset("tiny")))
    frame = run(session, 3)
    assert not frame.dreaming
    assert frame.sample == 0
    assert frame.metrics.phase == "free"


def test_a_network_in_a_world_refuses_and_lives_on():
    session = Session(load_preset("tween-chase"))
    run(session, 3)
    with pytest.raises(ValueError, match="a tween network cannot dream"):
        session.apply(Dream(True))
    assert not session.frame().dreaming
    assert run(session, 3).metrics.phase == "streaming"
    with pytest.raises(PresetError, match="tween-chase: a tween network cannot dream"):
        dream_all(load_preset("tween-chase"), {})


def test_above_the_edge_pictures_stay_pictures():
    session = Session(load_preset("edge-of-chaos"))
    session.apply(SetParameter("sigma", 2.5))
    image = dreaming_session(session, ticks=150).image
    assert np.isfinite(image).all()
    assert 0 <= image.min() <= image.max() <= 1


def test_the_shipped_network_dreams_what_it_is_asked_for_and_turns_to_another(reader):
    session = Session(load_preset("deep-100"))
    first = dreaming_session(session, 3, 400)
    assert reader.judge(first.image[None], np.array([3]))["share"] == 1
    assert first.metrics.probabilities.argmax() == 3
    second = dreaming_session(session, 7, 400)
    assert reader.judge(second.image[None], np.array([7]))["share"] == 1
    session.apply(Nudge(False))
    faded = run(session, 600)
    assert faded.metrics.probabilities.argmax() != 7 or faded.metrics.probabilities.max() < 0.9


# dreams of every class


def test_a_class_each_from_the_mean_picture(data):
    told = []
    found = dream_all(small(), {"sigma": 0.5}, 40, "numpy", lambda *words: told.append(words))
    assert found.pictures.shape == (5, 10, 8, 8)
    assert found.ticks == (0, 10, 20, 30, 40)
    np.testing.assert_allclose(found.pictures[0], np.stack([data.decode(np.zeros(64))] * 10))
    assert len({picture.tobytes() for picture in found.pictures[-1]}) == 10
    assert found.probabilities.sum(-1) == pytest.approx(np.ones(10))
    assert found.chain.value("sigma") == 0.5
    assert told[-1] == ("dreaming", 40, 40)
    assert [len(dream_all(small(), {}, ticks).ticks) for ticks in (1, 2)] == [2, 3]


# the track


@pytest.fixture(scope="module", params=[("recursive", 6, 2), ("hopfield", 3, 3)], ids=lambda job: job[0])
def rows(request):
    network, layers, epochs = request.param
    return dreaming.run(network, layers, epochs, False, 0)


def last(rows):
    return {row["way"]: row for row in rows}


def test_rows_are_flat_json_with_the_same_fields(rows):
    json.dumps(rows, allow_nan=False)
    assert len({tuple(sorted(row)) for row in rows}) == 1
    assert set(last(rows)) == set(dreaming.WAYS)
    assert last(rows)[DREAM]["tick"] == ticks_of(rows[0]["layers"])


def test_the_reader_reads_real_digits(rows):
    assert rows[0]["accuracy_reader"] > 0.97


def test_dreams_are_read_as_what_they_are_of(rows):
    found = last(rows)[DREAM]
    assert found["share"] > 0.9
    assert found["share_neighbours"] > 0.9
    assert found["accuracy"] > 0.8


@pytest.mark.parametrize("way", [NO_NUDGE, RANDOM, SHUFFLED, ALONE])
def test_controls_are_not(rows, way):
    found = last(rows)[way]
    assert found["share"] < 0.5
    assert found["share_neighbours"] < 0.5
    assert found["distance"] > last(rows)[DREAM]["distance"] + 0.2


def test_random_weights_are_persuaded_all_the_same(rows):
    """Why the network's own opinion of its dreams proves nothing."""
    assert last(rows)[RANDOM]["share_own"] > 0.9


def test_the_prior_brings_dreams_near_real_digits(rows):
    ways = last(rows)
    assert ways[DREAM]["distance"] < ways[BARE]["distance"] - 0.1
    assert ways[RIVAL]["share"] > 0.9


def test_the_picture_takes_shape_in_time(rows):
    shares = [row["share"] for row in rows if row["way"] == DREAM]
    assert shares[0] < 0.6 < shares[-1]


def test_jobs_are_what_run_takes():
    words = dreaming.run.__code__.co_varnames[: dreaming.run.__code__.co_argcount]
    for quick in (True, False):
        assert all(set(job) == set(words) for job in dreaming.jobs(quick))

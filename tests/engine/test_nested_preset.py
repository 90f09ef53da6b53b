"""Nested chains from presets: tables of levels, what is refused, and what a session makes of them."""

from __future__ import annotations

from queue import Queue

import numpy as np
import pytest

from engine.commands import (
    Ablate,
    AblateRegion,
    Dream,
    Heal,
    Learn,
    SelectSample,
    SetParameter,
    SetTarget,
    Step,
    TakeSnapshot,
)
from engine.frame import ABLATED, UNUSED
from engine.history import History, Replay
from engine.learning.align import align, align_snapshot
from engine.networks.nested.chain import NestedChain
from engine.preset import PresetError, load_preset, parse_preset
from engine.probe import probe
from engine.session import Session

SMALL = """
title = "Small"
network = "nested"
neurons = 9
[[nested]]
layers = 2
[[nested]]
layers = 2
within = [2]
[knobs]
sigma_2 = 0.7
ticks_2 = 3
"""


def small(text=SMALL):
    return parse_preset(text, "small", "small.toml")


def test_tables_say_which_layers_there_are():
    preset = small()
    assert preset.layers == 4
    session = Session(preset)
    network = session.network
    assert isinstance(network, NestedChain)
    assert [part.path for part in network.layout.parts] == [(1,), (2,), (2, 1), (2, 2)]
    assert session.knobs["sigma_2"].value == 0.7
    assert network.nest.sigmas == (0.7,)
    assert session.knobs["ticks_2"].value == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL.replace("[2]", "[3]"), "level 2 cannot be within layer 3 of 2"),
        (SMALL.replace("[2]", "[2, 2]"), "each named once"),
        (SMALL.replace("[2]", "[]"), "within"),
        (SMALL.replace("layers = 2\nwithin", "layers = 0\nwithin"), "nested.1.layers: .*greater than or equal to 1"),
        (SMALL.replace("within = [2]", "inside = [2]"), "nested.1.inside: unknown key"),
        (SMALL.replace("neurons = 9", "neurons = 9\nlayers = 5"), "4 layers in all, not 5"),
        (SMALL.replace('"nested"', '"recursive"'), "and no other, needs levels|layers: .*required"),
        ('title = "T"\nnetwork = "nested"\nneurons = 9\nlayers = 3\n', "needs levels"),
        (SMALL.replace("[knobs]", "[[nested]]\nlayers = 600\n[knobs]"), "more than 1,000|less than or equal"),
    ],
)
def test_levels_that_do_not_fit_are_refused_in_words(text, words):
    with pytest.raises(PresetError, match=words):
        small(text)


def test_an_unknown_level_has_no_knob():
    with pytest.raises(PresetError, match="unknown parameter 'sigma_3'"):
        Session(small(SMALL.replace("sigma_2", "sigma_3")))


def test_a_session_runs_lesions_and_frames():
    session = Session(small())
    for _ in range(12):
        session.tick()
    frame = session.frame()
    shape = session.network.layout.layers, session.network.layout.neurons
    assert frame.activation.shape == frame.flags.shape == shape
    assert len(frame.metrics.rms_nudge) == 4
    np.testing.assert_array_equal((frame.flags & UNUSED) > 0, session.network.unused)
    session.apply(Ablate(0.25))
    lost = int(session.network._dead.sum())
    assert lost == round(0.25 * 9) + round(0.25 * 27)
    assert ((session.frame().flags & ABLATED) > 0).sum() >= lost
    session.apply(Heal())
    region = np.zeros(shape, bool)
    region[1, :3] = True
    session.apply(AblateRegion(region))
    assert 0 < session.network._dead.sum() <= 3
    session.tick()
    assert session.frame().metrics.finite


def test_the_probe_reaches_every_layer_of_all_levels():
    found = probe(small(), {"sigma": 0.8})
    assert found["settled"]
    assert found["layers"] == len(found["nudge_rms"]) == found["d_nudge"] == 4
    assert found["finite"]


def test_align_compares_every_layer_of_all_levels():
    preset = small().model_copy(update={"dtype": "float64"})
    found, _ = align(preset, {"beta": 1e-3, "sigma_2": 0.6}, samples=3)
    assert {len(found.cosine[name]) for name in ("R", "W", "b")} == {4}
    assert found.min_cosine > 1 - 1e-6


def test_a_running_network_is_aligned_at_the_sigmas_that_it_has():
    session = Session(small())
    session.apply(SetParameter("sigma_2", 1.0))
    session.apply(SetParameter("beta", 1e-3))
    session.apply(Step(1))
    reply = Queue()
    session.apply(TakeSnapshot(reply))
    assert align_snapshot(reply.get()).min_cosine > 1 - 1e-5


def test_shipped_nests_have_what_they_promise():
    for name, layers, levels in (("nested-27", 39, 3), ("nested-81", 120, 4)):
        preset = load_preset(name)
        assert preset.layers == layers
        assert len(preset.nested) == levels


def test_the_history_brings_tiles_within_tiles_back():
    session, history, live = Session(small()), History(), []
    for tick in range(40):
        session.tick()
        live.append(session.frame())
        history.append(live[-1], when=float(tick))
    replay = Replay(history)
    for number in (0, 25, 39):
        frame = replay.frame(number)
        assert frame.layout == live[number].layout
        assert frame.layout.part_at(2, 0, 0).path == (2,)
        np.testing.assert_allclose(frame.activation, live[number].activation, atol=1e-4)


@pytest.mark.parametrize("persistent", [0, 1])
def test_live_learning_moves_every_level_and_keeps_the_norms(persistent):
    session = Session(small())
    for name, value in {"hold": 0, "rate": 1e-2, "persistent": persistent, "t_free": 9, "t_nudge": 9}.items():
        session.apply(SetParameter(name, value))
    before = {name: array.copy() for name, array in session.network.state_dict().items()}
    session.apply(Learn(True))
    for _ in range(120):
        session.tick()
    network = session.network
    assert session.frame().learning.samples > 0
    for name in ("R", "W", "b"):
        moved = np.abs(network.weights[name] - before[name]).reshape(4, -1).max(1)
        assert moved.min() > 1e-4, name
    norms = {name: np.linalg.norm(network.weights[name], 2, axis=(1, 2)) for name in ("R", "W")}
    assert norms["R"].max() < 1 + 1e-5
    assert norms["W"][network.nest.inner].max() < 1 + 1e-5


def test_a_nest_dreams_towards_its_label():
    session = Session(load_preset("nested-27"))
    session.apply(SetParameter("beta", 0.01))
    session.apply(SelectSample(1))
    session.apply(SetTarget(3))
    session.apply(Dream(True))
    chances = []
    for _ in range(60):
        session.tick()
        chances.append(float(session.frame().metrics.probabilities[3]))
    assert chances[-1] > max(chances[0], 0.5)


def test_homeostasis_brings_a_wild_nest_back_to_rest():
    """With rotations for R, level 1 turns round for ever at sigma 2.5; only its own sigma is moved."""
    session = Session(small(SMALL.replace("sigma_2 = 0.7", "sigma_2 = 0.9\nsigma = 2.5\nhomeostasis = 1\nhold = 5")))
    network = session.network
    rotation = np.kron(np.eye(5), [[0, 1], [-1, 0]])[:9, :9]
    rotation[8, 8] = 1
    network.weights["R"][...] = rotation
    network.weights_changed()
    for _ in range(1500):
        session.tick()
    assert session.knobs["sigma"].value < 2.5
    assert session.knobs["sigma_2"].value == 0.9

"""A tween chain as a network of the observatory: where outputs lie, what is measured, knobs, wounds, weights."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Ablate, Heal, Learn, Nudge, Reset, SelectSample, SetParameter
from engine.frame import UNUSED
from engine.knobs import Knob
from engine.networks.tween.layer import Shape, ShapeError
from engine.networks.tween.network import TweenNetwork
from engine.preset import Preset, PresetError, load_preset, parse_preset
from engine.session import Session
from engine.tiles import first_places, in_tile, laid_out

TWEENS = ["tween-100", "tween-attention", "tween-chase", "tween-parallel", "tween-vision-motion"]
SHORT = ["tween-attention", "tween-chase", "tween-parallel", "tween-vision-motion"]
CHAIN = """
title = "Small"
network = "tween"
world = "{world}"
[[chain]]
kind = "dense"
features = {features}
"""
shapes = st.one_of(
    st.tuples(st.integers(1, 70)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(1, 6)),
)


def small(world: str, features: int) -> Preset:
    return parse_preset(CHAIN.format(world=world, features=features), "small", "small.toml")


def live(name: str, ticks: int = 0, **knobs: float | str) -> Session:
    session = Session(load_preset(name))
    for knob, value in knobs.items():
        session.apply(SetParameter(knob, value))
    for _ in range(ticks):
        session.tick()
    return session


def tween(session: Session) -> TweenNetwork:
    assert isinstance(session.network, TweenNetwork)
    return session.network


@given(shape=shapes)
def test_every_output_has_its_place_once(shape: Shape) -> None:
    places = laid_out(shape)
    assert sorted(places[places >= 0]) == list(range(prod(shape)))


@given(shape=shapes, more=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_a_small_layer_is_magnified_into_equal_squares(shape: Shape, more: tuple[int, int]) -> None:
    small = laid_out(shape)
    size = small.shape[0] + more[0], small.shape[1] + more[1]
    whole = in_tile(shape, size).reshape(size)
    zoom = min(size[0] // small.shape[0], size[1] // small.shape[1])
    assert first_places(whole.reshape(-1)).sum() == prod(shape)
    for output in range(prod(shape)):
        rows, columns = np.nonzero(whole == output)
        assert len(rows) == zoom**2
        assert (np.ptp(rows), np.ptp(columns)) == (zoom - 1, zoom - 1)


def test_a_sequence_lies_a_step_a_row_and_channels_side_by_side() -> None:
    np.testing.assert_array_equal(laid_out((2, 3)), [[0, 1, 2], [3, 4, 5]])
    channels = laid_out((2, 2, 3))
    np.testing.assert_array_equal(channels, [[0, 1, 2, -1, 6, 7, 8], [3, 4, 5, -1, 9, 10, 11]])


@pytest.mark.parametrize("name", TWEENS)
def test_a_frame_shows_outputs_changes_and_gaps_where_they_lie_and_nothing_elsewhere(name: str) -> None:
    session = live(name, 7)
    session.frame()
    session.tick()
    network, frame = tween(session), session.frame()
    assert len(network.chain.links) == frame.layout.layers
    for number, link in enumerate(network.chain.links):
        places = network.places[number]
        gap = network.chain.rules.scale * link.credit
        for channel, values in ((frame.activation, link.output), (frame.velocity, link.change), (frame.nudge, gap)):
            shown = channel[number]
            np.testing.assert_allclose(shown[places >= 0], values.reshape(-1)[places[places >= 0]], rtol=1e-6)
            assert not shown[places < 0].any()
        np.testing.assert_array_equal(frame.flags[number] == UNUSED, places < 0)
        own = float(np.sqrt(np.square(link.output, dtype=np.float64).mean()))
        assert frame.metrics.rms_activation[number] == pytest.approx(own, rel=1e-5)
    assert frame.metrics.phase == "streaming"
    assert frame.metrics.finite
    assert frame.scene is not None
    assert frame.scene.answers[int(frame.metrics.probabilities.argmax())] in frame.scene.answers


def test_links_tell_budget_gap_barrier_and_bottleneck() -> None:
    session = live("tween-parallel", 40)
    links, chain = tween(session).links(), tween(session).chain
    assert links.names == ("parallel", "dense", "dense")
    np.testing.assert_allclose(links.budget, [link.budget[0] for link in chain.links], rtol=1e-6)
    np.testing.assert_allclose(links.gap, [link.gap[0] for link in chain.links], rtol=1e-6)
    np.testing.assert_allclose(links.barrier, np.cumprod(links.budget), rtol=1e-5)
    assert links.budget[links.bottleneck - 1] == links.budget.min()
    assert links.budget.min() < links.budget.max()


def history(name: str, **knobs: float | str) -> list[tuple[float, ...]]:
    session = live(name, **knobs)
    measured = []
    for _ in range(4):
        for _ in range(20):
            session.tick()
        network = tween(session)
        links, seen = network.links(), network.observe()
        measured.append((float(seen.rms_activation.sum()), float(links.gap.sum()), float(links.budget.sum())))
    return measured


KNOBS = [
    (name, knob) for name in ("tween-chase", "tween-vision-motion", "tween-attention") for knob in live(name).knobs
]


@pytest.mark.parametrize(("name", "knob"), KNOBS)
def test_every_knob_changes_what_is_measured(name: str, knob: str) -> None:
    found: Knob = live(name).knobs[knob]
    other = found.low if found.value != found.low else found.high
    assert history(name) == history(name)
    assert history(name, **{knob: other}) != history(name)
    assert found.doc.endswith(".")


def test_freeze_keeps_the_weights_and_goes_on_ticking() -> None:
    session = live("tween-chase", 20, freeze=1)
    before = {name: w.copy() for name, w in session.network.state_dict().items()}
    ticks, places = session.network.ticks, tween(session).scene().points
    for _ in range(30):
        session.tick()
    for name, w in session.network.state_dict().items():
        np.testing.assert_array_equal(w, before[name])
    assert session.network.ticks == ticks + 30
    assert tween(session).scene().points != places


def test_without_the_nudge_nobody_tells_the_answer_so_nothing_is_learned() -> None:
    session = live("tween-chase", 30)
    session.apply(Nudge(False))
    session.apply(SetParameter("momentum", 0.0))
    session.tick()
    before = session.network.state_dict()["1.W"].copy()
    for _ in range(20):
        session.tick()
    np.testing.assert_array_equal(session.network.state_dict()["1.W"], before)


def test_switching_the_task_turns_the_right_answer_round() -> None:
    session = live("tween-chase", 5)
    network = tween(session)
    opposite = {"right": "left", "left": "right", "up": "down", "down": "up"}
    chase = network.scene()
    assert chase.due is not None
    session.apply(SetParameter("task", "avoid"))
    network.world.observe()
    avoid = network.scene()
    assert avoid.due is not None
    assert avoid.task == "avoid"
    assert avoid.answers[avoid.due] == opposite[chase.answers[chase.due]]


def test_a_share_of_every_layers_outputs_is_cut_out_and_healed() -> None:
    session = live("tween-vision-motion", 10)
    network = tween(session)
    session.apply(Ablate(0.2))
    for _ in range(3):
        session.tick()
    for link in network.chain.links:
        assert link.alive is not None
        dead = link.alive.reshape(-1) == 0
        assert dead.sum() == round(0.2 * dead.size)
        assert not link.output.reshape(-1)[dead].any()
        assert link.output.reshape(-1)[~dead].any()
    for number, link in enumerate(network.chain.links):
        assert link.alive is not None
        places = network.places[number]
        np.testing.assert_array_equal(
            network.ablated[number][places >= 0], link.alive.reshape(-1)[places[places >= 0]] == 0
        )
    session.apply(Heal())
    assert not network.ablated.any()
    session.tick()
    assert network.chain.links[0].output.all()


def test_a_reset_begins_the_same_world_and_keeps_what_was_learned() -> None:
    session = live("tween-chase", 40)
    learned = session.network.state_dict()["1.W"].copy()
    session.apply(Reset())
    np.testing.assert_array_equal(session.network.state_dict()["1.W"], learned)
    fresh = live("tween-chase")
    one, other = tween(session).world.observe(), tween(fresh).world.observe()
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", SHORT)
def test_runs_repeat_to_the_bit(name: str) -> None:
    one, other = live(name, 60), live(name, 60)
    for key, w in one.network.state_dict().items():
        np.testing.assert_array_equal(other.network.state_dict()[key], w)


def test_weights_come_back_and_others_are_refused_whole() -> None:
    taught, fresh = live("tween-chase", 50), live("tween-chase")
    weights = {name: w.copy() for name, w in taught.network.state_dict().items()}
    fresh.network.load_state_dict(weights)
    for name, w in fresh.network.state_dict().items():
        np.testing.assert_array_equal(w, weights[name])
    for broken in (
        {"1.W": weights["1.W"]},
        weights | {"2.W": weights["2.W"][:3]},
        weights | {"1.b": weights["1.b"] * np.nan},
    ):
        with pytest.raises(ValueError, match="weights") as refusal:
            fresh.network.load_state_dict(broken)
        assert "\n" not in str(refusal.value)
        np.testing.assert_array_equal(fresh.network.state_dict()["1.W"], weights["1.W"])


def test_what_does_not_fit_its_world_is_refused_in_one_line() -> None:
    with pytest.raises(PresetError, match="the world chase needs 4") as refusal:
        Session(small("chase", 5))
    assert "\n" not in str(refusal.value)
    session = Session(small("chase", 4))
    with pytest.raises(ValueError, match="lives in the world chase"):
        session.apply(SelectSample(3))
    with pytest.raises(ValueError, match="freeze"):
        session.apply(Learn(True))
    with pytest.raises(ValueError, match="shape"):
        session.network.ablate(np.zeros((2, 2), bool))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('title="t"\nnetwork="tween"\nworld="chase"', "needs a world and a chain"),
        ('title="t"\nnetwork="tween"\n[[chain]]\nkind="dense"\nfeatures=4', "needs a world and a chain"),
        ('title="t"\nnetwork="hopfield"\nlayers=2\nneurons=4\nworld="chase"', "only a tween network"),
        ('title="t"\nnetwork="tween"\nworld="pong"\n[[chain]]\nkind="dense"\nfeatures=4', "world"),
        ('title="t"\nnetwork="tween"\nworld="chase"\n[[chain]]\nkind="gru"\nfeatures=4', "chain.0"),
        ('title="t"\nnetwork="tween"\nworld="chase"\n[[chain]]\nkind="dense"\nfeatures=0', "features"),
    ],
)
def test_a_preset_that_makes_no_chain_is_refused_with_its_key(text: str, complaint: str) -> None:
    with pytest.raises(PresetError, match=complaint) as refusal:
        parse_preset(text, "t", "t.toml")
    assert str(refusal.value).startswith("t.toml: ")


def test_layers_that_do_not_fit_each_other_name_the_layer() -> None:
    text = CHAIN.format(world="chase", features=4) + '[[chain]]\nkind = "conv2d"\nchannels = 2\n'
    with pytest.raises((PresetError, ShapeError), match="layer 2"):
        Session(parse_preset(text, "t", "t.toml"))


def test_a_target_reaches_layer_one_of_the_hundred_after_a_hundred_ticks() -> None:
    """The first class is told when the first picture has come through, in tick 101; layer 1 learns in tick 200."""
    session = live("tween-100")
    fresh = session.network.state_dict()["1.W"].copy()
    for _ in range(199):
        session.tick()
    np.testing.assert_array_equal(session.network.state_dict()["1.W"], fresh)
    session.tick()
    assert (session.network.state_dict()["1.W"] != fresh).any()


def test_work_is_counted_by_the_weights() -> None:
    session = live("tween-chase", 10)
    weights = sum(w.size for w in session.network.state_dict().values())
    assert session.frame().metrics.dense_flops == 10 * 6 * weights

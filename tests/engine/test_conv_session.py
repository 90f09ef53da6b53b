"""Convolutional chains as everything else sees them: presets, sessions, probes, pictures in colour."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from engine.build import build_network, load_data
from engine.commands import Ablate, AblateRegion, Heal, Learn, SelectSample, SetParameter, TakeSnapshot
from engine.data import load_dataset
from engine.dreaming import input_credit
from engine.frame import ABLATED, UNUSED
from engine.learning.align import align_snapshot
from engine.learning.train import Recipe, train
from engine.mailbox import Mailbox
from engine.networks.conv.chain import ConvChain
from engine.preset import PresetError, load_preset, parse_preset
from engine.probe import probe
from engine.session import Session
from engine.weights import write_weights
from kernels.backends import BackendError
from tests.engine.conv_cases import chain_of, settle

GOOD = """
title = "T"
network = "conv"
[[conv]]
channels = 6
[[conv]]
channels = 6
residual = true
repeat = 2
[[conv]]
channels = 4
stride = 3
"""


def parse(text=GOOD, name="mine"):
    return parse_preset(text, name, f"{name}.toml")


def session_of(**knobs):
    session = Session(parse(), "numba")
    for name, value in knobs.items():
        session.apply(SetParameter(name, value))
    return session


def test_tables_say_how_many_layers_there_are():
    preset = parse()
    assert preset.layers == 4
    chain = build_network(preset)
    assert isinstance(chain, ConvChain)
    assert [layer.shape for layer in chain.plan.layers] == [(6, 8, 8)] * 3 + [(4, 3, 3)]
    assert [layer.residual for layer in chain.plan.layers] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title="T"\nnetwork="conv"\n', "needs layers"),
        (GOOD.replace('"conv"', '"recursive"') + "\n", "layers: .*required|no other, needs layers"),
        (GOOD.replace('network = "conv"', 'network = "conv"\nweights = "float16"'), "too few to be worth half"),
        (GOOD.replace("channels = 4", "channels = 0"), r"conv.*channels: .*greater than or equal to 1"),
        (GOOD.replace("stride = 3", "strides = 3"), r"conv.*strides: unknown key"),
    ],
)
def test_faults_are_named(text, words):
    with pytest.raises(PresetError, match=f"mine.toml: .*({words})"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("stride = 3", "stride = 3\nresidual = true"), "layer 4: a residual link needs stride 1"),
        (GOOD.replace("repeat = 2", "size = 2"), "layer 2: .*an odd size"),
        (GOOD.replace("channels = 4", "channels = 256\nsize = 15\nrepeat = 90"), "kernels of .* weights are more"),
    ],
)
def test_layers_that_do_not_fit_are_named(text, words):
    with pytest.raises(PresetError, match=f"mine: conv: {words}"):
        build_network(parse(text))


def test_a_backend_that_cannot_is_refused_and_auto_finds_another(monkeypatch):
    from dataclasses import replace

    from kernels import backends

    host = backends.load_backend("numba")
    fake = replace(host, name="cuda", reason="a stand-in", device=object())
    monkeypatch.setattr("engine.build.load_backend", lambda name: fake)
    chain = build_network(parse())
    assert chain.backend in ("numba", "numpy")
    assert "no kernel for a conv chain" in chain.backend_reason
    with pytest.raises(BackendError, match="cannot compute mine"):
        build_network(parse(), "cuda")


def test_weights_are_read_back_in_half_precision(tmp_path):
    chain = build_network(parse())
    assert isinstance(chain, ConvChain)
    half = {name: array.astype(np.float16) for name, array in chain.state_dict().items()}
    write_weights(tmp_path / "w.safetensors", half)
    loaded = build_network(parse().model_copy(update={"weights_file": tmp_path / "w.safetensors"}))
    for name, array in loaded.state_dict().items():
        np.testing.assert_array_equal(array, half[name].astype(np.float32))
    write_weights(tmp_path / "w.safetensors", {k: v for k, v in half.items() if k != "4.K"})
    with pytest.raises(PresetError, match=r"missing \['4.K'"):
        build_network(parse().model_copy(update={"weights_file": tmp_path / "w.safetensors"}))


@pytest.mark.parametrize("persistent", [0, 1])
def test_a_probe_settles_nudges_and_says_so(persistent):
    found = probe(parse(), {"persistent": persistent, "tolerance": 1e-5}, backend="numba")
    assert found["network"] == "conv"
    assert found["layers"] == 4
    assert found["neurons"] == 6 * 64
    assert found["dynamics"] == "plain"
    assert found["settled"]
    assert found["finite"]
    assert found["d_nudge"] == 4
    assert 0.1 < found["credit_ratio"] < 10
    assert found["effective_flops"] == found["dense_flops"] > 0


def test_clocked_and_persistent_end_at_the_same_credit():
    clocked, persistent = (probe(parse(), {"persistent": p, "tolerance": 1e-6}) for p in (0, 1))
    np.testing.assert_allclose(persistent["nudge_rms"], clocked["nudge_rms"], rtol=5e-3)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_wildest_knobs_leave_every_number_finite(backend):
    wild = {"sigma": 3.0, "input_gain": 5.0, "noise": 1.0, "beta": 1.0}
    assert probe(parse(), wild, max_ticks=100, backend=backend)["finite"]


@pytest.mark.parametrize("name", ["sigma", "beta", "noise", "input_noise", "weight_noise", "input_gain"])
def test_every_knob_changes_a_measured_number(name):
    def history(**knobs):
        session = session_of(**knobs)
        measured = []
        for _ in range(6):
            for _ in range(12):
                session.tick()
            m = session.frame().metrics
            measured.append((m.phase, m.t_relax, m.t_nudge, m.rms_activation.sum(), m.rms_nudge.sum()))
        return measured

    knob = session_of().knobs[name]
    other = knob.low if knob.value != knob.low else knob.high / 2
    assert history() == history()
    assert history(**{name: other}) != history()


def test_places_without_a_neuron_are_marked_and_never_cut():
    session = session_of(advance=0)
    unused = (session.frame().flags & UNUSED) > 0
    assert unused.sum(1).tolist() == session.network.unused.sum(1).tolist()
    assert unused.any()
    session.apply(Ablate(0.25))
    dead = (session.frame().flags & ABLATED) > 0
    assert not (dead & unused).any()
    chain = session.network
    assert isinstance(chain, ConvChain)
    cut = [(dead[k] & chain.first[k]).sum() for k in range(4)]
    assert cut == [round(0.25 * n) for n in chain.plan.neurons]
    for _ in range(30):
        session.tick()
    assert not session.frame().activation[dead].any()
    session.apply(Heal())
    assert not (session.frame().flags & ABLATED).any()


def test_a_stroke_over_part_of_a_magnified_neuron_cuts_all_of_it():
    session = session_of()
    chain = session.network
    assert isinstance(chain, ConvChain)
    top = chain._tiles.places[3]
    assert (np.bincount(top[top >= 0]) > 1).any(), "the small layer is not magnified"
    region = np.zeros(chain.ablated.shape, bool)
    region[3, np.flatnonzero(top == 5)[0]] = True
    session.apply(AblateRegion(region))
    np.testing.assert_array_equal(chain.ablated[3], top == 5)
    assert not chain.ablated[:3].any()


def test_it_learns_live_and_a_lesion_travels_with_the_snapshot():
    session = session_of(hold=0, t_free=40, t_nudge=40, rate=5e-3, beta=0.01)
    before = {name: array.copy() for name, array in session.network.state_dict().items()}
    session.apply(Learn(True))
    for _ in range(200):
        session.tick()
    progress = session.frame().learning
    assert progress is not None
    assert progress.samples >= 2
    assert all((session.network.state_dict()[name] != array).any() for name, array in before.items())
    session.apply(Learn(False))
    session.apply(Ablate(0.2))
    reply: Mailbox = Mailbox()
    session.apply(TakeSnapshot(reply))
    snapshot = reply.take()
    assert snapshot is not None
    assert align_snapshot(snapshot).min_cosine > 0.999


def test_homeostasis_brings_a_boiling_chain_to_rest():
    session = session_of(sigma=3.0, input_gain=0.05, t_free=400, homeostasis=1)
    sigmas = []
    for _ in range(1500):
        session.tick()
        sigmas.append(session.knobs["sigma"].value)
    assert min(sigmas) < 3.0
    assert session.frame().metrics.finite


def test_the_input_credit_is_minus_the_slope_of_the_pull(rng):
    chain = chain_of(beta=1e-4)
    settle(chain)
    credit = input_credit(chain)
    x, force = chain.read_in()[0].copy(), chain._aim.copy()

    def pulled(moved):
        chain.show(moved)
        for _ in range(300):
            chain.tick(nudged=False)
        top = chain.columns()[1][-1, :, 0]
        return (force * top).sum(-1)

    direction = rng.standard_normal(x.shape)
    slope = (pulled(x + 1e-5 * direction) - pulled(x - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose((credit * direction).sum(-1), slope, rtol=1e-4)


# CIFAR-10


@pytest.fixture
def photographs(tmp_path):
    """A folder as its authors publish it, with forty synthetic photographs: the class is the colour of a blob."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("data_batch_1", 30), ("data_batch_2", 30), ("test_batch", 20)):
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 3, 32, 32))
        for image, label in zip(images, labels, strict=True):
            y, x = rng.integers(4, 20, 2)
            image[label, y : y + 8, x : x + 8] += 180
        table = {b"data": images.reshape(count, -1).astype(np.uint8), b"labels": [int(label) for label in labels]}
        (folder / name).write_bytes(pickle.dumps(table, protocol=2))
    return tmp_path


def test_cifar_is_read_settled_and_learned(photographs):
    shipped = load_preset("conv-cifar")
    preset = shipped.model_copy(update={"data": str(photographs)})
    data = load_data(preset)
    assert data.shape == (32, 32, 3)
    assert data.classes == 10
    session = Session(preset, "numba")
    session.apply(SelectSample(61))
    chain = session.network
    assert isinstance(chain, ConvChain)
    assert chain.plan.layers[0].shape_in == (3, 32, 32)
    for _ in range(80):
        session.tick()
    frame = session.frame()
    assert frame.image.shape == (32, 32, 3)
    assert frame.metrics.finite
    assert frame.metrics.t_relax is not None


def test_a_chain_learns_colours_from_cifar_files(photographs):
    text = GOOD.replace("channels = 6\n[[conv]]", "channels = 6\nstride = 4\n[[conv]]", 1)
    preset = parse(text).model_copy(update={"data": str(photographs)})
    data = load_dataset(str(photographs))
    report = train(preset, data, Recipe(epochs=8, batch=10, rate=5e-3))
    assert report.test_accuracy > 0.8
    shuffled = train(preset, data, Recipe(epochs=8, batch=10, rate=5e-3, shuffled=True))
    assert shuffled.test_accuracy < 0.7

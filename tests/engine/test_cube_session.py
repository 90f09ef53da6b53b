"""Cubes in the live session: probe, homeostasis by the spectral radius, learning, growth that can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from engine.build import build_network
from engine.commands import Ablate, Heal, Learn, SelectSample, SetParameter, TakeSnapshot
from engine.homeostasis import RADIUS, Homeostat
from engine.learning.align import align_snapshot
from engine.mailbox import Mailbox
from engine.preset import PresetError, load_preset, parse_preset
from engine.probe import probe
from engine.session import Session
from kernels.lattice_reference import lattice_mask

TEXT = 'title = "t"\nnetwork = "{}"\nlayers = {}\nseed = {}\n[knobs]\nhold = 5\n{}'


def session_of(kind="cube", side=5, seed=0, **knobs):
    words = "".join(f"{name} = {value}\n" for name, value in knobs.items())
    return Session(parse_preset(TEXT.format(kind, side, seed, words), "t", "t"), "numba")


def run(session, ticks):
    for _ in range(ticks):
        session.tick()
    return session.frame()


def test_the_probe_tells_of_voxels_and_the_spectral_radius():
    found = probe(load_preset("cube-8"))
    assert found["voxels"] == 512
    assert (found["layers"], found["neurons"]) == (8, 64)
    assert found["settled"]
    assert found["d_nudge"] == 8
    assert 0.2 < found["spectral_radius"] < 1
    assert found["dynamics"] == "plain"
    assert found["dense_flops"] > 0
    chain = probe(load_preset("tiny"))
    assert "voxels" not in chain
    assert chain["spectral_radius"] is None


def test_backends_measure_the_same():
    numba, numpy = (probe(load_preset("cube-8"), backend=backend) for backend in ("numba", "numpy"))
    assert abs(numba["t_relax"] - numpy["t_relax"]) <= 1
    assert numba["spectral_radius"] == pytest.approx(numpy["spectral_radius"], rel=0.02)
    np.testing.assert_allclose(numba["nudge_rms"], numpy["nudge_rms"], rtol=1e-3)


def test_the_wildest_knobs_leave_every_number_finite():
    wild = {"sigma": 3.0, "input_gain": 5.0, "noise": 1.0, "beta": 1.0}
    for name in ("cube-8", "cube-energy"):
        found = probe(load_preset(name), wild, max_ticks=200)
        assert found["finite"]
        assert not found["settled"]


def test_the_energy_of_the_symmetric_cube_falls_in_the_session():
    session = session_of("energy-cube", sigma=0.9)
    energies = []
    for _ in range(20):
        session.tick()
        energies.append(session.frame().metrics.energy)
    assert (np.diff(energies) < 1e-5).all()
    assert energies[-1] < energies[0]
    assert session_of().frame().metrics.energy is None


def test_the_radius_is_known_once_the_state_rests():
    session = session_of(sigma=0.5)
    while session.phase == "free":
        assert session.frame().metrics.spectral_radius is None
        session.tick()
    radius = session.frame().metrics.spectral_radius
    assert 0 < radius < 1
    session.apply(SetParameter("sigma", 0.8))
    assert session.frame().metrics.spectral_radius is None
    while session.phase == "free":
        session.tick()
    assert session.frame().metrics.spectral_radius > radius


def radii(session, ticks):
    seen = []
    for _ in range(ticks):
        session.tick()
        radius = session.frame().metrics.spectral_radius
        if radius is not None and (not seen or seen[-1] != radius):
            seen.append(radius)
    return seen


@pytest.mark.parametrize("sigma", [0.2, 2.5])
@pytest.mark.parametrize("persistent", [0, 1])
def test_homeostasis_keeps_the_radius_under_its_limit(sigma, persistent):
    session = session_of(sigma=sigma, persistent=persistent, homeostasis=1, input_gain=0.2, tolerance=1e-5)
    late = radii(session, 9000)[-5:]
    assert 0.8 < np.median(late) <= RADIUS
    assert max(late) < RADIUS + 0.03
    free = session_of(sigma=2.5, persistent=persistent, input_gain=0.2, t_free=300, t_nudge=100)
    assert max(radii(free, 900), default=2.0) > 1, "without it the map is no contraction"


def test_a_homeostat_without_a_radius_is_the_old_one():
    with_radius, without = (Homeostat(5, np.dtype(np.float32)) for _ in range(2))
    for _ in range(5):
        assert without.observe(1e-9, 1e-4) == "rests"
        assert with_radius.observe(1e-9, 1e-4, 0.99) == "diverges"
    assert without.regulated(1.0, 3.0) > 1
    assert with_radius.regulated(1.0, 3.0) < 1
    near = Homeostat(5, np.dtype(np.float32))
    near.observe(1e-9, 1e-4, 0.949)
    assert 1 < near.regulated(1.0, 3.0) < 1.002


def test_the_frame_carries_the_density_and_a_volume():
    session = session_of(side=5)
    frame = run(session, 3)
    assert frame.layout.volume
    assert frame.density.shape == (5, 25)
    assert frame.density.max() == 26
    session.apply(Ablate(0.2))
    lesioned = session.frame().density
    assert lesioned.sum() < frame.density.sum()
    session.apply(Heal())
    np.testing.assert_array_equal(session.frame().density, frame.density)
    assert Session(load_preset("tiny")).frame().density is None


def test_growth_can_be_seen_while_the_session_learns():
    for persistent in (0, 1):
        session = session_of(sigma=0.3, persistent=persistent, budget=0.7, t_free=4, t_nudge=4)
        before = session.frame().density.sum()
        run(session, 300)
        assert session.frame().density.sum() == before
        session.apply(Learn(True))
        run(session, 1500)
        room = lattice_mask(5, 5).sum()
        assert session.frame().density.sum() == round(0.7 * room)
        first = session.frame().density
        run(session, 300)
        assert (session.frame().density != first).any()
        session.apply(SetParameter("budget", 0.8))
        run(session, 1000)
        assert session.frame().density.sum() == round(0.8 * room)


def test_live_learning_learns_a_sample():
    """After a few lessons on one picture its class is far likelier; without learning it is not."""
    likely = {}
    for on in (False, True):
        session = session_of(sigma=0.3, rate=0.02, advance=0)
        session.apply(SelectSample(4))
        session.apply(Learn(on))
        for _ in range(8):
            run(session, 60)
            session.apply(SelectSample(4))
        frame = run(session, 60)
        likely[on] = frame.metrics.probabilities[frame.label]
    assert likely[True] > 2 * likely[False]


def test_a_running_cube_is_aligned_with_the_exact_gradient():
    session = session_of(side=4, sigma=0.4, beta=0.02)
    reply = Mailbox()
    session.apply(TakeSnapshot(reply))
    assert align_snapshot(reply.take()).min_cosine > 0.999


def test_presets_of_cubes_are_checked():
    good = 'title = "t"\nnetwork = "cube"\nlayers = 6\n'
    assert parse_preset(good, "t", "t").neurons == 36
    with pytest.raises(PresetError, match="a cube of 6 layers has 36 neurons in each, not 16"):
        parse_preset(good + "neurons = 16\n", "t", "t")
    assert parse_preset(good.replace("6", "64"), "t", "t").neurons == 4096
    with pytest.raises(PresetError, match="layers"):
        parse_preset(good.replace("6", '"many"'), "t", "t")
    with pytest.raises(PresetError, match="dynamics"):
        Session(parse_preset(good + '[knobs]\ndynamics = "lazy"\n', "t", "t"))


def test_shipped_weights_are_taken_as_they_are():
    preset = load_preset("cube-8")
    network = build_network(preset)
    assert preset.weights_file is not None
    before = network.state_dict()["R"].copy()
    network.bound()
    np.testing.assert_allclose(network.state_dict()["R"], before, atol=2e-3)

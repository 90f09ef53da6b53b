"""The lattice's kernel on the emulated device (never a GPU): ticks beside the float64 reference, sessions of cubes."""

from __future__ import annotations

import numpy as np
import pytest
from emulation import SCHEDULES, EmulatedDevice, compile_host, needs_emulation
from test_compile import ARCHITECTURES, REGISTER_FILE, measured

from engine.commands import Ablate, Heal, Learn, Nudge, Reset, SelectSample, SetParameter
from engine.preset import parse_preset
from engine.session import Session
from kernels import SUMS, cuda, lattice_reference
from kernels.backends import load_backend
from kernels.cuda.device import DeviceError
from kernels.cuda.lattice import DeviceLattice
from kernels.cuda.variants import PROBE, lattice_variants, source

ROUNDING = 1e-5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_compiles_for_every_architecture_without_spills(architecture):
    figures = measured(source(lattice_variants()), architecture)
    for variant in lattice_variants():
        registers, spilled, stack = figures[variant.name]
        assert registers * variant.threads * 2 <= REGISTER_FILE
        assert (spilled, stack) == (0, 0)


@pytest.fixture(scope="module")
def library():
    return compile_host(source([PROBE, *lattice_variants()]))


def draw(layers, side, samples, seed=0):
    """Random couplings, states and inputs, float32."""
    rng = np.random.default_rng(seed)
    neurons = side * side

    def normal(*shape, scale=0.4):
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    K = normal(layers, 27, neurons, scale=0.25) * lattice_reference.lattice_mask(layers, side)
    T = np.empty_like(K)
    lattice_reference.turned(K, side, T)
    s = np.tanh(normal(layers, samples, 3, neurons)) * np.float32([1, 0.1, 0.1])[:, None]
    inputs = {"drive": normal(layers, samples, neurons), "inflow": normal(samples, neurons)}
    return {"K": K, "T": T, "s": s, **inputs, "aim": normal(samples, neurons)}


def expected(a, side, columns, ticks, beta):
    """The reference's state, velocity, flips and sums after the ticks, in float64."""
    a = {name: array.astype(np.float64) for name, array in a.items()}
    layers, samples, _, neurons = a["s"].shape
    velocity, flips = np.zeros((layers, samples, neurons)), np.zeros((layers, samples, neurons), np.uint8)
    sums, s, after = np.zeros((layers, samples, SUMS)), a["s"], a["s"].copy()
    for _ in range(ticks):
        lattice_reference.tick(
            a["K"], a["T"], a["drive"], a["inflow"], beta * a["aim"], s, after, velocity, flips, sums, s, s, side,
            columns,
        )  # fmt: skip
        s, after = after, s
    return {"s": s, "before": after, "velocity": velocity, "flips": flips}, sums


def assert_lattice_parity(device, layers, side, samples, columns, ticks=4):
    """Raises AssertionError naming the array that differs."""
    a = draw(layers, side, samples)
    theirs, sums = expected(a, side, columns, ticks, 0.5)
    ours = DeviceLattice(device, a, samples)
    ours.load_state(a)
    for name in ("drive", "inflow", "aim"):
        ours.set_input(name, a[name])
    ours.set_knobs(0.3, 1.0, 0.5)
    for _ in range(ticks):
        ours.tick(columns)
    found = ours.state()
    for name in ("s", "before", "velocity"):
        np.testing.assert_allclose(found[name], theirs[name], atol=ROUNDING, err_msg=name)
    assert np.mean(found["flips"] != theirs["flips"]) < 0.02
    np.testing.assert_allclose(device.read(ours.sums), sums, atol=ROUNDING * max(1, np.abs(sums).max()))
    atlas = device.read(ours.atlas)
    np.testing.assert_array_equal(atlas[0], found["s"][:, 0, 0])
    np.testing.assert_allclose(atlas[2], (found["s"][:, 0, 1] - found["s"][:, 0, 2]) / 2, atol=1e-7)


@needs_emulation
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize(("layers", "side", "samples"), [(1, 1, 1), (2, 2, 1), (4, 3, 2), (3, 5, 1), (2, 24, 1)])
def test_ticks_are_the_references(library, layers, side, samples, columns):
    for seed, schedule in enumerate(SCHEDULES):
        assert_lattice_parity(EmulatedDevice(library, schedule, seed), layers, side, samples, columns)


@needs_emulation
def test_a_bad_number_shows_and_stays_in_its_sample(library):
    a = draw(3, 3, 2)
    a["s"][1, 1, 0, 4] = np.nan
    device = EmulatedDevice(library)
    ours = DeviceLattice(device, a, 2)
    ours.load_state(a)
    ours.tick(3)
    sums = device.read(ours.sums)
    assert not np.isfinite(sums[:, 1]).all()
    assert np.isfinite(sums[:, 0]).all()


@needs_emulation
def test_couplings_of_another_shape_are_refused(library):
    a = draw(2, 3, 1)
    with pytest.raises(ValueError, match="no square lattice"):
        DeviceLattice(EmulatedDevice(library), {"K": a["K"][:, :9], "T": a["T"]})
    ours = DeviceLattice(EmulatedDevice(library), a)
    with pytest.raises(ValueError, match="T has shape"):
        ours.load_weights({**a, "T": a["T"][:1]})


@pytest.fixture
def device(library, monkeypatch):
    device = EmulatedDevice(library)
    monkeypatch.setattr(cuda, "probe", lambda: (True, "host emulation"))
    monkeypatch.setattr(cuda, "open_device", lambda: device)
    load_backend.cache_clear()
    yield device
    load_backend.cache_clear()


def preset(kind, **knobs):
    words = "".join(f"{name} = {value}\n" for name, value in {"sigma": 0.4, "hold": 5, "t_free": 40, **knobs}.items())
    return parse_preset(f'title = "t"\nnetwork = "{kind}"\nlayers = 4\n[knobs]\n{words}', "t", "t")


def both(sessions, ticks, *commands):
    """Carry out, tick and compare."""
    for command in commands:
        for session in sessions:
            session.apply(command)
    for _ in range(ticks):
        for session in sessions:
            session.tick()
    ours, theirs = (session.frame() for session in sessions)
    assert ours.metrics.phase == theirs.metrics.phase
    for name in ("activation", "velocity", "nudge", "density"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=2e-5, err_msg=name)
    for name in ("rms_nudge", "probabilities", "energy", "spectral_radius"):
        if getattr(theirs.metrics, name) is not None:
            found, expected = (getattr(frame.metrics, name) for frame in (ours, theirs))
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-2, err_msg=name)


@needs_emulation
@pytest.mark.parametrize("kind", ["cube", "energy-cube"])
def test_a_session_of_a_cube_goes_on_as_on_the_host(device, kind):
    sessions = [Session(preset(kind), backend) for backend in ("cuda", "numpy")]
    assert sessions[0].backend == "cuda"
    assert "one launch a tick" in sessions[0].backend_reason
    both(sessions, 60)
    both(sessions, 15, SetParameter("sigma", 0.8))
    both(sessions, 5, SetParameter("beta", 0.3))
    both(sessions, 20, SelectSample(5))
    both(sessions, 20, Ablate(0.2))
    both(sessions, 20, Heal())
    both(sessions, 10, Nudge(False))
    both(sessions, 10, Nudge(True))
    both(sessions, 20, Reset())
    both(sessions, 80, Learn(True))


@needs_emulation
def test_a_device_that_fails_hands_the_cube_back(device, monkeypatch):
    session = Session(preset("cube"), "cuda")
    for _ in range(10):
        session.tick()

    def fail(*_):
        raise DeviceError("it fell off the bus")

    before = session.frame().activation
    monkeypatch.setattr(device, "launch", fail)
    with pytest.raises(DeviceError) as failure:
        session.tick()
    session.leave_device(failure.value)
    assert session.backend == "numba"
    np.testing.assert_array_equal(session.frame().activation, before)
    session.tick()
    assert session.frame().metrics.finite

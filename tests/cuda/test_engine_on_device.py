"""Chains, sessions and the engine thread on the emulated device, beside the same on the NumPy backend."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from emulation import EmulatedDevice, needs_emulation

from engine.build import build_network
from engine.commands import LoadPreset, Nudge, Pause, Reset, SelectSample, SetParameter
from engine.networks.on_device import RESCUE_EVERY
from engine.preset import load_preset
from engine.session import Session
from engine.thread import EngineThread
from engine.weights import write_weights
from kernels import cuda
from kernels.backends import BackendError, describe, load_backend
from kernels.cuda.device import DeviceError
from observatory.__main__ import main

pytestmark = needs_emulation

CHAINS = ["recursive", "hopfield"]


class Fragile(EmulatedDevice):
    """Fails in its launches, and after `dead` in everything."""

    failing = dead = False

    def launch(self, variant, grid, arguments):
        if self.failing or self.dead:
            raise DeviceError(f"launching {variant.name}: it fell off the bus")
        super().launch(variant, grid, arguments)

    def read(self, buffer):
        if self.dead:
            raise DeviceError("reading from the device: it fell off the bus")
        return super().read(buffer)


@pytest.fixture
def device(library, monkeypatch):
    device = Fragile(library)
    monkeypatch.setattr(cuda, "probe", lambda: (True, "host emulation"))
    monkeypatch.setattr(cuda, "open_device", lambda: device)
    load_backend.cache_clear()
    yield device
    load_backend.cache_clear()


def small(kind, **changes):
    knobs = {"sigma": 0.8, "hold": 5, "t_free": 60, "t_nudge": 60}
    made = load_preset("tiny").model_copy(update={"network": kind, "layers": 4, "neurons": 9, "knobs": knobs})
    return made.model_copy(update=changes)


def pair(preset):
    return Session(preset, "cuda"), Session(preset, "numpy")


def both(sessions, ticks, *commands):
    """Carry out, tick and compare; the phases that were passed through."""
    phases = []
    for command in commands:
        for session in sessions:
            session.apply(command)
    for _ in range(ticks):
        for session in sessions:
            session.tick()
        phases.append(sessions[0].phase)
        assert phases[-1] == sessions[1].phase
    ours, theirs = (session.frame() for session in sessions)
    for name in ("activation", "velocity", "nudge"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5, err_msg=name)
    for name in ("rms_activation", "rms_velocity", "rms_nudge", "probabilities", "velocity_max", "energy"):
        if getattr(theirs.metrics, name) is not None:
            found, expected = (getattr(frame.metrics, name) for frame in (ours, theirs))
            np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5, err_msg=name)
    return set(phases)


@pytest.mark.parametrize("weights", ["float32", "float16"])
@pytest.mark.parametrize("kind", CHAINS)
def test_a_session_goes_through_its_phases_as_on_the_host(device, kind, weights):
    sessions = pair(small(kind, weights=weights))
    assert both(sessions, 150) == {"free", "nudged", "hold"}
    assert sessions[0].frame().metrics.d_nudge > 0
    assert sessions[0].frame().sample > 0
    both(sessions, 3, SetParameter("sigma", 0.4))
    both(sessions, 30, SetParameter("beta", 0.3))
    both(sessions, 3, SelectSample(5))
    both(sessions, 0, Nudge(False))
    both(sessions, 30, Nudge(True))
    both(sessions, 40, SetParameter("input_gain", 1.5))
    both(sessions, 0, Reset())
    both(sessions, 20)
    both(sessions, 10, SetParameter("noise", 0.1))
    both(sessions, 20, SetParameter("noise", 0.0))


@pytest.mark.parametrize("kind", CHAINS)
def test_without_a_clock_the_force_follows_on_the_device_too(device, kind):
    sessions = pair(small(kind, mode="persistent"))
    both(sessions, 30)
    both(sessions, 30, SetParameter("persistent", 0))
    both(sessions, 30, SetParameter("persistent", 1), SetParameter("sigma", 0.5))


@pytest.mark.parametrize(
    ("kind", "ways"), [("recursive", ["lazy"]), ("hopfield", ["lazy", "accelerated", "red-black", "accelerated"])]
)
def test_what_the_device_does_not_compute_goes_on_on_the_host_and_back(device, kind, ways):
    sessions = pair(small(kind, knobs={"sigma": 0.8, "epsilon": 0.0, "t_free": 25, "hold": 2}))
    for way in (*ways, "plain"):
        both(sessions, 9, SetParameter("dynamics", way))
    both(sessions, 9, Nudge(False))
    both(sessions, 20, SetParameter("dynamics", "lazy"), Nudge(True))
    assert "nudged" in both(sessions, 40, SetParameter("dynamics", "plain"))


def test_the_state_travels_only_when_somebody_looks(device, monkeypatch):
    session = Session(small("hopfield"), "cuda")
    seen = []
    sound = device.read

    def read(buffer):
        seen.append(buffer.shape)
        return sound(buffer)

    monkeypatch.setattr(device, "read", read)
    for _ in range(4):
        session.network.tick(True)
    assert seen == [(4, 1, 5)] * 4
    session.network.channels(0)
    assert (4, 1, 3, 9) in seen
    looked = len(seen)
    session.network.energy()
    session.network.oscillating(0)
    assert len(seen) == looked


@pytest.mark.parametrize("kind", CHAINS)
def test_a_batch_reads_out_and_is_nudged_as_on_the_host(device, kind, rng):
    batch = rng.random((3, 64))
    ours, theirs = networks = [build_network(small(kind), name, samples=3) for name in ("cuda", "numpy")]
    for network in networks:
        network.clamp(batch, np.array([1, 2, 3]))
        for nudged in [False] * 5 + [True] * 5:
            if nudged:
                network.aim()
            network.tick(nudged)
    np.testing.assert_allclose(ours.logits(), theirs.logits(), atol=1e-5)
    for sample in range(3):
        for found, expected in zip(ours.channels(sample), theirs.channels(sample), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", CHAINS)
def test_weights_that_are_loaded_act(device, kind, tmp_path):
    other = build_network(small(kind, seed=7), "numpy").state_dict()
    other["b"] = other["b"] + np.float32(0.1)
    write_weights(tmp_path / "w.safetensors", other)
    both(pair(small(kind, weights_file=tmp_path / "w.safetensors")), 30)
    sessions = pair(small(kind))
    both(sessions, 10)
    for session in sessions:
        session.network.load_state_dict(other)
    both(sessions, 10)


def test_the_device_is_the_first_choice_and_says_how_it_computes(device):
    assert describe()["name"] == "cuda"
    network = build_network(small("recursive"))
    assert network.backend == "cuda"
    assert network.backend_reason == "host emulation, weights streamed (persistent kernel not wanted)"


def test_without_a_gpu_the_reason_is_shown_and_to_force_it_is_bad_use(device, monkeypatch, capsys):
    monkeypatch.setattr(cuda, "probe", lambda: (False, "the driver is too old"))
    assert describe()["available"]["cuda"] == "no CUDA here: the driver is too old"
    assert build_network(small("recursive")).backend == "numba"
    assert main(["probe", "tiny", "--backend", "cuda"]) == 2
    line = "observatory probe: backend cuda cannot run here: no CUDA here: the driver is too old\n"
    assert capsys.readouterr().err == line


def test_what_the_device_cannot_compute_is_passed_over_with_the_reason_or_refused(device):
    double = small("recursive", dtype="float64")
    network = build_network(double)
    assert network.backend == "numba"
    assert "not cuda: its kernels compute in float32, this network in float64" in network.backend_reason
    with pytest.raises(BackendError, match=r"backend cuda cannot compute tiny: .* float64"):
        build_network(double, "cuda")


def test_a_device_without_memory_is_passed_over_with_the_reason(device, monkeypatch):
    def full(shape, dtype):
        raise DeviceError("reserving 1 MiB: OutOfMemoryError")

    monkeypatch.setattr(device, "zeros", full)
    session = Session(small("recursive"))
    assert session.backend == "numba"
    assert "OutOfMemoryError" in session.backend_reason
    session.tick()


@pytest.mark.parametrize("kind", CHAINS)
def test_a_launch_that_fails_loses_no_tick(device, kind):
    sessions = pair(small(kind))
    both(sessions, 40)
    device.failing = True
    before = sessions[0].network.ticks
    with pytest.raises(DeviceError) as failure:
        sessions[0].tick()
    assert "fell off the bus" in sessions[0].leave_device(failure.value)
    assert sessions[0].backend == "numba"
    assert sessions[0].network.ticks == before
    both(sessions, 60)


@pytest.mark.parametrize("kind", CHAINS)
def test_a_dead_device_takes_a_few_ticks_with_it(device, kind):
    """The host's copy is that of the last look; from there the network settles to the same rest."""
    sessions = pair(small(kind, knobs={"sigma": 0.5, "advance": 0, "t_free": 400}))
    both(sessions, 5)
    for _ in range(3):
        for session in sessions:
            session.tick()
    device.dead = True
    with pytest.raises(DeviceError) as failure:
        sessions[0].tick()
    assert "3 ticks ago" in sessions[0].leave_device(failure.value)
    assert sessions[0].phase == "free"
    frame = sessions[0].frame()
    assert frame.metrics.finite
    assert frame.activation.any()
    assert not frame.nudge.any()
    for session in sessions:
        for _ in range(300):
            session.tick()
    ours, theirs = (session.frame() for session in sessions)
    assert ours.metrics.phase == theirs.metrics.phase == "hold"
    np.testing.assert_allclose(ours.activation, theirs.activation, atol=1e-4)
    np.testing.assert_allclose(ours.nudge, theirs.nudge, atol=1e-4)


def test_the_copy_on_the_host_is_never_older_than_a_few_hundred_ticks(device):
    network = build_network(small("recursive", layers=1, neurons=1), "cuda")
    for _ in range(RESCUE_EVERY + 3):
        network.tick(False)
    device.dead = True
    assert network.leave_device("dead") == 3


def message(engine):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if text := engine.errors.take():
            return text
        time.sleep(0.002)
    raise AssertionError("no message came")


def frame_where(engine, condition):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        frame = engine.mailbox.take()
        if frame is not None and condition(frame):
            return frame
        time.sleep(0.002)
    raise AssertionError("no such frame came")


@pytest.fixture
def engine(device):
    engine = EngineThread(small("hopfield"))
    engine.start()
    yield engine
    assert engine.stop(timeout=2.0)
    assert "engine" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("way", ["failing", "dead"])
def test_the_engine_says_that_its_device_failed_and_goes_on_when_asked(engine, device, way):
    assert engine.backend == "cuda"
    tick = frame_where(engine, lambda frame: frame.tick > 20).tick
    setattr(device, way, True)
    text = message(engine)
    assert "cuda failed" in text
    assert "fell off the bus" in text
    assert "Play goes on with numba" in text
    still = frame_where(engine, lambda frame: frame.paused)
    assert still.tick >= tick
    assert still.activation.any()
    assert engine.backend == "numba"
    assert "cuda failed" in engine.backend_reason
    engine.send(Pause(False))
    frame_where(engine, lambda frame: frame.tick > still.tick + 50)
    engine.send(LoadPreset(small("recursive")))
    frame_where(engine, lambda frame: frame.tick > 5 and frame.metrics.energy is None)
    assert engine.errors.empty


def test_a_command_that_the_device_fails_in_is_carried_out_on_the_host(engine, device):
    engine.send(Pause(True))
    frame_where(engine, lambda frame: frame.paused)
    device.dead = True
    engine.send(SetParameter("persistent", 1))
    assert "cuda failed" in message(engine)
    assert frame_where(engine, lambda frame: frame.metrics.phase == "persistent").paused
    assert engine.backend == "numba"

"""`CupyDevice` on an imagined CuPy: its calls fit together and its errors are words."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from emulation import EmulatedDevice, needs_emulation
from fake_cupy import MULTIPROCESSORS, fake_cupy
from parity import Case, assert_parity, draw, start

from engine.preset import load_preset
from engine.session import Session
from kernels import cuda
from kernels.backends import load_backend
from kernels.cuda.device import DeviceError

pytestmark = needs_emulation


@pytest.fixture
def cupy(library, monkeypatch):
    module = fake_cupy(EmulatedDevice(library, "shuffled", seed=5))
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.parametrize("storage", ["float32", "float16"])
@pytest.mark.parametrize(
    "case",
    [
        Case("recursive", 2, 9),
        Case("hopfield", 2, 16, samples=2, columns=1, ticks=4),
        Case("hopfield", 3, 4, samples=8),
        Case("hopfield", 2, 144, held=True, omega=1.4),
        Case("recursive", 2, 16, held=True),
    ],
    ids=str,
)
def test_bursts_through_cupys_calls_are_the_references(cupy, case, storage):
    assert_parity(cuda.open_device(), Case(**{**vars(case), "storage": storage}))


def test_probe_names_the_gpu(cupy):
    assert cuda.probe() == (True, "an imagined GPU, CuPy 0")


def test_more_layers_than_multiprocessors_are_streamed(cupy):
    weights = {"W": np.zeros((MULTIPROCESSORS + 1, 4, 4), np.float32)}
    chain = cuda.DeviceChain(cuda.open_device(), "hopfield", weights)
    assert not chain.holds
    assert "17 layers need as many resident blocks, 16 fit" in chain.reason


def test_reading_back(cupy):
    case = Case("hopfield", 2, 9)
    device = cuda.open_device()
    chain = start(device, case, draw(case))
    reader = cuda.AtlasReader(device, chain)
    chain.tick(3, 2)
    assert reader.request(2)
    reading = reader.take()
    assert reading is not None
    np.testing.assert_array_equal(reading.atlas, device.read(chain.atlas))
    np.testing.assert_array_equal(reading.sums, device.read(chain.sums))
    np.testing.assert_array_equal(reading.flips, device.read(chain.flips))


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_a_session_through_cupys_calls_is_the_hosts(cupy, network):
    preset = load_preset("tiny").model_copy(update={"network": network, "layers": 3, "neurons": 9})
    load_backend.cache_clear()
    ours, theirs = Session(preset, "cuda"), Session(preset, "numpy")
    load_backend.cache_clear()
    for session in (ours, theirs):
        for _ in range(60):
            session.tick()
    assert "an imagined GPU" in ours.backend_reason
    assert ours.phase == theirs.phase
    for name in ("activation", "nudge"):
        np.testing.assert_allclose(getattr(ours.frame(), name), getattr(theirs.frame(), name), atol=1e-5)


def test_a_lost_device_and_a_full_one_become_device_errors(cupy):
    class OutOfMemoryError(MemoryError):
        pass

    def full(shape: object, dtype: str) -> None:
        raise OutOfMemoryError("1 GiB was asked for")

    device = cuda.open_device()
    case = Case("hopfield", 2, 9)
    chain = start(device, case, draw(case))

    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")

    device._functions["hopfield_pass_3_float32_1"] = lost
    with pytest.raises(DeviceError, match=r"launching hopfield_pass.*cudaErrorIllegalAddress"):
        chain.tick(3, 1)
    cupy.zeros = full
    with pytest.raises(DeviceError, match=r"reserving .* MiB: OutOfMemoryError.*too little free device memory"):
        device.zeros((2,), "float32")

"""What the chain on a device decides, refuses and hands out, on the emulated device."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from emulation import EmulatedDevice, compile_host, needs_emulation
from parity import Case, draw, found, start

from kernels import cuda
from kernels.cuda.chain import HELD_FROM, LONGEST_BURST, DeviceChain
from kernels.cuda.device import DeviceError
from kernels.cuda.readback import AtlasReader
from kernels.cuda.variants import persistent, source

pytestmark = needs_emulation

SMALL = Case("hopfield", 2, 9)


@pytest.fixture
def device(library) -> EmulatedDevice:
    return EmulatedDevice(library)


@pytest.mark.parametrize(
    ("weights", "options", "device_has", "words"),
    [
        ((2, 9), {}, {}, "held on chip"),
        ((2, 9), {"held": False}, {}, "not wanted"),
        ((2, 9), {"samples": 2}, {}, "one sample"),
        ((2, 9), {"samples": 8}, {}, "cuBLAS"),
        ((1, 289), {}, {}, "289 neurons"),
        ((2, 9), {}, {"blocks": 1}, "2 layers need as many resident blocks, 1 fit"),
        ((2, 9), {}, {"shared_limit": 1000}, "1000 are there"),
    ],
)
def test_the_way_that_is_used_is_said_with_the_reason(library, weights, options, device_has, words):
    layers, neurons = weights
    matrices = {"W": np.zeros((layers, neurons, neurons), np.float32)}
    chain = DeviceChain(EmulatedDevice(library, **device_has), "hopfield", matrices, **options)
    assert words in chain.reason
    assert chain.holds == ("held" in chain.reason)


def test_wrong_shapes_and_bursts_are_refused(device):
    chain = start(device, SMALL, draw(SMALL))
    with pytest.raises(ValueError, match=r"W has shape \(2, 4, 4\)"):
        chain.load_weights({"W": np.zeros((2, 4, 4))})
    for columns, ticks in ((2, 1), (1, 0), (3, LONGEST_BURST + 1)):
        with pytest.raises(ValueError, match="1 or 3 columns"):
            chain.tick(columns, ticks)
    with pytest.raises(ValueError, match="4225 neurons"):
        DeviceChain(device, "hopfield", {"W": np.zeros((1, 4225, 4225), np.uint8)})


def test_release_and_reset_put_states_back(device):
    chain = start(device, SMALL, draw(SMALL))
    chain.tick(3, 2)
    chain.release()
    assert not chain.state()["s"][:, :, 1:].any()
    assert chain.state()["s"][:, :, 0].any()
    chain.set_knobs(beta=1.0)
    chain.tick(3, 2)
    assert not chain.state()["s"][:, :, 1:].any(), "the force is gone too"
    chain.reset()
    assert not any(array.any() for name, array in found(device, chain).items() if name not in ("product", "peaks"))


def test_a_state_that_was_read_goes_on_where_it_was(device):
    case = Case("hopfield", 2, 9, omega=1.4)
    arrays = draw(case)
    whole, first, second = (start(device, case, arrays) for _ in range(3))
    whole.tick(3, 5)
    first.tick(3, 3)
    second.load_state(first.state())
    second.tick(3, 2)
    np.testing.assert_array_equal(second.state()["s"], whole.state()["s"])
    np.testing.assert_array_equal(second.top(), whole.state()["s"][-1, :, 0])


def test_new_weights_act(device):
    case = Case("hopfield", 2, 9, seed=1)
    chain, other = start(device, SMALL, draw(case) | {"W": draw(SMALL)["W"]}), start(device, case, draw(case))
    chain.load_weights(draw(case))
    for ticking in (chain, other):
        ticking.tick(3, 2)
    np.testing.assert_array_equal(chain.state()["s"], other.state()["s"])


def test_a_layer_that_never_answers_becomes_an_error(library):
    """With one block missing, the other gives up after `patience` looks instead of hanging."""
    columns = {c: persistent("hopfield", c, "float32", 128) for c in (1, 3)}
    impatient = compile_host(source(columns.values(), patience=50))

    class Short(EmulatedDevice):
        def launch(self, variant, grid, arguments):
            super().launch(variant, (grid[0] - 1, 1, 1), arguments)

    device = Short(impatient, idle_rounds=1000)
    chain = start(device, Case("hopfield", 2, 9, held=True), draw(SMALL))
    chain.tick(3, HELD_FROM)
    with pytest.raises(DeviceError, match="in vain"):
        chain.peaks()


def test_reading_back_never_waits_and_never_mixes(device):
    chain = start(device, SMALL, draw(SMALL))
    reader = AtlasReader(device, chain)
    assert reader.take() is None
    atlases = []
    for tick in (2, 4, 6):
        chain.tick(3, 2)
        atlases.append(device.read(chain.atlas))
        assert reader.request(tick) == (tick < 6), "both slots are busy at the third request"
    assert reader.take() is None
    for copier in reader._slots:
        copier.arrived = True
    reading = reader.take()
    assert reading is not None
    assert reading.tick == 4
    np.testing.assert_array_equal(reading.atlas, atlases[1])
    kept = reading.atlas.copy()
    assert reader.take() is None
    assert reader.request(8)
    np.testing.assert_array_equal(reading.atlas, kept)


def test_a_machine_without_cupy_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    usable, reason = cuda.probe()
    assert not usable
    assert "cupy" in reason
    with pytest.raises(DeviceError, match="start"):
        cuda.open_device()


def test_the_reason_of_the_driver_is_kept(monkeypatch):
    def no_driver() -> int:
        raise RuntimeError("driver version is insufficient")

    runtime = SimpleNamespace(getDeviceCount=no_driver)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))
    assert cuda.probe() == (False, "RuntimeError: driver version is insufficient")
    runtime.getDeviceCount = lambda: 0
    assert cuda.probe() == (False, "CuPy finds no CUDA device")

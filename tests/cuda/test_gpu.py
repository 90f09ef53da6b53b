"""The parity of the emulated tests on a real GPU. Skips, with the reason, where there is none."""

from __future__ import annotations

import time

import numpy as np
import pytest
from parity import HELD, SINGLE, STREAMED, Case, assert_parity, draw, found, start
from test_lattice_on_device import assert_lattice_parity

from kernels import cuda
from kernels.cuda.chain import HELD_FROM

USABLE, REASON = cuda.probe()
pytestmark = pytest.mark.skipif(not USABLE, reason=f"no CUDA here: {REASON}")


@pytest.fixture(scope="module")
def device() -> cuda.Device:
    return cuda.open_device()


LARGE = [
    Case("recursive", 4, 1024),
    Case("hopfield", 4, 1024, storage="float16"),
    Case("recursive", 60, 256, ticks=4),
    Case("hopfield", 60, 256, ticks=4),
]


@pytest.mark.parametrize("case", [*STREAMED, *SINGLE, *HELD, *LARGE], ids=str)
def test_a_burst_is_the_references(device, case):
    if case.held:
        chain = cuda.DeviceChain(device, case.kind, draw(case), case.samples, case.storage)
        if not chain.holds:
            pytest.skip(chain.reason)
    assert_parity(device, case)


@pytest.mark.parametrize("held", [False, True], ids=["streamed", "held"])
@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_runs_are_the_same_to_the_bit(device, kind, held):
    case = Case(kind, 30, 64, held=held)
    runs = []
    for _ in range(5):
        chain = start(device, case, draw(case))
        for _ in range(4):
            chain.tick(3, 8)
        runs.append(found(device, chain))
    for other in runs[1:]:
        for name, array in runs[0].items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)


@pytest.mark.parametrize("kind", ["recursive", "hopfield"])
def test_many_bursts_of_the_persistent_kernel_neither_hang_nor_drift(device, kind):
    """What emulation cannot show: words that cross between multiprocessors, thousands of times."""
    case = Case(kind, 30, 64, held=True)
    held, streamed = start(device, case, draw(case)), start(device, Case(kind, 30, 64), draw(case))
    for columns, ticks in [(3, 64), (1, HELD_FROM), (3, 17)] * 20:
        held.tick(columns, ticks)
        streamed.tick(columns, ticks)
        np.testing.assert_allclose(held.peaks(), streamed.peaks(), atol=1e-4)
    np.testing.assert_allclose(held.state()["s"], streamed.state()["s"], atol=1e-4)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize(("layers", "side", "samples"), [(1, 1, 1), (8, 8, 3), (32, 32, 1), (64, 64, 1)])
def test_a_lattice_ticks_as_the_reference(device, layers, side, samples, columns):
    assert_lattice_parity(device, layers, side, samples, columns)


def test_reading_back_beside_the_ticks_gives_whole_frames(device):
    case = Case("hopfield", 8, 64)
    chain, twin = (start(device, case, draw(case)) for _ in range(2))
    reader = cuda.AtlasReader(device, chain)
    expected = {}
    seen = 0
    for tick in range(2, 202, 2):
        chain.tick(3, 2)
        reader.request(tick)
        twin.tick(3, 2)
        expected[tick] = device.read(twin.atlas)
        if reading := reader.take():
            seen += 1
            np.testing.assert_array_equal(reading.atlas, expected[reading.tick])
    if not seen:
        time.sleep(0.5)
        assert reader.take() is not None

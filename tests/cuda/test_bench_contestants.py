"""The bench's CUDA contestants compute the reference's ticks (host emulation)."""

from __future__ import annotations

import pytest
from emulation import EmulatedDevice, needs_emulation

from engine.bench import gpu, rows
from engine.bench.problem import Problem, Shape

pytestmark = needs_emulation


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
@pytest.mark.parametrize(("batch", "columns"), [(1, 1), (1, 3), (2, 3)])
def test_cuda_contestants_compute_the_reference_ticks(library, network, batch, columns):
    problem = Problem(Shape(network, 3, 9, batch, columns))
    found = gpu.contestants(problem, EmulatedDevice(library))
    assert {"cuda", "cuda float16"} <= set(found)
    assert ("cuda held" in found) == (batch == 1)
    for name, contestant in found.items():
        assert rows.first_error(problem, contestant) < (3e-3 if "float16" in name else 1e-5), name
        contestant.tick()


def test_without_a_gpu_the_bench_says_why(monkeypatch):
    monkeypatch.setattr(gpu.cuda, "probe", lambda: (False, "no driver"))
    assert gpu.open_device() == (None, "no CUDA rows: no driver")

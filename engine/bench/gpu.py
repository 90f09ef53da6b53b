"""The CUDA ticks as contestants, where a GPU answers: streamed, held on chip, and with half-precision weights."""

from __future__ import annotations

from typing import Literal

from engine.bench.problem import SIGMA, Array, Problem
from kernels import cuda

_STATES = {"recursive": ("z", "s"), "hopfield": ("s",)}
_MATRICES = {"recursive": ("R", "W"), "hopfield": ("W",)}


class CudaTick:
    """Bursts of ticks of a problem on a device, each waited for, as the engine runs them."""

    def __init__(
        self, problem: Problem, device: cuda.Device, storage: Literal["float32", "float16"], held: bool
    ) -> None:
        shape = problem.shape
        network: Literal["recursive", "hopfield"] = "recursive" if shape.network == "recursive" else "hopfield"
        weights = dict(zip(_MATRICES[network], problem.matrices, strict=True))
        self._names = _STATES[network]
        self._columns = shape.columns
        self._chain = chain = cuda.DeviceChain(device, network, weights, shape.batch, storage, held)
        for name, values in (("drive", problem.drive), ("inflow", problem.inflow), ("aim", problem.force)):
            chain.set_input(name, values)
        chain.set_knobs(sigma=SIGMA, omega=1.0, beta=1.0)
        chain.load_state({**dict(zip(self._names, problem.states, strict=True)), "before": problem.states[-1]})
        self.holds = chain.holds
        self.note = f"{device.name}, {storage}, {chain.reason}"
        self.burst = cuda.LONGEST_BURST // 2

    def prepare(self) -> None:
        """The device needs no preparation."""

    def _advance(self, ticks: int) -> None:
        self._chain.tick(self._columns, ticks)
        self._chain.peaks()

    def tick(self) -> None:
        """A burst of ticks, and the wait for it."""
        self._advance(self.burst)

    def first(self) -> int:
        """The shortest burst that goes the same way; its ticks."""
        ticks = cuda.HELD_FROM if self.holds else 1
        self._advance(ticks)
        return ticks

    def states(self) -> list[Array]:
        """Where the states are now, each (L, B, columns, N)."""
        state = self._chain.state()
        return [state[name][:, :, : self._columns] for name in self._names]


def open_device() -> tuple[cuda.Device | None, str]:
    """The GPU, or None and why there is none."""
    usable, reason = cuda.probe()
    return (cuda.open_device(), "") if usable else (None, f"no CUDA rows: {reason}")


def contestants(problem: Problem, device: cuda.Device) -> dict[str, CudaTick]:
    """The ways that this device has for a problem."""
    found = {
        "cuda": CudaTick(problem, device, "float32", held=False),
        "cuda float16": CudaTick(problem, device, "float16", held=False),
        "cuda held": CudaTick(problem, device, "float32", held=True),
    }
    return {name: tick for name, tick in found.items() if tick.holds or "held" not in name}

"""A lattice of voxels whose couplings, states and reductions live on the device: one launch a tick."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import SUMS
from kernels.cuda import variants
from kernels.cuda.chain import LIVE
from kernels.cuda.device import Buffer, Device


class DeviceLattice:
    """L layers of N = side * side voxels, B samples; arrays and equations as in `kernels.lattice_reference`.

    `couplings` holds K and T, each (L, 27, N). Raises ValueError for shapes, DeviceError.
    """

    reason = "one launch a tick"

    def __init__(self, device: Device, couplings: Mapping[str, NDArray[Any]], samples: int = 1) -> None:
        self.layers, rows, self.neurons = couplings["K"].shape
        self.side = math.isqrt(self.neurons)
        if rows != 27 or self.side**2 != self.neurons:
            raise ValueError(f"couplings of shape {couplings['K'].shape} are no square lattice's")
        self._device, self._samples, self._parity = device, samples, 0
        each = (self.layers, samples, self.neurons)
        self._couplings = {name: device.zeros((self.layers, rows, self.neurons), "float32") for name in ("K", "T")}
        self._states = [device.zeros((self.layers, samples, 3, self.neurons), "float32") for _ in range(2)]
        self._inputs = {
            "drive": device.zeros(each, "float32"),
            "inflow": device.zeros((samples, self.neurons), "float32"),
            "aim": device.zeros((samples, self.neurons), "float32"),
        }
        self._live = np.array((0, 1, 0, 0, -1), LIVE)
        self._live_buffer = device.zeros((LIVE.itemsize,), "uint8")
        self.velocity = device.zeros(each, "float32")
        self.flips = device.zeros(each, "uint8")
        self.sums = device.zeros((self.layers, samples, SUMS), "float64")
        self.atlas = device.zeros((3, self.layers, self.neurons), "float32")
        """Activation, velocity and nudge of the shown sample."""
        device.prepare(variants.lattice_variants())
        self.load_weights(couplings)

    def load_weights(self, couplings: Mapping[str, NDArray[Any]]) -> None:
        """Take over K and T. Raises ValueError for shapes."""
        for name, buffer in self._couplings.items():
            if couplings[name].shape != tuple(buffer.shape):
                raise ValueError(f"{name} has shape {couplings[name].shape}, expected {tuple(buffer.shape)}")
            self._device.write(buffer, np.ascontiguousarray(couplings[name], np.float32))

    def set_knobs(self, sigma: float, omega: float, beta: float) -> None:
        """Move beta from the next tick on; sigma is in K and T, and a lattice is never over-relaxed."""
        self._live["beta"] = beta

    def set_input(self, name: str, values: NDArray[Any]) -> None:
        """Write `drive` (L, B, N), `inflow` (B, N) or `aim` (B, N); the force is beta * aim."""
        self._device.write(self._inputs[name], np.ascontiguousarray(values, np.float32))

    def release(self) -> None:
        """Put the nudged copies back onto the free one and take the force away."""
        for buffer in self._states:
            self._device.clear(buffer[:, :, 1:])
        self._device.clear(self._inputs["aim"])

    def _state_buffers(self) -> dict[str, Buffer]:
        now, before = self._states[self._parity], self._states[1 - self._parity]
        return {"s": now, "before": before, "velocity": self.velocity, "flips": self.flips}

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next tick starts from, on the host, and the state a tick earlier as `before`."""
        return {name: self._device.read(buffer) for name, buffer in self._state_buffers().items()}

    def mirrored(self) -> dict[str, NDArray[Any]]:
        """`state`, for a host that keeps copies."""
        return self.state()

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Write back what `state` gave, or the part of it that is here."""
        for name, buffer in self._state_buffers().items():
            if name in state:
                self._device.write(buffer, np.ascontiguousarray(state[name], buffer.dtype))

    def top(self) -> NDArray[np.float32]:
        """The free copy of layer L's last state, (B, N): what the read-out sees."""
        top: NDArray[np.float32] = self._device.read(self._states[self._parity][-1, :, 0])
        return top

    def tick(self, columns: int) -> None:
        """Start a tick of `columns` (1 or 3) columns and return at once."""
        self._device.write(self._live_buffer, self._live.reshape(1).view(np.uint8))
        now, after = self._states[self._parity], self._states[1 - self._parity]
        arguments = [
            self._live_buffer, *self._couplings.values(), *self._inputs.values(), now, after, self.velocity, self.flips,
            self.sums, self.atlas, np.int32(self.side), np.int32(self.layers), np.int32(self._samples),
        ]  # fmt: skip
        self._device.launch(variants.lattice(columns), (self.layers, self._samples, 1), arguments)
        self._parity = 1 - self._parity

"""A chain whose ticks a device computes: who has the newest state, and what travels when.

Per tick the reductions come to the host and nothing else; states, velocity, flips and products come when somebody
looks, and every RESCUE_EVERY ticks, so that a device that fails takes no more than that with it. What the chain changes
(inputs, weights, a release) is noted and travels with the next tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kernels.cuda import DeviceChain, DeviceLattice
from kernels.cuda.device import Device, DeviceError
from kernels.cuda.variants import Chain

Array = NDArray[Any]
RESCUE_EVERY = 256
"""The host's copy of the state is never older than this many ticks."""


class ChainOnDevice:
    """The device's side of a chain. `host` are the chain's own arrays, named as in `DeviceChain.state`, and `product`.

    Ticks are asked for one by one, so the persistent kernel, which pays in bursts, is not even compiled.
    Only the constructor, `tick`, `top` and `fetch` talk to the device and may raise DeviceError. `inflow` (B, N) gives
    shape and dtype; `half` stores the weights as float16.
    """

    def __init__(self, device: Device, kind: str, weights: Mapping[str, Array], inflow: Array, half: bool) -> None:
        if inflow.dtype != np.float32:
            raise DeviceError(f"its kernels compute in float32, this network in {inflow.dtype}")
        storage = "float16" if half else "float32"
        self._chain: DeviceChain | DeviceLattice
        try:
            if "K" in weights:
                self._chain = DeviceLattice(device, weights, len(inflow))
            else:
                kinds = cast(Chain, kind), cast(Any, storage)
                self._chain = DeviceChain(device, kinds[0], weights, len(inflow), kinds[1], held=False)
        except ValueError as error:
            raise DeviceError(str(error)) from None
        self.reason = self._chain.reason
        self._device = device
        self._weights: Mapping[str, Array] | None = None
        self._aim: Array | None = None
        self._host_is_newer = True
        self._released = False
        self.ahead = 0
        """How many ticks old the host's copies are."""

    def host_changed(self) -> None:
        """The host's copies have been written: they are what the next tick starts from."""
        self._host_is_newer, self._released, self.ahead = True, False, 0

    def release(self) -> None:
        """Put the nudged copies back and take the force away, as the chain does with the host's copies."""
        self._released = True

    def load_weights(self, weights: Mapping[str, Array]) -> None:
        """Take over the couplings among `weights`, as they are at the next tick."""
        self._weights = weights

    def fetch(self, host: Mapping[str, Array]) -> None:
        """Bring the host's copies up to date; on failure they stay as they were."""
        if not self.ahead:
            return
        for name, array in self._chain.mirrored().items():
            host[name][...] = array
            if self._released and array.ndim == 4:
                host[name][:, :, 1:] = 0
        self.ahead = 0

    def rescue(self, host: Mapping[str, Array]) -> int:
        """Fetch if that is still possible; how many ticks old the host's copies remain. Never raises DeviceError."""
        try:
            self.fetch(host)
        except DeviceError:
            return self.ahead
        return 0

    def top(self) -> NDArray[np.float32]:
        """The free copy of the top layer's last state, (B, N)."""
        return self._chain.top()

    def _send(self, host: Mapping[str, Array], aim: Array, inputs: tuple[Array, Array] | None) -> None:
        if self._weights is not None:
            self._chain.load_weights(self._weights)
            self._weights = None
        if self._host_is_newer:
            self._chain.load_state(host)
        elif self._released:
            self._chain.release()
            self._aim = None
        self._host_is_newer = self._released = False
        if inputs is not None:
            for name, values in zip(("drive", "inflow"), inputs, strict=True):
                self._chain.set_input(name, values)
        if self._aim is None or not np.array_equal(aim, self._aim):
            self._chain.set_input("aim", aim)
            self._aim = aim.copy()

    def tick(
        self, host: Mapping[str, Array], aim: Array, inputs: tuple[Array, Array] | None, columns: int,
        sigma: float, omega: float, beta: float,
    ) -> NDArray[np.float64]:  # fmt: skip
        """One tick with the force beta * aim; its reductions, (L, B, SUMS). `inputs`: drive and inflow, if changed."""
        self._send(host, aim, inputs)
        self._chain.set_knobs(sigma, omega, beta)
        self._chain.tick(columns)
        sums: NDArray[np.float64] = self._device.read(self._chain.sums)
        self.ahead += 1
        if self.ahead >= RESCUE_EVERY:
            self.fetch(host)
        return sums

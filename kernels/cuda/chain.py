"""A chain whose weights, states and reductions live on the device.

The host writes inputs and knobs, asks for a burst of ticks and reads what it wants to see; nothing travels in
between. Two ways compute the same burst: the persistent kernel, one launch with the weights held on chip, and the
streaming pair of kernels for each tick, replayed as a graph. States alternate between two sets of buffers as on the
host, so the ways can follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import SUMS
from kernels.cuda import variants
from kernels.cuda.batches import BLAS_FROM, BatchProducts
from kernels.cuda.device import Buffer, Device, DeviceError
from kernels.cuda.variants import Chain, Storage, Variant

LONGEST_BURST = 64
"""Most ticks of one burst: what the history holds, and how long a kernel may keep the device from the host."""
HELD_FROM = 4
"""Shorter bursts are streamed even where weights can be held: holding them begins with reading them all."""
LIVE = np.dtype([("sigma", "f4"), ("omega", "f4"), ("beta", "f4"), ("shown", "i4"), ("step", "i4")])
_MATRICES: dict[Chain, tuple[str, ...]] = {"recursive": ("R", "W"), "hopfield": ("W",)}
_STATES: dict[Chain, tuple[str, ...]] = {"recursive": ("z", "s"), "hopfield": ("s",)}


class DeviceChain:
    """L layers of N neurons, B samples; see `kernels` for the arrays and `kernels.reference` for the equations.

    `weights` holds R and W, or W alone, each (L, N, N), stored as `storage`. `held` False refuses the persistent
    kernel; `reason` says in one line which way is used and why. Raises ValueError for shapes, DeviceError.
    """

    def __init__(
        self,
        device: Device,
        kind: Chain,
        weights: Mapping[str, NDArray[Any]],
        samples: int = 1,
        storage: Storage = "float32",
        held: bool = True,
    ) -> None:
        self.kind: Chain = kind
        self.layers, self.neurons = weights["W"].shape[:2]
        self.samples = samples
        self.storage: Storage = storage
        if not 1 <= self.neurons <= variants.LARGEST_NEURONS:
            raise ValueError(f"{self.neurons} neurons a layer; the kernels take 1 to {variants.LARGEST_NEURONS}")
        self._device = device
        self._allocate()
        self.load_weights(weights)
        self._live = np.array((0.9, 1.0, 0.0, 0, -1), LIVE)
        self.burst_ticks = 0
        """Ticks of the last burst."""
        self._parity = 0
        self._tag = 1
        self._graphs: dict[tuple[int, int, int], Callable[[], None]] = {}
        refusal = self._why_not_held() if held else "persistent kernel not wanted"
        self.holds = not refusal
        """Whether bursts of HELD_FROM ticks and more take the persistent kernel."""
        way = "products by cuBLAS" if self._multiplied else "weights streamed"
        self.reason = f"{way} ({refusal})" if refusal else "weights held on chip"

    def _allocate(self) -> None:
        device, layers, samples, neurons = self._device, self.layers, self.samples, self.neurons
        weight_dtype = "float32" if self.storage == "float32" else "uint16"
        each = (layers, samples, neurons)
        self._multiplied = samples >= BLAS_FROM and self.storage == "float32"
        self._column_tiles = 1 if self._multiplied else -(-neurons // variants.TILE_COLUMNS)
        self._row_tiles = 1 if self._multiplied else -(-neurons // variants.TILE_ROWS)
        slabs, back = (2 * layers, 2) if self.kind == "recursive" else (layers, 3)
        self._weights = {name: device.zeros((layers, neurons, neurons), weight_dtype) for name in _MATRICES[self.kind]}
        self._states = [
            [device.zeros((layers, samples, 3, neurons), "float32") for _ in _STATES[self.kind]] for _ in range(2)
        ]
        self._inputs = {
            "drive": device.zeros(each, "float32"),
            "inflow": device.zeros((samples, neurons), "float32"),
            "aim": device.zeros((samples, neurons), "float32"),
        }
        self._live_buffer = device.zeros((LIVE.itemsize,), "uint8")
        self._forward = device.zeros((slabs, samples, self._column_tiles, 3, neurons), "float32")
        self._back = device.zeros((slabs, samples, self._row_tiles, back, neurons), "float32")
        self.velocity = device.zeros(each, "float32")
        self.flips = device.zeros(each, "uint8")
        self.sums = device.zeros((layers, samples, SUMS), "float64")
        self.atlas = device.zeros((3, layers, neurons), "float32")
        """Activation, velocity and nudge of the shown sample."""
        self.history = device.zeros((LONGEST_BURST, layers, samples, 2), "float32")
        self.product = device.zeros(each, "float32")
        """Of the Hopfield chain: W_l s_(l-1) of the free state before the last tick."""
        if self._multiplied:
            self._below = device.zeros((layers, samples, 3, neurons), "float32")
            self._batches = BatchProducts(device, self._forward, self._back)
        if samples == 1 and neurons <= variants.HELD_NEURONS:
            slots = 2 * layers * 3 * variants.held_width(neurons)
            self._up, self._down = device.zeros((slots,), "uint64"), device.zeros((slots,), "uint64")
            self._lost = device.zeros((1,), "int32")

    def _why_not_held(self) -> str:
        if self.samples > 1:
            return "the persistent kernel computes one sample"
        refusal = variants.can_hold(self.kind, self.neurons, self.storage)
        if refusal:
            return refusal
        for columns in (1, 3):
            variant = self._persistent(columns)
            if variant.shared_bytes > self._device.shared_limit:
                limit = self._device.shared_limit
                return f"{variant.shared_bytes} bytes of shared memory a block are needed, {limit} are there"
            resident = self._device.resident_blocks(variant)
            if resident < self.layers:
                return f"{self.layers} layers need as many resident blocks, {resident} fit"
        return ""

    def _persistent(self, columns: int) -> Variant:
        return variants.persistent(self.kind, columns, self.storage, variants.held_width(self.neurons))

    def _streaming(self, columns: int) -> tuple[Variant, Variant]:
        vector = variants.vector_width(self.neurons)
        return (
            variants.matrix_pass(self.kind, columns, self.storage, vector),
            variants.elements(self.kind, columns),
        )

    def load_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take over R and W, or W; rounded to float16 where that is the storage. Raises ValueError for shapes."""
        for name, buffer in self._weights.items():
            if weights[name].shape != buffer.shape:
                raise ValueError(f"{name} has shape {weights[name].shape}, expected {tuple(buffer.shape)}")
            stored = np.ascontiguousarray(weights[name], self.storage)
            self._device.write(buffer, stored.view(np.uint16) if self.storage == "float16" else stored)

    def set_knobs(
        self,
        sigma: float | None = None,
        omega: float | None = None,
        beta: float | None = None,
        shown: int | None = None,
    ) -> None:
        """Move knobs from the next burst on; at first sigma 0.9, omega 1 (plain), beta 0. `shown` is in the atlas."""
        for name, value in (("sigma", sigma), ("omega", omega), ("beta", beta), ("shown", shown)):
            if value is not None:
                self._live[name] = value

    def set_input(self, name: str, values: NDArray[Any]) -> None:
        """Write `drive` (L, B, N), `inflow` (B, N) or `aim` (B, N); the force is beta * aim."""
        self._device.write(self._inputs[name], np.ascontiguousarray(values, np.float32))

    def reset(self) -> None:
        """All states, velocities and flips to zero."""
        for buffer in (*self._states[0], *self._states[1], self.velocity, self.flips, self.sums, self.atlas):
            self._device.clear(buffer)

    def release(self) -> None:
        """Put the nudged copies back onto the free one and take the force away."""
        for buffer in (*self._states[0], *self._states[1]):
            self._device.clear(buffer[:, :, 1:])
        self._device.clear(self._inputs["aim"])

    def _state_buffers(self) -> dict[str, Buffer]:
        now = dict(zip(_STATES[self.kind], self._states[self._parity], strict=True))
        before = self._states[1 - self._parity][-1]
        return {**now, "before": before, "velocity": self.velocity, "flips": self.flips}

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next tick starts from, on the host: z and s, or s, each (L, B, 3, N), with velocity and flips.

        `before` is the last state a tick earlier.
        """
        return {name: self._device.read(buffer) for name, buffer in self._state_buffers().items()}

    def mirrored(self) -> dict[str, NDArray[Any]]:
        """`state`, and of the Hopfield chain `product`, for a host that keeps copies."""
        return {**self.state(), "product": self._device.read(self.product)}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Write back what `state` gave, or the part of it that is here."""
        for name, buffer in self._state_buffers().items():
            if name in state:
                self._device.write(buffer, np.ascontiguousarray(state[name], buffer.dtype))

    def top(self) -> NDArray[np.float32]:
        """The free copy of the top layer's last state, (B, N): what the read-out sees."""
        top: NDArray[np.float32] = self._device.read(self._states[self._parity][-1][-1, :, 0])
        return top

    def peaks(self) -> NDArray[np.float32]:
        """Largest |change| of the free copy and of the displacements in each tick of the last burst, (ticks, L, B, 2).

        Waits for the burst; raises DeviceError if it failed.
        """
        peaks: NDArray[np.float32] = self._device.read(self.history[: self.burst_ticks])
        if self.holds and self._device.read(self._lost)[0]:
            self._device.clear(self._lost)
            raise DeviceError("persistent kernel: a layer waited for its neighbour in vain; the state is not sound")
        return peaks

    def tick(self, columns: int, ticks: int = 1) -> None:
        """Start a burst of 1 to LONGEST_BURST ticks of `columns` (1 or 3) columns and return at once."""
        if columns not in (1, 3) or not 1 <= ticks <= LONGEST_BURST:
            raise ValueError(f"{ticks} ticks of {columns} columns: 1 or 3 columns and 1 to {LONGEST_BURST} ticks")
        self._live["step"] = -1
        self._device.write(self._live_buffer, self._live.reshape(1).view(np.uint8))
        self.burst_ticks = ticks
        if self.holds and ticks >= HELD_FROM:
            self._hold(columns, ticks)
        else:
            self._stream(columns, ticks)

    def _hold(self, columns: int, ticks: int) -> None:
        now, other = self._states[self._parity], self._states[1 - self._parity]
        states = [*now, other[0]] if self.kind == "hopfield" else now
        product = [self.product] if self.kind == "hopfield" else []
        bounds = [self._share(), self._reach()] if self.kind == "recursive" else []
        arguments = [
            *self._weights.values(), self._live_buffer, *self._inputs.values(), *states, self.velocity, self.flips,
            self.sums, self.atlas, *product, self.history, self._up, self._down, self._lost,
            np.uint32(self._tag % 2**32), np.int32(ticks), *bounds, np.int32(self.neurons), np.int32(self.layers),
        ]  # fmt: skip
        self._tag += ticks
        self._device.launch(self._persistent(columns), (self.layers, 1, 1), arguments)

    def _stream(self, columns: int, ticks: int) -> None:
        if self._multiplied:
            for _ in range(ticks):
                self._stream_some(columns, 1)
                self._parity = 1 - self._parity
            return
        for _ in range(ticks // 2):
            self._replay(columns, 2)
        if ticks % 2:
            self._replay(columns, 1)
            self._parity = 1 - self._parity

    def _replay(self, columns: int, ticks: int) -> None:
        key = (columns, self._parity, ticks)
        if key not in self._graphs:
            self._device.prepare(self._streaming(columns))
            self._graphs[key] = self._device.record(lambda: self._stream_some(columns, ticks))
        self._graphs[key]()

    def _stream_some(self, columns: int, ticks: int) -> None:
        for tick in range(ticks):
            self._stream_once(columns, (self._parity + tick) % 2)

    def _share(self) -> np.float32:
        return np.float32(1 / math.sqrt(self.layers))

    def _reach(self) -> np.float32:
        return np.float32(2 * math.sqrt(self.layers))

    def _stream_once(self, columns: int, parity: int) -> None:
        now, after = self._states[parity], self._states[1 - parity]
        recursive = self.kind == "recursive"
        sizes = [np.int32(self.neurons), np.int32(self.layers), np.int32(self.samples)]
        tiles = [np.int32(self._column_tiles), np.int32(self._row_tiles)]
        drive, inflow, aim = self._inputs.values()
        matrices: list[Buffer] = list(self._weights.values())
        share, reach = self._share(), self._reach()
        matrix_pass, elements = self._streaming(columns)
        if self._multiplied:
            with self._device.computing("counting a tick"):
                self._live_buffer.view("int32")[-1:] += 1
            if recursive:
                (R, W), (z, s) = matrices, now
                self._batches.recursive(R, W, inflow, z, s, self._below, float(share), columns)
            else:
                self._batches.hopfield(matrices[0], inflow, now[0], self._below, columns)
        else:
            self._device.launch(
                matrix_pass,
                (self._column_tiles * self._row_tiles, self.layers, len(matrices)),
                [
                    self._live_buffer, *matrices, inflow, *now, self._forward, self._back,
                    *([share] if recursive else []), *sizes,
                ],
            )  # fmt: skip
        self._device.launch(
            elements,
            (self.layers, self.samples, 1),
            [
                self._live_buffer, drive, *([inflow] if recursive else []), aim, self._forward, self._back, *now,
                *after, self.velocity, self.flips, self.sums, self.atlas, self.history,
                *([share, reach] if recursive else [self.product]), *tiles, *sizes,
            ],
        )  # fmt: skip

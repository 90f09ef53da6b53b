"""The part of CuPy that `CupyDevice` uses, on the emulator: same names and signatures, strict about their rules.

It shows that the calls fit together (capture before replay, room in shared memory asked for, copies that wait for what
they copy); what CuPy and a driver do with them it cannot show.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from emulation import EmulatedDevice

from kernels.cuda.variants import Variant

MULTIPROCESSORS = 16


class Array(np.ndarray):
    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        assert stream is not None
        if out is None:
            assert blocking
            return np.array(self)
        assert stream.waited, "copies what the computing stream may still be writing"
        out[...] = self
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        assert (arr.shape, arr.dtype) == (self.shape, self.dtype)
        assert arr.flags.c_contiguous
        self[...] = arr


class Stream:
    capturing: list[Callable[[], None]] | None = None
    current: list[Stream] = []  # noqa: RUF012

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.non_blocking = non_blocking
        self.waited = False

    def __enter__(self) -> Stream:
        Stream.current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        Stream.current.pop()

    def begin_capture(self, mode: int | None = None) -> None:
        assert self.non_blocking
        Stream.capturing = []

    def end_capture(self) -> Any:
        launches, Stream.capturing = Stream.capturing, None
        assert launches

        def launch(stream: Any = None) -> None:
            for call in launches:
                call()

        return SimpleNamespace(launch=launch)

    def wait_event(self, event: Any) -> None:
        assert event.recorded
        self.waited = True


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.recorded = False

    def record(self, stream: Any = None) -> None:
        assert isinstance(stream, Stream)
        self.recorded = True

    @property
    def done(self) -> bool:
        return self.recorded


class Function:
    def __init__(self, device: EmulatedDevice, name: str, together: bool) -> None:
        self._device, self._name, self._together = device, name, together
        self.max_dynamic_shared_size_bytes = 48 * 1024
        self.kernel = SimpleNamespace(ptr=id(self))

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0) -> None:
        assert Stream.current, "launched outside the device's stream"
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        assert block[1:] == (1, 1)
        variant = Variant(self._name, (), "", block[0], shared_mem, self._together)
        if Stream.capturing is None:
            self._device.launch(variant, grid, args)
        else:
            Stream.capturing.append(lambda: self._device.launch(variant, grid, args))


def fake_cupy(device: EmulatedDevice) -> SimpleNamespace:
    """A module to stand in for `cupy`, whose kernels `device` runs."""

    class RawModule:
        def __init__(
            self, code: str, *, options: tuple[str, ...] = (), enable_cooperative_groups: bool = False
        ) -> None:
            assert "-std=c++17" in options
            assert Stream.capturing is None, "compiled while a graph is recorded"
            self._code, self._together = code, enable_cooperative_groups

        def get_function(self, name: str) -> Function:
            assert re.search(rf"\b{name}\b", self._code)
            return Function(device, name, self._together)

    class Gpu:
        attributes = {  # noqa: RUF012
            "MaxSharedMemoryPerBlockOptin": 232_448,
            "MultiProcessorCount": MULTIPROCESSORS,
            "CooperativeLaunch": 1,
        }

        def __init__(self, index: int) -> None:
            assert index == 0

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def zeros(shape: Any, dtype: str) -> Array:
        assert Stream.current
        return device.zeros(shape, dtype).view(Array)

    return SimpleNamespace(
        __version__="0",
        RawModule=RawModule,
        zeros=zeros,
        empty_like=lambda array: np.full_like(array, 77),
        matmul=np.matmul,
        cuda=SimpleNamespace(
            Device=Gpu,
            Stream=Stream,
            Event=Event,
            alloc_pinned_memory=bytearray,
            driver=SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=lambda function, block, shared: 1),
            runtime=SimpleNamespace(
                getDeviceCount=lambda: 1, getDeviceProperties=lambda index: {"name": b"an imagined GPU"}
            ),
        ),
    )

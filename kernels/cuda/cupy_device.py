"""A GPU through CuPy: one stream, kernels compiled at first use, graphs, and errors in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.cuda.device import Buffer, Copier, DeviceError
from kernels.cuda.variants import PROBE, Variant, source

_STATIC_LIMIT = 48 * 1024
"""Dynamic shared memory that a kernel may ask for without being told so first."""


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turns whatever CuPy raises into one DeviceError that says what was being done."""
    try:
        yield
    except DeviceError:
        raise
    except Exception as error:
        kind = type(error).__name__
        hint = " (too little free device memory)" if "OutOfMemory" in kind or "MemoryAllocation" in str(error) else ""
        raise DeviceError(f"GPU, {doing}: {kind}: {error}{hint}") from error


class CupyDevice:
    """`kernels.cuda.device.Device` on the GPU `index`. Raises DeviceError, also where CuPy is missing."""

    def __init__(self, index: int = 0) -> None:
        with explained("start"):
            import cupy

            self._cupy = cupy
            self._gpu = cupy.cuda.Device(index)
            with self._gpu:
                attributes = self._gpu.attributes
                self.shared_limit = int(attributes["MaxSharedMemoryPerBlockOptin"])
                self._multiprocessors = int(attributes["MultiProcessorCount"])
                self._cooperative = bool(attributes["CooperativeLaunch"])
                properties = cupy.cuda.runtime.getDeviceProperties(index)
                self.name = properties["name"].decode()
                self.stream = cupy.cuda.Stream(non_blocking=True)
        self._functions: dict[str, Any] = {}

    @contextmanager
    def computing(self, doing: str) -> Iterator[None]:
        """CuPy calls in this context go to this device's stream; errors become DeviceError."""
        with explained(doing), self._gpu, self.stream:
            yield

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Buffer:
        """New memory, all zero."""
        with self.computing(f"reserving {np.prod(shape) * np.dtype(dtype).itemsize / 2**20:.1f} MiB"):
            return self._cupy.zeros(shape, dtype)

    def write(self, buffer: Buffer, host: NDArray[Any]) -> None:
        """Copy into `buffer`, in stream order; `host` may change after the return."""
        with self.computing("writing to the device"):
            buffer.set(host, stream=self.stream)  # from pageable memory: staged before it returns

    def read(self, buffer: Buffer) -> NDArray[Any]:
        """A copy on the host, after all that was asked for before."""
        with self.computing("reading from the device"):
            host: NDArray[Any] = buffer.get(stream=self.stream)
            return host

    def clear(self, buffer: Buffer) -> None:
        """Set to zero, in stream order."""
        with self.computing("clearing memory"):
            buffer[...] = 0

    def matmul(self, a: Buffer, b: Buffer, out: Buffer) -> None:
        """out = a @ b by cuBLAS; CuPy leaves TF32 off unless CUPY_TF32 is set."""
        self._cupy.matmul(a, b, out=out)

    def prepare(self, variants: Sequence[Variant]) -> None:
        """Compile and load; CuPy caches what it compiled on disk."""
        for variant in variants:
            self._function(variant)

    def _function(self, variant: Variant) -> Any:
        if variant.name not in self._functions:
            with self.computing(f"compiling {variant.name}"):
                module = self._cupy.RawModule(
                    code=source([variant]),
                    options=("-std=c++17",),
                    enable_cooperative_groups=variant.together,
                )
                function = module.get_function(variant.name)
                if variant.shared_bytes > _STATIC_LIMIT:
                    function.max_dynamic_shared_size_bytes = variant.shared_bytes
                self._functions[variant.name] = function
        return self._functions[variant.name]

    def resident_blocks(self, variant: Variant) -> int:
        """How many blocks of this kernel the GPU runs at once; 0 where it cannot promise that."""
        if not self._cooperative:
            return 0
        function = self._function(variant)
        with self.computing(f"occupancy of {variant.name}"):
            each = self._cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
                function.kernel.ptr, variant.threads, variant.shared_bytes
            )
        return int(each) * self._multiprocessors

    def launch(self, variant: Variant, grid: tuple[int, int, int], arguments: Sequence[Any]) -> None:
        """Start a kernel; scalars are NumPy scalars."""
        function = self._function(variant)
        with self.computing(f"launching {variant.name}"):
            function(grid, (variant.threads, 1, 1), tuple(arguments), shared_mem=variant.shared_bytes)

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """`body`'s launches as a CUDA graph; the kernels must have been prepared."""
        with self.computing("recording a graph"):
            self.stream.begin_capture()
            try:
                body()
            except BaseException:
                with suppress(Exception):  # a capture that has failed also fails to end; the first error counts
                    self.stream.end_capture()
                raise
            graph = self.stream.end_capture()

        def replay() -> None:
            with self.computing("replaying a graph"):
                graph.launch(self.stream)

        return replay

    def copier(self, sources: Sequence[Buffer]) -> Copier:
        """Copies `sources` into pinned memory on a stream of its own."""
        with self.computing("reserving pinned memory"):
            return _PinnedCopier(self, self._cupy, sources)


class _PinnedCopier:
    """A snapshot on the device in the chain's stream order, then a copy to pinned memory beside the next ticks."""

    def __init__(self, device: CupyDevice, cupy: Any, sources: Sequence[Buffer]) -> None:
        self._device = device
        self._sources = sources
        self._copies = cupy.cuda.Stream(non_blocking=True)
        self._taken = cupy.cuda.Event(disable_timing=True)
        self._arrived = cupy.cuda.Event(disable_timing=True)
        self._snapshots = [cupy.empty_like(source) for source in sources]
        self.host = []
        for like in self._snapshots:
            memory = cupy.cuda.alloc_pinned_memory(like.nbytes)
            self.host.append(np.frombuffer(memory, like.dtype, like.size).reshape(like.shape))

    def start(self) -> None:
        """Ask for a copy; returns at once."""
        with self._device.computing("reading back"):
            for snapshot, source in zip(self._snapshots, self._sources, strict=True):
                snapshot[...] = source
            self._taken.record(self._device.stream)
            self._copies.wait_event(self._taken)
            for snapshot, host in zip(self._snapshots, self.host, strict=True):
                snapshot.get(stream=self._copies, out=host, blocking=False)
            self._arrived.record(self._copies)

    def done(self) -> bool:
        """Whether the last copy has arrived in `host`."""
        with self._device.computing("reading back"):
            return bool(self._arrived.done)


def answers(device: CupyDevice) -> bool:
    """Whether a one-thread kernel compiles, runs and gives its answer."""
    place = device.zeros((1,), "int32")
    device.launch(PROBE, (1, 1, 1), [place])
    return int(device.read(place)[0]) == 42

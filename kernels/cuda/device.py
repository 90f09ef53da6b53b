"""What the chains need of a device: memory, launches, replay. CuPy gives it on a GPU, host emulation in the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

from kernels.cuda.variants import Variant

Buffer = Any
"""Memory on the device that can be sliced like an array and is passed to kernels as a pointer to its start."""


class DeviceError(RuntimeError):
    """The device, its driver or its memory failed; the message says what was being done and what the driver said."""


class Copier(Protocol):
    """One slot of asynchronous read-back."""

    host: list[NDArray[Any]]
    """Where the copies arrive; not to be read between `start` and `done`."""

    def start(self) -> None:
        """Ask for a copy of the sources as they are at this point of the stream; returns at once."""

    def done(self) -> bool:
        """Whether it has arrived."""


class Device(Protocol):
    """One device and the one stream on which a chain computes. Every method may raise DeviceError."""

    name: str
    shared_limit: int
    """Most dynamic shared memory that one block can have, bytes."""

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Buffer:
        """New memory, all zero."""

    def write(self, buffer: Buffer, host: NDArray[Any]) -> None:
        """Copy into `buffer`, in stream order; `host` has its shape and dtype and may change after the return."""

    def read(self, buffer: Buffer) -> NDArray[Any]:
        """A copy on the host, after all that was asked for before."""

    def clear(self, buffer: Buffer) -> None:
        """Set to zero, in stream order."""

    def computing(self, doing: str) -> AbstractContextManager[None]:
        """Array operations on buffers inside this context are done by the device, in stream order."""

    def matmul(self, a: Buffer, b: Buffer, out: Buffer) -> None:
        """out = a @ b over stacks of float32 matrices, by the device's BLAS in full float32; inside `computing`."""

    def prepare(self, variants: Sequence[Variant]) -> None:
        """Compile and load; without this the first launch does it."""

    def resident_blocks(self, variant: Variant) -> int:
        """How many blocks of this kernel the device runs at once."""

    def launch(self, variant: Variant, grid: tuple[int, int, int], arguments: Sequence[Any]) -> None:
        """Start a kernel; scalars are NumPy scalars."""

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """A function that repeats the launches of `body` as cheaply as the device can."""

    def copier(self, sources: Sequence[Buffer]) -> Copier:
        """A slot that reads `sources` back while the stream goes on."""

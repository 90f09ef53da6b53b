"""Host emulation of the kernels: compiled by g++ behind `shim.hpp`, their threads scheduled by a seed.

It shows wrong indices, missing barriers and dead-locks; it cannot show memory order, fences or speed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.cuda.device import DeviceError
from kernels.cuda.variants import PATIENCE, Variant, source

SHIM = Path(__file__).with_name("shim.hpp")
SCHEDULES = ("in order", "reversed", "shuffled", "adversarial")
"""Adversarial: of the warps that can run, always the first of a random order runs, until it blocks."""


def unavailable() -> str:
    """Why kernels cannot be emulated here; empty if they can."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return f"host emulation is written for x86-64, this is {platform.machine()}"
    return "" if shutil.which("g++") else "host emulation needs g++, which is not installed"


needs_emulation = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "-")


def compile_host(text: str) -> ctypes.CDLL:
    """The shared library of CUDA source `text`; cached by its hash in the temporary folder."""
    folder = Path(tempfile.gettempdir()) / f"toreq-emulation-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256((SHIM.read_text() + text).encode()).hexdigest()[:20]
    library = folder / f"{digest}.so"
    if not library.exists():
        unfinished = library.with_suffix(f".{os.getpid()}")
        command = ["g++", "-x", "c++", "-std=c++17", "-O1", "-w", "-fPIC", "-shared", "-o", str(unfinished), "-"]
        subprocess.run(command, input=f'#include "{SHIM}"\n#line 1\n{text}', text=True, check=True)
        unfinished.replace(library)
    return ctypes.CDLL(str(library))


class LaunchStruct(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("threads", ctypes.c_uint),
        ("shared_bytes", ctypes.c_uint),
        ("concurrent", ctypes.c_int),
        ("policy", ctypes.c_int),
        ("seed", ctypes.c_int),
        ("skip_line", ctypes.c_int),
        ("idle_rounds", ctypes.c_int),
    )


class EmulatedCopier:
    """A slot whose copy arrives when the test says so."""

    def __init__(self, sources: Sequence[NDArray[Any]]) -> None:
        self._sources = sources
        self.host = [np.zeros_like(buffer) for buffer in sources]
        self.arrived = False

    def start(self) -> None:
        self.arrived = False
        for host, buffer in zip(self.host, self._sources, strict=True):
            host[...] = buffer

    def done(self) -> bool:
        return self.arrived


_SCALARS: dict[type, Callable[[Any], Any]] = {
    np.float32: ctypes.c_float,
    np.int32: ctypes.c_int,
    np.uint32: lambda value: ctypes.c_uint(int(value)),
}
GUARD = 64
_MARK = 0x5A


@dataclass
class EmulatedDevice:
    """`kernels.cuda.device.Device` on the host; memory has guard zones, and every launch checks them."""

    library: ctypes.CDLL
    schedule: str = "in order"
    seed: int = 0
    skip_line: int = 0
    idle_rounds: int = 2
    name: str = "host emulation"
    shared_limit: int = 232_448
    blocks: int = 1000
    _guarded: list[NDArray[np.uint8]] = field(default_factory=list)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raw = np.full(size + 2 * GUARD, _MARK, np.uint8)
        raw[GUARD : GUARD + size] = 0
        self._guarded.append(raw)
        return raw[GUARD : GUARD + size].view(dtype).reshape(shape)

    def write(self, buffer: NDArray[Any], host: NDArray[Any]) -> None:
        assert buffer.dtype == host.dtype
        assert buffer.shape == host.shape
        buffer[...] = host

    def read(self, buffer: NDArray[Any]) -> NDArray[Any]:
        return buffer.copy()

    def clear(self, buffer: NDArray[Any]) -> None:
        buffer[...] = 0

    def prepare(self, variants: Sequence[Variant]) -> None:
        for variant in variants:
            getattr(self.library, f"emulate_{variant.name}")

    def resident_blocks(self, variant: Variant) -> int:
        return self.blocks

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        return body

    def computing(self, doing: str) -> AbstractContextManager[None]:
        return nullcontext()

    def matmul(self, a: NDArray[Any], b: NDArray[Any], out: NDArray[Any]) -> None:
        np.matmul(a, b, out=out)

    def copier(self, sources: Sequence[NDArray[Any]]) -> EmulatedCopier:
        return EmulatedCopier(sources)

    def launch(self, variant: Variant, grid: tuple[int, int, int], arguments: Sequence[Any]) -> None:
        """Raises DeviceError for what the emulator reports."""
        held = [
            ctypes.c_void_p(value.ctypes.data) if isinstance(value, np.ndarray) else _SCALARS[type(value)](value)
            for value in arguments
        ]
        pointers = (ctypes.c_void_p * len(held))(*(ctypes.addressof(value) for value in held))
        launch = LaunchStruct(
            grid, variant.threads, variant.shared_bytes, variant.together, SCHEDULES.index(self.schedule), self.seed,
            self.skip_line, self.idle_rounds,
        )  # fmt: skip
        run = getattr(self.library, f"emulate_{variant.name}")
        run.restype = ctypes.c_char_p
        if trouble := run(ctypes.byref(launch), pointers):
            raise DeviceError(f"{variant.name}, {self.schedule}: {trouble.decode()}")
        for raw in self._guarded:
            if (raw[:GUARD] != _MARK).any() or (raw[-GUARD:] != _MARK).any():
                raise DeviceError(f"{variant.name}: wrote outside its buffers")

    def barriers(self) -> list[int]:
        """Lines of the barriers met since `forget_barriers`."""
        lines = (ctypes.c_int * 64)()
        return list(lines[: self.library.emu_barriers(lines, len(lines))])

    def forget_barriers(self) -> None:
        self.library.emu_forget_barriers()


def emulated(variants: Iterable[Variant], patience: int = PATIENCE, **options: Any) -> EmulatedDevice:
    """A device that can launch `variants`."""
    return EmulatedDevice(compile_host(source(variants, patience)), **options)

"""Which kernels there are, the source text that each one is compiled from, and the memory each one needs.

A variant is one template instance under a C name. Its source is the concatenation of a few texts of this folder and
one line that makes the instance, so NVRTC (at run time and in the tests) and g++ (in the host emulation) read the
same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from kernels import FLIP_THRESHOLD

Storage = Literal["float32", "float16"]
Chain = Literal["recursive", "hopfield"]

STREAM_THREADS = 256
LATTICE_THREADS = 512
HELD_THREADS = 512
TILE_ROWS = 64
TILE_COLUMNS = 256
PATIENCE = 2_000_000
"""Looks at a neighbour's word before the persistent kernel gives up, about a second on a GPU."""
HELD_NEURONS = 256
"""Most neurons a layer of the persistent kernel can have."""
LARGEST_NEURONS = 4096

_WEIGHT = {"float32": "float", "float16": "Half"}
_ORDER = (
    "common.cuh", "tile.cuh", "held.cuh", "probe.cu", "hopfield_stream.cu", "recursive_stream.cu",
    "hopfield_persistent.cu", "recursive_persistent.cu", "lattice.cu",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """A kernel to compile: its C name, the texts it needs and the line that makes the instance."""

    name: str
    texts: tuple[str, ...]
    line: str
    threads: int
    shared_bytes: int = 0
    """Dynamic shared memory of a block."""
    together: bool = False
    """Whether all blocks must run at once, for they wait for each other."""


def source(variants: Iterable[Variant], patience: int = PATIENCE) -> str:
    """CUDA C++17 that defines all of `variants`."""
    chosen = list(variants)
    wanted = {"common.cuh"}.union(*(variant.texts for variant in chosen))
    texts = [(files("kernels.cuda") / text).read_text() for text in _ORDER if text in wanted]
    head = f"#define FLIP_THRESHOLD {FLIP_THRESHOLD!r}f\n#define PATIENCE {patience}\n"
    return head + "\n".join(texts) + "\n" + "\n".join(variant.line for variant in chosen) + "\n"


def vector_width(neurons: int) -> int:
    """Weights read by one load: 4 where every row starts on a multiple of four."""
    return 4 if neurons % 4 == 0 else 1


PROBE = Variant("answer", ("probe.cu",), "", 1)


def matrix_pass(chain: Chain, columns: int, storage: Storage, vector: int) -> Variant:
    """The streaming pass over the matrices."""
    back = columns if chain == "hopfield" else columns - 1
    floats = columns * TILE_COLUMNS + max(back, 1) * TILE_ROWS + (8 if back else 1) * TILE_COLUMNS
    name = f"{chain}_pass_{columns}_{storage}_{vector}"
    line = f"{chain.upper()}_PASS({name}, {columns}, {_WEIGHT[storage]}, {vector})"
    return Variant(name, ("tile.cuh", f"{chain}_stream.cu"), line, STREAM_THREADS, 4 * floats)


def elements(chain: Chain, columns: int) -> Variant:
    """The streaming element-wise pass."""
    name = f"{chain}_elements_{columns}"
    line = f"{chain.upper()}_ELEMENTS({name}, {columns})"
    return Variant(name, ("tile.cuh", f"{chain}_stream.cu"), line, STREAM_THREADS, 8 * 5 * STREAM_THREADS // 32)


def held_width(neurons: int) -> int:
    """What the persistent kernel pads a layer to."""
    return 128 if neurons <= 128 else 256


def can_hold(chain: Chain, neurons: int, storage: Storage) -> str:
    """Empty if one block can hold one layer's weights on chip, else the reason why not."""
    if neurons > HELD_NEURONS:
        return f"{neurons} neurons a layer; the persistent kernel holds {HELD_NEURONS} at most"
    if chain == "recursive" and storage == "float32" and neurons > 128:
        return "two float32 matrices of more than 128 neurons do not fit on one multiprocessor; float16 does"
    return ""


def persistent(chain: Chain, columns: int, storage: Storage, width: int) -> Variant:
    """The persistent kernel for layers padded to `width`."""
    matrices = 2 if chain == "recursive" else 1
    words = matrices * width * width * (4 if storage == "float32" else 2) // (4 * HELD_THREADS)
    held = max(words - 64, 0) * 4 * HELD_THREADS
    rows = 4 * columns + (2 * max(columns - 1, 1) if chain == "recursive" else 0) + 1
    vectors = 4 * width * (HELD_THREADS // 32 + rows) + width + 4 * 2 * HELD_THREADS // 32 + 4
    name = f"{chain}_persistent_{columns}_{storage}_{width}"
    line = f"{chain.upper()}_PERSISTENT({name}, {columns}, {_WEIGHT[storage]}, {width})"
    return Variant(name, ("held.cuh", f"{chain}_persistent.cu"), line, HELD_THREADS, held + vectors, together=True)


def lattice(columns: int) -> Variant:
    """A whole tick of a lattice of voxels."""
    name = f"lattice_tick_{columns}"
    line = f"LATTICE_TICK({name}, {columns})"
    return Variant(name, ("lattice.cu",), line, LATTICE_THREADS, 8 * 5 * LATTICE_THREADS // 32)


CHAINS: tuple[Chain, ...] = ("recursive", "hopfield")
STORAGES: tuple[Storage, ...] = ("float32", "float16")


def streaming_variants() -> list[Variant]:
    """Every streaming kernel."""
    return [
        variant
        for chain in CHAINS
        for columns in (1, 3)
        for variant in (
            *(matrix_pass(chain, columns, storage, vector) for storage in STORAGES for vector in (4, 1)),
            elements(chain, columns),
        )
    ]


def lattice_variants() -> list[Variant]:
    """Every kernel of a lattice."""
    return [lattice(columns) for columns in (1, 3)]


def persistent_variants() -> list[Variant]:
    """Every persistent kernel that exists."""
    return [
        persistent(chain, columns, storage, width)
        for chain in CHAINS
        for columns in (1, 3)
        for storage in STORAGES
        for width in (128, 256)
        if not can_hold(chain, width, storage)
    ]

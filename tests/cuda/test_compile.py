"""Every kernel compiles for every architecture that can launch it, within its registers and without spills."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from pathlib import Path

import pytest

from kernels.cuda.variants import (
    PROBE,
    Variant,
    can_hold,
    held_width,
    persistent,
    persistent_variants,
    source,
    streaming_variants,
)

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
SHARED_LIMIT = {75: 65_536, 80: 166_912, 86: 101_376, 89: 101_376, 90: 232_448, 100: 232_448, 120: 101_376}
"""Most dynamic shared memory a block can have, bytes (CUDA C++ programming guide, compute capabilities)."""
REGISTER_FILE = 65_536
GROUPS = {"streaming": [PROBE, *streaming_variants()], "persistent": persistent_variants()}
_ENTRY = re.compile(
    r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers",
    re.DOTALL,
)


def compiler_log(text: str, architecture: int) -> str:
    """What ptxas says of `text`; kept in the temporary folder under the hash of text and compiler."""
    core = pytest.importorskip("cuda.core", reason="compiling the kernels needs cuda-core and nvidia-cuda-nvrtc")
    from cuda.bindings import nvrtc

    key = f"{nvrtc.nvrtcVersion()} {core.__version__} {architecture}\n{text}"
    folder = Path(tempfile.gettempdir()) / f"toreq-nvrtc-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / hashlib.sha256(key.encode()).hexdigest()[:20]
    if not kept.exists():
        log = io.StringIO()
        options = core.ProgramOptions(arch=f"sm_{architecture}", std="c++17", ptxas_options=["-v"])
        core.Program(text, "c++", options).compile("cubin", logs=log)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(log.getvalue())
        unfinished.replace(kept)
    return kept.read_text()


def measured(text: str, architecture: int) -> dict[str, tuple[int, int, int]]:
    """By kernel: registers, bytes spilled, bytes of stack."""
    found = _ENTRY.findall(compiler_log(text, architecture))
    return {name: (int(used), int(stores) + int(loads), int(stack)) for name, stack, stores, loads, used in found}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kernel_compiles_within_its_budget(architecture, group):
    limit = SHARED_LIMIT[architecture]
    variants: list[Variant] = [variant for variant in GROUPS[group] if variant.shared_bytes <= limit]
    figures = measured(source(variants), architecture)
    assert figures.keys() == {variant.name for variant in variants}
    for variant in variants:
        registers, spilled, stack = figures[variant.name]
        resident = 1 if group == "persistent" else 2
        assert registers * variant.threads * resident <= REGISTER_FILE, variant.name
        assert (spilled, stack) == (0, 0), f"{variant.name}: {spilled} bytes spilled, {stack} bytes of stack"


def test_a_spill_would_be_seen():
    """The budget test reads the compiler's log: a kernel that must spill shows up in it."""
    body = "float a[96]; for (int i = 0; i < 96; ++i) a[i] = p[i * n + threadIdx.x];"
    body += "for (int k = 0; k < n; ++k) for (int i = 0; i < 96; ++i) a[i] = a[i] * a[(i + 1) % 96] + p[k];"
    body += "for (int i = 0; i < 96; ++i) p[i * n + threadIdx.x] = a[i];"
    body = body.replace("for (int i", '_Pragma("unroll") for (int i')
    text = f'extern "C" __global__ void __launch_bounds__(1024) greedy(float* p, int n) {{ {body} }}'
    registers, spilled, _ = measured(text, 90)["greedy"]
    assert registers <= 64
    assert spilled > 0


@pytest.mark.parametrize(
    ("kind", "storage", "neurons", "fits"),
    [
        ("hopfield", "float32", 256, {80, 90, 100}),
        ("hopfield", "float16", 256, set(ARCHITECTURES)),
        ("hopfield", "float32", 64, set(ARCHITECTURES)),
        ("recursive", "float32", 256, set()),
        ("recursive", "float16", 256, {80, 90, 100}),
        ("recursive", "float32", 121, set(ARCHITECTURES)),
        ("recursive", "float16", 100, set(ARCHITECTURES)),
    ],
)
def test_what_fits_where(kind, storage, neurons, fits):
    """The table of docs/cuda.md."""
    needed = max(persistent(kind, columns, storage, held_width(neurons)).shared_bytes for columns in (1, 3))
    held = {a for a in ARCHITECTURES if not can_hold(kind, neurons, storage) and needed <= SHARED_LIMIT[a]}
    assert held == fits

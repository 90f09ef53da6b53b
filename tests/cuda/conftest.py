"""All kernels, compiled once for host emulation."""

from __future__ import annotations

import ctypes

import pytest
from emulation import compile_host

from kernels.cuda.variants import PROBE, persistent_variants, source, streaming_variants


@pytest.fixture(scope="session")
def kernels_text() -> str:
    return source([PROBE, *streaming_variants(), *persistent_variants()])


@pytest.fixture(scope="session")
def library(kernels_text) -> ctypes.CDLL:
    return compile_host(kernels_text)

"""The emulator itself: what it computes, and that it notices what is wrong."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from emulation import SCHEDULES, EmulatedDevice, compile_host, needs_emulation
from parity import Case, assert_parity

from kernels.cuda.device import DeviceError
from kernels.cuda.variants import Variant

pytestmark = needs_emulation

KERNELS = """
#define KERNEL extern "C" __global__ void
KERNEL turned(const float* x, float* y, int wait) {
    DYNAMIC_SHARED(raw);
    float* held = (float*)raw;
    held[threadIdx.x] = x[threadIdx.x];
    if (wait) __syncthreads();
    y[threadIdx.x] = held[blockDim.x - 1 - threadIdx.x];
}
EXPORT(turned)
KERNEL overtaken(float* y, int wait) {
    DYNAMIC_SHARED(raw);
    float* held = (float*)raw;
    for (int round = 0; round < 3; ++round) {
        if (threadIdx.x == 0) held[0] = round;
        __syncthreads();
        y[round * blockDim.x + threadIdx.x] = held[0];
        if (wait) __syncthreads();
    }
}
EXPORT(overtaken)
KERNEL summed(const double* x, double* y) {
    double total = x[threadIdx.x];
    for (int step = 16; step > 0; step /= 2) total += __shfl_xor_sync(0xffffffffu, total, step);
    y[threadIdx.x] = total;
}
EXPORT(summed)
KERNEL two_places(int split) {
    if ((int)threadIdx.x < split)
        __syncthreads();
    else
        __syncthreads();
}
EXPORT(two_places)
KERNEL some_leave(int stay) {
    if ((int)threadIdx.x < stay) __syncthreads();
}
EXPORT(some_leave)
KERNEL some_shuffle(float* y) {
    if (threadIdx.x % 32 < 7) y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, y[threadIdx.x], 1);
}
EXPORT(some_shuffle)
KERNEL barrier_or_shuffle(float* y) {
    if (threadIdx.x % 2) __syncthreads();
    else y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 2);
}
EXPORT(barrier_or_shuffle)
KERNEL after_you(int* flags) {
    if (blockIdx.x == 0)
        while (*(volatile int*)flags == 0) SPINNING();
    else
        *flags = 1;
}
EXPORT(after_you)
KERNEL too_much_shared(int room) {
    DYNAMIC_SHARED(raw);
    raw[room] = 1;
}
EXPORT(too_much_shared)
KERNEL stray(float* y) { y[-1] = 1.0f; }
EXPORT(stray)
KERNEL peeks(float* y) {
    DYNAMIC_SHARED(raw);
    y[threadIdx.x] = ((float*)raw)[threadIdx.x];
}
EXPORT(peeks)
"""


@pytest.fixture(scope="module")
def planted() -> ctypes.CDLL:
    return compile_host(KERNELS)


def launch(
    planted: ctypes.CDLL, name: str, *arguments: Any, schedule: str = "in order", blocks: int = 1,
    threads: int = 96, shared_bytes: int = 4 * 96, together: bool = False,
) -> None:  # fmt: skip
    variant = Variant(name, (), "", threads, shared_bytes, together)
    EmulatedDevice(planted, schedule, seed=3).launch(variant, (blocks, 1, 1), arguments)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_barriers_and_shuffles_do_what_the_language_says(planted, schedule):
    x, y = np.arange(96, dtype=np.float32), np.zeros(96, np.float32)
    launch(planted, "turned", x, y, np.int32(1), schedule=schedule)
    np.testing.assert_array_equal(y, x[::-1])
    many, total = np.arange(64.0), np.zeros(64)
    launch(planted, "summed", many, total, schedule=schedule, threads=64)
    np.testing.assert_array_equal(total, np.repeat(many.reshape(2, 32).sum(1), 32))
    rounds = np.zeros((3, 96), np.float32)
    launch(planted, "overtaken", rounds, np.int32(1), schedule=schedule)
    np.testing.assert_array_equal(rounds, np.repeat([[0], [1], [2]], 96, axis=1))


def test_a_missing_barrier_before_reading_shows(planted):
    x, y = np.arange(96, dtype=np.float32), np.zeros(96, np.float32)
    launch(planted, "turned", x, y, np.int32(0))
    assert np.isnan(y).any()


def test_a_missing_barrier_before_writing_again_shows_under_some_schedule(planted):
    wrong = []
    for schedule in SCHEDULES:
        rounds = np.zeros((3, 96), np.float32)
        launch(planted, "overtaken", rounds, np.int32(0), schedule=schedule)
        if (rounds != [[0], [1], [2]]).any():
            wrong.append(schedule)
    assert "adversarial" in wrong


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("two_places", (np.int32(40),), "divergent barrier"),
        ("some_leave", (np.int32(40),), "divergent barrier"),
        ("some_shuffle", (np.zeros(96, np.float32),), "dead-lock"),
        ("barrier_or_shuffle", (np.zeros(1, np.float32),), "dead-lock"),
        ("too_much_shared", (np.int32(4 * 96),), "shared memory"),
    ],
)
def test_what_is_wrong_is_reported(planted, name, arguments, words, schedule):
    with pytest.raises(DeviceError, match=words):
        launch(planted, name, *arguments, schedule=schedule)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_blocks_that_wait_for_each_other_need_to_run_together(planted, schedule):
    launch(planted, "after_you", np.zeros(1, np.int32), blocks=2, together=True, schedule=schedule)
    with pytest.raises(DeviceError, match="dead-lock"):
        launch(planted, "after_you", np.zeros(1, np.int32), blocks=1, together=True, schedule=schedule)


def test_one_block_after_the_other_cannot_wait_for_the_next(planted):
    with pytest.raises(DeviceError, match="dead-lock"):
        launch(planted, "after_you", np.zeros(1, np.int32), blocks=2)


def test_a_write_outside_a_buffer_is_reported(planted):
    device = EmulatedDevice(planted)
    buffer = device.zeros((4,), "float32")
    with pytest.raises(DeviceError, match="outside"):
        device.launch(Variant("stray", (), "", 1), (1, 1, 1), [buffer])


def test_shared_memory_starts_as_nan(planted):
    y = np.zeros(32, np.float32)
    launch(planted, "peeks", y, threads=32)
    assert np.isnan(y).all()


MUTATED = [
    Case("hopfield", 2, 16, samples=2, columns=3),
    Case("recursive", 2, 16, samples=2, columns=3),
    Case("recursive", 2, 16, samples=2, columns=1),
    Case("hopfield", 3, 16, columns=3, held=True),
    Case("recursive", 3, 16, columns=3, held=True),
    Case("recursive", 3, 64, columns=1, held=True),
]
NOT_SEEN = ("before anyone can set shared.lost",)
"""Barriers whose loss no schedule can show while every neighbour answers."""


@pytest.mark.parametrize("case", MUTATED, ids=str)
def test_every_barrier_of_the_kernels_is_missed_when_it_is_left_out(library, kernels_text, case):
    whole = EmulatedDevice(library)
    whole.forget_barriers()
    assert_parity(whole, case)
    lines = whole.barriers()
    assert len(lines) >= 2
    for line in lines:
        words = kernels_text.splitlines()[line - 1]
        assert "__syncthreads()" in words
        if not any(known in words for known in NOT_SEEN):
            assert notices(library, case, line), f"line {line} can go unnoticed: {words}"


def notices(library: ctypes.CDLL, case: Case, line: int) -> bool:
    """Whether some schedule shows that the barrier at `line` is missing."""
    for seed in range(3):
        for schedule in SCHEDULES:
            try:
                assert_parity(EmulatedDevice(library, schedule, seed, skip_line=line), case)
            except (AssertionError, DeviceError):
                return True
    return False

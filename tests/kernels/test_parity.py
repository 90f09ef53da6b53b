"""Every backend computes the tick of the NumPy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import SUMS, cpu, reference
from kernels.backends import BackendError, describe, load_backend
from kernels.half import rounded, stored

ROUNDING = {"float32": 1e-5, "float64": 1e-12}


def random_arrays(rng: np.random.Generator, layers: int, samples: int, neurons: int, dtype: str) -> dict[str, Any]:
    def draw(*shape: int, scale: float = 0.4) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(dtype)

    displaced = np.array([1, 0.1, 0.1], dtype)[:, None]
    return {
        "R": draw(layers, neurons, neurons, scale=neurons**-0.5),
        "W": draw(layers, neurons, neurons, scale=neurons**-0.5),
        "drive": draw(layers, samples, neurons),
        "inflow": draw(samples, neurons),
        "force": draw(samples, neurons, scale=0.1),
        "z": np.tanh(draw(layers, samples, 3, neurons)) * displaced,
        "s": np.tanh(draw(layers, samples, 3, neurons)) * displaced,
        "z_out": draw(layers, samples, 3, neurons),
        "s_out": draw(layers, samples, 3, neurons) * displaced,
        "velocity": draw(layers, samples, neurons),
        "flips": rng.integers(0, 256, (layers, samples, neurons)).astype(np.uint8),
        "sums": np.full((layers, samples, SUMS), -1.0),
        "products": np.zeros((layers, samples, 16, neurons), dtype),
    }


def tick(module: Any, chain: str, a: dict[str, Any], sigma: float, omega: float, columns: int) -> None:
    rest = (a["velocity"], a["flips"], a["sums"], a["products"], columns)
    if chain == "recursive":
        module.recursive_tick(
            a["R"], a["W"], a["drive"], a["inflow"], a["force"], sigma, a["z"], a["s"], a["z_out"], a["s_out"], *rest
        )
    else:
        move = module.hopfield_tick if chain == "hopfield" else module.hopfield_red_black_tick
        move(
            a["W"], a["drive"], a["inflow"], a["force"], sigma, omega, a["s"], a["s_out"], *rest
        )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    layers=st.integers(1, 6),
    samples=st.sampled_from([1, 2, 3, 128]),
    side=st.integers(1, 7),
    sigma=st.floats(0, 3),
    accelerated=st.booleans(),
    columns=st.sampled_from([1, 3]),
    dtype=st.sampled_from(["float32", "float64"]),
    chain=st.sampled_from(["recursive", "hopfield", "red-black"]),
    seed=st.integers(0, 2**31),
)
def test_numba_agrees_with_the_reference(layers, samples, side, sigma, accelerated, columns, dtype, chain, seed):
    ours = random_arrays(np.random.default_rng(seed), layers, samples, side * side, dtype)
    theirs = {name: array.copy() for name, array in ours.items()}
    omega = 1.6 if accelerated else 1.0
    tick(reference, chain, theirs, sigma, omega, columns)
    tick(load_backend("numba"), chain, ours, sigma, omega, columns)
    near_threshold = np.isclose(np.abs(theirs["velocity"]), 1e-3, rtol=1e-2)
    for name in ("z_out", "s_out", "velocity", "sums"):
        scale = max(1.0, float(np.abs(theirs[name]).max()))
        np.testing.assert_allclose(ours[name], theirs[name], atol=ROUNDING[dtype] * scale, err_msg=name)
    np.testing.assert_array_equal(ours["flips"][~near_threshold], theirs["flips"][~near_threshold])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("chain", ["recursive", "hopfield"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_shows_in_the_reductions(backend, chain, bad, rng):
    arrays = random_arrays(rng, 4, 2, 9, "float32")
    arrays["s"][2, 1, 0, 5] = bad
    with np.errstate(invalid="ignore"):
        tick(load_backend(backend), chain, arrays, 0.9, 1.0, 3)
    assert not np.isfinite(arrays["sums"][:, 1]).all()
    assert np.isfinite(arrays["sums"][:, 0]).all(), "the other sample must stay sound"


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("chain", ["recursive", "hopfield"])
def test_a_released_copy_without_a_force_stays_on_the_free_one(backend, chain, rng):
    arrays = random_arrays(rng, 5, 1, 16, "float32")
    arrays["force"][...] = 0
    arrays["z"][:, :, 1:] = arrays["s"][:, :, 1:] = 0
    tick(load_backend(backend), chain, arrays, 0.9, 1.0, 3)
    assert not arrays["s_out"][:, :, 1:].any()


def test_unknown_backends_are_refused_by_name():
    with pytest.raises(BackendError, match=r"abacus.*numba"):
        load_backend("abacus")


def test_what_auto_picks_is_said_with_the_reason():
    told = describe()
    assert told["name"] == load_backend().name
    assert set(told["available"]) == {"cuda", "numba", "numpy"}
    assert told["reason"]


@pytest.mark.parametrize("chain", ["recursive", "hopfield", "red-black"])
@pytest.mark.parametrize("columns", [1, 3])
def test_half_precision_weights_give_what_the_rounded_weights_give(chain, columns, rng):
    full = random_arrays(rng, 3, 2, 25, "float32")
    for name in ("R", "W"):
        full[name] = rounded(full[name])
        full[name][0, 0, :4] = [0, 1e-7, -3e-5, 65504]
        full[name] = rounded(full[name])
    packed = {name: array.copy() for name, array in full.items()}
    packed |= {name: stored(full[name]) for name in ("R", "W")}
    tick(cpu, chain, full, 0.9, 1.0, columns)
    tick(cpu, chain, packed, 0.9, 1.0, columns)
    assert packed["W"].dtype == np.uint16
    for name in ("z_out", "s_out", "velocity", "sums"):
        np.testing.assert_allclose(packed[name], full[name], rtol=1e-5, atol=1e-6)

"""Lattice kernels: Numba beside the NumPy reference, the reference beside a matrix made entry by entry."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import SUMS, lattice, lattice_sweeps
from kernels import lattice_reference as reference

ROUNDING = {"float32": 1e-5, "float64": 1e-12}
MODULES = {"numba": lattice, "numpy": reference}


def coupling(rng: np.random.Generator, layers: int, side: int, dtype: str, scale: float = 0.25) -> np.ndarray:
    mask = reference.lattice_mask(layers, side)
    return (rng.standard_normal(mask.shape) * mask * scale).astype(dtype)


def as_matrix(K: np.ndarray, side: int) -> np.ndarray:
    """K as (L N, L N), from what its documentation says about every row."""
    layers, _, neurons = K.shape
    matrix = np.zeros((layers * neurons,) * 2)
    for z, y, x in product(range(layers), range(side), range(side)):
        for row, (dz, dy, dx) in enumerate(product((-1, 0, 1), repeat=3)):
            there = z + dz, y + dy, x + dx
            if 0 <= there[0] < layers and 0 <= there[1] < side and 0 <= there[2] < side:
                place = (there[0] * side + there[1]) * side + there[2]
                matrix[(z * side + y) * side + x, place] = K[z, row, side * y + x]
    return matrix


def tick_arrays(rng: np.random.Generator, layers: int, samples: int, side: int, dtype: str) -> dict[str, Any]:
    def draw(*shape: int, scale: float = 0.4) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(dtype)

    neurons = side * side
    displaced = np.array([1, 0.1, 0.1], dtype)[:, None]
    K = coupling(rng, layers, side, dtype)
    T = np.empty_like(K)
    reference.turned(K, side, T)
    return {
        "K": K,
        "T": T,
        "drive": draw(layers, samples, neurons),
        "inflow": draw(samples, neurons),
        "force": draw(samples, neurons, scale=0.1),
        "s": np.tanh(draw(layers, samples, 3, neurons)) * displaced,
        "s_out": draw(layers, samples, 3, neurons),
        "velocity": draw(layers, samples, neurons),
        "flips": rng.integers(0, 256, (layers, samples, neurons)).astype(np.uint8),
        "sums": np.full((layers, samples, SUMS), -1.0),
        "credit": np.zeros((layers, samples, 2, neurons), dtype),
        "room": np.zeros((lattice.teams(), lattice.ROOM, neurons), dtype),
    }


sizes = {"layers": st.integers(1, 5), "side": st.integers(1, 7), "seed": st.integers(0, 2**31)}
dtypes = st.sampled_from(["float32", "float64"])


@settings(max_examples=60, deadline=None)
@given(**sizes, samples=st.integers(1, 3), columns=st.sampled_from([1, 3]), dtype=dtypes, gain=st.floats(0, 6))
def test_numba_ticks_as_the_reference(layers, side, seed, samples, columns, dtype, gain):
    ours = tick_arrays(np.random.default_rng(seed), layers, samples, side, dtype)
    for name in "KT":
        ours[name] = (gain * ours[name]).astype(dtype)
    theirs = {name: array.copy() for name, array in ours.items()}
    lattice.tick(*ours.values(), side, columns)
    reference.tick(*theirs.values(), side, columns)
    near_threshold = np.isclose(np.abs(theirs["velocity"]), 1e-3, rtol=1e-2)
    for name in ("s_out", "velocity", "sums"):
        scale = max(1.0, gain, float(np.abs(theirs[name]).max()))
        np.testing.assert_allclose(ours[name], theirs[name], atol=ROUNDING[dtype] * scale, err_msg=name)
    np.testing.assert_array_equal(ours["flips"][~near_threshold], theirs["flips"][~near_threshold])


@settings(max_examples=40, deadline=None)
@given(**sizes)
def test_the_reference_ticks_as_the_equations_say(layers, side, seed):
    """F, its Jacobian and the exact displacement, by a matrix made entry by entry."""
    a = tick_arrays(np.random.default_rng(seed), layers, 1, side, "float64")
    flat = {name: a[name].reshape(layers, 1, -1, side * side) for name in ("drive", "s")}
    s, plus, minus = (flat["s"][:, 0, column].reshape(-1) for column in range(3))
    M, drive = as_matrix(a["K"], side), flat["drive"].reshape(-1).copy()
    drive[: side * side] += a["inflow"][0]
    force = np.zeros_like(drive)
    force[-side * side :] = a["force"][0]
    reference.tick(*a.values(), side, 3)
    free = np.tanh(M @ s + drive)
    expected = [free]
    for moved, f in ((plus, force), (minus, -force)):
        old_slope, slope = 1 - s**2, 1 - free**2
        remainder = np.tanh(M @ (s + moved) + drive) - free - slope * (M @ moved)
        expected.append(M.T @ (old_slope * moved) + remainder + f)
    for column, values in enumerate(expected):
        np.testing.assert_allclose(a["s_out"][:, 0, column].reshape(-1), values.clip(-2, 2), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(**sizes, samples=st.integers(1, 3), dtype=dtypes, backend=st.sampled_from(sorted(MODULES)))
def test_operators_are_those_of_the_matrix(layers, side, seed, samples, dtype, backend):
    rng, module = np.random.default_rng(seed), MODULES[backend]
    K = coupling(rng, layers, side, dtype)
    M = as_matrix(K, side)
    x = rng.standard_normal((layers, side * side)).astype(dtype)
    out, T = np.empty_like(x), np.empty_like(K)
    module.applied(K, x, side, out)
    np.testing.assert_allclose(out.reshape(-1), M @ x.reshape(-1), atol=10 * ROUNDING[dtype])
    module.turned(K, side, T)
    np.testing.assert_array_equal(as_matrix(T, side), M.T)
    g, y = (rng.standard_normal((layers, side * side, samples)).astype(dtype) for _ in range(2))
    pairs = np.empty_like(K)
    module.correlated(g, y, side, pairs)
    outer = g.reshape(-1, samples) @ y.reshape(-1, samples).T
    exists = as_matrix(np.ones_like(K), side)
    np.testing.assert_allclose(as_matrix(pairs, side), outer * exists, atol=10 * ROUNDING[dtype])


@settings(max_examples=25, deadline=None)
@given(**sizes, samples=st.sampled_from([1, 2, 33]))
def test_sweeps_end_where_ticks_end(layers, side, seed, samples):
    """Free state and both displacements, to 1e-9 in float64."""
    rng = np.random.default_rng(seed)
    a = tick_arrays(rng, layers, samples, side, "float64")
    norm = max(np.linalg.norm(as_matrix(a["K"], side), 2), 1e-9)
    for name in "KT":
        a[name] *= 0.7 / norm
    b = rng.standard_normal((layers, side * side)) * 0.2
    a["drive"][...] = b[:, None]
    a["s"][...] = 0
    for columns in (1, 3):
        for _ in range(120):
            lattice.tick(*a.values(), side, columns)
            a["s"], a["s_out"] = a["s_out"], a["s"]
    voxelwise = [np.ascontiguousarray(a[name].swapaxes(1, 2)) for name in "KT"]
    s, ds = np.empty((layers, side * side, samples)), np.empty((2, layers, side * side, samples))
    chunks = -(-samples // lattice_sweeps.CHUNK)
    ticks, nudged = np.zeros(chunks, np.int64), np.zeros((2, chunks), np.int64)
    lattice_sweeps.settle(voxelwise[0], b, a["inflow"].T.copy(), side, 1e-13, 500, s, ticks)
    lattice_sweeps.nudge(*voxelwise, s, a["force"].T.copy(), side, 1e-13, 500, ds, nudged)
    states = a["s"].transpose(2, 0, 3, 1)
    np.testing.assert_allclose(s, states[0], atol=1e-9)
    np.testing.assert_allclose(ds, states[1:], atol=1e-9)
    assert 0 < ticks.min() <= ticks.max() < 500
    assert 0 < nudged.min() <= nudged.max() < 500


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_shows_in_the_reductions(module, bad, rng):
    a = tick_arrays(rng, 4, 2, 3, "float32")
    a["s"][2, 1, 0, 5] = bad
    with np.errstate(invalid="ignore"):
        module.tick(*a.values(), 3, 3)
    assert not np.isfinite(a["sums"][:, 1]).all()
    assert np.isfinite(a["sums"][:, 0]).all(), "the other sample must stay sound"


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_a_released_copy_without_a_force_stays_on_the_free_one(module, rng):
    a = tick_arrays(rng, 3, 1, 4, "float32")
    a["force"][...] = 0
    a["s"][:, :, 1:] = 0
    module.tick(*a.values(), 4, 3)
    assert not a["s_out"][:, :, 1:].any()


def test_what_is_far_away_is_not_felt(rng):
    """One tick carries a change one voxel far in every direction, and not round the edges."""
    a = tick_arrays(rng, 5, 1, 5, "float32")
    other = {name: array.copy() for name, array in a.items()}
    other["s"][2, 0, 0, 5 * 1 + 4] += 0.5
    for arrays in (a, other):
        lattice.tick(*arrays.values(), 5, 1)
    moved = np.argwhere((a["s_out"] != other["s_out"])[:, 0, 0].reshape(5, 5, 5))
    assert len(moved) == 3 * 3 * 2 - 1
    assert (np.abs(moved - [2, 1, 4]).max(1) == 1).all()

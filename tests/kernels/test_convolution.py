"""Convolutions against dense matrices, and the chain's tick in Numba against the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import SUMS, conv_norm, conv_reference
from kernels.backends import load_backend
from tests.engine.conv_cases import SHAPES, dense, plan_of, shape_of

ROUNDING = {"float32": 1e-5, "float64": 1e-12}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("images", [1, 3])
def test_is_the_matrix_of_its_entries_and_so_is_its_transpose(shape, images, rng):
    row = shape_of(*shape)
    kernel = rng.standard_normal((row[3], row[0] * row[6] ** 2))
    matrix = dense(kernel, row)
    x, g = rng.standard_normal((matrix.shape[1], images)), rng.standard_normal((matrix.shape[0], images))
    forward, back, slope = np.empty_like(g), np.empty_like(x), np.empty_like(kernel)
    room = np.empty(row[0] * row[6] ** 2 * row[4] * row[5] * images)
    conv_norm.applied(kernel.reshape(-1), row, x, room, forward)
    conv_norm.applied_back(kernel.reshape(-1), row, g, room, back)
    np.testing.assert_allclose(forward, matrix @ x, atol=1e-12)
    np.testing.assert_allclose(back, matrix.T @ g, atol=1e-12)
    np.testing.assert_allclose(conv_reference.convolved(kernel.reshape(-1), row, x.T), (matrix @ x).T, atol=1e-12)
    np.testing.assert_allclose(conv_reference.transposed(kernel.reshape(-1), row, g.T), (matrix.T @ g).T, atol=1e-12)
    conv_norm.slope(row, g[:, 0].copy(), x[:, 0].copy(), room, slope)
    direction = rng.standard_normal(kernel.shape)
    assert (slope * direction).sum() == pytest.approx(g[:, 0] @ dense(direction, row) @ x[:, 0])


def random_arrays(rng, plan, samples, dtype):
    layers, neurons = len(plan.layers), max(plan.neurons)
    there = np.arange(neurons) < np.array(plan.neurons)[:, None]

    def draw(*shape, scale=0.4):
        return (rng.standard_normal(shape) * scale).astype(dtype)

    def columns():
        return (
            np.tanh(draw(layers, samples, 3, neurons)) * np.array([1, 0.1, 0.1])[:, None] * there[:, None, None]
        ).astype(dtype)

    return {
        "shapes": plan.shapes, "ways": plan.ways.astype(dtype), "weights": draw(plan.weights),
        "alive": (rng.random((layers, neurons)) < 0.8).astype(dtype), "drive": draw(layers, samples, neurons),
        "inflow": draw(samples, int(np.prod(plan.picture))), "force": draw(samples, neurons, scale=0.1), "sigma": 0.9,
        "z": columns(), "s": columns(), "z_out": columns(), "s_out": columns(),
        "velocity": draw(layers, samples, neurons),
        "flips": rng.integers(0, 256, (layers, samples, neurons)).astype(np.uint8),
        "sums": np.full((layers, samples, SUMS), -1.0), "products": np.zeros((layers, samples, 16, neurons), dtype),
        "room": np.zeros((layers, samples, plan.neighbourhood), dtype),
    }  # fmt: skip


LAYER = st.fixed_dictionaries({
    "channels": st.integers(1, 4), "size": st.sampled_from([1, 3, 5]), "stride": st.integers(1, 3),
    "residual": st.booleans(),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    tables=st.lists(LAYER, min_size=1, max_size=5),
    picture=st.sampled_from([(5, 4), (7, 7), (4, 3, 3), (1, 1)]),
    samples=st.integers(1, 3),
    sigma=st.floats(0, 3),
    columns=st.sampled_from([1, 3]),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**31),
)
def test_numba_agrees_with_the_reference(tables, picture, samples, sigma, columns, dtype, seed):
    inputs = picture[2] if len(picture) == 3 else 1
    for table in tables:
        if table["residual"]:
            table["stride"], table["channels"] = 1, inputs
        inputs = table["channels"]
    ours = random_arrays(np.random.default_rng(seed), plan_of(*tables, picture=picture), samples, dtype)
    ours["sigma"] = sigma
    theirs = {name: np.copy(array) for name, array in ours.items()}
    theirs["sigma"] = sigma
    load_backend("numba").conv_tick(*ours.values(), columns)
    load_backend("numpy").conv_tick(*theirs.values(), columns)
    for name in ("z_out", "s_out", "velocity", "sums"):
        scale = max(1.0, float(np.abs(theirs[name]).max()))
        np.testing.assert_allclose(ours[name], theirs[name], atol=ROUNDING[dtype] * scale, err_msg=name)
    near_threshold = np.isclose(np.abs(theirs["velocity"]), 1e-3, rtol=1e-2)
    np.testing.assert_array_equal(ours["flips"][~near_threshold], theirs["flips"][~near_threshold])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_number_shows_in_the_reductions_of_its_sample(backend, bad, rng):
    plan = plan_of({"channels": 2}, {"channels": 2, "residual": True}, {"channels": 3, "stride": 2})
    arrays = random_arrays(rng, plan, 2, "float32")
    arrays["s"][1, 1, 0, 5] = bad
    with np.errstate(invalid="ignore"):
        load_backend(backend).conv_tick(*arrays.values(), 3)
    assert not np.isfinite(arrays["sums"][:, 1]).all()
    assert np.isfinite(arrays["sums"][:, 0]).all(), "the other sample must stay sound"

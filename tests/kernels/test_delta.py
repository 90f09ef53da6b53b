"""Changes as bytes: within the tolerance, back to the bit, and nothing outside is touched by bytes of any kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels import delta

VALUES = st.floats(width=32, allow_nan=True, allow_infinity=True)
TOLERANCES = st.sampled_from([(1e-6, 32.0), (1e-4, 1.0), (1e-2, 1e-2), (1e-2, 1e-20), (0.5, 1.0)])


def room(n):
    return np.zeros(delta.MOST * n + 1, np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.lists(arrays(np.float32, 7, elements=VALUES), min_size=1, max_size=6), TOLERANCES, st.data())
def test_values_come_back_within_the_tolerance_however_they_jump(states, tolerance, data):
    relative, knee = tolerance
    shown, level, known = np.zeros(7, np.float32), np.zeros(7, np.int32), np.zeros(7, np.int32)
    back, out = np.zeros(7, np.float32), room(7)
    for i, x in enumerate(states):
        fresh = i == 0 or data.draw(st.booleans())
        end, worst, _, _ = delta.encode_values(x, shown, level, relative, knee, fresh, out, 0)
        assert end <= out.size
        if fresh:
            known[:] = 0
        assert delta.decode_levels(out, 0, end, known) == end
        delta.values_of(known, relative, knee, back)
        assert np.array_equal(back, shown, equal_nan=True)
        fine = np.isfinite(x)
        assert np.array_equal(back[~fine], x[~fine], equal_nan=True)
        missed = np.abs(back[fine].astype(float) - x[fine]) / (
            relative * np.maximum(knee, np.abs(x[fine], dtype=float))
        )
        assert (missed <= 1).all()
        assert worst == pytest.approx(missed.max(initial=0), abs=1e-9)


def test_what_stays_within_the_tolerance_of_the_last_written_value_is_not_written_again():
    """Errors count from the value that was written, so a slow drift is caught up with and never adds up."""
    shown, level, out = np.zeros(1, np.float32), np.zeros(1, np.int32), room(1)
    path = np.linspace(0, 1, 5001, dtype=np.float32)
    written = 0
    for x in path:
        end, worst, _, _ = delta.encode_values(np.array([x]), shown, level, 0.01, 1.0, False, out, 0)
        written += end > 1
        assert worst <= 1
        assert abs(float(x) - float(shown[0])) <= 0.01
    assert 45 <= written <= 70, "about one change for each cell of 0.018"


def test_rest_costs_one_byte():
    x = np.linspace(-1, 1, 1000, dtype=np.float32)
    shown, level, out = np.zeros(1000, np.float32), np.zeros(1000, np.int32), room(1000)
    first = delta.encode_values(x, shown, level, 1e-4, 1.0, True, out, 0)
    again = delta.encode_values(x, shown, level, 1e-4, 1.0, False, out, 0)
    assert first[0] > 1000
    assert again[0] == 1
    assert again[2] == 0
    assert first[2] == pytest.approx(first[3])
    assert first[3] == pytest.approx(float((x.astype(float) ** 2).sum()), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, 6, elements=VALUES), arrays(np.float32, 6, elements=VALUES), TOLERANCES)
def test_predictions_are_corrected_where_they_fail(x, predicted, tolerance):
    relative, knee = tolerance
    out, back = room(6), predicted.copy()
    end, worst = delta.encode_predicted(x, predicted, relative, knee, out, 0)
    assert delta.decode_predicted(out, 0, end, back, relative, knee) == end
    fine = np.isfinite(x)
    assert np.array_equal(back[~fine], x[~fine], equal_nan=True)
    missed = np.abs(back[fine].astype(float) - x[fine]) / (relative * np.maximum(knee, np.abs(x[fine], dtype=float)))
    assert (missed <= 1).all()
    assert worst <= 1


def test_nothing_is_zero_without_a_sign():
    back = np.full(3, np.nan, np.float32)
    delta.values_of(np.zeros(3, np.int32), 1e-4, 1.0, back)
    assert not np.signbit(back).any()
    assert (back == 0).all()


def test_a_right_prediction_costs_one_byte():
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    assert delta.encode_predicted(x, x + np.float32(5e-5), 1e-4, 1.0, room(100), 0)[0] == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(arrays(np.int32, 5), min_size=1, max_size=4), st.lists(arrays(np.uint64, 5), min_size=1, max_size=4))
def test_whole_numbers_and_bit_patterns_come_back_exactly(wholes, patterns):
    level, back, out = np.zeros(5, np.int32), np.zeros(5, np.int32), room(5)
    for x in wholes:
        end = delta.encode_levels(x, level, False, out, 0)
        assert delta.decode_levels(out, 0, end, back) == end
        assert np.array_equal(back, x)
    known, bits = np.zeros(5, np.uint64), np.zeros(5, np.uint64)
    for x in patterns:
        end = delta.encode_numbers(x, known, False, out, 0)
        assert delta.decode_numbers(out, 0, end, bits) == end
        assert np.array_equal(bits, x)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_within_bounds(garbage):
    data = np.frombuffer(garbage, np.uint8)
    fence = 77
    wholes = np.full(24, fence, np.int32)
    bits, values = wholes.astype(np.uint64), wholes.astype(np.float32)
    ends = [
        delta.decode_levels(data, 0, data.size, wholes[8:16]),
        delta.decode_numbers(data, 0, data.size, bits[8:16]),
        delta.decode_predicted(data, 0, data.size, values[8:16], 1e-2, 1.0),
    ]
    assert all(-1 <= end <= data.size for end in ends)
    for array in (wholes, bits, values):
        assert (array[:8] == fence).all()
        assert (array[16:] == fence).all()

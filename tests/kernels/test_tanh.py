import numpy as np
import pytest

from kernels.tanh import tanh_of


@pytest.mark.parametrize(("dtype", "error"), [("float32", 5e-7), ("float64", 1e-15)])
def test_relative_error_over_the_whole_range(dtype, error):
    x = np.concatenate([np.linspace(-20, 20, 200_001), np.geomspace(1e-30, 1, 1000)]).astype(dtype)
    x = x[x != 0]
    out = np.empty_like(x)
    tanh_of(x, out)
    exact = np.tanh(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < error
    assert np.abs(out).max() <= 1


def test_nan_stays_nan_and_infinity_saturates():
    out = np.zeros(3, np.float32)
    tanh_of(np.array([np.nan, np.inf, -np.inf], np.float32), out)
    assert np.isnan(out[0])
    np.testing.assert_allclose(out[1:], [1, -1], atol=1e-6)

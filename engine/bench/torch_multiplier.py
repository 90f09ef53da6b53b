"""torch.bmm over the stack, where torch is installed; see `rivals.Multiplier`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.multipliers import flat

Array = NDArray[Any]


def import_torch() -> tuple[Any, str]:
    """The module and its version, or None and why there is none.

    Its OpenMP threads wait as torch wants them to, not as this program asks Numba's to: a fair start for a rival.
    """
    asked = {name: os.environ.pop(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT") if name in os.environ}
    try:
        import torch
    except Exception as error:
        return None, f"torch is missing ({type(error).__name__}: {error}); pip install 'toreq-observatory[bench]'"
    finally:
        os.environ.update(asked)
    return torch, str(torch.__version__)


class TorchMultiplier:
    """One torch.bmm for all layers, into an array that exists already."""

    def __init__(self, torch: Any, axis: int, threads: int) -> None:
        self.xp = torch
        self.axis = axis
        self.threads = threads

    @property
    def note(self) -> str:
        """Which variant this is."""
        layout = "(L, C, N)" if self.axis == 1 else "(L, N, C)"
        return f"bmm, columns {layout}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def prepare(self) -> None:
        """Set the number of threads."""
        self.xp.set_num_threads(self.threads)

    def array(self, values: Array) -> Any:
        """A tensor on the same memory."""
        return self.xp.from_numpy(values)

    def host(self, values: Any) -> Array:
        """An array on the same memory."""
        return np.asarray(values.numpy())

    def bind(self, matrices: Any, x: Any, out: Any, transposed: bool) -> Any:
        """What computes out[l] = A[l] x[l] for all layers and columns."""
        bmm = self.xp.bmm
        if transposed:
            matrices = matrices.transpose(1, 2)
        columns, columns_out = flat(x, self.axis), flat(out, self.axis)
        first, second = (columns, matrices.transpose(1, 2)) if self.axis == 1 else (matrices, columns)
        return lambda: bmm(first, second, out=columns_out)

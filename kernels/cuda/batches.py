"""Products of large batches by cuBLAS, laid out as the element-wise kernels read them: one tile of each kind.

A batch of B samples and C columns is a matrix of B * C rows: compute-bound from about eight samples on, where a tile
kernel that passes over the weights sample by sample has nothing left to save. Training uses this.
"""

from __future__ import annotations

from kernels.cuda.device import Buffer, Device

BLAS_FROM = 8
"""Batches of at least this many samples are multiplied by cuBLAS."""


class BatchProducts:
    """Products of both directions for all layers. `forward` (slabs, B, 1, 3, N), `back` (slabs, B, 1, C, N)."""

    def __init__(self, device: Device, forward: Buffer, back: Buffer) -> None:
        self._device = device
        slabs, samples, _, _, neurons = forward.shape
        self._forward = forward.reshape(slabs, samples, 3, neurons)
        self._back = back.reshape(slabs, samples, back.shape[3], neurons)
        self._packed: dict[int, Buffer] = {}

    def _rows(self, columns: int, layers: int) -> Buffer:
        """Scratch for the product of `columns` columns, contiguous."""
        if columns not in self._packed:
            _, samples, _, neurons = self._forward.shape
            self._packed[columns] = self._device.zeros((layers, samples * columns, neurons), "float32")
        return self._packed[columns]

    def _multiply(self, x: Buffer, matrix: Buffer, out: Buffer) -> None:
        layers, samples, columns, neurons = x.shape
        rows = self._rows(columns, layers)
        self._device.matmul(x.reshape(layers, samples * columns, neurons), matrix, rows)
        out[...] = rows.reshape(x.shape)

    def hopfield(self, W: Buffer, inflow: Buffer, s: Buffer, below: Buffer, columns: int) -> None:
        """W s_below and W^T s; `below` is scratch of the shape of `s`, (L, B, 3, N)."""
        with self._device.computing("batch products"):
            _shift(s, inflow, below)
            self._multiply(below[:, :, :columns], W.swapaxes(1, 2), self._forward[:, :, :columns])
            self._multiply(s[:, :, :columns], W, self._back[:, :, :columns])

    def recursive(
        self, R: Buffer, W: Buffer, inflow: Buffer, z: Buffer, s: Buffer, below: Buffer, share: float, columns: int
    ) -> None:
        """R z, W s_below, and R^T g, W^T g of the nudged columns' credit g."""
        layers = z.shape[0]
        with self._device.computing("batch products"):
            _shift(s, inflow, below)
            self._multiply(z[:, :, :columns], R.swapaxes(1, 2), self._forward[:layers, :, :columns])
            self._multiply(below[:, :, :columns], W.swapaxes(1, 2), self._forward[layers:, :, :columns])
            if columns > 1:
                free = z[:, :, :1]
                credit = (1 - free * free) * (z[:, :, 1:columns] + share * s[:, :, 1:columns])
                self._multiply(credit, R, self._back[:layers])
                self._multiply(credit, W, self._back[layers:])


def _shift(s: Buffer, inflow: Buffer, below: Buffer) -> None:
    below[1:] = s[:-1]
    below[0] = 0
    below[0, :, 0] = inflow

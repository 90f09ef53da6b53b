"""The walks of `kernels.sparse` along its cells for several samples, in vector instructions.

Samples are taken in tiles as wide as the registers can hold. Along the cells of a row of W, a tile of y stays in
registers, and one vector of x is loaded for each multiplication. Along the cells of a column, a vector of e serves both
gradients: times the weight it adds to that of x, and its product with x, summed over the samples, to that of the cell.
Four cells go side by side, so that one sum need not wait for another. What is read in no order, x or e, is first copied
to where every vector lies in one line of the cache: vectors across two lines take half as long again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from kernels.vectors import BYTES, INDEX, WORD, Writer, loop

TILES = 1, 2, 4, 8
"""Vectors of a tile; the narrowest is half a vector. What is left of the samples gets the narrowest that holds it."""
CELLS = 4
"""Side by side."""


class _Arguments(NamedTuple):
    """Of a walk along lines, rows or columns of W: addresses, and distances of rows of samples in bytes."""

    starts: Any
    """Where lines begin among the cells, (lines + 1,) int64."""
    index: Any
    """Row of the source for each cell of the lines, int32."""
    order: Any
    """Where that cell is in the list, int32; on the way back only."""
    weights: Any
    gradient: Any
    """Of the cells, added to; on the way back only."""
    source: Any
    next_source: Any
    own: Any
    """The lines' rows of x; on the way back only."""
    next_own: Any
    out: Any
    next_out: Any
    lines: Any
    heights: Any
    """Rows of the source."""
    left: Any
    """Samples from here on."""


class _Tile:
    """Writes the walk for one tile, of which the source is copied to the address `tile`."""

    def __init__(
        self, builder: Any, lanes: int, bits: int, vectors: int, given: _Arguments, tile: Any, back: bool
    ) -> None:
        self.write, self.builder = Writer(builder, lanes, bits), builder
        self.given, self.tile, self.back = given, tile, back
        self.offsets = [INDEX(v * lanes * bits // 8) for v in range(vectors)]
        self.size, self.width = INDEX(bits // 8), INDEX(vectors * lanes * bits // 8)
        self.masks = [self.write.mask(builder.sub(given.left, INDEX(v * lanes))) for v in range(vectors)]

    def whole(self) -> None:
        """All lines."""
        loop(self.builder, INDEX(0), self.given.heights, 1, [], self._copy)
        loop(self.builder, INDEX(0), self.given.lines, 1, [], self._line)

    def _copy(self, row: Any, nothing: list[Any]) -> list[Any]:
        """A row of the source to the tile, with zeros for samples that are not there."""
        place = self._at(self.tile, row, self.width)
        for v, vector in enumerate(self._row(self.given.source, row, self.given.next_source)):
            self.write.store(vector, self.builder.add(place, self.offsets[v]))
        return nothing

    def _line(self, line: Any, nothing: list[Any]) -> list[Any]:
        """A row of `out`, and with `back` what it gives to the gradients of its cells."""
        builder, given, vectors = self.builder, self.given, len(self.offsets)
        own = self._row(given.own, line, given.next_own) if self.back else []
        first = self._integer(given.starts, line, INDEX)
        last = self._integer(given.starts, builder.add(line, INDEX(1)), INDEX)
        rest = builder.sub(last, builder.and_(builder.sub(last, first), INDEX(CELLS - 1)))
        sums = [self.write.zero] * (vectors * max(CELLS // vectors, 1))
        sums = loop(builder, first, rest, CELLS, sums, lambda i, sums: self._cells(CELLS, i, own, sums))
        for k in range(vectors, len(sums)):
            sums[k % vectors] = builder.fadd(sums[k % vectors], sums[k])
        sums = loop(builder, rest, last, 1, sums[:vectors], lambda i, sums: self._cells(1, i, own, sums))
        out = self._at(given.out, line, given.next_out)
        for total, offset, mask in zip(sums, self.offsets, self.masks, strict=True):
            self.write.store(total, builder.add(out, offset), mask)
        return nothing

    def _cells(self, count: int, first: Any, own: list[Any], sums: list[Any]) -> list[Any]:
        """Some cells' weights times their rows of the source, added to the sums."""
        builder, given, write = self.builder, self.given, self.write
        products, places = [], []
        for c in range(count):
            i = builder.add(first, INDEX(c))
            cell = self._integer(given.order, i) if self.back else i
            weight = write.spread(self._at(given.weights, cell, self.size))
            row = self._at(self.tile, self._integer(given.index, i), self.width)
            product = write.zero
            for v, offset in enumerate(self.offsets):
                k = (c * len(self.offsets) + v) % len(sums)
                entries = write.load(builder.add(row, offset))
                sums[k] = write.plus(weight, entries, sums[k])
                product = write.plus(entries, own[v], product) if self.back else product
            products.append(product)
            places.append(write.at(self._at(given.gradient, cell, self.size), write.number))
        if self.back:
            for total, place in zip(write.sums(products), places, strict=True):
                builder.store(builder.fadd(builder.load(place), total), place)
        return sums

    def _row(self, array: Any, row: Any, distance: Any) -> list[Any]:
        place = self._at(array, row, distance)
        found = zip(self.offsets, self.masks, strict=True)
        return [self.write.load(self.builder.add(place, offset), mask) for offset, mask in found]

    def _at(self, array: Any, i: Any, distance: Any) -> Any:
        return self.builder.add(array, self.builder.mul(i, distance))

    def _integer(self, array: Any, i: Any, kind: Any = WORD) -> Any:
        found = self.builder.load(self.write.at(self._at(array, i, INDEX(kind.width // 8)), kind))
        return self.builder.sext(found, INDEX) if kind is WORD else found


def _walk(back: bool) -> Any:
    """An intrinsic for one tile of all lines; returns how many samples that is. Of the arrays only the types count."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = signature.args[0][0].dtype.bitwidth
        given = _Arguments(*cgutils.unpack_tuple(builder, arguments[3]))
        room = builder.ptrtoint(context.make_array(signature.args[2])(context, builder, arguments[2]).data, INDEX)
        begin = builder.and_(builder.add(room, INDEX(BYTES - 1)), INDEX(-BYTES))
        taken = cgutils.alloca_once(builder, INDEX)

        def choose(sizes: list[tuple[int, int]]) -> None:
            (lanes, vectors), *wider = sizes
            samples = INDEX(lanes * vectors)
            fits = builder.icmp_signed("<=", given.left, samples) if wider else ir.Constant(ir.IntType(1), 1)
            with builder.if_else(fits) as (this, another):
                with this:
                    _Tile(builder, lanes, bits, vectors, given, begin, back).whole()
                    builder.store(samples, taken)
                with another:
                    if wider:
                        choose(wider)

        lanes = 8 * BYTES // bits
        choose([(max(lanes // 2, 4), 1), *[(lanes, vectors) for vectors in TILES]])
        return builder.load(taken)

    @intrinsic
    def walk(typing_context: Any, numbers: Any, lists: Any, room: Any, given: Any) -> Any:
        kinds, (starts, *others) = {array.dtype for array in numbers}, lists
        if len(kinds) > 1 or not kinds <= {types.float32, types.float64}:
            raise TypingError(f"weights and samples must all be float32 or all float64, not {sorted(map(str, kinds))}")
        if starts.dtype != types.int64 or any(array.dtype != types.int32 for array in others):
            raise TypingError(f"starts must be int64 and other lists int32, not {[str(a.dtype) for a in lists]}")
        return types.intp(numbers, lists, room, given), code

    return walk


_forward, _back = _walk(back=False), _walk(back=True)


@njit(error_model="numpy")
def _side_by_side(x: Any) -> None:
    if x.strides[1] != x.itemsize:
        raise ValueError("the samples of a row must lie side by side")


@njit(error_model="numpy")
def _room(source: Any) -> Any:
    """For the widest tile of these samples, and to begin where a line of the cache does."""
    vectors = min(source.shape[1] * source.itemsize // BYTES * 2 + 1, TILES[-1])
    return np.empty((source.shape[0] * vectors + 1) * BYTES, np.uint8)


@njit(error_model="numpy")
def weigh_many(starts: Any, columns: Any, values: Any, x: Any, y: Any) -> None:
    """y (R, B) = W x (F, B)."""
    _side_by_side(x)
    _side_by_side(y)
    room, done = _room(x), 0
    while done < x.shape[1]:
        at = done * x.itemsize
        given = (
            starts.ctypes.data, columns.ctypes.data, 0, values.ctypes.data, 0, x.ctypes.data + at, x.strides[0], 0, 0,
            y.ctypes.data + at, y.strides[0], starts.size - 1, x.shape[0], x.shape[1] - done,
        )  # fmt: skip
        done += _forward((values, x, y), (starts, columns), room, given)


@njit(error_model="numpy")
def gradients_many(starts: Any, order: Any, rows: Any, values: Any, e: Any, x: Any, cells: Any, back: Any) -> None:
    """cells (nnz,) = e[row] . x[column], and back (F, B) = W^T e (R, B); `starts`, `order` and `rows` by column."""
    _side_by_side(e)
    _side_by_side(x)
    _side_by_side(back)
    room, done = _room(e), 0
    cells[:] = 0
    while done < x.shape[1]:
        at = done * x.itemsize
        given = (
            starts.ctypes.data, rows.ctypes.data, order.ctypes.data, values.ctypes.data, cells.ctypes.data,
            e.ctypes.data + at, e.strides[0], x.ctypes.data + at, x.strides[0], back.ctypes.data + at, back.strides[0],
            starts.size - 1, e.shape[0], x.shape[1] - done,
        )  # fmt: skip
        done += _back((values, e, x, cells, back), (starts, rows, order), room, given)

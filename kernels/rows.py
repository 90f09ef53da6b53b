"""Walks over four rows of a matrix, written in vector instructions, for both directions at once.

The compiler makes vectors of a plain loop too, but with a few hundred entries a row it loses as much time between two
loops as in them: it checks that arrays do not overlap, sums every accumulator by itself, and goes over the weights a
second time for the way back. Here both ways share one loop, four rows are summed together by transposing them, and the
loop asks for the weights of a later block while it computes: the live case, three columns, takes half the time.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kernels.half import weight

LANES = 16 if llvm.get_host_cpu_features().get("avx512f") else 8
"""Entries of a vector."""

_FLOAT, _INDEX, _BYTE, _WORD = ir.FloatType(), ir.IntType(64), ir.IntType(8), ir.IntType(32)
_AHEAD = 2
_VECTOR = ir.VectorType(_FLOAT, LANES)


class _Writer:
    """Writes vector code into a function under construction."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        module = builder.module
        fused = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self._fused = cgutils.get_or_insert_function(module, fused, f"llvm.fmuladd.v{LANES}f32")
        ask = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _WORD, _WORD, _WORD])
        self._ask = cgutils.get_or_insert_function(module, ask, "llvm.prefetch.p0")

    def at(self, address: Any, kind: Any) -> Any:
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address: Any, half: bool = False) -> Any:
        if not half:
            return self.builder.load(self.at(address, _VECTOR), align=4)
        narrow = self.builder.load(self.at(address, ir.VectorType(ir.HalfType(), LANES)), align=2)
        return self.builder.fpext(narrow, _VECTOR)

    def plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c."""
        return self.builder.call(self._fused, [a, b, c])

    def prefetch(self, address: Any) -> None:
        self.builder.call(self._ask, [self.at(address, _BYTE), _WORD(0), _WORD(3), _WORD(1)])

    def spread(self, address: Any) -> Any:
        """The float at an address in every lane."""
        value = self.builder.load(self.at(address, _FLOAT), align=4)
        single = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _WORD(0))
        return self.shuffle(single, single, [0] * LANES)

    def shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_WORD, len(order)), order))

    def sums(self, rows: list[Any]) -> Any:
        """The four sums over the lanes of four vectors, as one vector of four."""
        low = [start + lane for start in range(0, LANES, 4) for lane in (0, LANES, 1, LANES + 1)]
        high = [lane + 2 for lane in low]
        front = [start + lane for start in range(0, LANES, 4) for lane in (0, 1, LANES, LANES + 1)]
        back = [lane + 2 for lane in front]
        pairs = [self._folded(rows[i], rows[i + 1], low, high) for i in (0, 2)]
        total = self._folded(pairs[0], pairs[1], front, back)
        width = LANES
        while width > 4:
            width //= 2
            total = self._folded(total, total, list(range(width)), list(range(width, 2 * width)))
        return total

    def _folded(self, a: Any, b: Any, one: list[int], other: list[int]) -> Any:
        return self.builder.fadd(self.shuffle(a, b, one), self.shuffle(a, b, other), flags=("reassoc",))


def _walk(columns: int, backs: int) -> Any:
    """An intrinsic for products of four rows with `columns` columns and transposed ones with `backs` columns.

    All but the matrix, of which only the type counts, are addresses and distances in bytes: a and apart, four rows of
    weights; x and next_x, columns; y, next_y and next_row, where results go; g with next_g, and v with next_v, the way
    back; later, the first of the four rows to prefetch; size of a row of x, a multiple of LANES floats.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, apart, x, next_x, y, next_y, next_row, g, next_g, v, next_v, later, size = arguments[1:]
        half = signature.args[0].dtype.bitwidth == 16
        write = _Writer(builder)

        def move(start: Any, count: int, distance: Any) -> Any:
            return builder.add(start, builder.mul(distance, _INDEX(count)))

        factors = [[write.spread(move(move(g, c, next_g), r, next_row)) for r in range(4)] for c in range(backs)]
        before = builder.block
        loop, done = builder.append_basic_block("walk"), builder.append_basic_block("walked")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(_INDEX)
        sums = [[builder.phi(_VECTOR) for _ in range(4)] for _ in range(columns)]
        in_row = builder.lshr(at, _INDEX(1)) if half else at
        weights = [write.load(builder.add(move(a, r, apart), in_row), half) for r in range(4)]
        for r in range(4):
            write.prefetch(builder.add(move(later, r, apart), in_row))
        grown = []
        for c in range(columns):
            entries = write.load(builder.add(move(x, c, next_x), at))
            grown.append([write.plus(weights[r], entries, sums[c][r]) for r in range(4)])
        for c in range(backs):
            where = builder.add(move(v, c, next_v), at)
            total = write.load(where)
            for r in range(4):
                total = write.plus(weights[r], factors[c][r], total)
            builder.store(total, write.at(where, _VECTOR), align=4)
        following = builder.add(at, _INDEX(4 * LANES))
        at.add_incoming(_INDEX(0), before)
        at.add_incoming(following, loop)
        for old, new in zip(chain(*sums), chain(*grown), strict=True):
            old.add_incoming(ir.Constant(_VECTOR, [0.0] * LANES), before)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, size), loop, done)
        builder.position_at_end(done)
        for c in range(columns):
            four = write.sums(grown[c])
            for r in range(4):
                where = write.at(move(move(y, c, next_y), r, next_row), _FLOAT)
                builder.store(builder.extract_element(four, _WORD(r)), where, align=4)
        return context.get_dummy_value()

    @intrinsic
    def walk(
        typing_context: Any, matrix: Any, a: Any, apart: Any, x: Any, next_x: Any, y: Any, next_y: Any, next_row: Any,
        g: Any, next_g: Any, v: Any, next_v: Any, later: Any, size: Any,
    ) -> Any:  # fmt: skip
        return types.void(matrix, *[types.intp] * 13), code

    return walk


_one_and_one, _three_and_two, _three_and_three = _walk(1, 1), _walk(3, 2), _walk(3, 3)


@njit(error_model="numpy", inline="always")
def vectors_fit(A: Any, X: Any, columns: int, first: int) -> Any:
    """Whether `both_ways` has a walk for this: float32 or half-precision weights, float32 columns, all rows dense."""
    known = (columns == 1 and first == 0) or (columns == 3 and first < 2)
    dense = A.strides[1] == A.itemsize and X.strides[1] == X.itemsize
    return known and dense and A.itemsize <= 4 and X.itemsize == 4 and A.shape[0] >= LANES


@njit(error_model="numpy")
def both_ways(A: Any, X: Any, Y: Any, G: Any, V: Any, columns: int, first: int, following: Any) -> None:
    """For all rows but the last n modulo 4: Y[c] = A X[c], and A^T G[c - first] added to V[c - first] for c >= first.

    A (n, n), where `vectors_fit`; X, Y (columns, n); G, V (columns - first, n); `following` is walked through next.
    """
    n = A.shape[0]
    full = n - n % LANES
    quarter, row, size = n // 4, A.strides[0], 4 * full
    apart = quarter * row
    x, next_x, y, next_y = X.ctypes.data, X.strides[0], Y.ctypes.data, Y.strides[0]
    g, next_g, v, next_v = G.ctypes.data, G.strides[0], V.ctypes.data, V.strides[0]
    for i in range(quarter):
        a, at, ahead = A.ctypes.data + i * row, 4 * i, i + _AHEAD
        later = A.ctypes.data + ahead * row if ahead < quarter else following.ctypes.data + (ahead - quarter) * row
        if columns == 1:
            _one_and_one(A, a, apart, x, 0, y + at, 0, 4 * quarter, g + at, 0, v, 0, later, size)
        elif first == 1:
            _three_and_two(A, a, apart, x, next_x, y + at, next_y, 4 * quarter, g + at, next_g, v, next_v, later, size)
        else:
            _three_and_three(
                A, a, apart, x, next_x, y + at, next_y, 4 * quarter, g + at, next_g, v, next_v, later, size
            )
    if full < n:
        for i in range(4 * quarter):
            for j in range(full, n):
                entry = weight(A[i, j])
                for c in range(columns):
                    Y[c, i] += entry * X[c, j]
                for c in range(columns - first):
                    V[c, j] += entry * G[c, i]

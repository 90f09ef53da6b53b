"""Walks over four rows of a matrix, written in vector instructions, for both directions at once.

The compiler makes vectors of a plain loop too, but with a few hundred entries a row it loses as much time between two
loops as in them: it checks that arrays do not overlap, sums every accumulator by itself, and goes over the weights a
second time for the way back. Here both ways share one loop, four rows are summed together by transposing them, and the
loop asks for the weights of a later block while it computes: the live case, three columns, takes half the time.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from numba import njit, types
from numba.extending import intrinsic

from kernels.half import weight
from kernels.vectors import BYTES, FLOAT, INDEX, Writer

LANES = BYTES // 4
"""Entries of a vector."""

_AHEAD = 2


def _walk(columns: int, backs: int) -> Any:
    """An intrinsic for products of four rows with `columns` columns and transposed ones with `backs` columns.

    All but the matrix, of which only the type counts, are addresses and distances in bytes: a and apart, four rows of
    weights; x and next_x, columns; y, next_y and next_row, where results go; g with next_g, and v with next_v, the way
    back; later, the first of the four rows to prefetch; size of a row of x, a multiple of LANES floats.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, apart, x, next_x, y, next_y, next_row, g, next_g, v, next_v, later, size = arguments[1:]
        half = signature.args[0].dtype.bitwidth == 16
        write = Writer(builder, LANES)
        load = write.load_half if half else write.load

        def move(start: Any, count: int, distance: Any) -> Any:
            return builder.add(start, builder.mul(distance, INDEX(count)))

        factors = [[write.spread(move(move(g, c, next_g), r, next_row)) for r in range(4)] for c in range(backs)]
        before = builder.block
        loop, done = builder.append_basic_block("walk"), builder.append_basic_block("walked")
        builder.branch(loop)
        builder.position_at_end(loop)
        at = builder.phi(INDEX)
        sums = [[builder.phi(write.vector) for _ in range(4)] for _ in range(columns)]
        in_row = builder.lshr(at, INDEX(1)) if half else at
        weights = [load(builder.add(move(a, r, apart), in_row)) for r in range(4)]
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
            write.store(total, where)
        following = builder.add(at, INDEX(4 * LANES))
        at.add_incoming(INDEX(0), before)
        at.add_incoming(following, loop)
        for old, new in zip(chain(*sums), chain(*grown), strict=True):
            old.add_incoming(write.zero, before)
            old.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, size), loop, done)
        builder.position_at_end(done)
        for c in range(columns):
            for r, total in enumerate(write.sums(grown[c])):
                builder.store(total, write.at(move(move(y, c, next_y), r, next_row), FLOAT), align=4)
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

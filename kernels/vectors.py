"""Vector instructions, written into a Numba function under construction: what compilers make of loops is often less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils

BYTES = 64 if llvm.get_host_cpu_features().get("avx512f") else 32
"""Size of a vector."""
FLOAT, INDEX, WORD = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_BYTE = ir.IntType(8)
_NAMES = {32: (FLOAT, "f32"), 64: (ir.DoubleType(), "f64")}


class Writer:
    """Writes vectors of `lanes` numbers of `bits` bits, float or double. Addresses are integers, in bytes."""

    def __init__(self, builder: Any, lanes: int, bits: int = 32) -> None:
        self.builder, self.lanes, self.size = builder, lanes, bits // 8
        self.number, name = _NAMES[bits]
        self.vector = ir.VectorType(self.number, lanes)
        self.zero = ir.Constant(self.vector, [0.0] * lanes)
        self._name = f"v{lanes}{name}"
        self._fused = self._known(f"llvm.fmuladd.{self._name}", self.vector, [self.vector] * 3)

    def at(self, address: Any, kind: Any) -> Any:
        """A pointer."""
        return self.builder.inttoptr(address, kind.as_pointer())

    def load(self, address: Any, mask: Any = None) -> Any:
        """A vector; with a mask, 0 in the lanes that it hides, and the memory under them need not exist."""
        place = self.at(address, self.vector)
        if mask is None:
            return self.builder.load(place, align=self.size)
        kinds = [place.type, WORD, mask.type, self.vector]
        load = self._known(f"llvm.masked.load.{self._name}.p0", self.vector, kinds)
        return self.builder.call(load, [place, WORD(self.size), mask, self.zero])

    def load_half(self, address: Any) -> Any:
        """A vector from half-precision numbers."""
        narrow = self.builder.load(self.at(address, ir.VectorType(ir.HalfType(), self.lanes)), align=2)
        return self.builder.fpext(narrow, self.vector)

    def store(self, vector: Any, address: Any, mask: Any = None) -> None:
        """A vector, or the lanes of it that a mask does not hide."""
        place = self.at(address, self.vector)
        if mask is None:
            self.builder.store(vector, place, align=self.size)
            return
        kinds = [self.vector, place.type, WORD, mask.type]
        store = self._known(f"llvm.masked.store.{self._name}.p0", ir.VoidType(), kinds)
        self.builder.call(store, [vector, place, WORD(self.size), mask])

    def mask(self, count: Any) -> Any:
        """Hides all lanes but the first `count`."""
        kind = ir.VectorType(INDEX, self.lanes)
        single = self.builder.insert_element(ir.Constant(kind, ir.Undefined), count, WORD(0))
        counts = self.shuffle(single, single, [0] * self.lanes)
        return self.builder.icmp_signed("<", ir.Constant(kind, list(range(self.lanes))), counts)

    def plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c."""
        return self.builder.call(self._fused, [a, b, c])

    def prefetch(self, address: Any) -> None:
        """Ask for a line of the cache."""
        ask = self._known("llvm.prefetch.p0", ir.VoidType(), [_BYTE.as_pointer(), WORD, WORD, WORD])
        self.builder.call(ask, [self.at(address, _BYTE), WORD(0), WORD(3), WORD(1)])

    def spread(self, address: Any) -> Any:
        """The number at an address in every lane."""
        value = self.builder.load(self.at(address, self.number), align=self.size)
        single = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, WORD(0))
        return self.shuffle(single, single, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        """Lanes of a, counted from 0, and of b, counted on from there."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(WORD, len(order)), order))

    def sums(self, rows: list[Any]) -> list[Any]:
        """The sums over the lanes of four vectors, or of one: numbers."""
        lanes = self.lanes
        if len(rows) == 1:
            return [self.builder.extract_element(self._halved(rows[0], 1), WORD(0))]
        low = [start + lane for start in range(0, lanes, 4) for lane in (0, lanes, 1, lanes + 1)]
        high = [lane + 2 for lane in low]
        front = [start + lane for start in range(0, lanes, 4) for lane in (0, 1, lanes, lanes + 1)]
        back = [lane + 2 for lane in front]
        pairs = [self._folded(rows[i], rows[i + 1], low, high) for i in (0, 2)]
        four = self._halved(self._folded(pairs[0], pairs[1], front, back), 4)
        return [self.builder.extract_element(four, WORD(r)) for r in range(4)]

    def _halved(self, vector: Any, until: int) -> Any:
        width = self.lanes
        while width > until:
            width //= 2
            vector = self._folded(vector, vector, list(range(width)), list(range(width, 2 * width)))
        return vector

    def _folded(self, a: Any, b: Any, one: list[int], other: list[int]) -> Any:
        return self.builder.fadd(self.shuffle(a, b, one), self.shuffle(a, b, other), flags=("reassoc",))

    def _known(self, name: str, result: Any, arguments: list[Any]) -> Any:
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, arguments), name)


def loop(
    builder: Any, first: Any, last: Any, step: int, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """for i in range(first, last, step): carried = body(i, carried); what is carried at the end."""
    before = builder.block
    head, inside, done = (builder.append_basic_block(name) for name in ("loop", "inside", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    i, values = builder.phi(INDEX), [builder.phi(value.type) for value in carried]
    builder.cbranch(builder.icmp_signed("<", i, last), inside, done)
    builder.position_at_end(inside)
    following = [builder.add(i, INDEX(step)), *body(i, list(values))]
    end = builder.block
    builder.branch(head)
    for phi, start, new in zip([i, *values], [first, *carried], following, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(new, end)
    builder.position_at_end(done)
    return values

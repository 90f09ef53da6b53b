"""The equations that a graph has found, in the stream's own units: what its cells, lines and taps come to.

A tick changes a number by

    x_r(t + dt) - x_r(t) = spread_r unit_r sum_f W[r, f] term_f

and terms are made of scaled numbers (x - centre) / spread. Products are multiplied out and equal terms collected, so
nothing is lost and nothing is fitted. Divided by dt this is the right side of x_r' = ... as Euler's method reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import erf, exp, pi, prod, sqrt

from engine.networks.growing.report import Growth
from engine.networks.growing.wiring import Wiring
from kernels.sparse import BELOW, CONSTANT, LINE, PRODUCT

SMALL = 1e-2
"""Terms with less than this share of the largest effect are left out of the words."""
RAISED = {2: "²", 3: "³"}


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """A number as it was `late` ticks ago, or its backward difference of some order."""

    number: int
    late: int = 0
    order: int = 0

    def words(self, wiring: Wiring) -> str:
        """With a Δ for each difference."""
        difference = f"Δ{RAISED.get(self.order, '' if self.order < 2 else f'^{self.order}')}" if self.order else ""
        return f"{difference}{wiring.name(self.number)}{f'(t - {self.late})' if self.late else ''}"

    def size(self, wiring: Wiring) -> float:
        """Its root mean square."""
        if self.number >= len(wiring.names):
            return float(wiring.scale[self.order, self.number]) if self.order else 1.0
        spread = float(wiring.spread[self.number])
        if self.order:
            return float(wiring.scale[self.order, self.number]) * spread
        return sqrt(float(wiring.centre[self.number]) ** 2 + spread**2)


@dataclass(frozen=True, slots=True)
class Hinge:
    """max(0, sum of weights and what is seen - knot), or with `below` max(0, knot - sum)."""

    line: tuple[tuple[Seen, float], ...]
    knot: float
    below: bool

    def words(self, wiring: Wiring) -> str:
        """As a maximum."""
        line = join([(weight, seen.words(wiring)) for seen, weight in self.line])
        if not self.below:
            return f"max(0, {join([(1.0, line), (-self.knot, '')])})"
        mirrored = join([(self.knot, ""), *((-weight, seen.words(wiring)) for seen, weight in self.line)])
        return f"max(0, {mirrored})"

    def size(self, wiring: Wiring) -> float:
        """Its root mean square if its first number were Gaussian."""
        number = self.line[0][0].number
        inside = number < len(wiring.names)
        centre, spread = (float(wiring.centre[number]), float(wiring.spread[number])) if inside else (0.0, 1.0)
        z = (self.knot - centre) / spread * (-1 if self.below else 1)
        square = (1 + z * z) * 0.5 * (1 - erf(z / sqrt(2))) - z * exp(-z * z / 2) / sqrt(2 * pi)
        return spread * sqrt(max(square, 0.0))


Factor = Seen | Hinge
Sum = dict[tuple[Factor, ...], float]
"""Coefficients of products; of no factor, that of the constant."""


@dataclass(frozen=True, slots=True)
class Part:
    """One term of an equation."""

    coefficient: float
    factors: tuple[Factor, ...]
    what: str
    effect: float
    """Size of the coefficient times the root mean squares of its factors."""

    def reads(self) -> set[int]:
        """Numbers and pools."""
        return {seen.number for f in self.factors for seen in ((f,) if isinstance(f, Seen) else (s for s, _ in f.line))}


@dataclass(frozen=True)
class Equation:
    """What a number's rate of change is said to be; `parts` with the largest effect first."""

    row: int
    name: str
    parts: tuple[Part, ...]

    @cached_property
    def told(self) -> tuple[Part, ...]:
        """Parts that are not small."""
        return tuple(part for part in self.parts if part.effect >= SMALL * self.parts[0].effect)

    @cached_property
    def text(self) -> str:
        """Such as `x' = 10 y - 10 x`."""
        return f"{self.name}' = {join([(part.coefficient, part.what) for part in self.told])}"


def join(parts: list[tuple[float, str]]) -> str:
    """A sum in words, coefficients to three digits; "0" without parts."""
    found = ""
    for coefficient, what in parts:
        size = f"{abs(coefficient):.3g}"
        told = what if size == "1" and what else f"{size} {what}".rstrip()
        if found:
            found += f" {'-' if coefficient < 0 else '+'} {told}"
        else:
            found = f"-{told}" if coefficient < 0 else told
    return found or "0"


def equations(growth: Growth) -> tuple[Equation, ...]:
    """One for each number of a graph whose report carries its wiring. Raises ValueError without it."""
    wiring = growth.wiring
    if wiring is None:
        raise ValueError("this report does not carry its wiring")
    lines = [_line(wiring, line) for line in range(len(wiring.source))]
    sums: list[Sum] = [{} for _ in wiring.names]
    for (row, column), value in zip(growth.cells.tolist(), growth.values.tolist(), strict=True):
        weight = value * float(wiring.spread[row] * wiring.unit[row]) / wiring.dt
        for factors, coefficient in _term(wiring, column, lines).items():
            sums[row][factors] = sums[row].get(factors, 0.0) + weight * coefficient
    return tuple(Equation(row, wiring.names[row], tuple(_parts(wiring, found))) for row, found in enumerate(sums))


def _line(wiring: Wiring, line: int) -> Sum:
    """A line in own units."""
    number, late = int(wiring.source[line]), int(wiring.latency[line])
    inside = number < len(wiring.names)
    centre, spread = (float(wiring.centre[number]), float(wiring.spread[number])) if inside else (0.0, 1.0)
    found: Sum = {}
    for order, tap in enumerate(wiring.taps[line].tolist()):
        if tap:
            weight = tap / float(wiring.scale[order, number])
            found[(Seen(number, late, order),)] = weight / spread
            if order == 0:
                found[()] = -weight * centre / spread
    return found


def _term(wiring: Wiring, column: int, lines: list[Sum]) -> Sum:
    kind = int(wiring.kinds[column])
    if kind == CONSTANT:
        return {(): 1.0}
    left = lines[int(wiring.left[column])]
    if kind == LINE:
        return left
    if kind == PRODUCT:
        return _product(left, lines[int(wiring.right[column])])
    first = next(factors for factors in left if factors)
    unit = left[first]
    line = tuple((seen, weight / unit) for (seen,), weight in ((f, w) for f, w in left.items() if f))
    knot = (float(wiring.knots[column]) - left.get((), 0.0)) / unit
    # A line's first tap is 1, so its first weight is above 0.
    return {(Hinge(line, knot, kind == BELOW),): unit}  # type: ignore[arg-type]


def _product(left: Sum, right: Sum) -> Sum:
    found: Sum = {}
    for one, a in left.items():
        for other, b in right.items():
            factors = tuple(sorted((*one, *other)))  # type: ignore[type-var]
            found[factors] = found.get(factors, 0.0) + a * b
    return found


def _parts(wiring: Wiring, found: Sum) -> Iterator[Part]:
    parts = [
        Part(
            coefficient,
            factors,
            _words(wiring, factors),
            abs(coefficient) * prod(factor.size(wiring) for factor in factors),
        )
        for factors, coefficient in found.items()
        if coefficient
    ]
    yield from sorted(parts, key=lambda part: -part.effect)


def _words(wiring: Wiring, factors: tuple[Factor, ...]) -> str:
    words = [factor.words(wiring) for factor in factors]
    if len(words) == 2 and words[0] == words[1]:
        return f"{words[0]}^2"
    return " ".join(words)

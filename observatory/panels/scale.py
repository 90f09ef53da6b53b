"""How a knob's value maps to a slider's position and to text."""

from __future__ import annotations

import math

from engine.knobs import Knob

STEPS = 1000
_LOG_SPAN = 1e6


def steps(knob: Knob) -> int:
    """Number of slider positions: each whole number for short integer ranges, else STEPS."""
    return min(STEPS, int(knob.high - knob.low)) if knob.scale in ("integer", "switch") else STEPS


def _grows(knob: Knob) -> bool:
    """Whether equal distances are equal factors: log knobs, and whole numbers over a wide range."""
    return knob.scale == "log" or (knob.scale == "integer" and knob.high - knob.low > STEPS)


def _floor(knob: Knob) -> float:
    if knob.low > 0:
        return knob.low
    return 1.0 if knob.scale == "integer" else knob.high / _LOG_SPAN


def to_fraction(knob: Knob, value: float) -> float:
    """Where `value` lies between the knob's ends, 0 to 1. A log knob that starts at 0 spans six decades."""
    if knob.high <= knob.low:
        return 0.0
    if _grows(knob):
        floor = _floor(knob)
        return math.log(max(value, floor) / floor) / math.log(knob.high / floor)
    return (value - knob.low) / (knob.high - knob.low)


def from_fraction(knob: Knob, fraction: float) -> float:
    """The value at that fraction, rounded to what a person would type, always inside the range."""
    if fraction <= 0:
        return knob.low
    if fraction >= 1:
        return knob.high
    span = knob.high - knob.low
    if _grows(knob):
        value = float(f"{_floor(knob) * (knob.high / _floor(knob)) ** fraction:.3g}")
    else:
        value = knob.low + fraction * span
        if knob.scale == "linear":
            value = round(value, max(0, 3 - math.floor(math.log10(span))))
    if knob.scale in ("integer", "switch"):
        value = float(round(value))
    return min(knob.high, max(knob.low, value))


def to_text(knob: Knob, value: float) -> str:
    """The value as short text."""
    if knob.scale == "choice":
        return knob.choices[int(value)]
    return f"{value:.0f}" if knob.scale in ("integer", "switch") else f"{value:.4g}"

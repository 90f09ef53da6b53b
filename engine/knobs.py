"""A knob: a live parameter with its range and its words, from which the window builds its sliders."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

Scale = Literal["linear", "log", "integer", "switch", "choice"]


class KnobError(ValueError):
    """A knob that does not exist, or a value outside its range; the message is one readable line."""


@dataclass(frozen=True, slots=True)
class Knob:
    """A live parameter.

    `scale` says how a slider should move: "linear" and "log" are real numbers, "integer" whole ones,
    "switch" is 0.0 or 1.0, "choice" the index of one of `choices`, which can also be given by name.
    `unit` is "" for pure numbers. `doc` is for the tooltip. Knobs of the same `group` stand together.
    """

    value: float
    low: float
    high: float
    unit: str
    doc: str
    scale: Scale = "linear"
    choices: tuple[str, ...] = ()
    group: str = ""
    edge: float | None = None
    """Where the map ceases to contract, if that is known of this knob."""

    def set_to(self, name: str, value: float | str) -> Knob:
        """The same knob at `value`; raises KnobError when it is not finite, out of range or no choice."""
        if isinstance(value, str):
            if value not in self.choices:
                allowed = f"one of: {', '.join(self.choices)}" if self.choices else "a number"
                raise KnobError(f"{name} = {value} must be {allowed}")
            value = self.choices.index(value)
        if not math.isfinite(value) or not self.low <= value <= self.high:
            raise KnobError(f"{name} = {value:g} is outside its range {self.low:g} to {self.high:g}")
        if self.scale in ("integer", "switch", "choice") and value != round(value):
            raise KnobError(f"{name} = {value:g} must be a whole number")
        return replace(self, value=float(value))

    @property
    def choice(self) -> str:
        """Name of the choice that is taken."""
        return self.choices[int(self.value)]


def choice_knob(choices: tuple[str, ...], doc: str, group: str = "") -> Knob:
    """A knob that takes one of `choices`, the first to begin with."""
    return Knob(0, 0, len(choices) - 1, "", doc, "choice", choices, group)


def set_knob(knobs: dict[str, Knob], name: str, value: float | str) -> None:
    """Move one knob of a table; raises KnobError naming the knobs there are."""
    if name not in knobs:
        raise KnobError(f"unknown parameter '{name}'; there are: {', '.join(sorted(knobs))}")
    knobs[name] = knobs[name].set_to(name, value)

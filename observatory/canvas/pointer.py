"""What is under the pointer, and when it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtWidgets import QWidget

from engine.frame import Frame


@dataclass(frozen=True, slots=True)
class Neuron:
    """The neuron under the pointer: layer counts from 1, row and column from 0; the values are signed.

    `density` is its number of synapses, None where the network has no such number. In a tile within a tile, which
    `part` names, row and column are those of the part.
    """

    layer: int
    row: int
    column: int
    activation: float
    velocity: float
    nudge: float
    flags: int
    density: float | None = None
    part: str = ""


def neuron_of(frame: Frame, layer: int, row: int, column: int) -> Neuron:
    """A neuron of a frame by its place."""
    at = layer - 1, row * frame.layout.width + column
    part = frame.layout.part_at(layer, row, column)
    return Neuron(
        layer,
        row - (part.top if part else 0),
        column - (part.left if part else 0),
        float(frame.activation[at]),
        float(frame.velocity[at]),
        float(frame.nudge[at]),
        int(frame.flags[at]),
        None if frame.density is None else float(frame.density[at]),
        part.name if part else "",
    )


class LeaveWatch(QObject):
    """Calls back when the pointer leaves a widget, which vispy does not tell. Lives as long as the widget."""

    def __init__(self, widget: QWidget, left: Callable[[], None]) -> None:
        super().__init__(widget)
        self._left = left
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look at an event and let it pass."""
        if event is not None and event.type() == QEvent.Type.Leave:
            self._left()
        return False

"""The status bar: steady figures that are rewritten twice a second, so that nothing flickers."""

from __future__ import annotations

import time

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QLabel, QStatusBar, QWidget

from engine.frame import ABLATED, UNUSED, Frame
from observatory import palette
from observatory.canvas.pointer import Neuron

_SMOOTHING = 0.4
_PERIOD_MS = 500
_SETTLING = "T relax: ticks until the network rested. D nudge: layers the nudge reaches"

_ENTRAINED = (
    "Entrained: ticks until no neuron differed from what it was a period ago by more than the tolerance. "
    "D nudge: layers the nudge reaches"
)
_RADIUS = ". Radius: spectral radius of the Jacobian where the network rests, 1 is the edge"


class StatusBar(QStatusBar):
    """Fields from left to right; each keeps its width."""

    def __init__(self, backend: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self._frame: Frame | None = None
        self._draws = 0
        self._since = time.monotonic()
        self._fps = 0.0
        self.backend = self._field(f"backend {backend}", 0, "What computes the ticks")
        self.phase = self._field("", 12, "The phase the network is in")
        self.ticks = self._field("", 14, "Ticks of the network per second")
        self.frames = self._field("", 12, "Pictures drawn per second")
        self.settling = self._field("", 26, _SETTLING)
        self.recording = QLabel()
        self.recording.setStyleSheet(f"color: {palette.RED}; font-weight: 600; padding: 0 10px;")
        self.recording.hide()
        self.addWidget(self.recording)
        self.neuron = QLabel()
        self.neuron.setStyleSheet("padding: 0 8px;")
        self.addPermanentWidget(self.neuron)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(_PERIOD_MS)

    def _field(self, text: str, characters: int, tip: str) -> QLabel:
        label = QLabel(text)
        label.setToolTip(tip)
        label.setStyleSheet(f"color: {palette.MUTED}; padding: 0 8px; border-right: 1px solid {palette.LINE};")
        label.setMinimumWidth(label.fontMetrics().averageCharWidth() * characters)
        self.addWidget(label)
        return label

    def follow(self, frame: Frame) -> None:
        """Remember the newest frame for the next rewrite."""
        self._frame = frame

    def count_draw(self, _event: object = None) -> None:
        """A picture has been drawn."""
        self._draws += 1

    def show_recording(self, text: str) -> None:
        """Show how the recording goes; empty text hides it."""
        self.recording.setText(text)
        self.recording.setVisible(bool(text))

    def show_neuron(self, neuron: Neuron | None, volume: bool, names: tuple[str, str, str]) -> None:
        """Show where a neuron lies and its values, which are called `names`; None clears it."""
        if neuron is None:
            self.neuron.clear()
            return
        if neuron.flags & UNUSED:
            self.neuron.setText(f"layer {neuron.part or neuron.layer}")
            return
        red, green, blue = names
        dead = "ablated   " if neuron.flags & ABLATED else ""
        place = f"layer {neuron.part or neuron.layer} ({neuron.row}, {neuron.column})"
        if volume:
            place = f"voxel x {neuron.column}  y {neuron.row}  z {neuron.layer - 1}"
        synapses = "" if neuron.density is None else f"   synapses {neuron.density:g}"
        self.neuron.setText(
            f"{dead}{place}   {red} {neuron.activation:+.3f}"
            f"   {green} {neuron.velocity:+.1e}   {blue} {neuron.nudge:+.1e}{synapses}"
        )

    def refresh(self) -> None:
        """Rewrite the figures."""
        now = time.monotonic()
        rate = self._draws / max(1e-3, now - self._since)
        self._draws, self._since = 0, now
        self._fps += _SMOOTHING * (rate - self._fps) if self._fps else rate
        self.frames.setText(f"{self._fps:.0f} frames/s")
        frame = self._frame
        if frame is None:
            return
        metrics = frame.metrics
        if frame.backend:
            self.backend.setText(f"backend {frame.backend}")
            self.backend.setToolTip(f"What computes the ticks: {frame.backend_reason}")
        phase = f"{metrics.phase} {metrics.phase_ticks}" if frame.tick else "warming up"
        self.phase.setText("paused" if frame.paused else phase)
        self.ticks.setText(f"{metrics.ticks_per_second:.0f} ticks/s")
        if frame.scene is not None and frame.links is not None:
            share = "-" if frame.scene.accuracy is None else f"{frame.scene.accuracy:.0%}"
            self.settling.setText(f"correct {share}   bottleneck layer {frame.links.bottleneck}")
            self.settling.setToolTip("Share of correct answers lately. Bottleneck: the layer with the lowest budget")
            return
        if frame.growth is not None:
            found = frame.growth
            self.settling.setText(f"{len(found.edges)} edges   {found.struct} of {found.limit} cells and taps")
            self.settling.setToolTip("Who reads whom, and how much of the budget is used")
            return
        relax = "not yet" if metrics.t_relax is None else f"{metrics.t_relax} ticks"
        if metrics.phase == "listening":
            entrained = f"entrained {relax}" if "period" in frame.knobs else "no period"
            self.settling.setText(f"{entrained}   D nudge {metrics.d_nudge} layers")
            self.settling.setToolTip(_ENTRAINED)
            return
        radius = "" if metrics.spectral_radius is None else f"   radius {metrics.spectral_radius:.2f}"
        self.settling.setText(f"T relax {relax}   D nudge {metrics.d_nudge} layers{radius}")
        self.settling.setToolTip(_SETTLING + (_RADIUS if radius else ""))

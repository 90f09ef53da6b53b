"""The middle of the window: mosaic, volume and graph of the same frames, one of which is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QStackedWidget, QWidget

from engine.frame import Frame
from observatory.canvas.mosaic import MosaicCanvas
from observatory.canvas.volume import VolumeCanvas
from observatory.panels.graph import GraphView
from observatory.view import Exposure, ViewSettings
from observatory.volume_view import VolumeSettings


class Stage(QStackedWidget):
    """Shows a volume where the layout is one and a graph where one grows, if the settings say so, else the mosaic. All
    share one exposure."""

    hovered = pyqtSignal(object)
    """The Neuron under the pointer, or None."""
    drawn = pyqtSignal()

    def __init__(self, view: ViewSettings, volume: VolumeSettings, parent: QWidget | None = None):
        super().__init__(parent)
        exposure = Exposure()
        self.mosaic = MosaicCanvas(view, exposure)
        self.volume = VolumeCanvas(view, volume, exposure)
        self.graph = GraphView(view, exposure)
        self.addWidget(self.graph)
        self._settings = volume
        self._frame: Frame | None = None
        for canvas in (self.mosaic, self.volume):
            self.addWidget(canvas.native)
            canvas.hovered.connect(self.hovered.emit)
            canvas.events.draw.connect(lambda _event: self.drawn.emit())
        self.graph.drawn.connect(self.drawn.emit)
        volume.events.connect(self._choose)

    @property
    def canvas(self) -> MosaicCanvas | VolumeCanvas | GraphView:
        """The canvas that is seen."""
        if self.currentWidget() is self.graph:
            return self.graph
        return self.volume if self.currentWidget() is self.volume.native else self.mosaic

    def show_frame(self, frame: Frame) -> None:
        """Show a frame at the next repaint; its arrays must not be written again."""
        self._frame = frame
        if not self._choose():
            self.canvas.show_frame(frame)

    def fit(self) -> None:
        """Show all of it."""
        self.canvas.fit()

    def capture(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture at an exact size, uint8 (height, width, 3); raises RuntimeError before it was shown."""
        return self.canvas.capture(size)

    def close_canvases(self) -> None:
        """Give everything back."""
        self._settings.events.disconnect(self._choose, missing_ok=True)
        self.mosaic.close()
        self.volume.close()
        self.graph.close_links()

    def _choose(self) -> bool:
        """Bring the right canvas up to date and into sight; whether it is another one now."""
        if self._frame is None:
            return False
        wanted: MosaicCanvas | VolumeCanvas | GraphView = self.mosaic
        if self._settings.shown and self._frame.growth is not None:
            wanted = self.graph
        elif self._settings.shown and self._frame.layout.volume:
            wanted = self.volume
        if wanted is self.canvas:
            return False
        self.canvas.point_at(None)
        wanted.show_frame(self._frame)
        self.setCurrentWidget(wanted.native)
        return True

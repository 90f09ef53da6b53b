"""The middle of the window: the mosaic and the volume of the same frames, one of which is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QStackedWidget, QWidget

from engine.frame import Frame
from observatory.canvas.mosaic import MosaicCanvas
from observatory.canvas.volume import VolumeCanvas
from observatory.view import Exposure, ViewSettings
from observatory.volume_view import VolumeSettings


class Stage(QStackedWidget):
    """Shows a volume where the layout is one and the settings say so, else the mosaic. Both share one exposure."""

    hovered = pyqtSignal(object)
    """The Neuron under the pointer, or None."""
    drawn = pyqtSignal()

    def __init__(self, view: ViewSettings, volume: VolumeSettings, parent: QWidget | None = None):
        super().__init__(parent)
        exposure = Exposure()
        self.mosaic = MosaicCanvas(view, exposure)
        self.volume = VolumeCanvas(view, volume, exposure)
        self._settings = volume
        self._frame: Frame | None = None
        for canvas in (self.mosaic, self.volume):
            self.addWidget(canvas.native)
            canvas.hovered.connect(self.hovered.emit)
            canvas.events.draw.connect(lambda _event: self.drawn.emit())
        volume.events.connect(self._choose)

    @property
    def canvas(self) -> MosaicCanvas | VolumeCanvas:
        """The canvas that is seen."""
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

    def _choose(self) -> bool:
        """Bring the right canvas up to date and into sight; whether it is another one now."""
        if self._frame is None:
            return False
        wanted = self.volume if self._frame.layout.volume and self._settings.shown else self.mosaic
        if wanted is self.canvas:
            return False
        self.canvas.point_at(None)
        wanted.show_frame(self._frame)
        self.setCurrentWidget(wanted.native)
        return True

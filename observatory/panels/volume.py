"""How a volume is shown: as light, clouds or synapses, sharp or smooth, its slices, and where it is seen from."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, Qt, pyqtSignal
from PyQt6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.layout import Layout
from observatory import palette
from observatory.canvas.colours import RIMS, web
from observatory.panels.focus import keep_keys
from observatory.panels.slider import Slider
from observatory.volume_view import AXES, Axis, VolumeSettings

_STEPS = 100
_SHOWS = (
    ("light", "Light", "Every voxel shines through those before it"),
    ("brightest", "Brightest", "The strongest light of each colour on every line of sight"),
    ("clouds", "Clouds", "Clouds of thought: only voxels whose nudge is above the threshold"),
    ("density", "Synapses", "Synapses per voxel"),
)
_BOOKMARKS = (("Corner", "1"), ("Input", "2"), ("Side", "3"), ("Read-out", "4"), ("Top", "5"), ("Kept", "6"))
_ALONG: dict[Axis, str] = {"x": "columns", "y": "rows", "z": "layers, from the input to the read-out"}


class VolumePanel(QWidget):
    """Edits VolumeSettings in place and follows changes made elsewhere."""

    looked = pyqtSignal(str)
    """The name of a bookmark."""
    kept = pyqtSignal()

    def __init__(self, settings: VolumeSettings, parent: QWidget | None = None):
        super().__init__(parent)
        self.settings = settings
        self._counts = dict.fromkeys(AXES, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.setSpacing(5)
        column.addLayout(self._build_switch())
        column.addLayout(self._build_shows())
        column.addLayout(self._build_sliders())
        column.addLayout(self._build_bookmarks())
        column.addStretch(1)
        settings.events.connect(self._follow)
        self._follow()
        keep_keys(self)

    def follow(self, layout: Layout, density: bool) -> None:
        """Suit the sliders to a layout; the synapses can be shown only where they are counted."""
        counts = dict(zip(AXES, (layout.width, layout.height, layout.layers), strict=True))
        self.shows["density"].setEnabled(density)
        if counts != self._counts:
            self._counts = counts
            self._follow()

    def show_kept(self, on: bool) -> None:
        """Whether there is a view of one's own to go back to."""
        self.bookmarks["Kept"].setEnabled(on)

    def close_links(self) -> None:
        """Stop following the settings, which outlive this widget."""
        self.settings.events.disconnect(self._follow)

    def _build_switch(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(3)
        group = QButtonGroup(self)
        self.volume = _button("Volume", "See the voxels in space  (M)")
        self.mosaic = _button("Mosaic", "See the layers as tiles, side by side  (M)")
        for button, shown in ((self.volume, True), (self.mosaic, False)):
            button.setCheckable(True)
            button.clicked.connect(lambda _on, on=shown: setattr(self.settings, "shown", on))
            group.addButton(button)
            row.addWidget(button, 1)
        return row

    def _build_shows(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(3)
        group = QButtonGroup(self)
        self.shows: dict[str, QPushButton] = {}
        for name, text, tip in _SHOWS:
            button = _button(text, tip)
            button.setCheckable(True)
            button.clicked.connect(lambda _on, show=name: setattr(self.settings, "show", show))
            group.addButton(button)
            row.addWidget(button, 1)
            self.shows[name] = button
        return row

    def _build_sliders(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(4)
        self.smooth = self._toggle("Smooth", "smooth", "Blend between voxels, or show each one with sharp sides")
        self.slices = self._toggle("Slices", "slices", "Lay three slices through it, and show them flat  (S)")
        self.turning = self._toggle("Turn", "turning", "Let it turn by itself  (T)")
        switches = QHBoxLayout()
        switches.setSpacing(3)
        for button in (self.smooth, self.slices, self.turning):
            switches.addWidget(button, 1)
        grid.addLayout(switches, 0, 0, 1, 3)
        self.opacity = self._add_slider(grid, 1, "opacity", "How much a bright voxel hides of what lies behind it", 0.5)
        self.threshold = self._add_slider(
            grid, 2, "threshold", "Clouds: light of the nudge from which on it is seen", 0.25
        )
        self.planes: dict[Axis, Slider] = {}
        self.places: dict[Axis, QLabel] = {}
        for line, axis in enumerate(AXES, start=3):
            label = QLabel(axis)
            label.setStyleSheet(f"color: {web(RIMS[axis])}; font-weight: 600;")
            slider = Slider(1, web(RIMS[axis]))
            slider.setAccessibleName(f"slice {axis}")
            slider.setToolTip(f"Move the slice along the {_ALONG[axis]}; double click for the middle")
            slider.valueChanged.connect(lambda voxel, a=axis: self._put(a, voxel))
            slider.double_clicked.connect(lambda a=axis: self._put(a, self._counts[a] // 2))
            place = QLabel()
            place.setMinimumWidth(place.fontMetrics().horizontalAdvance("000"))
            for i, widget in enumerate((label, slider, place)):
                grid.addWidget(widget, line, i)
            self.planes[axis], self.places[axis] = slider, place
        grid.setColumnStretch(1, 1)
        return grid

    def _toggle(self, text: str, field: str, tip: str) -> QPushButton:
        button = _button(text, tip)
        button.setCheckable(True)
        button.clicked.connect(lambda on: setattr(self.settings, field, on))
        return button

    def _add_slider(self, grid: QGridLayout, line: int, name: str, tip: str, usual: float) -> Slider:
        slider = Slider(_STEPS)
        slider.setAccessibleName(name)
        slider.setToolTip(f"{tip}; double click for {usual:g}")
        slider.valueChanged.connect(lambda position: setattr(self.settings, name, position / _STEPS))
        slider.double_clicked.connect(lambda: setattr(self.settings, name, usual))
        label = QLabel(name)
        label.setStyleSheet(f"color: {palette.MUTED};")
        grid.addWidget(label, line, 0)
        grid.addWidget(slider, line, 1, 1, 2)
        return slider

    def _build_bookmarks(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self.bookmarks: dict[str, QPushButton] = {}
        for name, key in _BOOKMARKS:
            button = _button(name, f"See it so  ({key})")
            button.clicked.connect(lambda _on, chosen=name: self.looked.emit(chosen))
            row.addWidget(button, 1)
            self.bookmarks[name] = button
        keep = _button("+", "Keep this view  (B)")
        keep.setAccessibleName("keep this view")
        keep.clicked.connect(lambda _on: self.kept.emit())
        row.addWidget(keep)
        self.keep = keep
        return row

    def _put(self, axis: Axis, voxel: int) -> None:
        self.settings.put_plane(axis, voxel, self._counts[axis])

    def _follow(self) -> None:
        settings = self.settings
        (self.volume if settings.shown else self.mosaic).setChecked(True)
        self.shows[settings.show].setChecked(True)
        self.smooth.setChecked(settings.smooth)
        self.slices.setChecked(settings.slices)
        self.turning.setChecked(settings.turning)
        for slider, share in ((self.opacity, settings.opacity), (self.threshold, settings.threshold)):
            with QSignalBlocker(slider):
                slider.setValue(round(share * _STEPS))
        self.threshold.setEnabled(settings.show == "clouds")
        for axis, slider in self.planes.items():
            count = self._counts[axis]
            with QSignalBlocker(slider):
                slider.setRange(0, max(count - 1, 1))
                slider.setValue(settings.plane(axis, count))
            slider.setEnabled(settings.slices)
            self.places[axis].setText(str(settings.plane(axis, count)))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setStyleSheet("padding: 2px 1px;")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button

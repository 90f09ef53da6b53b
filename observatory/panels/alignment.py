"""How well each layer's update agrees with the exact gradient: cosines on a scale of nines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.learning.align import Alignment
from engine.snapshot import Snapshot
from observatory import palette
from observatory.panels.plots import decade_steps, quiet_plot, raised, set_title

FAMILIES = {"W": palette.GREEN, "R": palette.RED, "b": palette.BLUE}
"""Weights that every layer has, and their colours."""
SYMBOLS = (7, 5, 3)
"""Sizes of their points, so that all are seen where they coincide; half of that where layers crowd."""
CROWD = 30
MOST_NINES = 16.0
"""Where round-off of float64 ends the scale."""
LONG = 50
"""Characters from which the line above the plot is set smaller."""
_INVITATION = "EqProp's update beside the exact gradient"


def nines(cosines: Sequence[float | None]) -> NDArray[np.float64]:
    """-log10(1 - cosine), so 0.99 is at 2 and 0.999 at 3; from -0.3 (opposite) to 16; NaN where there is none."""
    values = np.array([np.nan if c is None else c for c in cosines])
    return np.asarray(-np.log10(np.maximum(1 - values, 10**-MOST_NINES)))


def cosine_words(cosine: float) -> str:
    """A cosine with the digits that matter."""
    missing = 1 - cosine
    if missing >= 1e-5:
        return f"{cosine:.5f}"
    return "1" if missing <= 0 else f"1 - {missing:.0e}".replace("e-0", "e-")


class NinesAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis over `nines`, labelled with cosines."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """One level of ticks, as many as have room."""
        return decade_steps(minVal, maxVal, size)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """0, 0.9, 0.99, 0.999, then powers of ten."""
        return [_cosine_at(round(at)) for at in values]


def _cosine_at(nines: int) -> str:
    if nines <= 0:
        return "0" if nines == 0 else ""
    return "0." + "9" * nines if nines < 4 else "1-" + raised(-nines)


class AlignmentPanel(QWidget):
    """`asked` says that a person wants to measure, or to end a measurement that runs."""

    asked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.button = QPushButton("Measure")
        self.button.setToolTip(
            "Compares the network's own update with the exact gradient, layer by layer, in float64.\n"
            "The network goes on meanwhile; this takes a second or more."
        )
        self.button.clicked.connect(lambda _checked: self.asked.emit())
        self.repeat = QPushButton("repeat")
        self.repeat.setCheckable(True)
        self.repeat.setToolTip("Measure again and again, for example while the network learns")
        self.words = QLabel(_INVITATION)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(40)
        self.plot = quiet_plot("", axis=NinesAxis("left"))
        self.plot.getPlotItem().getAxis("left").setWidth(46)
        self.plot.getPlotItem().setLimits(yMin=-1, yMax=MOST_NINES + 1)
        self.curves = {
            name: self.plot.plot(
                pen=pg.mkPen(colour, width=1.2), connect="finite",
                symbol="o", symbolPen=None, symbolBrush=colour,
            )
            for name, colour in FAMILIES.items()
        }  # fmt: skip
        self.hidden_layers = pg.ScatterPlotItem(size=6, pen=pg.mkPen(palette.EDGE), brush=None)
        self.plot.addItem(self.hidden_layers)
        line = QHBoxLayout()
        line.setContentsMargins(6, 2, 6, 0)
        line.addWidget(self.words, 1)
        line.addWidget(self.repeat)
        line.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 2, 2, 2)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.plot, 1)
        self.setMinimumSize(120, 130)

    def _say(self, text: str, colour: str = palette.TEXT, tip: str = "") -> None:
        self.words.setText(text)
        self.words.setToolTip(tip or text)
        self.words.setStyleSheet(f"color: {colour}; font-size: {8 if len(text) > LONG else 9}pt;")

    def show_busy(self, seconds: float) -> None:
        """A measurement has run for so long."""
        self.button.setText("Stop")
        if not self.repeat.isChecked() or seconds > 5:
            self._say(f"measuring, {seconds:.0f} s", palette.MUTED)

    def show_idle(self) -> None:
        """Nothing is measured any more."""
        self.button.setText("Measure")
        self._say("not measured", palette.MUTED)

    def show_error(self, message: str) -> None:
        """Why there is nothing to show."""
        self._draw(None)
        self.button.setText("Measure")
        self._say(message, palette.WARN)

    def clear(self) -> None:
        """There is another network now."""
        self._draw(None)
        self.button.setText("Measure")
        self._say(_INVITATION, palette.MUTED)

    def show_alignment(self, alignment: Alignment, snapshot: Snapshot) -> None:
        """Show a measurement and what it was made on."""
        self.button.setText("Measure")
        self._draw(alignment)
        smallest, hidden = alignment.min_cosine, alignment.hidden
        told = "nothing above the floor" if smallest is None else f"lowest cosine {cosine_words(smallest)}"
        if hidden:
            told += f"\n{hidden} below the floor"
        knobs = snapshot.knobs
        self._say(
            told,
            tip=f"{told}\nsigma {knobs['sigma']:g}, beta {knobs['beta']:g}, at tick {snapshot.tick}, without noise. "
            "Grey rings: layers whose credit is lost in round-off; they do not count.",
        )

    def _draw(self, alignment: Alignment | None) -> None:
        rings: list[tuple[float, float]] = []
        shown = []
        for (name, curve), size in zip(self.curves.items(), SYMBOLS, strict=True):
            row = [] if alignment is None else alignment.cosine.get(name, [])
            y = nines(row)
            layers = np.arange(1, len(row) + 1)
            low = np.array([] if alignment is None else alignment.below_floor.get(name, []), bool)
            rings += list(zip(layers[low].tolist(), np.nan_to_num(y[low]).tolist(), strict=True))
            curve.setData(layers, np.where(low, np.nan, y), symbolSize=size if len(row) <= CROWD else size / 2)
            if len(row):
                shown.append(f'<span style="color: {FAMILIES[name]}">{name}</span>')
        self.hidden_layers.setData([x for x, _ in rings], [y for _, y in rings])
        set_title(self.plot, f"cosine by layer: {' '.join(shown)}" if shown else "")
        known = [float(np.nanmax(c.getOriginalDataset()[1])) for c in self.curves.values() if _any_known(c)]
        self.plot.setYRange(-0.4, max([3.0, *known]), padding=0.06)
        self.plot.viewport().update()


def _any_known(curve: pg.PlotDataItem) -> bool:
    y = curve.getOriginalDataset()[1]
    return y is not None and bool(np.isfinite(y).any())

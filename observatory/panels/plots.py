"""How all plots look: dark ground, quiet axes, no menus."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PyQt6.QtGui import QFont
from PyQt6.QtWidgets import QGraphicsView

from observatory import palette

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LABEL_PIXELS = 14
LONG = 10_000
LEAST_RANGE = 2.0
"""A plot spans at least two decades, ticks or layers, so that a flat line looks flat."""


class DecadeAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis over logarithms to base ten, labelled at whole decades only."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """One level of ticks, as many as have room."""
        return decade_steps(minVal, maxVal, size)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Powers of ten."""
        return [raised(value) for value in values]


class ShortAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis that writes 20k for 20000."""

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Plain numbers while they are short."""
        if max(map(abs, values), default=0) < LONG:
            return list(super().tickStrings(values, scale, spacing))
        return [f"{value / 1000:g}k" for value in values]


def decade_steps(low: float, high: float, pixels: float) -> list[tuple[float, list[float]]]:
    """Whole numbers from `low` to `high`, as many as have room on so many pixels, as one level of pyqtgraph's ticks."""
    step = max(1, math.ceil((high - low) / max(1.0, pixels / _LABEL_PIXELS)))
    first = math.ceil(low / step) * step
    return [(float(step), [float(v) for v in range(first, math.floor(high) + 1, step)])]


def raised(exponent: float) -> str:
    """Ten to the power of a whole number."""
    return "10" + str(round(exponent)).translate(_SUPERSCRIPT)


def quiet_plot(
    title: str | None, log_values: bool = False, axis: pg.AxisItem | None = None, bottom: pg.AxisItem | None = None
) -> pg.PlotWidget:
    """A plot without menus or mouse panning, which repaints when its viewport is told to.

    `log_values` says that the data are logarithms to base ten; `axis` and `bottom` are axes of the caller's own.
    """
    left = axis or (DecadeAxis if log_values else ShortAxis)("left")
    axes = {"left": left, "bottom": bottom or ShortAxis("bottom")}
    plot = pg.PlotWidget(background=palette.BASE, enableMenu=False, axisItems=axes)
    plot.setMinimumSize(90, 60)
    # Otherwise each plot makes Qt compose the whole window, canvas included, at once and for itself.
    plot.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.NoViewportUpdate)
    item = plot.getPlotItem()
    # pyqtgraph makes this menu in any case and never gives it an owner, so it would outlive the window.
    item.ctrlMenu.setParent(plot, item.ctrlMenu.windowFlags())
    item.hideButtons()
    item.setMouseEnabled(False, False)
    if title is not None:
        set_title(plot, title)
    item.layout.setContentsMargins(2, 2, 8, 2)
    font = QFont()
    font.setPointSizeF(7)
    for side in ("left", "bottom"):
        axis = item.getAxis(side)
        axis.setStyle(tickFont=font, tickLength=-4, autoExpandTextSpace=False)
        axis.setPen(palette.LINE)
        axis.setTextPen(palette.MUTED)
        axis.enableAutoSIPrefix(False)
    item.getAxis("left").setWidth(38)
    item.getAxis("bottom").setHeight(16)
    item.setLimits(minYRange=LEAST_RANGE)
    item.showGrid(x=False, y=True, alpha=0.15)
    return plot


def set_title(plot: pg.PlotWidget, title: str) -> None:
    """Give the plot a title that does not widen it."""
    item = plot.getPlotItem()
    item.setTitle(title, color=palette.MUTED, size="8pt")
    item.titleLabel.setMinimumWidth(0)
    item.titleLabel.setMaximumHeight(16)
    item.layout.setRowFixedHeight(0, 16)

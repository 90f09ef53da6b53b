"""Accuracy over time, a panel for each network, a line for each mode, the delayed policy behind them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.bench.plot import has_matplotlib

_COLOURS = {"stc": "tab:red", "stepped": "tab:blue", "backprop": "tab:gray"}
ACROSS = 4
"""Panels side by side."""


def accuracy_chart(rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """A PNG; None where matplotlib is missing."""
    if not has_matplotlib():
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys((row["rule"], row["net"]) for row in rows))
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(3.4 * across, 2.4 * down + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).reshape(-1)
    for axes, (rule, net) in zip(grid, panels, strict=False):
        for row in rows:
            if (row["rule"], row["net"]) == (rule, net):
                _curve(axes, row)
        axes.set_title(f"{net}, {rule}", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.grid(alpha=0.3)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8)
    figure.supylabel("accuracy", fontsize=9)
    figure.supxlabel("window of the run; the task is switched at the grey lines", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _curve(axes: Any, row: Mapping[str, Any]) -> None:
    """One mode's windows, and with the first mode the policy's thirds and the switches."""
    windows = row["windows"]
    if row["mode"] == "stc":
        third = len(windows) / 3
        for number, level in enumerate(row["latency_bound_thirds"]):
            label = "delayed policy" if number == 0 else None
            axes.hlines(level, number * third, (number + 1) * third, colors="black", linestyles="dotted", label=label)
        for number in (1, 2):
            axes.axvline(number * third, color="black", alpha=0.2)
    middles = [number + 0.5 for number in range(len(windows))]
    axes.plot(middles, windows, color=_COLOURS[row["mode"]], label=row["mode"], linewidth=1.2)

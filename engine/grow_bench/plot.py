"""How good a forecast is over how many weights it takes, a panel for each stream."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.bench.plot import has_matplotlib

LOOKS = {
    "grown": ("tab:red", "o"),
    "dense": ("tab:blue", "s"),
    "dense, least squares": ("tab:olive", "P"),
    "pruned": ("tab:cyan", "v"),
    "random sparse": ("tab:gray", "x"),
    "echo state": ("tab:green", "D"),
    "PySINDy": ("tab:purple", "^"),
}
"""Colour and marker of a method."""
ACROSS = 4
"""Panels side by side."""


def chart(rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """A PNG; None where matplotlib is missing."""
    if not has_matplotlib():
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(row["data"] for row in rows))
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(3.4 * across, 2.8 * down + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, across, squeeze=False).reshape(-1)
    handles: dict[str, Any] = {}
    for axes, data in zip(grid, panels, strict=False):
        handles |= draw(axes, [row for row in rows if row["data"] == data])
        axes.set_title(data, fontsize=9)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles), fontsize=8)
    figure.supxlabel("weights", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw(axes: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One stream's methods: valid time, or the error of one step where nothing can be forecast. Returns the handles."""
    key = "valid_time" if any(row["valid_time"] is not None for row in rows) else "one_step_nrmse"
    handles = {}
    for row in rows:
        if row["method"] in LOOKS and row[key] is not None:
            colour, marker = LOOKS[row["method"]]
            handles[row["method"]] = axes.errorbar(
                max(row["nnz"], 1),
                row[key],
                row[f"{key}_sd"] or 0,
                color=colour,
                marker=marker,
                capsize=2,
                linestyle="",
            )
    axes.set_xscale("log")
    axes.set_ylabel("valid time" if key == "valid_time" else "one-step error", fontsize=8)
    axes.grid(alpha=0.3)
    return handles

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
WORDS = {"valid_time": "valid time", "nll": "negative log likelihood", "one_step_nrmse": "one-step error"}
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
    figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=min(2 * across, len(handles)), fontsize=8
    )
    figure.supxlabel("weights", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw(axes: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One stream's methods; returns the handles. Valid time, else likelihood, else the error of one step."""
    key = next(key for key in WORDS if any(row[key] is not None for row in rows))
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
    for row in rows:
        if row["method"] not in LOOKS and row["nnz"] is None:
            axes.axhline(row[key], color="black", linestyle="dotted")
            axes.annotate(
                row["method"], (0.5, row[key]), (0, 3), ("axes fraction", "data"), "offset points", fontsize=7
            )
    axes.set_ylabel(WORDS[key], fontsize=8)
    axes.grid(alpha=0.3)
    return handles

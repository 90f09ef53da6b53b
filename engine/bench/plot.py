"""The curve of a lazy engine: work left over against error, one point per epsilon."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

_LOOKS = {
    "rest": ("tab:blue", "o", "from rest", (5, 5)),
    "streamed": ("tab:orange", "s", "digit morphed by a tenth", (-6, -11)),
}
"""Colour, marker, words and where the notes of a point stand, in points."""


def has_matplotlib() -> bool:
    """Whether a curve can be drawn."""
    try:
        return find_spec("matplotlib") is not None
    except ValueError:
        return False


def lazy_curve(rows: Sequence[Mapping[str, Any]]) -> bytes | None:
    """A PNG of effective FLOPs (share of dense) over ||x - x*|| / ||x*||; None where matplotlib is missing."""
    if not has_matplotlib():
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for kind, (colour, marker, label, offset) in _LOOKS.items():
        points = [row for row in rows if row["input"] == kind]
        errors = [row["state_error"] for row in points]
        left = [100 * (1 - row["flops_saved"]) for row in points]
        axes.plot(errors, left, color=colour, marker=marker, label=label)
        for row, x, y in zip(points, errors, left, strict=True):
            text = f"ε {row['epsilon']:g}, {row['wallclock_speedup']:.1f}x"
            side = "left" if offset[0] > 0 else "right"
            axes.annotate(text, (x, y), offset, textcoords="offset points", ha=side, fontsize=7, color=colour)
    axes.set_xscale("log")
    axes.set_ylim(0, 120 * (1 - min(row["flops_saved"] for row in rows)))
    axes.margins(x=0.18)
    axes.set_xlabel("error of the fixed point, ||x - x*|| / ||x*|| (mean over digits)")
    axes.set_ylabel("effective FLOPs, % of dense")
    axes.set_title(f"Lazy ticks on {rows[0]['preset']}, {rows[0]['digits']} digits; x: wall-clock gain", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()

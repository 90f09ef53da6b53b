"""How the suite's charts look: the window's dark colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from observatory import palette

LINES = (palette.ACCENT, palette.BLUE, palette.GREEN, palette.RED, "#c58cff", "#7fd6e0", "#ff9f6b", palette.MUTED)


def rc_params() -> dict[str, Any]:
    """matplotlib's settings."""
    from cycler import cycler

    return {
        "figure.facecolor": palette.PANEL,
        "savefig.facecolor": palette.PANEL,
        "axes.facecolor": palette.BASE,
        "axes.edgecolor": palette.LINE,
        "axes.labelcolor": palette.TEXT,
        "axes.titlecolor": palette.TEXT,
        "axes.prop_cycle": cycler(color=LINES),
        "axes.grid": True,
        "grid.color": palette.LINE,
        "grid.alpha": 0.45,
        "grid.linewidth": 0.6,
        "xtick.color": palette.MUTED,
        "ytick.color": palette.MUTED,
        "text.color": palette.TEXT,
        "legend.facecolor": palette.PANEL,
        "legend.edgecolor": palette.LINE,
        "legend.framealpha": 0.85,
        "lines.linewidth": 1.6,
        "font.size": 9,
        "svg.hashsalt": "observatory",
    }


@contextmanager
def dark_figure(columns: int, rows: int, size: tuple[float, float]) -> Iterator[tuple[Any, list[Any]]]:
    """A figure and its axes, row by row; drawn without a display, gone afterwards."""
    import matplotlib

    with matplotlib.rc_context(rc_params()):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, squeeze=False)
        yield figure, list(grid.ravel())

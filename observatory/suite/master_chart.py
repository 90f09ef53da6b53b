"""The master chart: what depth, memory, noise and energy cost, equilibrium propagation beside backpropagation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.experiments.curves import over_seeds
from observatory import palette

Row = Mapping[str, Any]
Rows = Sequence[Row]
PANELS = ("accuracy and depth", "memory and depth", "robustness and noise", "effective energy and accuracy")


def draw(figure: Any, axes: Sequence[Any], by_track: Mapping[str, Rows], words: str) -> None:
    """Fill the four panels of a figure; a panel whose track has no rows says so."""
    panels = (("depth", _depth), ("memory", _memory), ("robustness", _robustness), ("energy", _energy))
    for ax, title, (track, fill) in zip(axes, PANELS, panels, strict=True):
        ax.set_title(title)
        rows = by_track.get(track, ())
        if rows:
            fill(ax, rows)
            ax.legend(fontsize=7)
        else:
            ax.set_axis_off()
            ax.text(0.5, 0.5, f"the track {track} was not run", ha="center", transform=ax.transAxes)
    figure.suptitle(f"Master chart\n{words}", fontsize=10)


_LOOKS = {
    "eqprop": {"color": palette.GREEN, "style": "o-"},
    "backprop": {"color": palette.BLUE, "style": "s--"},
    "backprop, no recurrence": {"color": palette.ACCENT, "style": "^-."},
}
_CONTROL = {"color": palette.MUTED, "style": "v:"}


def _methods(rows: Rows) -> list[str]:
    """Those of _LOOKS first, in that order."""
    found = dict.fromkeys(row["method"] for row in rows)
    return [name for name in _LOOKS if name in found] + [name for name in found if name not in _LOOKS]


def _over(rows: Rows, x: str, y: str, ax: Any, keep: Callable[[Row], bool] = lambda row: True) -> None:
    for method in _methods(rows):
        chosen = [row for row in rows if row["method"] == method and keep(row)]
        over_seeds(ax, chosen, x, y, method, **(_CONTROL if "control" in method else _LOOKS[method]))


def _depth(ax: Any, rows: Rows) -> None:
    _over(rows, "layers", "test_accuracy", ax)
    ax.set(xscale="log", xlabel="layers", ylabel="accuracy on held-out digits")
    _whole_numbers(ax, rows)


def _whole_numbers(ax: Any, rows: Rows) -> None:
    depths = sorted({row["layers"] for row in rows})
    ax.set_xticks(depths, [str(depth) for depth in depths])
    ax.set_xticks([], minor=True)


def _memory(ax: Any, rows: Rows) -> None:
    deep = [{**row, "peak_mib": row["peak_bytes"] / 2**20} for row in rows if row["sweep"] == "depth"]
    _over(deep, "layers", "peak_mib", ax)
    ax.set(xscale="log", yscale="log", xlabel="layers", ylabel="peak memory of a gradient, MiB")
    _whole_numbers(ax, deep)


def _robustness(ax: Any, rows: Rows) -> None:
    _over(rows, "level", "accuracy", ax, lambda row: row["kind"] == "input")
    ax.set(xlabel="noise on the input, standard deviations of a pixel", ylabel="accuracy on held-out digits")


def _energy(ax: Any, rows: Rows) -> None:
    """Curves of the lazy engine over epsilon; everything else as marks, means over seeds with their spread."""
    lazy = [row for row in rows if row["epsilon"] is not None and not row["streamed"]]
    for coarse in sorted({row["coarse"] for row in lazy}):
        curve = sorted((row for row in lazy if row["coarse"] == coarse), key=lambda row: row["flops_per_answer"])
        flops, right = [row["flops_per_answer"] for row in curve], [row["accuracy"] for row in curve]
        ax.plot(flops, right, "o-", markersize=3, label=f"eqprop, lazy ticks, coarse {coarse:g}")
    others = [row for row in rows if row["epsilon"] is None and not row["streamed"] and row["accuracy"] is not None]
    for method, mark in zip(_methods(others), "xs^*+D", strict=False):
        chosen = [row for row in others if row["method"] == method]
        if "control" in method:
            chosen = sorted(chosen, key=lambda row: row["flops_per_answer"])
            ax.plot(
                [row["flops_per_answer"] for row in chosen], [row["accuracy"] for row in chosen], ":",
                color=palette.MUTED, label=method,
            )  # fmt: skip
        else:
            over_seeds(ax, chosen, "flops_per_answer", "accuracy", method, mark)
    ax.set(xscale="log", xlabel="FLOPs of an answer", ylabel="accuracy on held-out digits")

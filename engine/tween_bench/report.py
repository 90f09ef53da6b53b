"""The bench's result as tables: aligned text for a terminal, Markdown, JSON and a chart for files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.bench.report import Table, machine_line
from engine.files import replace_file
from engine.tween_bench.players import MODES
from engine.tween_bench.plot import accuracy_chart

Result = Mapping[str, Any]
Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]


def tables(result: Result) -> list[Table]:
    """Everything for people."""
    rows = result["rows"]
    return [
        _table("Late outputs", _LATE, _COLUMNS, [row for row in rows if row["rule"] == "late"]),
        _table("Fresh outputs", _FRESH, _COLUMNS, [row for row in rows if row["rule"] == "fresh"]),
        _table("Controls", _BOUNDS, _BOUND_COLUMNS, result["bounds"]),
        _table("Beside the published figures", _YARDSTICK, _PUBLISHED, _published(rows)),
    ]


_LATE = (
    "The action comes from the double-buffered output, as many ticks late as there are layers. `policy` is the delayed "
    "policy of that latency in the same games; dips and recoveries are after the first / the second switch."
)
_FRESH = "The action comes from a full pass of this moment: what learning alone can do, one or more passes a tick."
_BOUNDS = (
    "In the same games: policies that know the rule but see it late, also with the moves they made since; and learners "
    "that see nothing and do what was right most often lately."
)
_YARDSTICK = "Mean of 100 runs of Loom: actions late, training passes fresh. A yardstick, not a like-for-like rival."


def _share(key: str) -> Callable[[Row], str]:
    return lambda row: "-" if row[key] is None else f"{100 * row[key]:.1f}"


def _shares(key: str) -> Callable[[Row], str]:
    return lambda row: " / ".join(f"{100 * value:.0f}" for value in row[key])


def _ticks(key: str) -> Callable[[Row], str]:
    return lambda row: " / ".join(f"{value:.1f}" for value in row[key])


def settings_text(settings: Mapping[str, Any]) -> str:
    """The settings of a mode in one line."""
    words = [f"rate {settings['rate']:g}"]
    if settings.get("adam"):
        words.append("Adam")
    elif "momentum" in settings:
        words.append(f"momentum {settings['momentum']:g}")
    if "interval" in settings:
        words.append(f"every {settings['interval']} ticks")
    words += [name for name in ("liquid", "aligned") if settings.get(name)]
    if settings.get("matched") is False:
        words.append("unmatched")
    return ", ".join(words)


_COLUMNS: tuple[Column, ...] = (
    ("network", lambda row: str(row["net"])),
    ("mode", lambda row: str(row["mode"])),
    ("seeds", lambda row: str(row["seeds"])),
    ("accuracy %", _share("accuracy_mean")),
    ("sd", _share("accuracy_sd")),
    ("thirds", _shares("thirds")),
    ("policy", _share("latency_bound")),
    ("dip", _shares("dip_depth")),
    ("recovery, ticks", _ticks("recovery_ticks")),
    ("median", _ticks("recovery_median")),
    ("outputs/s", lambda row: f"{row['outputs_per_second']:,.0f}"),
    ("tuned to", lambda row: settings_text(row["settings"])),
)
_BOUND_COLUMNS: tuple[Column, ...] = (
    ("who", lambda row: str(row["who"])),
    ("latency, ticks", lambda row: "-" if row["latency"] is None else str(row["latency"])),
    ("accuracy %", _share("accuracy_mean")),
    ("thirds", _shares("thirds")),
)
_PUBLISHED: tuple[Column, ...] = (
    ("network", lambda row: str(row["net"])),
    *((mode, lambda row, mode=mode: row[mode]) for mode in MODES),
)


def _published(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Measured (published) by network."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["published"] is not None:
            cell = f"{100 * row['accuracy_mean']:.1f} ({100 * row['published']:.1f})"
            found.setdefault(row["net"], {"net": row["net"]} | dict.fromkeys(MODES, "-"))[row["mode"]] = cell
    return list(found.values())


def _tuning(result: Result) -> Table:
    words = (
        f"Mean accuracy of {result['tuning_seeds']} games of half the length of each of the "
        f"{result['settings_tried']} settings that every mode was given, and of {result['final_seeds']} whole games of "
        "the best three; none of them is among the games above. Chosen is the largest mean minus sd in the final."
    )
    columns: tuple[Column, ...] = (
        ("network", lambda row: str(row["net"])),
        ("mode", lambda row: str(row["mode"])),
        ("rule", lambda row: str(row["rule"])),
        ("settings", settings_text),
        ("accuracy %", _share("accuracy")),
        ("sd", _share("accuracy_sd")),
        ("final %", lambda row: "" if row["final"] is None else _share("accuracy")(row["final"])),
        ("sd", lambda row: "" if row["final"] is None else _share("accuracy_sd")(row["final"])),
    )
    return _table("Tuning", words, columns, result["tuning"])


def _table(title: str, words: str, columns: Iterable[Column], rows: Iterable[Row]) -> Table:
    columns = tuple(columns)
    body = tuple(tuple(cell(row) for _, cell in columns) for row in rows)
    return Table(title, words, tuple(name for name, _ in columns), body)


def as_text(result: Result) -> str:
    """For a terminal."""
    blocks = [machine_line(result)]
    for table in tables(result):
        if table.rows:
            widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
            lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (table.head, *table.rows)]
            blocks.append("\n".join([f"{table.title}. {table.words}", *lines]))
    return "\n\n".join(blocks)


def as_markdown(result: Result, picture: str | None) -> str:
    """For a file; `picture` is the chart's file name, where there is one."""
    title = "# Tween bench, quick" if result["quick"] else "# Tween bench"
    games = f"Chase, avoid, chase in thirds of {result['ticks']} ticks; {result['seeds']} games and networks a row."
    blocks = [title, machine_line(result), games]
    if picture is not None:
        blocks.append(f"![Accuracy over time]({picture})")
    for table in (*tables(result), _tuning(result)):
        if table.rows:
            rows = [table.head, ("---",) * len(table.head), *table.rows]
            body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
            blocks += [f"## {table.title}", table.words, body]
    return "\n\n".join(blocks) + "\n"


def write(result: Result, folder: Path) -> list[Path]:
    """Write JSON, Markdown and, with matplotlib, the chart into a folder; each file whole or not at all.

    A quick run's files are named apart. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "tween-quick" if result["quick"] else "tween"
    chart = accuracy_chart(result["rows"])
    contents = {
        f"{name}.json": (json.dumps(result, indent=1) + "\n").encode(),
        f"{name}.md": as_markdown(result, f"{name}.png" if chart is not None else None).encode(),
    }
    if chart is not None:
        contents[f"{name}.png"] = chart
    for file, content in contents.items():
        replace_file(folder / file, content)
    return [folder / file for file in contents]

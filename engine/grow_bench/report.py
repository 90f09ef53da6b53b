"""The bench's result as tables: aligned text for a terminal, Markdown, JSON and a chart for files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.bench.report import Table, machine_line
from engine.files import replace_file
from engine.grow_bench.plot import chart

Result = Mapping[str, Any]
Row = Mapping[str, Any]
_WORDS = (
    "Mean ± standard deviation over seeds, on the last quarter of a stream. One step: error of the next state, in "
    "standard deviations. Valid: how long a free forecast keeps its error under 0.4, in Lyapunov times where they are "
    "known. Edges: F1 of who reads whom. NLL and KS p: likelihood and calibration of what comes next."
)


def _number(key: str, form: str) -> Callable[[Row], str]:
    def text(row: Row) -> str:
        if row[key] is None:
            return "-"
        spread = row[f"{key}_sd"]
        return f"{row[key]:{form}}" + ("" if spread is None else f" ± {spread:{form}}")

    return text


def _whole(key: str) -> Callable[[Row], str]:
    return lambda row: "-" if row[key] is None else f"{row[key]:,.0f}"


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("method", lambda row: str(row["method"])),
    ("one step", _number("one_step_nrmse", ".2g")),
    ("valid", _number("valid_time", ".2f")),
    ("weights", _whole("nnz")),
    ("tokens", _whole("tokens_used")),
    ("edges F1", _number("edge_f1", ".2f")),
    ("NLL", _number("nll", ".3f")),
    ("KS p", _number("ks_p", ".2g")),
    ("seconds", _number("seconds", ".0f")),
    ("tuned to", lambda row: settings_text(row["each"][0]["settings"])),
)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def tables(result: Result) -> list[Table]:
    """One for each stream; a column that nobody fills is left out."""
    found = []
    for data in dict.fromkeys(row["data"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["data"] == data]
        cells = [[text(row) for _, text in _COLUMNS] for row in rows]
        used = [i for i in range(len(_COLUMNS)) if any(row[i] not in ("-", "") for row in cells)]
        head = tuple(_COLUMNS[i][0] for i in used)
        found.append(Table(data, "", head, tuple(tuple(row[i] for i in used) for row in cells)))
    return found


def as_text(result: Result) -> str:
    """For a terminal."""
    blocks = [machine_line(result), _WORDS]
    for table in tables(result):
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (table.head, *table.rows)]
        blocks.append("\n".join([table.title, *lines]))
    return "\n\n".join([*blocks, *([chr(10).join(result["notes"])] if result["notes"] else [])])


def as_markdown(result: Result, picture: str | None) -> str:
    """For a file; `picture` is the chart's file name, where there is one."""
    blocks = ["# Growing graphs, quick" if result["quick"] else "# Growing graphs", machine_line(result)]
    blocks.append(
        f"{result['seeds']} seeds; {result['steps']} gradient steps of 256 samples for the graph and its family, "
        f"{result['units']} neurons in the reservoir."
    )
    if picture is not None:
        blocks.append(f"![Valid time over weights]({picture})")
    blocks.append(_WORDS)
    for table in tables(result):
        rows = [table.head, ("---",) * len(table.head), *table.rows]
        blocks += [f"## {table.title}", "\n".join(f"| {' | '.join(row)} |" for row in rows)]
    tries = [
        (row["data"], row["method"], settings_text(row["settings"]), f"{row['one_step_nrmse']:.2g}",
         "-" if row["valid_time"] is None else f"{row['valid_time']:.2f}")
        for row in result["tuning"]
    ]  # fmt: skip
    head = ("stream", "method", "settings", "one step", "valid")
    blocks += ["## Tuning", "On the validation part of a stream of another seed; the longest valid time is chosen."]
    blocks += ["\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *tries))]
    if result["notes"]:
        blocks += ["## Left out", "\n".join(f"- {note}" for note in result["notes"])]
    return "\n\n".join(blocks) + "\n"


def write(result: Result, folder: Path) -> list[Path]:
    """Write JSON, Markdown and, with matplotlib, the chart into a folder; each file whole or not at all.

    A quick run's files are named apart. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "growing-quick" if result["quick"] else "growing"
    picture = chart(result["rows"])
    contents = {
        f"{name}.json": (json.dumps(result, indent=1) + "\n").encode(),
        f"{name}.md": as_markdown(result, f"{name}.png" if picture is not None else None).encode(),
    }
    if picture is not None:
        contents[f"{name}.png"] = picture
    for file, content in contents.items():
        replace_file(folder / file, content)
    return [folder / file for file in contents]

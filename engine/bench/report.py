"""A result as tables: aligned text for a terminal, Markdown and JSON for files. All are made from the one object."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.files import replace_file

Result = Mapping[str, Any]
Column = tuple[str, Callable[[Mapping[str, Any]], str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A title, one sentence, a head and rows of text."""

    title: str
    words: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(result: Result) -> list[Table]:
    """Everything that is told of a result, for people."""
    floor = f"One tick, best of each rival's variants. Largest couplings are read at {result['floor_gb_s']:.1f} GB/s."
    return [
        _table("Ticks", floor, _ROWS, result["rows"]),
        _table("Acceleration", "Ticks from rest to within 1e-6 of the fixed point.", _TICKS, result["acceleration"]),
        _table("Lazy", "Against dense ticks of the same network and digits.", _LAZY, result["lazy"]),
        _scaling(result["scaling"]),
    ]


def _number(key: str, form: str, suffix: str = "") -> Callable[[Mapping[str, Any]], str]:
    return lambda row: "-" if row[key] is None else f"{row[key]:{form}}{suffix}"


_ROWS: tuple[Column, ...] = (
    ("network", lambda row: f"{row['network']} {row['layers']} x {row['neurons']}"),
    ("batch", lambda row: f"{row['batch']}"),
    ("columns", lambda row: f"{row['columns']}"),
    ("backend", lambda row: str(row["backend"])),
    ("ms/tick", _number("ms_per_tick", ".3f")),
    ("spread", _number("spread", ".0%")),
    ("GB/s", _number("gb_per_s", ".1f")),
    ("of floor", _number("floor_share", ".0%")),
    ("vs NumPy", _number("speedup_vs_numpy", ".2f", "x")),
    ("vs torch", _number("speedup_vs_torch", ".2f", "x")),
    ("max error", _number("max_error", ".1e")),
    ("variant", lambda row: str(row["variant"])),
)
_TICKS: tuple[Column, ...] = (
    ("sigma", _number("sigma", "g")),
    ("plain", _number("ticks_plain", "d")),
    ("accelerated", _number("ticks_accelerated", "d")),
    ("red-black", _number("ticks_red_black", "d")),
)
_LAZY: tuple[Column, ...] = (
    ("preset", lambda row: str(row["preset"])),
    ("input", lambda row: str(row["input"])),
    ("epsilon", _number("epsilon", "g")),
    ("FLOPs saved", _number("flops_saved", ".1%")),
    ("wall-clock", _number("wallclock_speedup", ".2f", "x")),
    ("error, mean", _number("state_error", ".1e")),
    ("error, worst", _number("state_error_max", ".1e")),
    ("same class", _number("same_class", ".0%")),
    ("ticks", lambda row: f"{row['ticks']:.0f} of {row['dense_ticks']:.0f}"),
)


def _table(title: str, words: str, columns: Iterable[Column], rows: Iterable[Mapping[str, Any]]) -> Table:
    columns = tuple(columns)
    body = tuple(tuple(cell(row) for _, cell in columns) for row in rows)
    return Table(title, words, tuple(name for name, _ in columns), body)


def _scaling(found: Result) -> Table:
    words = (
        f"{found['network'].capitalize()} chain, {found['backend']}, one sample. "
        f"Cost grows with layers^{found['layers_exponent']:.2f} and neurons^{found['neurons_exponent']:.2f}."
    )
    columns: tuple[Column, ...] = (
        ("layers", _number("layers", "d")),
        ("neurons", _number("neurons", "d")),
        ("ms/tick", _number("ms_per_tick", ".4f")),
    )
    return _table("Scaling", words, columns, [*found["layers"], *found["neurons"]])


def machine_line(result: Result) -> str:
    """The machine in one line."""
    found = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    commit = f", commit {found['commit']}" if found["commit"] else ""
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['numba_threads']} Numba threads; {found['system']}, "
        f"Python {found['python']}, {versions}, {' and '.join(found['blas'])}{commit}"
    )


def as_text(result: Result) -> str:
    """For a terminal."""
    blocks = [machine_line(result), *(f"note: {note}" for note in result["notes"])]
    for table in tables(result):
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (table.head, *table.rows)]
        blocks.append("\n".join([f"{table.title}. {table.words}", *lines]))
    return "\n\n".join(blocks)


def as_markdown(result: Result, picture: str | None = None) -> str:
    """For a file; `picture` is the file name of the lazy curve, where there is one."""
    title = "# Bench, quick" if result["quick"] else "# Bench"
    blocks = [title, machine_line(result), *(f"Note: {note}." for note in result["notes"])]
    for table in tables(result):
        blocks += [f"## {table.title}", table.words]
        if picture is not None and table.title == "Lazy":
            blocks.append(f"![FLOPs against error]({picture})")
        rows = [table.head, ("---",) * len(table.head), *table.rows]
        blocks.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(blocks) + "\n"


def write(result: Result, folder: Path) -> list[Path]:
    """Write JSON, Markdown and, with matplotlib, the lazy curve into a folder; each file whole or not at all.

    A quick run's files are named apart. Raises OSError.
    """
    from engine.bench.plot import lazy_curve

    folder.mkdir(parents=True, exist_ok=True)
    suffix = "-quick" if result["quick"] else ""
    picture = lazy_curve(result["lazy"])
    name = f"lazy{suffix}.png" if picture is not None else None
    contents = {
        f"bench{suffix}.json": (json.dumps(result, indent=1) + "\n").encode(),
        f"bench{suffix}.md": as_markdown(result, name).encode(),
    }
    if name is not None and picture is not None:
        contents[name] = picture
    for file, content in contents.items():
        replace_file(folder / file, content)
    return [folder / file for file in contents]

"""Everything that the suite leaves behind for people and programs: CSV, JSON, master chart, report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.experiments.registry import track
from engine.files import replace_file
from engine.suite.schedule import Failure
from engine.suite.store import Done
from observatory.suite import master_chart
from observatory.suite.report import report
from observatory.suite.style import dark_figure


@dataclass(slots=True)
class Results:
    """What was asked for and what came of it; tracks in the order of the report."""

    tracks: tuple[str, ...]
    about: Mapping[str, Any]
    """Versions, machine, date, command, whether quick."""
    done: list[Done] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def by_track(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of every track, in the order of its jobs' names."""
        ordered = sorted(self.done, key=lambda one: one.job.key)
        return {name: [row for one in ordered if one.job.track == name for row in one.rows] for name in self.tracks}

    @property
    def seeds(self) -> dict[str, list[int]]:
        """Seeds that each track has run with."""
        return {
            name: sorted({one.job.params["seed"] for one in self.done if one.job.track == name}) for name in self.tracks
        }


def write(results: Results, folder: Path) -> list[Path]:
    """Write everything into a folder. Raises OSError."""
    rows = results.by_track
    words = f"{results.about['date']}, commit {results.about.get('commit') or 'unknown'}"
    if results.about["quick"]:
        words += ", QUICK: small networks, one seed"
    contents: dict[str, bytes] = {}
    with dark_figure(2, 2, (11, 8.5)) as (figure, axes):
        master_chart.draw(figure, axes, rows, words)
        for kind in ("png", "pdf"):
            contents[f"master_chart.{kind}"] = _drawn(figure, kind)
    pictures = {name: picture_of(name, rows[name]) for name in results.tracks if rows[name]}
    table = {
        "about": results.about,
        "seeds": results.seeds,
        "failures": [{"track": f.job.track, "params": f.job.params, "why": f.why} for f in results.failures],
        "seconds": {d.job.key: round(d.seconds, 2) for d in results.done},
        "rows": rows,
    }
    contents["results.json"] = (json.dumps(table, indent=1, allow_nan=False) + "\n").encode()
    for name in results.tracks:
        if rows[name]:
            contents[f"{name}.csv"] = as_csv(rows[name]).encode()
    contents["report.html"] = report(results, contents["master_chart.png"], pictures).encode()
    for name, content in contents.items():
        replace_file(folder / name, content)
    return [folder / name for name in contents]


def picture_of(name: str, rows: list[dict[str, Any]]) -> bytes:
    """A track's own figure, PNG."""
    with dark_figure(1, 1, (7.5, 4.6)) as (figure, axes):
        track(name).figure(rows, axes[0])
        return _drawn(figure, "png")


def _drawn(figure: Any, kind: str) -> bytes:
    stream = io.BytesIO()
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    figure.savefig(stream, format=kind, dpi=150, metadata=metadata)
    return stream.getvalue()


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All keys, in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table with a head; nothing for None."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns_of(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()

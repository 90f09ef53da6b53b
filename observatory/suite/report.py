"""The report: one HTML file with every picture, table, seed and version in it, pictures before tables."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from engine.experiments.registry import track
from observatory import palette

if TYPE_CHECKING:
    from observatory.suite.results import Results

_STYLE = f"""
:root {{ color-scheme: dark; }}
body {{ background: {palette.VOID}; color: {palette.TEXT}; font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 64rem; padding: 1rem; }}
h1, h2 {{ line-height: 1.2; }} h2 {{ border-top: 1px solid {palette.LINE}; padding-top: 1.2rem; margin-top: 2rem; }}
img {{ width: 100%; height: auto; border-radius: 6px; }}
p.quiet, summary, dt {{ color: {palette.MUTED}; }}
p.failed {{ background: {palette.WARN_BACK}; color: {palette.WARN}; padding: .5rem .8rem; border-radius: 6px; }}
div.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font: 13px/1.4 ui-monospace, monospace; }}
th, td {{ padding: .15rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid {palette.LINE}; }}
th {{ color: {palette.MUTED}; }} td.text {{ text-align: left; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }}
dd {{ margin: 0; word-break: break-word; }}
code {{ background: {palette.PANEL}; padding: .1rem .4rem; border-radius: 4px; }}
"""


def report(results: Results, chart: bytes, pictures: Mapping[str, bytes]) -> str:
    """The whole page; `chart` and `pictures` (by track) are PNG."""
    about = results.about
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>TorEq Observatory: the suite</title><style>{_STYLE}</style></head><body>",
        "<h1>The suite</h1>",
        f"<p>{escape(str(about['date']))}. Do it again with <code>{escape(str(about['command']))}</code></p>",
    ]
    if about["quick"]:
        parts.append(
            "<p class='failed'>A quick run: small networks and one seed. It shows that all works, not how well.</p>"
        )
    parts += [_image(chart, "the master chart"), *(_failed(f) for f in results.failures)]
    rows = results.by_track
    for name in results.tracks:
        module = track(name)
        parts += [f"<h2 id='{name}'>{escape(module.TITLE)}</h2>", f"<p>{escape(module.QUESTION)}</p>"]
        if not rows[name]:
            parts.append("<p class='failed'>Nothing was measured.</p>")
            continue
        parts.append(_image(pictures[name], module.TITLE))
        jobs = [one for one in results.done if one.job.track == name]
        seeds = ", ".join(map(str, results.seeds[name]))
        seconds = sum(one.seconds for one in jobs)
        parts.append(f"<p class='quiet'>{len(jobs)} jobs, {seconds:.0f} s of work, seeds {seeds}</p>")
        parts.append(_table(rows[name]))
    parts += ["<h2>Made with</h2>", _facts(about), "</body></html>"]
    return "\n".join(parts) + "\n"


def _image(png: bytes, words: str) -> str:
    data = base64.b64encode(png).decode()
    return f"<img alt='{escape(words, quote=True)}' src='data:image/png;base64,{data}'>"


def _failed(failure: Any) -> str:
    params = json.dumps(failure.job.params)
    return f"<p class='failed'>{escape(failure.job.track)} {escape(params)} failed: {escape(failure.why)}</p>"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "track"]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(_cell(row.get(name)) for name in names)}</tr>\n" for row in rows)
    table = f"<div class='wide'><table><tr>{head}</tr>\n{body}</table></div>"
    return f"<details><summary>{len(rows)} rows</summary>{table}</details>"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"<td class='text'>{escape(value)}</td>"
    if value is None:
        return "<td>-</td>"
    return f"<td>{value:.6g}</td>" if isinstance(value, float) else f"<td>{value}</td>"


def _facts(about: Mapping[str, Any]) -> str:
    lines = []
    for key, value in about.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        lines.append(f"<dt>{escape(key)}</dt><dd>{escape(str(text))}</dd>")
    return f"<dl>{''.join(lines)}</dl>"

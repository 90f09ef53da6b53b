"""The page of keys, made from the action records."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from observatory import palette

_MOUSE = (
    ("Wheel on the canvas", "Zoom where the pointer is"),
    ("Drag on the canvas", "Move about"),
    ("Click on a layer", "Zoom on that layer"),
    ("Double click on a slider", "Back to the preset's value"),
    ("Right button on the pad", "Erase"),
    ("Drop a .toml file", "Open it as a preset"),
)


class Entry(Protocol):
    """What the page needs to know of an action."""

    @property
    def menu(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def tip(self) -> str: ...  # noqa: D102
    @property
    def keys(self) -> tuple[str, ...]: ...  # noqa: D102


def shortcuts_html(entries: Sequence[Entry]) -> str:
    """A table of every key, grouped by menu, and of what the mouse does."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        groups.setdefault(entry.menu, []).append((" or ".join(entry.keys), f"{entry.text}: {entry.tip}"))
    groups["Mouse"] = list(_MOUSE)
    rows = []
    for title, lines in groups.items():
        rows.append(
            f'<tr><td colspan="2" style="color:{palette.MUTED};padding-top:8px"><b>{escape(title)}</b></td></tr>'
        )
        rows += [
            f'<tr><td style="color:{palette.ACCENT};padding-right:20px;white-space:nowrap">{escape(key)}</td>'
            f"<td>{escape(text)}</td></tr>"
            for key, text in lines
        ]
    return f'<table cellspacing="3">{"".join(rows)}</table>'


class ShortcutsPage(QDialog):
    """A window with the table of keys."""

    def __init__(self, entries: Sequence[Entry], parent: QWidget):
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(580, 640)
        page = QTextBrowser()
        page.setHtml(shortcuts_html(entries))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(page)
        column.addWidget(buttons)

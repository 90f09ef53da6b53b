"""All knobs of the network, built from the frame: sigma first and large, the others below by kind."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.knobs import Knob
from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.knob_row import KnobRow

_GROUPS = (("Strength", ("linear", "log")), ("Ticks", ("integer", "choice")), ("Switches", ("switch",)))


class KnobsPanel(QScrollArea):
    """Emits `moved(name, value)` when a person moves a knob and `refused(text)` for a value that cannot be."""

    moved = pyqtSignal(str, float)
    refused = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows: dict[str, KnobRow] = {}
        self._preset_values: dict[str, float | str] = {}
        self._epoch = -1
        self._fresh = True

    def expect(self, preset_values: Mapping[str, float | str]) -> None:
        """A preset was asked for: its first frame rebuilds the rows."""
        self._preset_values = dict(preset_values)
        self._fresh = True

    def follow(self, frame: Frame) -> None:
        """Show the knobs of this frame."""
        newer = frame.epoch != self._epoch
        self._epoch = frame.epoch
        if (self._fresh and newer) or frame.knobs.keys() != self.rows.keys():
            self._fresh = False
            self._rebuild(frame.knobs)
            return
        for name, knob in frame.knobs.items():
            self.rows[name].follow(knob)

    def forget(self) -> None:
        """The engine refused something: show its values again."""
        for row in self.rows.values():
            row.forget()

    def _row(self, name: str, knob: Knob, large: bool = False) -> KnobRow:
        preset_value = knob.set_to(name, self._preset_values.get(name, knob.value)).value
        row = KnobRow(name, knob, preset_value, large)
        row.moved.connect(self.moved)
        row.refused.connect(self.refused)
        self.rows[name] = row
        return row

    def _rebuild(self, knobs: dict[str, Knob]) -> None:
        self.rows = {}
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(10, 6, 10, 4)
        column.setSpacing(2)
        if "sigma" in knobs:
            column.addWidget(self._row("sigma", knobs["sigma"], large=True))
        for title, names in _groups(knobs).items():
            if names:
                column.addWidget(_heading(title))
                self._fill(column, {n: knobs[n] for n in names}, columns=2 if title == "Switches" else 1)
        column.addStretch(1)
        keep_keys(page)
        self.setWidget(page)
        self.setMinimumWidth(max(270, page.minimumSizeHint().width() + 14))

    def _fill(self, column: QVBoxLayout, knobs: dict[str, Knob], columns: int) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(1)
        for i, (name, knob) in enumerate(knobs.items()):
            grid.addWidget(self._row(name, knob), i // columns, i % columns)
        column.addLayout(grid)


def _groups(knobs: dict[str, Knob]) -> dict[str, list[str]]:
    """Names by heading: groups of the knobs' own first, the others by their scale."""
    own = dict.fromkeys(knob.group for knob in knobs.values() if knob.group)
    found = {group: [name for name, knob in knobs.items() if knob.group == group] for group in own}
    for title, scales in _GROUPS:
        found[title] = [n for n, k in knobs.items() if k.scale in scales and not k.group and n != "sigma"]
    return found


def _heading(text: str) -> QWidget:
    frame = QFrame()
    line = QVBoxLayout(frame)
    line.setContentsMargins(0, 3, 0, 0)
    label = QLabel(text.upper())
    font = label.font()
    font.setPointSizeF(font.pointSizeF() * 0.8)
    font.setBold(True)
    label.setFont(font)
    label.setStyleSheet(f"color: {palette.MUTED};")
    line.addWidget(label)
    return frame

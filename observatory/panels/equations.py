"""The equations that a graph has found beside the true ones, a line for each number, to be read and copied."""

from __future__ import annotations

import time
from html import escape

from PyQt6.QtGui import QFont, QGuiApplication, QTextCursor
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.growing.equations import Equation, Part, equations, join
from engine.networks.growing.report import Growth
from observatory import palette

LEAST_SECONDS = 0.5
"""Equations are read anew no more often than this."""
LEGEND = (
    f"<span style='color: {palette.GREEN}'>reads a true source</span>, "
    f"<span style='color: {palette.RED}'>reads one that is none</span>"
)


def colour_of(part: Part, growth: Growth, row: int) -> str:
    """Green if the node really reads all the others that this term reads, red if not; plain for what stays within the
    node or reads a pool, and where the truth is not known."""
    read = {number // growth.features for number in part.reads()} - {row // growth.features}
    if growth.truth is None or not read or max(read) >= growth.nodes:
        return palette.TEXT
    return palette.GREEN if growth.truth[row // growth.features, list(read)].all() else palette.RED


def whole(words: str) -> str:
    """Words that stay on one line, as HTML."""
    return escape(words).replace(" ", "&nbsp;").replace("-", "\N{MINUS SIGN}")


def as_html(equation: Equation, growth: Growth) -> str:
    """The right side, every term in its colour."""
    found: list[str] = []
    for part in equation.told:
        words = join([(part.coefficient, part.what)])
        if found:
            words = f"- {words[1:]}" if words.startswith("-") else f"+ {words}"
        found.append(f"<span style='color: {colour_of(part, growth, equation.row)}'>{whole(words)}</span>")
    left = len(equation.parts) - len(equation.told)
    rest = whole(f"+ {left} smaller") if left else "" if found else "0"
    return f"{' '.join(found)} <span style='color: {palette.MUTED}'>{rest}</span>"


class EquationsPanel(QWidget):
    """`redraw(frame)` reads a frame's equations; `choose(node)` brings a node's lines into sight."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.setAccessibleName("equations")
        font = QFont(self.font())
        font.setPointSizeF(8.5)
        self.text.setFont(font)
        self.text.setStyleSheet(f"QTextBrowser {{ background: {palette.BASE}; border: 1px solid {palette.LINE} }}")
        self.legend = QLabel()
        self.legend.setMinimumWidth(40)
        self.legend.setStyleSheet(f"color: {palette.MUTED}")
        self.still = QCheckBox("hold")
        self.still.setToolTip("Leave the equations as they are while you read")
        copy = QPushButton("Copy")
        copy.setToolTip("Copy all lines, found and true, as text")
        copy.clicked.connect(self.copy)
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.legend, 1)
        top.addWidget(self.still)
        top.addWidget(copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 3, 6, 4)
        column.setSpacing(3)
        column.addLayout(top)
        column.addWidget(self.text, 1)
        self.setMinimumSize(200, 110)
        self.found: tuple[Equation, ...] = ()
        self.chosen: int | None = None
        self._growth: Growth | None = None
        self._drawn: tuple[int, int] | None = None
        self._when = 0.0

    def redraw(self, frame: Frame) -> None:
        """Show this frame, but not while a person holds or marks what is there."""
        growth = frame.growth
        if growth is None or growth.wiring is None or (frame.epoch, growth.steps) == self._drawn:
            return
        another = self._drawn is None or frame.epoch != self._drawn[0]
        busy = self.still.isChecked() or self.text.textCursor().hasSelection()
        if not another and (busy or time.monotonic() - self._when < LEAST_SECONDS):
            return
        if another:
            self.chosen = None
        self._drawn, self._when, self._growth = (frame.epoch, growth.steps), time.monotonic(), growth
        self.found = equations(growth)
        self._draw(growth)

    def _draw(self, growth: Growth) -> None:
        wiring = growth.wiring
        assert wiring is not None
        known = len(wiring.true) == len(self.found)
        told = sum(len(equation.told) for equation in self.found)
        legend = f"step {growth.steps}: {told} terms"
        self.legend.setText(f"{legend} · {LEGEND}" if growth.truth is not None else legend)
        lines = []
        for equation in self.found:
            node = equation.row // growth.features
            back = f" style='background: {palette.RAISED}'" if node == self.chosen else ""
            anchor = f"<a name='node{node}'></a>" if equation.row % growth.features == 0 else ""
            true = f"<td style='color: {palette.MUTED}'>{escape(wiring.true[equation.row])}</td>" if known else ""
            left = whole(equation.name + "' =")
            name = f"<td style='color: {palette.MUTED}'>{anchor}{left}</td>"
            lines.append(f"<tr{back}>{name}<td>{as_html(equation, growth)}</td>{true}</tr>")
        head = "<tr><td></td><td>found</td><td>true</td></tr>" if known else "<tr><td></td><td>found</td></tr>"
        head = head.replace("<td>", f"<td style='color: {palette.ACCENT}'>")
        bar = self.text.verticalScrollBar()
        assert bar is not None
        place = bar.value()
        self.text.setHtml(f"<table cellspacing='0' cellpadding='2'>{head}{''.join(lines)}</table>")
        bar.setValue(place)

    def choose(self, node: int | None) -> None:
        """Mark the lines of a node and scroll to them."""
        self.chosen = node
        if self._growth is not None:
            self.text.moveCursor(QTextCursor.MoveOperation.Start)
            self._draw(self._growth)
            if node is not None:
                self.text.scrollToAnchor(f"node{node}")

    def plain(self) -> str:
        """All lines as text, each true equation under the one that was found."""
        wiring = self._growth.wiring if self._growth is not None else None
        lines = []
        for equation in self.found:
            lines.append(equation.text)
            if wiring is not None and len(wiring.true) == len(self.found):
                lines.append(f"    true: {wiring.true[equation.row]}")
        return "\n".join(lines)

    def copy(self) -> None:
        """Put all lines on the clipboard."""
        board = QGuiApplication.clipboard()
        assert board is not None
        board.setText(self.plain())

"""A line of words over the plots of a panel."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel


def line_of_words(colour: str) -> QLabel:
    """One line of plain text that does not widen its panel."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setMinimumWidth(40)
    label.setIndent(6)
    label.setStyleSheet(f"color: {colour}")
    return label

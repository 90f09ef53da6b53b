"""A frame round the picture that glows, and a mark over it, while the past is shown."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from observatory import palette

_EDGE = 3


class PastFrame(QFrame):
    """Holds the picture. `mark(text)` shows that it is of the past, "" that it is live."""

    def __init__(self, picture: QWidget, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("past")
        column = QVBoxLayout(self)
        column.setContentsMargins(_EDGE, _EDGE, _EDGE, _EDGE)
        column.addWidget(picture)
        self.label = QLabel(self)
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.setStyleSheet(
            f"background: {palette.ACCENT}; color: {palette.ON_ACCENT}; font-weight: 700; padding: 1px 14px 2px;"
            f" border-bottom-left-radius: 6px; border-bottom-right-radius: 6px;"
        )
        self.mark("")

    @property
    def text(self) -> str:
        """What the mark says now."""
        return self.label.text()

    def mark(self, text: str) -> None:
        """Say so."""
        shown = bool(text)
        if shown == self.label.isHidden() or not self.styleSheet():
            colour = palette.ACCENT if shown else palette.VOID
            self.setStyleSheet(f"#past {{ background: {colour}; border: 0; }}")
        self.label.setText(text)
        self.label.setVisible(shown)
        self._place()

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        """Keep the mark in the middle."""
        super().resizeEvent(a0)
        self._place()

    def _place(self) -> None:
        self.label.adjustSize()
        self.label.move((self.width() - self.label.width()) // 2, 0)
        self.label.raise_()

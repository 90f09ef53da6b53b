"""A closable message above the canvas, for errors and for news such as where a file was saved."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, QTimer
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from observatory import palette
from observatory.panels.icons import icon

LONGEST = 600
NEWS_MS = 10_000


class Banner(QFrame):
    """Hidden until there is something to say. The same message again only raises a counter."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.message = ""
        self.is_error = False
        self.count = 0
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setIcon(icon("close"))
        close.setIconSize(QSize(14, 14))
        close.setToolTip("Close this message")
        close.setAccessibleName("close message")
        close.clicked.connect(self.hide)
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 6, 6, 6)
        line.addWidget(self.text, 1)
        line.addWidget(close)
        self._away = QTimer(self)
        self._away.setSingleShot(True)
        self._away.setInterval(NEWS_MS)
        self._away.timeout.connect(self.hide)
        self.setObjectName("banner")
        self.hide()

    def error(self, message: str) -> None:
        """Show something that went wrong."""
        self._away.stop()
        self._show(message, True)

    def news(self, message: str) -> None:
        """Show something that went well, for a while."""
        self._show(message, False)
        self._away.start()

    def silence(self) -> None:
        """Hide, and do nothing later."""
        self._away.stop()
        self.hide()

    def _show(self, message: str, is_error: bool) -> None:
        same = message == self.message and self.isVisible()
        self.count = self.count + 1 if same else 1
        self.message, self.is_error = message, is_error
        shown = message if len(message) <= LONGEST else f"{message[:LONGEST]} …"
        self.text.setText(shown if self.count == 1 else f"{shown}  (x{self.count})")
        ground, colour = (palette.WARN_BACK, palette.WARN) if is_error else (palette.RAISED, palette.TEXT)
        edge = palette.RED if is_error else palette.GREEN
        self.setStyleSheet(
            f"#banner {{ background: {ground}; border: 0; border-left: 4px solid {edge}; }}"
            f" QLabel {{ color: {colour}; }}"
        )
        self.show()

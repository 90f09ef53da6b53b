"""The command palette: type a few letters, press Enter."""

from __future__ import annotations

from collections.abc import Iterable

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QAction, QKeyEvent
from PyQt6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

_ACTION = Qt.ItemDataRole.UserRole


def matches(query: str, text: str) -> bool:
    """Whether every word of the query occurs in the text."""
    return all(word in text.casefold() for word in query.casefold().split())


class CommandPalette(QDialog):
    """A filterable list of actions; Enter or a click runs one and closes the list."""

    def __init__(self, actions: Iterable[QAction], parent: QWidget):
        super().__init__(parent)
        self.setWindowTitle("Command palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumSize(460, 380)
        self.line = QLineEdit()
        self.line.setPlaceholderText("Type what you want to do")
        self.line.setAccessibleName("filter")
        self.line.textChanged.connect(self._filter)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName("actions")
        self.list.itemActivated.connect(self._run)
        self.list.itemClicked.connect(self._run)
        for action in actions:
            keys = ", ".join(key.toString() for key in action.shortcuts())
            item = QListWidgetItem(action.icon(), f"{action.text()}\t{keys}" if keys else action.text())
            item.setToolTip(action.statusTip())
            item.setData(_ACTION, action)
            self.list.addItem(item)
        column = QVBoxLayout(self)
        column.addWidget(self.line)
        column.addWidget(self.list, 1)
        self._filter("")

    def eventFilter(self, a0: QObject | None, a1: QEvent | None) -> bool:
        """Up and Down move in the list, Enter runs."""
        if isinstance(a1, QKeyEvent) and a1.type() == QEvent.Type.KeyPress:
            if a1.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
                self._move(1 if a1.key() == Qt.Key.Key_Down else -1)
                return True
            if a1.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(a0, a1)

    def _shown(self) -> list[QListWidgetItem]:
        items = (self.list.item(i) for i in range(self.list.count()))
        return [item for item in items if item is not None and not item.isHidden()]

    def _filter(self, query: str) -> None:
        for i in range(self.list.count()):
            item = self.list.item(i)
            if item is not None:
                item.setHidden(not matches(query, f"{item.text()} {item.toolTip()}"))
        shown = self._shown()
        self.list.setCurrentItem(shown[0] if shown else None)

    def _move(self, by: int) -> None:
        shown = self._shown()
        current = self.list.currentItem()
        if shown and current in shown:
            self.list.setCurrentItem(shown[(shown.index(current) + by) % len(shown)])

    def _run(self, item: QListWidgetItem | None) -> None:
        if item is None or item.isHidden():
            return
        action = item.data(_ACTION)
        self.close()
        if action.isEnabled():
            action.trigger()

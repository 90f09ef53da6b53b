"""Which class the nudge pulls towards: a button for each of a few classes, a list of many."""

from __future__ import annotations

from PyQt6.QtCore import QSignalBlocker, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from engine.data.dataset import Summary

MOST_BUTTONS = 10


class TargetLine(QWidget):
    """`chosen(label)` says which class a person has picked."""

    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.buttons: list[QPushButton] = []
        self.list: QComboBox | None = None
        self._line = QHBoxLayout(self)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(1)

    def offer(self, data: Summary) -> None:
        """Show the classes of another data set."""
        for old in (*self.buttons, self.list):
            if old is not None:
                self._line.removeWidget(old)
                old.hide()
                old.deleteLater()
        self.buttons, self.list = [], None
        if data.classes <= MOST_BUTTONS:
            for label in range(data.classes):
                self._add_button(label, data.class_name(label))
        else:
            self.list = QComboBox()
            self.list.addItems([data.class_name(label) for label in range(data.classes)])
            self.list.setMinimumContentsLength(8)
            self.list.setToolTip("The class to nudge towards")
            self.list.setAccessibleName("class to nudge towards")
            self.list.activated.connect(self.chosen)
            self._line.addWidget(self.list, 1)

    def _add_button(self, label: int, name: str) -> None:
        button = QPushButton(str(label))
        button.setCheckable(True)
        button.setMinimumWidth(16)
        button.setStyleSheet("padding: 3px 0;")
        button.setToolTip(f"Nudge towards {name}")
        button.setAccessibleName(f"nudge towards {name}")
        button.clicked.connect(lambda _checked: self.chosen.emit(label))
        self.buttons.append(button)
        self._line.addWidget(button, 1)

    def mark(self, label: int | None) -> None:
        """Show which class is nudged towards."""
        for number, button in enumerate(self.buttons):
            button.setChecked(number == label)
        if self.list is not None and not self.list.hasFocus():
            with QSignalBlocker(self.list):
                self.list.setCurrentIndex(-1 if label is None else label)

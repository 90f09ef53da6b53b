"""The bar under the picture: the timeline, its buttons, and what the history holds and costs."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QActionGroup
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.timeline import Timeline

BUTTONS = ("history.previous_change", "history.back", "history.play", "history.forward", "history.next_change")
AFTER = ("history.record", "history.to_live")
SPEEDS = {"x 1/4": 0.25, "x 1": 1.0, "x 4": 4.0, "x 16": 16.0}
CAPS = (64, 128, 256, 512, 1024, 2048)
"""MiB that the menu offers."""


class TimeBar(QWidget):
    """Texts are given by whoever knows the history; `cap_chosen(MiB)` asks for another memory."""

    cap_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.timeline = Timeline()
        self.timeline.setToolTip("Drag to look back; turn the wheel to see fewer frames")
        self.speed = QComboBox()
        self.speed.addItems(list(SPEEDS))
        self.speed.setCurrentText("x 1")
        self.speed.setToolTip("How fast a replay runs, beside the speed at which it was logged")
        self.speed.setAccessibleName("speed of the replay")
        self.where = QLabel()
        self.where.setTextFormat(Qt.TextFormat.PlainText)
        self.where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.error = QLabel()
        self.error.setStyleSheet(f"color: {palette.MUTED};")
        self.memory = QToolButton()
        self.memory.setToolTip("Memory that the history takes, of what it may take. Click to give it more or less")
        self.memory.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.memory.setStyleSheet(f"QToolButton {{ color: {palette.MUTED}; padding: 0 16px 0 4px; border: 0; }}")
        self.memory.setMenu(self._caps())
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(1)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addLayout(self._buttons)
        row.addWidget(self.timeline, 1)
        self._after = QHBoxLayout()
        self._after.setSpacing(1)
        row.addWidget(self.speed)
        row.addLayout(self._after)
        words = QHBoxLayout()
        words.setSpacing(10)
        words.addWidget(self.where, 1)
        words.addWidget(self.error)
        words.addWidget(self.memory)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 3, 6, 1)
        column.setSpacing(0)
        column.addLayout(row)
        column.addLayout(words)
        self.show_where("", False)

    def _caps(self) -> QMenu:
        menu = QMenu("Memory of the history", self)
        self._caps_group = QActionGroup(menu)
        for cap in CAPS:
            action = QAction(f"{cap} MiB", menu)
            action.setCheckable(True)
            action.setData(cap)
            action.triggered.connect(lambda _checked, mib=cap: self.cap_chosen.emit(mib))
            self._caps_group.addAction(action)
            menu.addAction(action)
        return menu

    def attach(self, actions: dict[str, QAction]) -> None:
        """Put the buttons of these actions in."""
        for names, line in ((BUTTONS, self._buttons), (AFTER, self._after)):
            for name in names:
                button = QToolButton()
                button.setDefaultAction(actions[name])
                button.setIconSize(QSize(18, 18))
                button.setAccessibleName(actions[name].text())
                line.addWidget(button)
        keep_keys(self)

    @property
    def factor(self) -> float:
        """How many times faster than it was logged a replay is to run."""
        return SPEEDS[self.speed.currentText()]

    def show_where(self, text: str, past: bool) -> None:
        """Say where one looks."""
        self.where.setText(text)
        self.where.setToolTip(text)
        colour = palette.ACCENT if past else palette.MUTED
        self.where.setStyleSheet(f"color: {colour}; font-weight: {600 if past else 400};")

    def show_cost(self, error: str, tip: str, memory: str, cap_mib: int) -> None:
        """Say how exact the history is, and what it takes."""
        self.error.setText(error)
        self.error.setToolTip(tip)
        self.memory.setText(memory)
        for action in self._caps_group.actions():
            action.setChecked(action.data() == cap_mib)

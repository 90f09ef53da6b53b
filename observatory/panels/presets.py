"""The list of presets: shipped ones, recently opened files, and what the chosen one is about."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from engine.preset import PresetError, load_preset, shipped_presets
from observatory import palette
from observatory.panels.focus import keep_keys
from observatory.panels.icons import icon

_SOURCE = Qt.ItemDataRole.UserRole
_ABOUT = Qt.ItemDataRole.UserRole + 1


class PresetsPanel(QWidget):
    """Emits `chosen(name or path)` on a click or Enter, and `open_asked` for a file dialog."""

    chosen = pyqtSignal(str)
    open_asked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setAccessibleName("presets")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.itemClicked.connect(self._choose)
        self.list.currentItemChanged.connect(self._describe)
        enter = QShortcut(QKeySequence(Qt.Key.Key_Return), self.list)
        enter.setContext(Qt.ShortcutContext.WidgetShortcut)
        enter.activated.connect(lambda: self._choose(self.list.currentItem()))
        self.about = QLabel()
        self.about.setWordWrap(True)
        self.about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.about.setStyleSheet(f"color: {palette.MUTED};")
        button = QPushButton(icon("open"), "Open file…")
        button.setToolTip("Open a preset (.toml) or a stream of your own (.csv, .npz), or drop one onto the window")
        button.clicked.connect(self.open_asked)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.list, 1)
        column.addWidget(self.about)
        column.addWidget(button)
        keep_keys(self)

    def fill(self, recent: list[str]) -> None:
        """List the shipped presets and then the recent files."""
        current = self.list.currentItem()
        source = current.data(_SOURCE) if current is not None else None
        self.list.clear()
        for name in shipped_presets():
            try:
                preset = load_preset(name)
            except PresetError as error:
                self._add(name, name, str(error))
                continue
            alike = not (preset.chain or preset.conv)
            size = f"{preset.layers} layers of {preset.neurons}" if alike else f"{preset.layers} layers"
            if preset.growth is not None:
                size = f"budget {preset.growth.cells} cells"
            self._add(
                name, preset.title, f"{preset.description}\n{size}, {preset.network}" if preset.description else size
            )
        for path in recent:
            self._add(path, Path(path).name, path)
        self.mark(source)

    def mark(self, source: str | None) -> None:
        """Show which preset runs, without asking for it."""
        for row in range(self.list.count()):
            item = self.list.item(row)
            if item is not None and item.data(_SOURCE) == source:
                self.list.setCurrentItem(item)

    def _add(self, source: str, title: str, about: str) -> None:
        item = QListWidgetItem(title)
        item.setData(_SOURCE, source)
        item.setData(_ABOUT, about)
        item.setToolTip(about)
        item.setSizeHint(QSize(0, self.list.fontMetrics().height() + 8))
        self.list.addItem(item)

    def _describe(self, item: QListWidgetItem | None) -> None:
        self.about.setText("" if item is None else str(item.data(_ABOUT)))

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(str(item.data(_SOURCE)))

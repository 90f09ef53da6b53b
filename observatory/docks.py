"""The docks round the canvas and their default places."""

from __future__ import annotations

from itertools import pairwise

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QWidget

LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea

PLACES: tuple[tuple[str, Qt.DockWidgetArea, int], ...] = (
    ("Presets", LEFT, 310),
    ("Input", LEFT, 410),
    ("World", LEFT, 410),
    ("Knobs", RIGHT, 512),
    ("Classes", RIGHT, 156),
    ("Channels", RIGHT, 138),
    ("Traces", BOTTOM, 440),
    ("Nudge profile", BOTTOM, 340),
    ("Alignment", BOTTOM, 340),
    ("Links", BOTTOM, 340),
)
"""Title, side and default length along that side in pixels."""

TABBED = {"World": "Input", "Alignment": "Nudge profile", "Links": "Nudge profile"}
"""Docks that lie behind another one as a tab."""

SIDE_WIDTHS = {LEFT: 290, RIGHT: 300, BOTTOM: 190}


class Docks:
    """Makes a dock for each panel and can put all of them back."""

    def __init__(self, window: QMainWindow, panels: dict[str, QWidget]):
        self._window = window
        self.by_title: dict[str, QDockWidget] = {}
        for corner, area in (
            (Qt.Corner.BottomLeftCorner, LEFT),
            (Qt.Corner.BottomRightCorner, RIGHT),
        ):
            window.setCorner(corner, area)
        for title, area, _ in PLACES:
            dock = QDockWidget(title, window)
            dock.setObjectName(title)
            dock.setWidget(panels[title])
            window.addDockWidget(area, dock)
            self.by_title[title] = dock

    def visible(self, title: str) -> bool:
        """Whether a person can see that panel now (not closed, not behind another tab)."""
        dock = self.by_title[title]
        return dock.isVisible() and not dock.visibleRegion().isEmpty()

    def bring_up(self, titles: tuple[str, ...]) -> None:
        """Put these in front of the tabs that they share."""
        for title in titles:
            self.by_title[title].raise_()

    def arrange(self) -> None:
        """Put every dock back in its default place."""
        for dock in self.by_title.values():
            self._window.removeDockWidget(dock)
            dock.setFloating(False)
        for title, area, _ in PLACES:
            dock = self.by_title[title]
            self._window.addDockWidget(area, dock)
            dock.show()
        for side in (LEFT, RIGHT, BOTTOM):
            here = [(title, length) for title, area, length in PLACES if area == side and title not in TABBED]
            row = [(self.by_title[title], length) for title, length in here]
            docks, lengths = [dock for dock, _ in row], [length for _, length in row]
            along = Qt.Orientation.Horizontal if side == BOTTOM else Qt.Orientation.Vertical
            across = Qt.Orientation.Vertical if side == BOTTOM else Qt.Orientation.Horizontal
            if side == BOTTOM:
                for left, right in pairwise(docks):
                    self._window.splitDockWidget(left, right, Qt.Orientation.Horizontal)
            for title, host in TABBED.items():
                if self.by_title[host] in docks:
                    self._window.tabifyDockWidget(self.by_title[host], self.by_title[title])
                    self.by_title[host].raise_()
            self._window.resizeDocks(docks, lengths, along)
            self._window.resizeDocks(docks[:1], [SIDE_WIDTHS[side]], across)
        self.hide_stale_tabs()

    def hide_stale_tabs(self) -> None:
        """Qt leaves the tab bars of earlier arrangements lying about, in sight; the newest of a group is in use."""
        seen: set[str] = set()
        bars = self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        for bar in reversed([bar for bar in bars if bar.count()]):
            bar.setVisible(bar.tabText(0) not in seen)
            seen.add(bar.tabText(0))

"""The docks round the canvas and their default places."""

from __future__ import annotations

from itertools import pairwise

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDockWidget, QMainWindow, QWidget

LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea

PLACES: tuple[tuple[str, Qt.DockWidgetArea, int], ...] = (
    ("Presets", LEFT, 310),
    ("Input", LEFT, 410),
    ("World", LEFT, 410),
    ("Knobs", RIGHT, 508),
    ("Classes", RIGHT, 168),
    ("Cores", RIGHT, 168),
    ("Channels", RIGHT, 130),
    ("Volume", RIGHT, 130),
    ("Traces", BOTTOM, 440),
    ("Rhythm", BOTTOM, 440),
    ("Growth", BOTTOM, 440),
    ("Foresight", BOTTOM, 440),
    ("Equations", BOTTOM, 440),
    ("Outcomes", BOTTOM, 440),
    ("Nudge profile", BOTTOM, 340),
    ("Alignment", BOTTOM, 340),
    ("Links", BOTTOM, 340),
)
"""Title, side and default length along that side in pixels."""

FOREIGN_TO_GROWTH = ("Input", "World", "Classes", "Nudge profile", "Alignment", "Links")
"""Docks that have nothing to tell about a growing graph: it has no pictures, classes or layers."""

TABBED = {
    "World": "Input",
    "Volume": "Channels",
    "Rhythm": "Traces",
    "Growth": "Traces",
    "Foresight": "Traces",
    "Equations": "Traces",
    "Outcomes": "Traces",
    "Cores": "Classes",
    "Alignment": "Nudge profile",
    "Links": "Nudge profile",
}
"""Docks that lie behind another one as a tab."""

GROWN = {"Knobs": 410, "Cores": 266, "Channels": 130}
"""Heights on the right where a graph grows: it has few knobs."""

SIDE_WIDTHS = {LEFT: 290, RIGHT: 300, BOTTOM: 190}


class Docks:
    """Makes a dock for each panel and can put all of them back."""

    def __init__(self, window: QMainWindow, panels: dict[str, QWidget]):
        self._window = window
        self._offered: dict[str, bool] = {}
        self._withheld: dict[str, bool] = {}
        self._grows = False
        self.by_title: dict[str, QDockWidget] = {}
        for corner, area in (
            (Qt.Corner.BottomLeftCorner, LEFT),
            (Qt.Corner.BottomRightCorner, RIGHT),
        ):
            window.setCorner(corner, area)
        for title, _, _ in PLACES:
            dock = QDockWidget(title, window)
            dock.setObjectName(title)
            dock.setWidget(panels[title])
            self.by_title[title] = dock

    def visible(self, title: str) -> bool:
        """Whether a person can see that panel now (not closed, not behind another tab)."""
        dock = self.by_title[title]
        return dock.isVisible() and not dock.visibleRegion().isEmpty()

    def offer(self, title: str, on: bool) -> None:
        """Show a dock that only some networks have, in front of its tabs, or take it away with its menu entry."""
        dock = self.by_title[title]
        self._offered[title] = on
        self._in_menu(title, on)
        dock.setVisible(on)
        if on:
            dock.raise_()

    def withhold(self, titles: tuple[str, ...]) -> None:
        """Take these away with their menu entries, and give back what was withheld before, open or closed as it was."""
        for title in [title for title in self._withheld if title not in titles]:
            self.by_title[title].setVisible(self._withheld.pop(title))
            self._in_menu(title, True)
        for title in titles:
            if title not in self._withheld:
                self._withheld[title] = not self.by_title[title].isHidden()
                self.by_title[title].setVisible(False)
                self._in_menu(title, False)

    def _in_menu(self, title: str, on: bool) -> None:
        action = self.by_title[title].toggleViewAction()
        assert action is not None
        action.setVisible(on)

    def bring_up(self, titles: tuple[str, ...]) -> None:
        """Put these in front of the tabs that they share."""
        for title in titles:
            self.by_title[title].raise_()

    def share_right(self, grows: bool) -> None:
        """Share the right side out anew, when another kind of network has come."""
        if grows == self._grows:
            return
        self._grows = grows
        usual = {title: length for title, area, length in PLACES if area == RIGHT and title not in TABBED}
        lengths = GROWN if grows else usual
        docks = [self.by_title[title] for title in lengths]
        self._window.resizeDocks(docks, list(lengths.values()), Qt.Orientation.Vertical)

    def arrange(self) -> None:
        """Put every dock back in its default place.

        Tabs go straight to their host: Qt leaves a stray tab bar in sight where a dock had a place of its own before.
        """
        for dock in self.by_title.values():
            self._window.removeDockWidget(dock)
            dock.setFloating(False)
        rows = {side: self._add_row(side) for side in (LEFT, RIGHT, BOTTOM)}
        for title, host in TABBED.items():
            self._window.tabifyDockWidget(self.by_title[host], self.by_title[title])
            self.by_title[title].setVisible(self._offered.get(title, True))
        for side, row in rows.items():
            along = Qt.Orientation.Horizontal if side == BOTTOM else Qt.Orientation.Vertical
            across = Qt.Orientation.Vertical if side == BOTTOM else Qt.Orientation.Horizontal
            self._window.resizeDocks([dock for dock, _ in row], [length for _, length in row], along)
            self._window.resizeDocks([row[0][0]], [SIDE_WIDTHS[side]], across)
        offered = [title for title, on in self._offered.items() if on]
        for title in (*TABBED.values(), *offered):
            self.by_title[title].raise_()
        for title in self._withheld:
            self._withheld[title] = title not in TABBED or self._offered.get(title, True)
            self.by_title[title].setVisible(False)

    def _add_row(self, side: Qt.DockWidgetArea) -> list[tuple[QDockWidget, int]]:
        """The docks that lie beside one another on a side, and their lengths."""
        row = [(self.by_title[title], length) for title, area, length in PLACES if area == side and title not in TABBED]
        for dock, _ in row:
            self._window.addDockWidget(side, dock)
            dock.show()
        if side == BOTTOM:
            for (left, _), (right, _) in pairwise(row):
                self._window.splitDockWidget(left, right, Qt.Orientation.Horizontal)
        return row

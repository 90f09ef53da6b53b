"""Menus and toolbar, made from the action records."""

from __future__ import annotations

from typing import get_args

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QAction, QActionGroup
from PyQt6.QtWidgets import QMainWindow, QMenu, QSizePolicy, QToolBar, QWidget

from observatory.actions import ACTIONS, MENUS
from observatory.capture import What
from observatory.docks import Docks
from observatory.recording_desk import RecordingDesk


def fill_menus(window: QMainWindow, actions: dict[str, QAction], docks: Docks, desk: RecordingDesk, what: What) -> None:
    """The menu bar: every action in its menu, the docks under View, what is recorded under Record."""
    bar = window.menuBar()
    assert bar is not None
    for title in MENUS:
        menu = QMenu(title, window)
        menu.setToolTipsVisible(True)
        for info in ACTIONS:
            if info.menu == title:
                menu.addAction(actions[info.call])
        if title == "View":
            menu.addSeparator()
            for dock in docks.by_title.values():
                menu.addAction(dock.toggleViewAction())
        if title == "Record":
            menu.addSeparator()
            _add_choice(menu, desk, what)
        bar.addMenu(menu)


def _add_choice(menu: QMenu, desk: RecordingDesk, chosen: What) -> None:
    group = QActionGroup(menu)
    for what in get_args(What):
        action = QAction("Record the canvas" if what == "canvas" else "Record the whole window", menu)
        action.setCheckable(True)
        action.setChecked(what == chosen)
        action.triggered.connect(lambda _checked, w=what: desk.choose(w))
        group.addAction(action)
        menu.addAction(action)


def fill_toolbar(window: QMainWindow, actions: dict[str, QAction], throttle: QWidget) -> None:
    """One toolbar: the actions marked for it in groups by menu, then the speed."""
    bar = QToolBar("Toolbar", window)
    bar.setObjectName("Toolbar")
    bar.setMovable(False)
    bar.setIconSize(QSize(20, 20))
    previous = ""
    for menu in ("Run", "Record", "View"):
        for info in ACTIONS:
            if info.menu != menu or not info.toolbar:
                continue
            if previous not in ("", menu):
                bar.addSeparator()
            previous = menu
            bar.addAction(actions[info.call])
        if menu == "Run":
            bar.addWidget(throttle)
    gap = QWidget()
    gap.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    bar.addWidget(gap)
    bar.addAction(actions["command_palette"])
    window.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)

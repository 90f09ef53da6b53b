"""Lets a focused widget keep the keys it understands, where the window has a shortcut on the same key."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QAbstractButton, QAbstractItemView, QAbstractSlider, QComboBox, QWidget

_ARROWS = {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}
_KEPT: tuple[tuple[type[QWidget], set[Qt.Key]], ...] = (
    (QAbstractButton, {Qt.Key.Key_Space}),
    (QAbstractSlider, _ARROWS),
    (QComboBox, _ARROWS | {Qt.Key.Key_Space}),
    (QAbstractItemView, _ARROWS | {Qt.Key.Key_Space}),
)


class _KeyKeeper(QObject):
    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and not event.modifiers():
            for kind, keys in _KEPT:
                if isinstance(watched, kind) and event.key() in keys:
                    event.accept()
                    return True
        return False


class _ArrowKeeper(QObject):
    def __init__(self, widget: QWidget, wanted: Callable[[], bool]):
        super().__init__(widget)
        self._wanted = wanted
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and event.key() in _ARROWS:
            event.setAccepted(self._wanted())
            return event.isAccepted()
        return False


def keep_arrows_while(widget: QWidget, wanted: Callable[[], bool]) -> None:
    """`widget` keeps the arrow keys while it has the focus and `wanted` says so."""
    _ArrowKeeper(widget, wanted)


def keep_keys(root: QWidget) -> None:
    """Every button, slider, list and combo box under `root` keeps Space or the arrows while it has the focus.

    A click then no longer gives buttons the focus, so Space goes on meaning play / pause for mouse users.
    """
    keeper = _KeyKeeper(root)
    for widget in (root, *root.findChildren(QWidget)):
        if isinstance(widget, QAbstractButton) and widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if any(isinstance(widget, kind) for kind, _ in _KEPT):
            widget.installEventFilter(keeper)

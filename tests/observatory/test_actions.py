"""Action records: complete, unique, and the same everywhere."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest
from PyQt6.QtGui import QKeySequence
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from observatory import palette
from observatory.actions import ACTIONS, MENUS, ActionInfo
from observatory.panels.command_palette import matches
from observatory.panels.icons import icon
from observatory.panels.shortcuts import shortcuts_html

PROMISED = {
    "toggle_play": "Space",
    "step_one": ".",
    "reset": "R",
    "recording.toggle": "V",
    "recording.screenshot": "Alt+S",
    "toggle_nudge": "N",
    "full_screen": "F",
    "command_palette": "Ctrl+Shift+P",
    "shortcuts": "F1",
    "stage.fit": "0",
    "open_preset": "Ctrl+O",
    "close": "Ctrl+Q",
}


@pytest.mark.parametrize("info", ACTIONS, ids=lambda info: info.call)
def test_every_action_is_complete(info: ActionInfo) -> None:
    assert info.text
    assert info.menu in MENUS
    assert len(info.tip) > 10
    assert info.keys
    assert info.keys[0] in info.tooltip
    assert (files("assets") / "icons" / f"{info.icon}.svg").is_file()


def test_no_two_actions_share_a_key(qapp: object) -> None:
    keys = Counter(QKeySequence(key).toString() for info in ACTIONS for key in info.keys)
    assert all(keys), "a key that Qt does not know"
    assert [key for key, count in keys.items() if count > 1] == []


def test_the_promised_keys_are_there() -> None:
    keys = {info.call: info.keys[0] for info in ACTIONS}
    assert {call: keys[call] for call in PROMISED} == PROMISED


def test_every_key_is_on_the_page() -> None:
    page = shortcuts_html(ACTIONS)
    assert [key for info in ACTIONS for key in info.keys if f">{key}" not in page and f" {key}<" not in page] == []


def test_an_icon_is_visible_on_the_dark(qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    for info in ACTIONS:
        image = icon(info.icon).pixmap(24, 24).toImage()
        seen = [image.pixelColor(x, y) for x in range(24) for y in range(24) if image.pixelColor(x, y).alpha() > 200]
        assert len(seen) > 15, info.icon
        assert palette.contrast(seen[0].name(), palette.PANEL) > 4.5, info.icon


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [("", "Reset", True), ("res", "Reset", True), ("video rec", "Record video", True), ("recx", "Record video", False)],
)
def test_the_palette_finds_words_in_any_order(query: str, text: str, found: bool) -> None:
    assert matches(query, text) is found


@pytest.mark.parametrize(("text", "ground"), palette.TEXT_PAIRS)
def test_text_is_legible(text: str, ground: str) -> None:
    assert palette.contrast(text, ground) >= 4.5


def test_contrast_of_black_and_white_is_21() -> None:
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)

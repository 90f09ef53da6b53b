"""Settings survive a restart, and nothing in their file can block one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from observatory import settings as module
from observatory.settings import MAX_RECENT, Settings, load_settings, save_settings, settings_file
from observatory.view import ViewSettings, settings_for
from observatory.viewstate import restore_view, view_table


def write(text: str) -> Path:
    path = settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_what_is_saved_comes_back() -> None:
    settings = Settings(geometry="AAEC", preset="tiny", recent=["/a.toml"], ticks_per_second=7.0, record_what="window")
    save_settings(settings)
    assert load_settings() == settings


def test_no_file_gives_the_defaults() -> None:
    assert load_settings() == Settings()


def test_the_environment_says_where(settings_folder: Path) -> None:
    save_settings(Settings())
    assert [p.name for p in settings_folder.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("geometry", 5),
        ("recent", ["x"] * (MAX_RECENT + 1)),
        ("recent", "a.toml"),
        ("view", []),
        ("ticks_per_second", -1),
        ("ticks_per_second", "fast"),
        ("record_what", "everything"),
        ("record_fps", 0),
    ],
)
def test_a_wrong_key_is_dropped_alone(key: str, wrong: object) -> None:
    write(json.dumps({"preset": "tiny", key: wrong, "no such key": 1}))
    settings = load_settings()
    assert settings.preset == "tiny"
    assert getattr(settings, key) == getattr(Settings(), key)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '{"preset": "tiny"', "\x00\x01"])
def test_a_broken_file_is_put_aside(text: str) -> None:
    path = write(text)
    assert load_settings() == Settings()
    assert not path.exists()
    assert path.with_name("settings.json.broken").read_text("utf-8") == text


def test_bytes_that_are_no_text_are_put_aside() -> None:
    path = write("")
    path.write_bytes(b"\xff\xfe\x00garbage")
    assert load_settings() == Settings()
    assert path.with_name("settings.json.broken").exists()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("here")
    monkeypatch.setenv("OBSERVATORY_CONFIG_DIR", str(blocker / "below"))
    save_settings(Settings())
    assert load_settings() == Settings()


def test_a_failed_write_keeps_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save_settings(Settings(preset="tiny"))

    def fail(_from: object, _to: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module.os, "replace", fail)
    save_settings(Settings(preset="other"))
    assert load_settings().preset == "tiny"
    assert [p.name for p in settings_file().parent.iterdir()] == ["settings.json"]


def test_recent_files_are_unique_and_few() -> None:
    settings = Settings()
    for i in range(MAX_RECENT + 3):
        settings.remember(f"{i}.toml")
    settings.remember("5.toml")
    assert settings.recent[0] == "5.toml"
    assert len(settings.recent) == len(set(settings.recent)) == MAX_RECENT


def test_view_fields_come_back_one_by_one() -> None:
    view = ViewSettings()
    table = {"red": {"on": False, "gain": "bright"}, "green": 3, "blue": {"gain": 2.5}, "highlight": False}
    restore_view(view, table, "recursive")
    assert not view.red.on
    assert view.red.gain == 1.0
    assert view.blue.gain == 2.5
    assert not view.highlight


def test_scales_come_back_only_for_the_same_kind_of_network() -> None:
    chosen = ViewSettings()
    for channel in chosen.channels:
        channel.log = True
    table = view_table(chosen, "recursive")
    same, other = ViewSettings(), ViewSettings()
    restore_view(same, table, "recursive")
    restore_view(other, table, "hopfield")
    assert [c.log for c in same.channels] == [True] * 3
    assert [c.log for c in other.channels] == [c.log for c in settings_for("hopfield").channels]

"""What survives a restart: one JSON file, read key by key so that nothing in it can block a start."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from platformdirs import user_config_path, user_videos_path
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

log = logging.getLogger(__name__)

MAX_RECENT = 8
Finite = Annotated[float, Field(allow_inf_nan=False)]
APP_NAME = "toreq-observatory"


@dataclass
class Settings:
    """The remembered state of the window. Byte strings of Qt are kept as base64 text."""

    geometry: str = ""
    docks: str = ""
    preset: str = "deep-100"
    recent: Annotated[list[str], Field(max_length=MAX_RECENT)] = field(default_factory=list)
    view: dict[str, Any] = field(default_factory=dict)
    volume: dict[str, Any] = field(default_factory=dict)
    volume_bookmark: Annotated[list[Finite], Field(min_length=3, max_length=3)] | None = None
    """The view of a volume that a person kept: azimuth and elevation in degrees, distance in edges."""
    ticks_per_second: Annotated[float, Field(ge=0, le=1e6)] | None = None
    """None follows the preset; 0 means as fast as it goes."""
    record_what: Literal["canvas", "window"] = "canvas"
    record_fps: Annotated[int, Field(ge=1, le=120)] = 30
    recordings: str = ""
    """Folder for videos and pictures; empty means the default one."""
    history_mib: Annotated[int, Field(ge=1, le=65536)] = 256
    """Memory that the history may take."""

    def remember(self, path: str) -> None:
        """Put a preset file at the top of the recent ones."""
        self.recent = [path, *(p for p in self.recent if p != path)][:MAX_RECENT]

    def recordings_folder(self) -> Path:
        """Where videos and pictures go."""
        return Path(self.recordings) if self.recordings else user_videos_path() / "TorEq Observatory"


def config_folder() -> Path:
    """Where settings live; the environment variable OBSERVATORY_CONFIG_DIR overrides the platform's folder."""
    override = os.environ.get("OBSERVATORY_CONFIG_DIR")
    return Path(override) if override else user_config_path(APP_NAME, appauthor=False)


def settings_file() -> Path:
    """Path of the settings file."""
    return config_folder() / "settings.json"


def load_settings() -> Settings:
    """The remembered settings. Unknown and wrong keys are dropped one by one; a broken file is moved to `.broken`."""
    path = settings_file()
    try:
        table = json.loads(path.read_text("utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not a table")
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        log.warning("settings not read: %s", error)
        return Settings()
    except ValueError as error:
        broken = path.with_suffix(path.suffix + ".broken")
        log.warning("settings unreadable (%s); moved to %s", error, broken)
        with suppress(OSError):
            path.replace(broken)
        return Settings()
    settings = Settings()
    hints = get_type_hints(Settings, include_extras=True)
    for entry in fields(Settings):
        if entry.name not in table:
            continue
        try:
            value = TypeAdapter(hints[entry.name], config=ConfigDict(strict=True)).validate_python(table[entry.name])
        except ValidationError as error:
            log.warning("settings: %s dropped: %s", entry.name, error.errors()[0]["msg"])
            continue
        setattr(settings, entry.name, value)
    return settings


def save_settings(settings: Settings) -> None:
    """Write the settings in one atomic step; a folder that cannot be written is logged, never raised."""
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".settings-", suffix=".tmp")
    except OSError as error:
        log.warning("settings not saved: %s", error)
        return
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(settings), file, indent=2)
        os.replace(temporary, path)
    except OSError as error:
        log.warning("settings not saved: %s", error)
        with suppress(OSError):
            os.unlink(temporary)

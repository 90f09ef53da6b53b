"""Files that a person gives the window: presets, and streams of their own."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtGui import QDropEvent

from engine.dynamics.files import SUFFIXES

LOADABLE = (".toml", *SUFFIXES)
FILTER = f"Presets and streams ({' '.join(f'*{suffix}' for suffix in LOADABLE)})"


def is_file(source: str) -> bool:
    """Whether this names a file, not a shipped preset."""
    return Path(source).suffix.lower() in LOADABLE


def dropped(event: QDropEvent) -> list[str]:
    """Paths of the files in a drag that can be loaded."""
    mime = event.mimeData()
    urls = mime.urls() if mime is not None else []
    return [url.toLocalFile() for url in urls if is_file(url.toLocalFile())]

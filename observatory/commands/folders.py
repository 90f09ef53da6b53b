"""Folders and files that results go to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from observatory.commands.errors import UsageError


def require_writable_folder(out: Path) -> None:
    """Refuse `--out` before minutes of measuring. Makes the folder when there is none. Raises UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error


def require_writable_file(out: Path, suffix: str) -> None:
    """Refuse `--out` before minutes of work. Makes the folder when there is none. Raises UsageError."""
    if out.suffix.lower() != suffix:
        raise UsageError(f"--out {out}: the file must end in {suffix}")
    existed = out.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("ab"):
            pass
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written: {error.strerror}") from error
    if not existed:
        out.unlink()

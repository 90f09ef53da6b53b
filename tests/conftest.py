"""What all tests share: a virtual screen of their own, a settings folder of their own, one BLAS thread."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

SCREEN = "1600x1000x24"

_screen = pytest.StashKey[subprocess.Popen[bytes]]()
_settings = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()


def pytest_configure(config: pytest.Config) -> None:
    settings = tempfile.TemporaryDirectory(prefix="observatory-tests-")
    config.stash[_settings] = settings
    os.environ["OBSERVATORY_CONFIG_DIR"] = settings.name
    if sys.platform.startswith("linux") and shutil.which("Xvfb"):
        config.stash[_screen] = _start_virtual_screen()


def pytest_unconfigure(config: pytest.Config) -> None:
    screen = config.stash.get(_screen, None)
    if screen is not None:
        screen.terminate()
        screen.wait(timeout=10)
    config.stash[_settings].cleanup()


def _start_virtual_screen() -> subprocess.Popen[bytes]:
    """Start Xvfb on a free display number and point this process at it."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as answer:
        number = answer.readline().strip()
    if not number:
        raise pytest.UsageError(f"Xvfb ended with code {process.wait()} before it opened a display")
    os.environ["DISPLAY"] = f":{number}"
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    os.environ.pop("WAYLAND_DISPLAY", None)
    return process


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m observatory WORDS...` in an empty folder, on a machine without a display."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "observatory", *words],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)

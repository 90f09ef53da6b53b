"""Catches what a test leaves behind: top-level widgets, running timers, threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PyQt6 import sip
from PyQt6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
from PyQt6.QtWidgets import QApplication, QWidget

from engine.build import build_network
from engine.preset import load_preset


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    """The kernels of a small chain: a fresh checkout compiles them for longer than tests wait for windows."""
    network = build_network(load_preset("tiny"))
    network.tick(nudged=True)


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder of the test's own."""
    folder = tmp_path / "config"
    monkeypatch.setenv("OBSERVATORY_CONFIG_DIR", str(folder))
    return folder


def describe(thing: QObject) -> str:
    """Class, owner and name of a Qt object."""
    parent = thing.parent()
    owner = f" of {type(parent).__name__}" if parent is not None else ""
    title = thing.windowTitle() if isinstance(thing, QWidget) else ""
    return f"{type(thing).__name__}{owner} {thing.objectName() or title}".strip()


def leftovers() -> dict[int, str]:
    """What should be gone after a test, in words, by address. Qt's own tooltip window stays for ever, and so does the
    pool of threads that clips weights."""
    left = {
        sip.unwrapinstance(widget): f"top-level widget {describe(widget)}"
        for widget in QApplication.topLevelWidgets()
        if widget.metaObject().className() != "QTipLabel"
    }
    for thing in gc.get_objects():
        with suppress(ReferenceError, RuntimeError):
            if isinstance(thing, QTimer) and thing.isActive():
                left[sip.unwrapinstance(thing)] = f"running timer {describe(thing)}"
            elif isinstance(thing, QThread) and thing.isRunning() and thing is not QThread.currentThread():
                left[sip.unwrapinstance(thing)] = f"running QThread {describe(thing)}"
    left |= {id(t): f"thread {t.name}" for t in threading.enumerate() if not t.name.startswith("clip_")}
    return left


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves widgets, timers or threads behind, naming them."""
    if "qapp" not in request.fixturenames:
        yield
        return
    before = leftovers()
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    left = [text for key, text in leftovers().items() if key not in before]
    assert not left, "left behind: " + "; ".join(sorted(left))

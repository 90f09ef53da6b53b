"""Whether a window can be opened here. To be asked before Qt starts: Qt aborts the process where it cannot."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_WINDOWLESS_PLATFORMS = ("offscreen", "minimal")


def why_no_window() -> str | None:
    """One clause that says why no window can be opened, None where one can."""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform in _WINDOWLESS_PLATFORMS:
        return f"QT_QPA_PLATFORM is {platform}"
    if not sys.platform.startswith("linux"):
        return None
    if _wayland_answers() and platform != "xcb":
        return None
    if not os.environ.get("DISPLAY"):
        return "there is no display (DISPLAY and WAYLAND_DISPLAY are not set)"
    return _why_not_x11()


def _wayland_answers() -> bool:
    name = os.environ.get("WAYLAND_DISPLAY")
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(name) and (Path(folder) / str(name)).is_socket()


def _why_not_x11() -> str | None:
    from PyQt6.QtCore import QLibraryInfo

    plugin = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms" / "libqxcb.so"
    try:
        ctypes.CDLL(str(plugin))
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        return f"a system library that Qt needs is missing: {error}"
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    refused = xcb.xcb_connection_has_error(connection) != 0
    xcb.xcb_disconnect(connection)
    return f"the display {os.environ['DISPLAY']} does not answer" if refused else None

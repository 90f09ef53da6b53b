"""Prints the Debian packages whose library or program is missing here, on one line: missing_libraries.py run|test.

The list is what PyQt6's wheel, VisPy and Mesa need on a bare Debian, found by trying. Standard library only, so that
it runs in an empty environment.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

LIBRARIES = {
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libfontconfig1": "libfontconfig.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libdbus-1-3": "libdbus-1.so.3",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-shape0": "libxcb-shape.so.0",
}
TEST_PROGRAMS = {"xvfb": "Xvfb"}


def loads(library: str) -> bool:
    """Whether the dynamic linker finds the library and all that it needs."""
    try:
        ctypes.CDLL(library, mode=os.RTLD_LAZY)
    except OSError:
        return False
    return True


def missing(purpose: str) -> list[str]:
    """Debian package names, for "run" or "test"."""
    packages = [package for package, library in LIBRARIES.items() if not loads(library)]
    if purpose == "test":
        packages += [package for package, program in TEST_PROGRAMS.items() if shutil.which(program) is None]
    return packages


if __name__ == "__main__":
    print(*missing(sys.argv[1]))

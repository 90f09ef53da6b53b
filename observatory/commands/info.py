"""`observatory info`: what this installation runs on."""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any

from observatory import __version__
from observatory.commands.columns import print_columns
from observatory.commands.parser import Subcommands, add_command
from observatory.commands.screen import why_no_window

_ENCODERS = ("libx264", "h264", "mpeg4")

_EXAMPLES = """\
  observatory info
  observatory info --json
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "info", "tell what this installation runs on", _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the lines or the JSON object."""
    found = gather()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    gl, backend = found["gl"], found["backend"]
    lines = {
        "version": found["version"],
        "python": f"{found['python']} on {found['system']}",
        "backend": f"{backend['name']} ({backend['reason']})",
        "other backends": "; ".join(f"{n}: {why}" for n, why in backend["available"].items() if n != backend["name"]),
        "numba threads": found["numba_threads"],
        "OpenGL": gl.get("error") or f"{gl['renderer']}, {gl['version']} (through {gl['through'].upper()})",
        "Qt": f"{found['qt']} (PyQt {found['pyqt']})",
        "window": found["no_window"] or "can be opened here",
        "encoders": ", ".join(found["encoders"]) or "none",
        "settings": found["settings"],
    }
    print_columns(lines)
    return 0


def gather() -> dict[str, Any]:
    """Everything `info` knows, JSON-ready. A missing OpenGL is an entry, not an error."""
    import av.codec
    import numba
    from PyQt6.QtCore import PYQT_VERSION_STR, qVersion

    from kernels.backends import describe
    from observatory.canvas.gl_info import describe_gl
    from observatory.settings import config_folder

    no_window = why_no_window()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "backend": describe(),
        "numba_threads": numba.config.NUMBA_NUM_THREADS,
        "gl": describe_gl(through_qt=no_window is None),
        "qt": qVersion(),
        "pyqt": PYQT_VERSION_STR,
        "no_window": no_window,
        "encoders": [name for name in _ENCODERS if _can_encode(av.codec, name)],
        "settings": str(config_folder()),
    }


def _can_encode(codecs: Any, name: str) -> bool:
    try:
        codecs.Codec(name, "w")
    except ValueError:
        return False
    return True

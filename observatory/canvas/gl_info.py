"""Which OpenGL this machine has, found without a window: `python -m observatory.canvas.gl_info qt|egl` prints JSON.

It is a program of its own because a broken driver may end the process that asks it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

_TIMEOUT = 30.0


def describe_gl(through_qt: bool) -> dict[str, str]:
    """`renderer`, `vendor` and `version` of the OpenGL in use, or `error` with the reason why there is none.

    `through_qt` asks as the window does and needs a display; otherwise EGL is asked, as the headless recorder does.
    """
    way = "qt" if through_qt else "egl"
    command = [sys.executable, "-m", "observatory.canvas.gl_info", way]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"through": way, "error": str(error)}
    try:
        found: dict[str, str] = json.loads(answer.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"through": way, "error": f"the process that asked the driver ended with code {answer.returncode}"}
    return {"through": way, **found}


def _strings() -> dict[str, str]:
    from vispy.gloo import gl

    return {
        "renderer": gl.glGetParameter(gl.GL_RENDERER),
        "vendor": gl.glGetParameter(gl.GL_VENDOR),
        "version": gl.glGetParameter(gl.GL_VERSION),
    }


def _ask_qt() -> dict[str, str]:
    from PyQt6.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext

    application = QGuiApplication(sys.argv[:1])
    surface = QOffscreenSurface()
    surface.create()
    context = QOpenGLContext()
    if not context.create() or not context.makeCurrent(surface):
        raise RuntimeError("Qt cannot make an OpenGL context here")
    strings = _strings()
    context.doneCurrent()
    del context, surface, application
    return strings


def _ask_egl() -> dict[str, str]:
    if sys.platform.startswith("linux"):
        os.environ.setdefault("EGL_PLATFORM", "surfaceless")
    from vispy import app

    application = app.use_app("egl")
    canvas = app.Canvas(size=(16, 16), app=application, show=False)
    canvas.set_current()
    strings = _strings()
    canvas.close()
    return strings


def _main(way: str) -> None:
    try:
        answer = _ask_qt() if way == "qt" else _ask_egl()
    except Exception as error:  # whatever goes wrong in a driver is the answer
        answer = {"error": " ".join(str(error).split()) or type(error).__name__}
    print(json.dumps(answer))


if __name__ == "__main__":
    _main(sys.argv[1])

"""The wheel is complete: built from this checkout, installed elsewhere, run from another folder.

The clean environment gets the wheel itself by pip, and the dependencies from this environment through a path file:
what is tested is our package, not the registry.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("observatory", "engine", "kernels", "presets", "assets")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    (built,) = folder.glob("toreq_observatory-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a clean environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / ("python.exe" if os.name == "nt" else "python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    _run([*pip, str(wheel)], folder)
    purelib = _run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    (Path(purelib) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_the_wheel_carries_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"presets/deep-100.toml", "presets/tiny.toml"} <= wanted
    assert {Path(name).suffix for name in wanted} >= {".toml", ".svg", ".vert", ".frag"}
    assert inside == wanted


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [n for n in archive.namelist() if n.endswith("licenses/LICENSE")]
    assert b"GNU GENERAL PUBLIC LICENSE" in archive.read(name)


@pytest.mark.slow
def test_the_installed_program_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    program = str(installed / "observatory")
    where = _run([str(installed / "python"), "-c", "import engine, observatory; print(observatory.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)

    presets = json.loads(_run([program, "presets", "--json"], tmp_path))
    assert {path.stem for path in (ROOT / "presets").glob("*.toml")} == {preset["name"] for preset in presets}

    report = json.loads(_run([program, "probe", "tiny", "--json"], tmp_path))
    assert report["settled"]
    assert report["finite"]

    _run(
        [program, "record", "tiny", "--out", "tiny.mp4", "--seconds", "1", "--fps", "10", "--size", "320x240"], tmp_path
    )
    with av.open(tmp_path / "tiny.mp4") as video:
        pictures = list(video.decode(video=0))
    assert [(picture.width, picture.height) for picture in pictures] == [(320, 240)] * 10


def _run(words: list[str], folder: Path) -> str:
    """Standard output of a program that must succeed, run without a display and without this checkout on its path."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout

"""`observatory dream` as a person meets it, and the pictures it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from engine.data.dataset import Summary
from engine.dreams import dream_all
from engine.preset import load_preset
from observatory.__main__ import main
from observatory.recording import dreams
from observatory.recording.dreams import sheet_png, write_dreams
from observatory.recording.sidecar import RecordingError

Cli = Callable[..., subprocess.CompletedProcess[str]]


def pixels(path: Path) -> NDArray[np.uint8]:
    """A PNG as uint8 (rows, columns, 3)."""
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888)
    assert not image.isNull()
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["dream", "--help"])
    assert left.value.code == 0
    assert "examples:\n  observatory dream deep-100" in capsys.readouterr().out


def test_json_and_a_picture_of_every_class(cli: Cli, tmp_path: Path) -> None:
    words = ("dream", "tiny", "--ticks", "30", "--set", "sigma=0.5", "--backend", "numpy")
    done = cli(*words, "--out", "d", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["preset"], report["ticks"], report["backend"]) == ("tiny", 30, "numpy")
    assert report["classes"] == [str(label) for label in range(10)]
    assert len(report["probabilities"]) == len(report["read_as"]) == 10
    assert report["pictures"] == [str(Path("d", f"{label}.png")) for label in range(10)]
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == [*(f"{c}.png" for c in range(10)), "sheet.png"]
    found = dream_all(load_preset("tiny"), {"sigma": 0.5}, 30, "numpy")
    for label in range(10):
        seen = pixels(tmp_path / "d" / f"{label}.png")
        assert seen.shape == (256, 256, 3)
        np.testing.assert_array_equal(seen[::32, ::32, 0], np.round(found.pictures[-1, label] * 255))


def test_the_table_is_for_people(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dream", "tiny", "--ticks", "3"]) == 0
    told = capsys.readouterr().out
    assert "tiny, 6 layers, on digits" in told
    assert "3 ticks in" in told
    assert f"{Path('dreams', 'tiny', '0.png')} to 9.png" in told
    assert (tmp_path / "dreams" / "tiny" / "sheet.png").exists()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "required: PRESET"),
        (["nowhere"], "no preset named 'nowhere'"),
        (["tween-chase"], "tween-chase: a tween network cannot dream"),
        (["tiny", "--ticks", "0"], "'0' is not a whole number of at least 1"),
        (["tiny", "--set", "sigma=99"], "sigma = 99 is outside its range"),
        (["tiny", "--set", "dreamy=1"], "unknown parameter 'dreamy'"),
        (["tiny", "--backend", "abacus"], "unknown backend 'abacus'"),
        (["tiny", "--out", "/dev/null/x"], "--out /dev/null/x: cannot be written: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_use_is_one_line_and_code_2(
    words: list[str], what: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: Any = main(["dream", *words])
    except SystemExit as left:
        code = left.code
    told = capsys.readouterr()
    assert (code, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert what in told.err
    assert not list(tmp_path.rglob("*.png"))


def test_ctrl_c_ends_with_one_line_and_no_picture(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "observatory", "dream", "tiny", "--ticks", "1000000", "--out", "d"]
    process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "d").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "observatory dream: stopped\n")
    assert not list((tmp_path / "d").iterdir())


def test_a_bar_moves_on_a_terminal(tmp_path: Path) -> None:
    terminal, side = os.openpty()
    words = [sys.executable, "-m", "observatory", "dream", "tiny", "--ticks", "40", "--json"]
    done = subprocess.run(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=side, text=True, timeout=120, check=False)
    os.close(side)
    bar = b""
    with suppress(OSError):  # at the end, since nobody writes to the terminal any more
        while part := os.read(terminal, 4096):
            bar += part
    os.close(terminal)
    assert done.returncode == 0
    json.loads(done.stdout)
    assert b"dreaming" in bar
    assert b"40/40" in bar


# the pictures by themselves


def made(classes: int, shape: tuple[int, ...], names: tuple[str, ...] = ()) -> Any:
    """Dreams made by hand, each of another grey or colour."""
    pictures = np.linspace(0, 1, 2 * classes * int(np.prod(shape)), dtype=np.float32).reshape(2, classes, *shape)
    return SimpleNamespace(
        preset=SimpleNamespace(title="By hand"),
        data=Summary("made", 10, classes, names),
        pictures=pictures,
        ticks=(0, 9),
        probabilities=np.eye(classes, dtype=np.float32),
    )


def test_colours_and_oblong_pictures_are_kept(tmp_path: Path) -> None:
    found = made(3, (5, 7, 3), ("a", "a name that is very long", "c"))
    paths, sheet = write_dreams(found, tmp_path)
    for label, path in enumerate(paths):
        seen = pixels(path)
        assert seen.shape == (185, 259, 3)
        np.testing.assert_array_equal(seen[::37, ::37], np.round(found.pictures[-1, label] * 255))
    assert pixels(sheet).shape[0] > 100


@pytest.mark.parametrize(("classes", "rows"), [(2, 2), (20, 2), (21, 2), (45, 3)])
def test_every_class_is_on_the_sheet(classes: int, rows: int, tmp_path: Path) -> None:
    found = made(classes, (4, 4))
    shown: list[NDArray[np.uint8]] = []
    plain = dreams._mosaic
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dreams, "_mosaic", lambda tiles: shown.append(tiles) or plain(tiles))
        (tmp_path / "s.png").write_bytes(sheet_png(found))
    (tiles,) = shown
    assert tiles.shape[:2] == (rows, min(classes, 20))
    flat = (tiles if classes > 20 else tiles[-1]).reshape(-1, 4, 4, 3)
    np.testing.assert_array_equal(flat[:classes, ..., 0], np.round(found.pictures[-1] * 255))
    mosaic, (down, across) = plain(tiles)
    for row, top in enumerate(down):
        for column, left in enumerate(across):
            np.testing.assert_array_equal(mosaic[int(top + 0.5), int(left + 0.5)], tiles[row, column, 2, 2])
    assert pixels(tmp_path / "s.png").shape[1] > 90 * min(classes, 20)


def test_a_picture_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"0\.png: cannot be written"):
        write_dreams(made(2, (4, 4)), tmp_path / "gone")

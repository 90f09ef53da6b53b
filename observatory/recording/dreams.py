"""Dreams as pictures: a PNG per class, and a sheet on which all of them take shape."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.dreams import ClassDreams
from observatory import palette
from observatory.recording.screenshot import save_png
from observatory.recording.sidecar import write_atomically
from observatory.suite.style import dark_figure

SMALLEST = 256
"""A class's picture has at least this many pixels along its longer side, each of the network's as a square block."""
MOST_COLUMNS = 20
"""With more classes than this the sheet shows the last moment alone, so many to a row."""


def write_dreams(found: ClassDreams, folder: Path) -> tuple[list[Path], Path]:
    """Write 0.png, 1.png, ... and sheet.png into a folder, each whole or not at all; where they are.

    Raises RecordingError.
    """
    paths = [folder / f"{label}.png" for label in range(found.data.classes)]
    for path, picture in zip(paths, _in_colour(found.pictures)[-1], strict=True):
        block = -(-SMALLEST // max(picture.shape[:2]))
        save_png(picture.repeat(block, 0).repeat(block, 1), path)
    sheet = folder / "sheet.png"
    write_atomically(sheet, sheet_png(found))
    return paths, sheet


def _in_colour(pictures: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(moments, classes, h, w) or (..., 3) in 0..1 as uint8 (moments, classes, h, w, 3)."""
    whole = np.round(pictures * 255).astype(np.uint8)
    return whole[..., None].repeat(3, -1) if whole.ndim == 4 else whole


def sheet_png(found: ClassDreams) -> bytes:
    """A column per class and a row per moment; of many classes the last moment alone. PNG."""
    pictures = _in_colour(found.pictures)
    classes = found.data.classes
    columns = min(classes, MOST_COLUMNS)
    if classes == columns:
        tiles = pictures
        beside = [f"tick {tick}" for tick in found.ticks]
        words = "class that was asked for, and how sure the network itself is of it in the end"
        below = [f"{_short(found.data.class_name(c))}\n{found.probabilities[c, c]:.0%}" for c in range(classes)]
    else:
        rows = -(-classes // columns)
        tiles = np.zeros((rows * columns, *pictures.shape[2:]), np.uint8)
        tiles[:classes] = pictures[-1]
        tiles = tiles.reshape(rows, columns, *pictures.shape[2:])
        words = "number of the class: row and column added up"
        beside, below = [str(row * columns) for row in range(rows)], [f"+{column}" for column in range(columns)]
    mosaic, places = _mosaic(tiles)
    width = 1.2 + 0.85 * columns
    with dark_figure(1, 1, (width, 0.85 * len(tiles) * tiles.shape[2] / tiles.shape[3] + 1.25)) as (figure, (axes,)):
        axes.imshow(mosaic, interpolation="nearest")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(places[1], below)
        axes.set_yticks(places[0], beside)
        axes.set_xlabel(words)
        axes.set_title(f"{found.preset.title} dreams of every class")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()


def _mosaic(tiles: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[list[float], list[float]]]:
    """Tiles (rows, columns, h, w, 3) side by side with gaps between, and where the middles of rows and columns lie."""
    rows, columns, height, width, _ = tiles.shape
    gap = max(1, width // 8)
    ground = [int(palette.BASE[i : i + 2], 16) for i in (1, 3, 5)]
    mosaic = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), ground, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            mosaic[top : top + height, left : left + width] = tiles[row, column]
    middles = [[n * (size + gap) + (size - 1) / 2 for n in range(count)] for count, size in
               ((rows, height), (columns, width))]  # fmt: skip
    return mosaic, (middles[0], middles[1])


def _short(name: str) -> str:
    return name if len(name) <= 11 else f"{name[:10]}…"

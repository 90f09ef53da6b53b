"""The heat of every core: a tile for each node, its numbers down, its terms across, one picture for all of them.

Cold is dark, Warm amber (looked at by the last probe and left Cold), Hot red by weight, Cooling blue; what was
committed just now flashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPoint, QRect, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.frame import Frame
from engine.networks.growing.core import Heat
from engine.networks.growing.report import Growth
from observatory import palette

FLASH = 25
"""Learning steps for which a new cell flashes."""
GAP = 3
"""Pixels between tiles."""
LARGEST = 22
"""Pixels of a cell."""
GROUND = np.array([17, 21, 27])
COLD = np.array([29, 35, 45])
DIM = {Heat.WARM: (92, 72, 34), Heat.HOT: (84, 30, 30), Heat.COOLING: (30, 48, 96)}
FULL = {Heat.WARM: (242, 184, 75), Heat.HOT: (255, 92, 76), Heat.COOLING: (84, 140, 255)}
FLASHED = np.array([255, 246, 214])
NOBODY = -1


@dataclass(frozen=True)
class Cores:
    """Cells of one moment, Hot and Cooling ones first, then Warm ones, and their places in the tiles."""

    growth: Growth
    rows: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    sources: NDArray[np.int32]
    """(n, 2)"""
    knots: NDArray[np.float64]
    columns: NDArray[np.int64]
    """(n,): column within the node's tile: constant, lines, hinges, products."""
    width: int
    """Columns of a tile."""

    @classmethod
    def of(cls, growth: Growth) -> Cores:
        """Of a report that carries its wiring."""
        wiring, warm = growth.wiring, growth.warm
        assert wiring is not None
        assert warm is not None
        column = growth.cells[:, 1]
        rows = np.concatenate([growth.cells[:, 0], warm.rows])
        kinds = np.concatenate([wiring.kinds[column], warm.kinds])
        sources = np.concatenate([wiring.sources[column], warm.sources])
        knots = np.concatenate([wiring.knots[column], warm.knots.astype(np.float64)])
        if not len(rows):
            return cls(growth, rows, kinds, sources, knots, np.zeros(0, np.int64), 1)
        node = rows // growth.features
        keys = np.column_stack([node, kinds, sources, knots])
        terms, term = np.unique(keys, axis=0, return_inverse=True)
        first = np.searchsorted(terms[:, 0], np.arange(growth.nodes))
        columns = term.reshape(-1) - first[node]
        return cls(growth, rows, kinds, sources, knots, columns, int(columns.max()) + 1)

    @cached_property
    def heat(self) -> NDArray[np.uint8]:
        """Of each cell."""
        warm = np.full(len(self.rows) - len(self.growth.heat), Heat.WARM, np.uint8)
        return np.concatenate([self.growth.heat, warm])

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """Of the matrix of all cells, Cold ones too, (nodes, features, width, 3)."""
        growth = self.growth
        size = np.abs(growth.values)
        share = np.full(len(self.rows), 0.6)
        share[: len(size)] = np.sqrt(size / max(float(size.max(initial=0)), 1e-12))
        dim = np.array([DIM.get(Heat(heat), (0, 0, 0)) for heat in range(4)], float)
        full = np.array([FULL.get(Heat(heat), (0, 0, 0)) for heat in range(4)], float)
        colour = dim[self.heat] + share[:, None] * (full - dim)[self.heat]
        glow = np.zeros(len(self.rows))
        glow[: len(size)] = np.clip(1 - (growth.steps - growth.born) / FLASH, 0, 1)
        colour += glow[:, None] * (FLASHED - colour)
        matrix = np.empty((growth.nodes * growth.features, self.width, 3), np.uint8)
        matrix[:] = COLD
        matrix[self.rows, self.columns] = colour.round()
        return matrix.reshape(growth.nodes, growth.features, self.width, 3)

    def at(self, row: int, column: int) -> int:
        """Which cell lies there; NOBODY where it is Cold."""
        hits = np.flatnonzero((self.rows == row) & (self.columns == column))
        return int(hits[0]) if len(hits) else NOBODY

    def words(self, row: int, column: int) -> str:
        """A cell in words."""
        growth, cell = self.growth, self.at(row, column)
        wiring = growth.wiring
        assert wiring is not None
        if cell == NOBODY:
            return f"{wiring.name(row)}: Cold"
        told = f"{wiring.name(row)} <- {wiring.words(int(self.kinds[cell]), self.sources[cell], self.knots[cell])}"
        if cell < len(growth.values):
            heat = Heat(int(growth.heat[cell])).name.capitalize()
            return f"{told} · w {growth.values[cell]:.3g} · {heat} · since step {growth.born[cell]}"
        assert growth.warm is not None
        return f"{told} · Warm · SNR {growth.warm.snr[cell - len(growth.values)]:.3g}"


@dataclass(frozen=True, slots=True)
class Tiling:
    """Where tiles of (features, width) cells lie in a picture: `across` of them beside each other, cells of (x, y)
    pixels."""

    tiles: int
    features: int
    width: int
    across: int
    cell: tuple[int, int]

    @classmethod
    def best(cls, tiles: int, features: int, width: int, size: tuple[int, int]) -> Tiling:
        """The one with the largest cells that are at most three times as wide as high, or the other way round."""
        across = np.arange(1, tiles + 1)
        x = (size[0] / across - GAP) / width
        y = (size[1] / np.ceil(tiles / across) - GAP) / features
        x, y = np.minimum(x, 3 * y), np.minimum(y, 3 * x)
        best = int(np.minimum(x, y).argmax())
        cell = (int(np.clip(edge[best], 1, LARGEST)) for edge in (x, y))
        return cls(tiles, features, width, int(across[best]), (next(cell), next(cell)))

    @property
    def pitch(self) -> tuple[int, int]:
        """From a tile to the next, in pixels."""
        return self.width * self.cell[0] + GAP, self.features * self.cell[1] + GAP

    @property
    def size(self) -> tuple[int, int]:
        """Of the picture."""
        return self.across * self.pitch[0], -(-self.tiles // self.across) * self.pitch[1]

    def picture(self, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """All tiles, (height, width, 3), of colours (tiles, features, width, 3)."""
        down = -(-self.tiles // self.across)
        full = np.empty((down * self.across, self.features + 1, self.width + 1, 3), np.uint8)
        full[:] = GROUND
        full[: self.tiles, :-1, :-1] = colours
        matrix = full.reshape(down, self.across, self.features + 1, self.width + 1, 3).swapaxes(1, 2)
        matrix = matrix.reshape(down * (self.features + 1), self.across * (self.width + 1), 3)
        x = np.tile(np.append(np.full(self.width, self.cell[0]), GAP), self.across)
        y = np.tile(np.append(np.full(self.features, self.cell[1]), GAP), down)
        found: NDArray[np.uint8] = np.repeat(np.repeat(matrix, y, 0), x, 1)
        return found

    def place(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Tile, number within the node and column at this place of the picture."""
        wide, high = self.pitch
        tile = int(y // high) * self.across + int(x // wide)
        column, row = int(x % wide // self.cell[0]), int(y % high // self.cell[1])
        inside = 0 <= x < self.size[0] and y >= 0 and tile < self.tiles
        return (tile, row, column) if inside and column < self.width and row < self.features else None

    def corner(self, tile: int) -> tuple[int, int]:
        """Of a tile."""
        return tile % self.across * self.pitch[0], tile // self.across * self.pitch[1]


class CoresView(QWidget):
    """The picture. Emits `hovered` with the words of what is under the pointer, `chosen` with a node."""

    hovered = pyqtSignal(str)
    chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.cores: Cores | None = None
        self.tiling: Tiling | None = None
        self.node: int | None = None
        """The one that is framed."""
        self.setMouseTracking(True)
        self.setMinimumSize(120, 60)
        self.setAccessibleName("heat of the cores")

    def show_cores(self, cores: Cores | None) -> None:
        """Paint these."""
        self.cores = cores
        self.update()

    def mouseMoveEvent(self, a0: QMouseEvent | None) -> None:
        """Tell the cell."""
        if a0 is not None:
            self.hovered.emit(self.tip_at(a0.position().toPoint()))

    def leaveEvent(self, a0: object) -> None:
        """Nothing is under the pointer."""
        self.hovered.emit("")

    def mousePressEvent(self, a0: QMouseEvent | None) -> None:
        """Choose the node."""
        place = None if a0 is None else self._place(a0.position().toPoint())
        if place is not None:
            self.chosen.emit(place[0])

    def tip_at(self, where: QPoint) -> str:
        """The cell at this place in words."""
        place = self._place(where)
        if place is None or self.cores is None:
            return ""
        tile, row, column = place
        return self.cores.words(tile * self.cores.growth.features + row, column)

    def _place(self, where: QPoint) -> tuple[int, int, int] | None:
        if self.tiling is None:
            return None
        left, top = self._margin(self.tiling)
        return self.tiling.place(where.x() - left, where.y() - top)

    def _margin(self, tiling: Tiling) -> tuple[int, int]:
        return max((self.width() - tiling.size[0] + GAP) // 2, 0), 0

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """All tiles."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(*map(int, GROUND)))
        if self.cores is not None:
            self._paint(painter, self.cores)
        painter.end()

    def _paint(self, painter: QPainter, cores: Cores) -> None:
        growth, size = cores.growth, (self.width(), self.height())
        self.tiling = tiling = Tiling.best(growth.nodes, growth.features, cores.width, size)
        pixels = np.ascontiguousarray(tiling.picture(cores.colours))
        height, width, _ = pixels.shape
        image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        left, top = self._margin(tiling)
        painter.drawImage(left, top, image)
        if self.node is not None and self.node < growth.nodes:
            x, y = tiling.corner(self.node)
            painter.setPen(QPen(QColor(palette.TEXT), 1))
            painter.drawRect(QRect(left + x - 2, top + y - 2, tiling.pitch[0], tiling.pitch[1]))


class CoresPanel(QWidget):
    """`redraw(frame)` shows the cores of a frame, and above them the cell under the pointer, or how many there are."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.view = CoresView()
        self.words = QLabel()
        self.words.setMinimumWidth(40)
        self.words.setMinimumHeight(2 * self.words.fontMetrics().lineSpacing())
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setStyleSheet(f"color: {palette.MUTED}")
        self.view.hovered.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 4, 6, 4)
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addWidget(self.view, 1)
        self.setMinimumSize(160, 110)
        self._drawn: tuple[int, int] | None = None
        self._hovered = ""

    def redraw(self, frame: Frame) -> None:
        """Show this frame; a frame shown before costs nothing."""
        if (frame.epoch, frame.tick) == self._drawn:
            return
        self._drawn = frame.epoch, frame.tick
        growth = frame.growth
        known = growth is not None and growth.wiring is not None and growth.warm is not None
        self.view.show_cores(Cores.of(growth) if growth is not None and known else None)
        if not self._hovered:
            self._tell("")

    def choose(self, node: int | None) -> None:
        """Frame this node's tile."""
        self.view.node = node
        self.view.update()

    def _tell(self, words: str) -> None:
        self._hovered = words
        if words:
            self.words.setTextFormat(Qt.TextFormat.PlainText)
            self.words.setText(words)
            return
        self.words.setTextFormat(Qt.TextFormat.RichText)
        self.words.setText(census(self.view.cores))


def census(cores: Cores | None) -> str:
    """How many cells have which heat, in its colour."""
    if cores is None:
        return ""
    counts = np.bincount(cores.heat, minlength=4)
    told = [
        f"<span style='color: {QColor(*FULL[heat]).name()}'>{counts[heat]} {heat.name.capitalize()}</span>"
        for heat in (Heat.HOT, Heat.COOLING, Heat.WARM)
    ]
    count = cores.growth.nodes
    return f"{count} core{'' if count == 1 else 's'}: {', '.join(told)}; new ones flash, Cold is dark"

"""Where the nodes of a graph are drawn: springs on the edges, all nodes apart, the same picture for the same graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

STEPS = 60
"""Moves after the edges have changed; a few at a time, so that one sees the nodes go."""
FIRST = 200
"""Moves before the first picture."""
HEAT, COOLEST = 0.08, 0.004
"""Longest move, as a part of the picture's side, at first and at last."""
EDGE_MARGIN = 0.02


class Places:
    """Positions (nodes, 2) in 0..1 after Fruchterman and Reingold (1991), from a ring, without a random number."""

    def __init__(self) -> None:
        self.points: Points = np.zeros((0, 2))
        self._edges: NDArray[np.int32] = np.zeros((0, 2), np.int32)
        self._left = 0
        self._wanted = STEPS

    def follow(self, nodes: int, edges: NDArray[np.int32], moves: int = 4) -> bool:
        """Take in the edges (E, 2) and move on a little; whether anything moved. Nodes keep their places."""
        if nodes != len(self.points):
            angle = 2 * np.pi * np.arange(nodes) / max(nodes, 1)
            self.points = 0.5 + 0.4 * np.stack([np.sin(angle), -np.cos(angle)], 1)
            self._edges, self._left = np.zeros((0, 2), np.int32), 0
        if not np.array_equal(edges, self._edges):
            if not len(self._edges):
                moves = FIRST
                self._left = self._wanted = FIRST
            else:
                self._left = self._wanted = max(self._left, STEPS)
            self._edges = edges.copy()
        moved = min(moves, self._left)
        for _ in range(moved):
            self._move(HEAT * self._left / self._wanted if self._wanted == FIRST else HEAT / 4)
            self._left -= 1
        return moved > 0

    def _move(self, longest: float) -> None:
        points = self.points
        apart = 0.7 / np.sqrt(max(len(points), 1))
        square = np.square(points).sum(1)
        push_apart = apart**2 / np.maximum(square[:, None] + square - 2 * points @ points.T, 1e-6)
        push = points * push_apart.sum(1)[:, None] - push_apart @ points
        reader, read = self._edges.T
        pull = points[read] - points[reader]
        pull *= np.linalg.norm(pull, axis=1, keepdims=True) / apart / 4
        np.add.at(push, reader, pull)
        np.subtract.at(push, read, pull)
        push += 0.8 * (0.5 - points)
        length = np.maximum(np.linalg.norm(push, axis=1, keepdims=True), 1e-12)
        moved = points + push / length * np.minimum(0.1 * length, max(longest, COOLEST))
        self.points = np.clip(moved, EDGE_MARGIN, 1 - EDGE_MARGIN)

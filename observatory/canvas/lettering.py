"""Words as straight strokes, so that they are drawn like any other line and stay sharp at every size."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Segments = NDArray[np.float64]
"""float64 (count, 2, 2): the two ends of each stroke, x and y down."""

HEIGHT = 6.0
"""Height of a letter in its own units; `words` scales it."""
_GAP = 1.7
_SPACE = 3.0

_LETTERS = {
    "A": "0,6 2,0 4,6/0.7,4 3.3,4",
    "D": "0,0 0,6 2.2,6 4,4.4 4,1.6 2.2,0 0,0",
    "E": "3.6,0 0,0 0,6 3.6,6/0,3 3,3",
    "I": "0,0 0,6",
    "N": "0,6 0,0 4,6 4,0",
    "O": "1.4,0 2.8,0 4.2,1.5 4.2,4.5 2.8,6 1.4,6 0,4.5 0,1.5 1.4,0",
    "P": "0,6 0,0 2.6,0 3.8,0.9 3.8,2.3 2.6,3.2 0,3.2",
    "R": "0,6 0,0 2.6,0 3.8,0.9 3.8,2.3 2.6,3.2 0,3.2/2,3.2 4,6",
    "T": "0,0 4,0/2,0 2,6",
    "U": "0,0 0,4.5 1.3,6 2.7,6 4,4.5 4,0",
    "X": "0,0 4,6/4,0 0,6",
    "Y": "0,0 2,3 4,0/2,3 2,6",
    "Z": "0,0 4,0 0,6 4,6",
    "-": "0,3 2,3",
    "0": "1.3,0 2.7,0 4,1.5 4,4.5 2.7,6 1.3,6 0,4.5 0,1.5 1.3,0",
    "1": "0,1.4 1.6,0 1.6,6",
    "2": "0,1.3 1.2,0 2.8,0 4,1.2 4,2.3 0,6 4,6",
    "3": "0,0 4,0 2,2.4 2.8,2.4 4,3.6 4,4.8 2.8,6 1.2,6 0,4.9",
    "4": "3,6 3,0 0,4.2 4,4.2",
    "5": "3.8,0 0.4,0 0.1,2.6 2.6,2.4 4,3.5 4,4.7 2.8,6 1.2,6 0,5",
    "6": "3.6,0.6 2.4,0 1.3,0.4 0,2.6 0,4.6 1.3,6 2.7,6 4,4.8 4,3.7 2.7,2.6 1.3,2.6 0,3.7",
    "7": "0,0 4,0 1.4,6",
    "8": "1.2,0 2.8,0 3.8,0.9 3.8,2 2.8,2.9 1.2,2.9 0.2,2 0.2,0.9 1.2,0/"
    "1.2,2.9 0,4 0,4.9 1.2,6 2.8,6 4,4.9 4,4 2.8,2.9",
    "9": "0.4,5.4 1.6,6 2.7,5.6 4,3.4 4,1.4 2.7,0 1.3,0 0,1.2 0,2.3 1.3,3.4 2.7,3.4 4,2.3",
}


@lru_cache(maxsize=1)
def _strokes() -> dict[str, Segments]:
    found = {}
    for letter, text in _LETTERS.items():
        lines = [[[float(part) for part in point.split(",")] for point in line.split()] for line in text.split("/")]
        found[letter] = np.array([pair for line in lines for pair in pairwise(line)])
    return found


@lru_cache(maxsize=256)
def word(text: str) -> tuple[Segments, float]:
    """The strokes of a word and its width, in units of the letters, the middle at (0, 0). Raises KeyError."""
    parts, left = [], 0.0
    for letter in text:
        if letter == " ":
            left += _SPACE
            continue
        strokes = _strokes()[letter]
        parts.append(strokes + np.array([left, 0.0]))
        left += float(strokes[..., 0].max()) + _GAP
    width = left - _GAP
    return np.concatenate(parts) - np.array([width / 2, HEIGHT / 2]), width

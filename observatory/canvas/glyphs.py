"""Ten digits of 5 x 7 pixels, as a texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIGITS = """
.###. ..#.. .###. .###. ...#. ##### ..##. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... .#... ....# #...# #...#
#..## ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#.#.# ..#.. ...#. ..##. #..#. ....# ####. ..#.. .###. .####
##..# ..#.. ..#.. ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. .#... #...# ...#. #...# #...# ..#.. #...# ...#.
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .##..
"""


def digit_texture() -> NDArray[np.uint8]:
    """The digits 0 to 9 side by side, uint8 (7, 50), 255 where there is ink."""
    rows = [line.replace(" ", "") for line in _DIGITS.split("\n") if line]
    return np.array([[255 * (mark == "#") for mark in row] for row in rows], np.uint8)

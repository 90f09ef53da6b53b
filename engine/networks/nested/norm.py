"""The bounds that make nested chains contract: all R, and W within Blocks, have spectral norms of at most 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from engine.learning.optimise import clip_recurrent
from engine.linalg import spectral_norms
from engine.networks.nested.nest import Nest

Array = NDArray[Any]


def bound(weights: Mapping[str, Array], nest: Nest, slack: float = 0.0) -> None:
    """Clip singular values at 1, in place; with a `slack` a stack whose norms are below 1 + slack keeps its bits."""
    bounded = {"R": weights["R"], "W": weights["W"][nest.inner]}
    stacks = {name: stack for name, stack in bounded.items() if len(stack)}
    large = tuple(name for name in stacks if not slack or spectral_norms(stacks[name]).max() > 1 + slack)
    clip_recurrent(bounded, large)
    if "W" in large:
        weights["W"][nest.inner] = bounded["W"]

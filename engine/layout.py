"""Where the neurons of a network lie when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles of neurons, one per layer, layer 1 first.

    A frame's channel of shape (layers, height * width) lies in memory exactly as a texture of
    (layers * height, width) texels, so it can go to the graphics card as it is.
    """

    layers: int
    height: int
    width: int
    volume: bool = False
    """Whether the tiles are the slices of a body: neuron (row, column) of layer z + 1 is voxel (z, y, x)."""

    @property
    def neurons(self) -> int:
        """Neurons per layer."""
        return self.height * self.width

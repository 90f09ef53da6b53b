"""What the layers of a convolutional chain are, and the tables by which kernels find their way in flat arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, int, int]
"""Channels, height, width."""
LARGEST = 65536
"""Neurons of one layer, at most."""


class PlanError(ValueError):
    """Layers that do not fit each other; one readable line."""


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A layer that reads images of `shape_in`, through kernels of size x size every `stride` pixels."""

    shape_in: Shape
    channels: int
    size: int = 3
    stride: int = 1
    residual: bool = False

    def __post_init__(self) -> None:
        if min(self.channels, self.size, self.stride) < 1 or self.size % 2 == 0:
            raise PlanError("channels, an odd size and a stride of at least 1 are needed")
        if self.residual and self.shape != self.shape_in:
            raise PlanError(
                f"a residual link needs stride 1 and as many channels as the layer reads ({self.shape_in[0]})"
            )
        if self.neurons > LARGEST:
            raise PlanError(f"{self.neurons:,} neurons are more than the {LARGEST:,} that a layer may have")

    @property
    def shape(self) -> Shape:
        """Of its own images."""
        _, height, width = self.shape_in
        return self.channels, -(-height // self.stride), -(-width // self.stride)

    @property
    def neurons(self) -> int:
        """How many it has."""
        return prod(self.shape)


@dataclass(frozen=True)
class Plan:
    """The layers of a chain, from the bottom.

    `picture` is the shape of the data set's pictures, (height, width) or (height, width, 3).
    """

    picture: tuple[int, ...]
    layers: tuple[ConvLayer, ...]

    @property
    def neurons(self) -> tuple[int, ...]:
        """Of each layer."""
        return tuple(layer.neurons for layer in self.layers)

    @property
    def channels(self) -> int:
        """Of all layers."""
        return sum(layer.channels for layer in self.layers)

    @cached_property
    def ways(self) -> NDArray[np.float64]:
        """How each layer joins the stream, (L, 3): skip, share and the bound of a displacement, see `kernels`.

        Residual blocks share the stream, 1 / sqrt(how many there are) each; other layers are the stream.
        """
        residual = 1 / math.sqrt(max(1, sum(layer.residual for layer in self.layers)))
        rows, reach = [], 0.0
        for layer in self.layers:
            share = residual if layer.residual else 1.0
            reach = 2 * share + (reach if layer.residual else 0.0)
            rows.append((float(layer.residual), share, reach))
        return np.array(rows)

    @cached_property
    def shapes(self) -> NDArray[np.int64]:
        """Both links of each layer, (L, 2, 9), see `kernels.convolution`."""
        table, at = np.zeros((len(self.layers), 2, 9), np.int64), 0
        for rows, layer in zip(table, self.layers, strict=True):
            for row, source, stride in ((rows[0], layer.shape_in, layer.stride), (rows[1], layer.shape, 1)):
                row[:] = (*source, *layer.shape, layer.size, stride, at)
                at += layer.channels * source[0] * layer.size**2
        return table

    @property
    def weights(self) -> int:
        """Weights of all kernels."""
        return sum(rows * columns for rows, columns in self.kernels().values())

    def kernels(self) -> dict[str, tuple[int, int]]:
        """Shapes of the kernels as matrices, by name, in the order in which `packed` puts them.

        "l.K" (C_l, C_(l-1) size^2) reads from below, "l.R" (C_l, C_l size^2) from the layer itself; layers count from
        1, taps are in the order of channel, row, column.
        """
        found = {}
        for number, layer in enumerate(self.layers, 1):
            found[f"{number}.K"] = layer.channels, layer.shape_in[0] * layer.size**2
            found[f"{number}.R"] = layer.channels, layer.channels * layer.size**2
        return found

    def packed(self, weights: Mapping[str, Array]) -> Array:
        """All kernels in one flat vector."""
        return np.concatenate([weights[name].reshape(-1) for name in self.kernels()])

    def biases(self, weights: Mapping[str, Array]) -> Array:
        """Those of all channels, "l.b" (C_l,) by name, in one vector."""
        return np.concatenate([weights[f"{number + 1}.b"] for number in range(len(self.layers))])

    def unpacked(self, kernels: Array, biases: Array) -> dict[str, Array]:
        """The inverse of both, views."""
        found, at = {}, 0
        for name, shape in self.kernels().items():
            found[name] = kernels[at : at + prod(shape)].reshape(shape)
            at += prod(shape)
        ends = np.cumsum([layer.channels for layer in self.layers])
        for number, bias in enumerate(np.split(biases, ends[:-1]), 1):
            found[f"{number}.b"] = bias
        return found

    @property
    def neighbourhood(self) -> int:
        """Numbers that the largest layout of neighbourhoods takes, for one sample."""
        return max(int(row[0] * row[6] ** 2 * row[4] * row[5]) for row in self.shapes.reshape(-1, 9))

    @property
    def multiply_adds(self) -> tuple[int, int]:
        """Of one sample, in the kernel that reads the picture and in all others; what the border cuts off counts."""
        first, *others = (int(row[0] * row[6] ** 2 * prod(row[3:6])) for row in self.shapes.reshape(-1, 9))
        return first, sum(others)

    def arranged(self, x: Array) -> Array:
        """Encoded pictures (B, pixels), colours innermost, as images (B, pixels), channels outermost."""
        if len(self.picture) == 2:
            return x
        return np.ascontiguousarray(x.reshape(-1, *self.picture).transpose(0, 3, 1, 2)).reshape(len(x), -1)

    def restored(self, images: Array) -> Array:
        """The inverse of `arranged`."""
        if len(self.picture) == 2:
            return images
        height, width, channels = self.picture
        return np.ascontiguousarray(images.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)).reshape(
            len(images), -1
        )


def first_shape(picture: tuple[int, ...]) -> Shape:
    """What the first layer reads of pictures of this shape."""
    height, width, *colours = picture
    return (colours[0] if colours else 1), height, width

"""How a preset writes a tween chain down: one table per layer, checked field by field."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from engine.networks.tween.activation import Activation, Phi, Softmax
from engine.networks.tween.attention import Attention
from engine.networks.tween.composite import Fusion, Parallel, Residual
from engine.networks.tween.convolution import Conv1D, Conv2D
from engine.networks.tween.dense import Dense
from engine.networks.tween.layer import Layer, Shape, ShapeError
from engine.networks.tween.norm import LayerNorm, RMSNorm
from engine.networks.tween.recurrent import LSTM, RNN

Count = Annotated[int, Field(ge=1, le=4096)]
Odd = Annotated[int, Field(ge=1, le=31)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many such layers follow each other."""


class DenseTable(_Table):
    """a = phi(W x + b)."""

    kind: Literal["dense"]
    features: Count
    phi: Phi = "tanh"

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return Dense(shape, self.features, self.phi)


class ConvTable(_Table):
    """conv1d over (time, features), conv2d over (channels, height, width)."""

    kind: Literal["conv1d", "conv2d"]
    channels: Count
    size: Odd = 3
    stride: Annotated[int, Field(ge=1, le=16)] = 1
    phi: Phi = "tanh"

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        make = Conv1D if self.kind == "conv1d" else Conv2D
        return make(shape, self.channels, self.size, self.stride, self.phi)


class RecurrentTable(_Table):
    """Memory across ticks."""

    kind: Literal["rnn", "lstm"]
    features: Count

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return (RNN if self.kind == "rnn" else LSTM)(shape, self.features)


class AttentionTable(_Table):
    """Multi-head self-attention over (time, features)."""

    kind: Literal["attention"]
    heads: Annotated[int, Field(ge=1, le=64)] = 1

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return Attention(shape, self.heads)


class NormTable(_Table):
    """Layer norm, RMS norm, or softmax."""

    kind: Literal["layernorm", "rmsnorm", "softmax"]

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return _PLAIN[self.kind](shape)


_PLAIN: dict[str, Callable[[Shape], Layer]] = {"layernorm": LayerNorm, "rmsnorm": RMSNorm, "softmax": Softmax}


class ActivationTable(_Table):
    """phi alone."""

    kind: Literal["activation"]
    phi: Phi = "tanh"

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return Activation(shape, self.phi)


class ResidualTable(_Table):
    """x + scale f(x), f being `parts`."""

    kind: Literal["residual"]
    parts: list[LayerTable]
    scale: Annotated[float, Field(gt=0, le=1)] = 1.0

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return Residual(build_layers(self.parts, shape), self.scale)


class ParallelTable(_Table):
    """Branches, each of one layer, fused."""

    kind: Literal["parallel"]
    branches: Annotated[list[LayerTable], Field(min_length=1, max_length=16)]
    fusion: Fusion = "concat"

    def layer(self, shape: Shape) -> Layer:
        """The layer that reads `shape`."""
        return Parallel([branch.layer(shape) for branch in self.branches], self.fusion)


LayerTable: TypeAlias = Annotated[
    DenseTable
    | ConvTable
    | RecurrentTable
    | AttentionTable
    | NormTable
    | ActivationTable
    | ResidualTable
    | ParallelTable,
    Field(discriminator="kind"),
]
LARGEST = 65536
"""Numbers in the output of one layer, at most."""


def build_layers(tables: list[LayerTable], shape: Shape) -> list[Layer]:
    """Layers one after the other, the first reading `shape`. Raises ShapeError naming the layer that does not fit."""
    layers: list[Layer] = []
    for table in tables:
        for _ in range(table.repeat):
            try:
                layer = table.layer(shape)
            except ShapeError as error:
                raise ShapeError(f"layer {len(layers) + 1}: {error}") from None
            if prod(layer.shape) > LARGEST:
                raise ShapeError(f"layer {len(layers) + 1}: an output of {prod(layer.shape):,} numbers is too large")
            layers.append(layer)
            shape = layer.shape
    if not layers:
        raise ShapeError("there is no layer")
    return layers


ResidualTable.model_rebuild()
ParallelTable.model_rebuild()

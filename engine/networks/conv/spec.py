"""How a preset writes a convolutional chain down: one table per layer, checked field by field."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.networks.conv.plan import ConvLayer, Plan, PlanError, first_shape

MOST_WEIGHTS = 2**28
"""Of all kernels of a chain."""


class ConvTable(BaseModel):
    """A layer, or `repeat` of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: Annotated[int, Field(ge=1, le=256)]
    size: Annotated[int, Field(ge=1, le=15)] = 3
    stride: Annotated[int, Field(ge=1, le=16)] = 1
    residual: bool = False
    """Whether the stream goes on past the block."""
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1


def build_plan(tables: list[ConvTable], picture: tuple[int, ...]) -> Plan:
    """The layers for pictures of this shape. Raises PlanError naming the layer that does not fit."""
    layers: list[ConvLayer] = []
    shape = first_shape(picture)
    for table in tables:
        for _ in range(table.repeat):
            try:
                layers.append(ConvLayer(shape, table.channels, table.size, table.stride, table.residual))
            except PlanError as error:
                raise PlanError(f"layer {len(layers) + 1}: {error}") from None
            shape = layers[-1].shape
    plan = Plan(picture, tuple(layers))
    if plan.weights > MOST_WEIGHTS:
        raise PlanError(f"kernels of {plan.weights:,} weights are more than the {MOST_WEIGHTS:,} that a chain may have")
    return plan

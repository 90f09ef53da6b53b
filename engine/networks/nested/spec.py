"""How a preset writes nested chains down: one table per level, checked field by field."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.networks.nested.nest import Level, Nest


class NestTable(BaseModel):
    """A level, the outermost first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: Annotated[int, Field(ge=1, le=1000)]
    within: Annotated[list[int], Field(min_length=1)] | None = None
    """Layers of the level above, counted from 1, that hold such a chain; all of them if not said."""


def build_nest(tables: list[NestTable]) -> Nest:
    """The chains of these tables. Raises NestError."""
    return Nest(tuple(Level(t.layers, None if t.within is None else tuple(t.within)) for t in tables))

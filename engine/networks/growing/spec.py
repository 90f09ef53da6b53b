"""How a preset writes a growing graph down."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.dynamics import Stream, make_stream
from engine.networks.growing.settings import GrowthSettings

Budget = Annotated[int, Field(ge=0, le=1_000_000)]


class GrowthTable(BaseModel):
    """The `[growth]` table: the stream it lives on, its budgets, and how it learns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream: Annotated[str, Field(min_length=1)]
    """A stream's name, or the path of a .csv or .npz file."""
    parameters: dict[str, float] = Field(default_factory=dict)
    """Of the stream: steps, dt, noise, and others of its own."""
    cells: Budget = 2000
    taps: Budget = 500
    shapes: Budget = 1000
    pools: Annotated[int, Field(ge=0, le=256)] = 0
    memory: Annotated[int, Field(ge=1, le=32)] = 6
    products: bool = True
    knots: Annotated[int, Field(ge=0, le=32)] = 7
    window: Annotated[int, Field(ge=200, le=200_000)] = 8000
    batch: Annotated[int, Field(ge=1, le=8192)] = 256
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    evidence: Annotated[int, Field(ge=8, le=65536)] = 1024
    cycle: Annotated[int, Field(ge=1, le=100_000)] = 50
    commits: Annotated[int, Field(ge=1, le=64)] = 2
    stencils: bool = False
    """Whether nodes with like stencils learn and grow together."""
    listened: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Ticks that it has heard before its first."""

    def settings(self) -> GrowthSettings:
        """Budgets and pace."""
        own = self.model_dump(exclude={"stream", "parameters", "pools", "listened"})
        return GrowthSettings(**own)

    def make(self, seed: int) -> Stream:
        """The stream. Raises StreamError."""
        asked = {"seed": seed, **self.parameters}
        return make_stream(self.stream, **asked)

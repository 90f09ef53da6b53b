"""How a graph grows: budgets, memory, pace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrowthSettings:
    """Numbers of a growing graph that do not change while it runs.

    The three limits are hard: cells, taps beyond each line's first, terms that are not plain lines.
    """

    cells: int = 2000
    taps: int = 500
    shapes: int = 1000
    """Hinges and products."""
    memory: int = 6
    """Ticks that a node remembers, H."""
    products: bool = True
    """Whether terms may be products of two lines."""
    knots: int = 7
    """Quantiles of a node's own numbers at which a hinge may be tried."""
    window: int = 8000
    """Ticks that learning draws its batches from."""
    batch: int = 256
    """Samples of a learning step."""
    evidence: int = 1024
    """Samples of each batch that a decision rests on."""
    jitter: float = 0.0
    """Noise on what is remembered while learning, in spreads of each number."""
    rate: float = 0.01
    """Step size of Adam."""
    threshold: float = 0.0
    """Of the soft threshold."""
    cycle: int = 50
    """Steps between two meta-steps."""
    commits: int = 2
    """Regions that a node may add in a meta-step."""
    doubt: float = 2.0
    """b: standard errors that are taken off a measured gain."""
    price: float = 1.0
    """Times the extended BIC's price of a cell that a gain must pay."""
    least: float = 0.01
    """Share of a number's loss that a cell which reads another node must explain, at the least."""
    scale: float = 1.0
    """Of the barrier gamma."""
    stencils: bool = False
    """Whether nodes with like stencils learn and grow together."""
    radius: float = 0.2
    """1 - cosine up to which two stencils are alike."""
    attraction: float = 0.0
    """Pull of likes on each other, in step sizes by distance."""
    horizon: int = 3
    """Meta-steps for which a cell must have been close to its likes before it is tied; 0 for never."""
    help: bool = True
    """Whether a region that cannot mend its error gets a probe of its best Cold neighbour."""
    clones: bool = True
    """Whether overloaded lines are cloned on trial."""
    sleeps: bool = True
    """Whether nodes that do not pay consolidate to identities, and materialise when they would."""
    discovers: bool = True
    """Whether nodes are clustered now and then."""
    crossover: bool = False
    """Whether passes of a dense graph are computed by whole matrices."""

"""What is done about trouble: nodes whose novelty rises are given a transient module, and the cache what it learned.

ONSET ticks into a trouble its signature is told, and a module is put beside the nodes whose own novelty is high, now or
before the trouble ends. It begins with a prototype that the cache recalls; if there is none, nascent ones race, each
looking at the nodes from another source, and the one with the smallest error speaks. At the end the module
materialises, its template goes to the cache, or consolidates: what did not pay is dropped, and the nodes are as they
were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.novelty import LEAVE, Novelty
from engine.networks.growing.prototypes import Prototype, PrototypeCache
from engine.networks.growing.transient import TransientModule

Array = NDArray[np.float64]
Look = Callable[[Array, int], Array]
"""Of a state, where its n nodes are as seen from a source, (n, m), in units of a module's reach."""
Choose = Callable[[PrototypeCache, Array, Callable[[Prototype], float]], Prototype | None]
"""What a trouble of this signature begins with, given how much of the last residuals' energy a prototype explains, in
standard errors; None is nascent."""
ONSET = 20
"""Ticks of trouble after which its signature is told."""
RIVALS = 12
"""Nascent modules that race."""
PAYS = 0.5
"""Share of the error's energy that a module must take away to be kept."""
RECENT = 0.98
"""What remains after a tick of the moving average that rivals are told by."""


@dataclass(slots=True, eq=False)
class Rival:
    """A module, the source that it looks from, and the moving average of its squared error."""

    source: int
    module: TransientModule
    error: float


class Troubles:
    """Of n nodes with d numbers each, n a multiple of the `modules` that novelty is watched for."""

    def __init__(
        self, nodes: int, numbers: int, look: Look, sources: Sequence[int], *, modules: int | None = None,
        choose: Choose = PrototypeCache.recall,
    ) -> None:  # fmt: skip
        self.novelty = Novelty(nodes if modules is None else modules)
        self.cache = PrototypeCache()
        self.choose = choose
        self.rivals: list[Rival] = []
        """The one that speaks first; none in quiet times."""
        self.origin: Prototype | None = None
        """What the present module began with, None if nascent."""
        self.kept: Prototype | None = None
        """What the cache was given last."""
        self.members = np.zeros(nodes, bool)
        """Nodes that have the module."""
        self.spawned = self.hits = 0
        self._numbers, self._look, self._sources = numbers, look, tuple(sources)
        self._signature = self.novelty.signature()
        self._past: deque[tuple[Array, Array]] = deque(maxlen=ONSET)
        self._energy = np.zeros(2)

    def correct(self, state: Array) -> Array:
        """By how much predictions from this state have to be corrected, (n, d); 0 in quiet times."""
        if not self.rivals:
            return np.zeros((len(self.members), self._numbers))
        found = self.rivals[0].module.predict(self._look(state, self.rivals[0].source))
        return np.where(self.members[:, None], found, 0.0)

    def observe(
        self, state: Array, residuals: Array, inputs: Array, expected: Array | float = 1.0, *, learn: bool = True
    ) -> None:  # fmt: skip
        """One tick: residuals (n, d) that were left of predictions from a state without correction, inputs (n, m), and
        the energy that is `expected` of each module's residuals. Without `learn` it is only watched.
        """
        residuals = residuals.astype(np.float64)
        if learn and self.rivals:
            self._learn(state, residuals)
        self._past.append((state, residuals))
        self.novelty.observe(residuals, inputs, expected)
        if not learn:
            return
        novelty = self.novelty
        if novelty.troubled and (self.rivals or novelty.ticks >= ONSET):
            high = novelty.levels > LEAVE
            self.members |= np.repeat(high, len(self.members) // len(high))
            if not self.rivals and self.members.any():
                self._spawn()
        elif self.rivals and not novelty.troubled:
            self._put_away()

    def _learn(self, state: Array, residuals: Array) -> None:
        wanted = residuals[self.members]
        for i, rival in enumerate(self.rivals):
            places = self._look(state, rival.source)[self.members]
            left = float(np.square(wanted - rival.module.predict(places)).mean())
            if i == 0:
                self._energy += left, float(np.square(wanted).mean())
            rival.error = RECENT * rival.error + (1 - RECENT) * left
            rival.module.learn(places, wanted)
        self.rivals.sort(key=lambda rival: rival.error)

    def _spawn(self) -> None:
        each = len(self.members) // len(self.novelty.levels)
        self._signature = self.novelty.signature(self.members[::each])
        self.origin = self.choose(self.cache, self._signature, self._explained)
        if self.origin is None:
            usual = float(np.square([residuals[self.members] for _, residuals in self._past]).mean())
            self.rivals = [Rival(source, self._module(), usual) for source in self._shortlist()]
        else:
            module = self._module()
            module.adopt(self.origin.template)
            self.rivals = [Rival(int(self.origin.template["source"][0]), module, 0.0)]
        self.spawned += 1
        self.hits += self.origin is not None
        self._energy[:] = 0

    def _put_away(self) -> None:
        spoke = self.rivals[0]
        left, whole = self._energy
        if left < (1 - PAYS) * whole:
            template = spoke.module.template | {"source": np.array([float(spoke.source)])}
            self.kept = self.cache.keep(self._signature, template)
        self.rivals, self.origin = [], None
        self.members[:] = False

    def _module(self) -> TransientModule:
        return TransientModule(self._look(self._past[-1][0], self._sources[0]).shape[1], self._numbers)

    def _explained(self, prototype: Prototype) -> float:
        """How much of the last residuals' energy in the members a prototype takes away, in standard errors."""
        module, source = self._module(), int(prototype.template["source"][0])
        module.adopt(prototype.template)
        gains = []
        for state, residuals in self._past:
            wanted = residuals[self.members]
            left = wanted - module.predict(self._look(state, source)[self.members])
            gains.append(float(np.square(wanted).sum() - np.square(left).sum()))
        return float(sum(gains) / max(np.std(gains) * len(gains) ** 0.5, 1e-300))

    def _shortlist(self) -> list[int]:
        """Sources from which a quadratic function of the places explains most of the last residuals."""
        wanted = np.concatenate([residuals[self.members] for _, residuals in self._past])
        left = {}
        for source in self._sources if len(self._sources) > 1 else ():
            x = np.concatenate([self._look(state, source)[self.members] for state, _ in self._past])
            design = np.column_stack([np.ones(len(x)), x, x**2, x.prod(1)])
            left[source] = float(np.square(wanted - design @ np.linalg.lstsq(design, wanted, rcond=None)[0]).sum())
        return sorted(left, key=left.__getitem__)[:RIVALS] or list(self._sources)

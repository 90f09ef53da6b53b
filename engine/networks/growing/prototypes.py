"""The prototype cache: what transient modules have learned, found again by the trouble that they were made for.

Signatures are blurred by noise and by what the graph has learned since. So where none is near, the prototype that
explains best what was just seen will do, if it does so beyond doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.novelty import distance

Array = NDArray[np.float64]
RADIUS = 0.3
"""Signatures farther apart than this are of different troubles."""
DOUBT = 2.0
"""Standard errors beyond which something is explained."""
DRIFT = 0.5
"""How far a prototype's signature goes to that of its next use."""


@dataclass(slots=True, eq=False)
class Prototype:
    """A template's arrays, by name, and the signature that they answer."""

    signature: Array
    template: dict[str, Array]
    uses: int = 0


class PrototypeCache:
    """At most `capacity` prototypes; the one not needed for longest makes room."""

    def __init__(self, capacity: int = 16, radius: float = RADIUS) -> None:
        self._capacity, self._radius = capacity, radius
        self._prototypes: list[Prototype] = []
        """The one needed last is the last."""

    def __len__(self) -> int:
        return len(self._prototypes)

    def __iter__(self) -> Iterator[Prototype]:
        return iter(self._prototypes)

    def recall(self, signature: Array, explains: Callable[[Prototype], float]) -> Prototype | None:
        """Whose signature is nearest, within the radius, else that explains best what was just seen; None where a
        nascent template has to do. `explains` says by how many standard errors one makes errors smaller."""
        found = self._find(signature)
        if found is None:
            best, at = max(((explains(p), i) for i, p in enumerate(self._prototypes)), default=(0.0, -1))
            found = self._prototypes[at] if best > DOUBT else None
        if found is not None:
            self._prototypes.remove(found)
            self._prototypes.append(found)
            found.uses += 1
        return found

    def keep(self, signature: Array, template: Mapping[str, Array]) -> Prototype:
        """What a module has learned; one for the same trouble is replaced, and its signature follows."""
        copied = {name: array.copy() for name, array in template.items()}
        found = self._find(signature)
        if found is None:
            found = Prototype(signature.copy(), copied)
            self._prototypes.append(found)
            del self._prototypes[: -self._capacity]
        else:
            found.template = copied
            found.signature = found.signature + DRIFT * (signature - found.signature)
        return found

    def _find(self, signature: Array) -> Prototype | None:
        near = [(distance(signature, p.signature), i) for i, p in enumerate(self._prototypes)]
        if not near or min(near)[0] > self._radius:
            return None
        return self._prototypes[min(near)[1]]

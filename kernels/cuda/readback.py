"""What a view needs, read back while the next ticks run: the view never stalls the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.cuda.chain import DeviceChain
from kernels.cuda.device import Device


@dataclass(frozen=True, slots=True)
class Reading:
    """Copies that belong to the reader, as they were after `tick`."""

    tick: int
    atlas: NDArray[np.float32]
    """Activation, velocity and nudge of the shown sample, (3, L, N)."""
    sums: NDArray[np.float64]
    """(L, B, SUMS), see `kernels`."""
    flips: NDArray[np.uint8]
    """(L, B, N)."""


class AtlasReader:
    """Double-buffered: one slot fills while the other is taken; a request that finds both busy is dropped."""

    def __init__(self, device: Device, chain: DeviceChain) -> None:
        sources = (chain.atlas, chain.sums, chain.flips)
        self._busy: list[tuple[int, int]] = []
        self._slots = [device.copier(sources) for _ in range(2)]

    def request(self, tick: int) -> bool:
        """Ask for what the device holds at this point of its stream, labelled `tick`; False if both slots are busy."""
        taken = {slot for slot, _ in self._busy}
        for slot, copier in enumerate(self._slots):
            if slot not in taken:
                copier.start()
                self._busy.append((slot, tick))
                return True
        return False

    def take(self) -> Reading | None:
        """The newest reading that has arrived since the last call, or None; never waits."""
        arrived = [(slot, tick) for slot, tick in self._busy if self._slots[slot].done()]
        if not arrived:
            return None
        self._busy = [entry for entry in self._busy if entry not in arrived]
        slot, tick = arrived[-1]
        atlas, sums, flips = (host.copy() for host in self._slots[slot].host)
        return Reading(tick, atlas, sums, flips)

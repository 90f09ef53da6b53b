"""What the weights of a chain do not tell."""

from __future__ import annotations

from engine.networks.chain import Chain
from engine.networks.conv.chain import ConvChain
from engine.networks.conv.plan import Plan
from engine.networks.nested.chain import NestedChain
from engine.networks.nested.nest import Nest


def structure_of(chain: Chain) -> Plan | Nest | None:
    """The layers of a convolutional chain, the levels of nested ones with their sigmas; of any other chain None."""
    if isinstance(chain, NestedChain):
        return chain.nest
    return chain.plan if isinstance(chain, ConvChain) else None

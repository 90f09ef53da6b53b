"""Worlds: what a network that never stops learning looks at, answers and acts on, tick by tick."""

from engine.data import Dataset
from engine.worlds.chase import ChaseWorld
from engine.worlds.motion import MotionWorld
from engine.worlds.still import StillWorld
from engine.worlds.world import Scene, World

__all__ = ["Scene", "World", "build_world"]


def build_world(kind: str, data: Dataset, seed: int) -> World:
    """The world of that name; `data` are the pictures in it."""
    if kind == "chase":
        return ChaseWorld(seed)
    if kind == "motion":
        return MotionWorld(data, seed)
    return StillWorld(data, seed, rows=kind == "rows")

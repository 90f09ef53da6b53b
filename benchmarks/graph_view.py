"""Times the picture of a large growing graph: python benchmarks/graph_view.py [NODES EDGES]."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np

from engine.frame import Frame
from engine.networks.growing.core import Heat
from engine.preset import Preset
from engine.session import Session
from observatory.panels.graph_picture import GraphPicture
from observatory.recording.hud import drawing_application
from observatory.view import Exposure, ViewSettings

SIZE = (680, 470)
"""Pixels of the picture in a window of 1280 x 800."""
FRAMES = 12
STEPS = 400


def frames(nodes: int, edges: int) -> list[Frame]:
    """Of a graph with random edges, whose weights all change from one to the next."""
    rng = np.random.default_rng(0)
    growth = {"stream": "lorenz96", "parameters": {"nodes": nodes, "steps": 1100}, "cells": edges}
    session = Session(Preset.model_validate({"name": "g", "title": "g", "network": "growing", "growth": growth}))
    first = session.frame()
    assert first.growth is not None
    places = rng.choice(nodes * (nodes - 1), edges, replace=False)
    reader, read = places // (nodes - 1), places % (nodes - 1)
    pairs = np.stack([reader, read + (read >= reader)], 1).astype(np.int32)
    heat = np.where(rng.random(edges) < 0.25, Heat.COOLING, Heat.HOT).astype(np.uint8)
    born = rng.integers(0, STEPS, edges).astype(np.int32)
    found = []
    for number in range(FRAMES):
        strengths = rng.random(edges).astype(np.float32)
        grown = replace(
            first.growth, edges=pairs, strengths=strengths, edge_heat=heat, edge_born=born, steps=STEPS + number
        )
        found.append(replace(first, tick=number, growth=grown))
    return found


def main() -> int:
    """Print milliseconds of processor time: to place the nodes, and to paint a frame."""
    nodes, edges = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (500, 3000)
    application = drawing_application()
    picture = GraphPicture(ViewSettings(), Exposure())
    first, *others = frames(nodes, edges)
    begun = time.process_time()
    picture.follow(first)
    print(f"{nodes} nodes, {edges} edges: placed in {1e3 * (time.process_time() - begun):.0f} ms")
    spent = []
    for frame in others:
        begun = time.process_time()
        picture.follow(frame)
        picture.capture(SIZE)
        spent.append(time.process_time() - begun)
    print(f"a frame of {SIZE[0]} x {SIZE[1]}: {1e3 * float(np.median(spent)):.1f} ms (median of {len(spent)})")
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main())

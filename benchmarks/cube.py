"""The figures of docs/cube.md, measured anew: ticks a second of cubes, and settling and credit over sigma.

Run `python benchmarks/cube.py [--seeds K]`; prints Markdown tables (median over seeds, digits, float32).
"""

from __future__ import annotations

import argparse
import time
from math import nan
from statistics import median
from typing import Any

from reference_numbers import cell, print_table
from rich.progress import track

from engine.preset import Preset, load_preset
from engine.probe import probe
from engine.session import Session

SIDES = (8, 16, 28, 32, 48, 64)
DIRECTED = (0.0, 0.1, 0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 2.5)
SYMMETRIC = (0.3, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0, 1.5)
SECONDS = 1.0
"""How long a speed is measured."""
REPEATS = 3
KNOBS = {"tolerance": 1e-5}


def cube(side: int, network: str = "cube", seed: int = 0, **knobs: float) -> Preset:
    """An untrained cube."""
    table = {"name": f"{network} {side}", "title": "t", "network": network, "layers": side, "seed": seed}
    return Preset.model_validate({**table, "knobs": knobs})


def ticks_per_second(session: Session, ticks_between_frames: int) -> float:
    """The best of a few spells of the live session, a frame copied out now and then."""
    best = 0.0
    for _ in range(REPEATS):
        ticks, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            for _ in range(ticks_between_frames):
                session.tick()
            session.frame()
            ticks += ticks_between_frames
        best = max(best, ticks / (time.perf_counter() - started))
    return best


def speeds() -> list[list[str]]:
    """Ticks a second in the free and the nudged phase, per side."""
    rows = [["side", "voxels", "synapses", "free, ticks/s", "nudged, ticks/s"]]
    for side in track(SIDES, "speed", transient=True):
        session = Session(cube(side, sigma=0.3, tolerance=1e-12, t_free=100_000, t_nudge=100_000))
        synapses = int(session.frame().density.sum())  # type: ignore[union-attr]
        session.tick()
        free = ticks_per_second(session, 4)
        session = Session(cube(side, sigma=0.3, tolerance=1e-12, t_free=1, t_nudge=100_000))
        session.tick()
        session.tick()
        nudged = ticks_per_second(session, 4)
        rows.append([f"{side}", f"{side**3:,}", f"{synapses:,}", f"{free:,.0f}", f"{nudged:,.0f}"])
    return rows


def over_sigma(presets: list[Preset], sigmas: tuple[float, ...], words: str) -> list[list[str]]:
    """Settling, reach and size of the credit, spectral radius."""
    rows = [
        ["sigma", "T_relax (tol 1e-5)", "ticks for the nudge", "D_nudge (voxel hops)", "credit z = 0 / top", "radius"]
    ]
    for sigma in track(sigmas, words, transient=True):
        found: list[dict[str, Any]] = [probe(preset, {**KNOBS, "sigma": sigma}, max_ticks=1500) for preset in presets]
        calm = all(f["settled"] for f in found)
        keys = (("t_nudge", ".0f"), ("d_nudge", ".0f"), ("credit_ratio", ".2g"))
        cells = [cell(found, key, form) if calm else "-" for key, form in keys]
        radius = median(nan if f["spectral_radius"] is None else f["spectral_radius"] for f in found)
        rows.append([f"{sigma:g}", cell(found, "t_relax"), *cells, f"{radius:.2f}"])
    return rows


def main() -> None:
    """Measure and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    print_table(speeds())
    for words, presets, sigmas in (
        ("cube-8, trained", [load_preset("cube-8")], DIRECTED),
        ("8 x 8 x 8, untrained", [cube(8, seed=seed) for seed in seeds], DIRECTED),
        ("28 x 28 x 28, untrained", [cube(28, seed=seed) for seed in seeds], DIRECTED),
        ("8 x 8 x 8, symmetric", [cube(8, "energy-cube", seed) for seed in seeds], SYMMETRIC),
    ):
        print(f"{words}:\n")
        print_table(over_sigma(presets, sigmas, words))


if __name__ == "__main__":
    main()

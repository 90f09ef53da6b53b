"""Sparse beside dense: forward and gradient of one block, and whether the crossover picks the faster form.

    python benchmarks/sparse.py > benchmarks/results/sparse.md

Both forms are timed in turn, the best of many tries each: CPU time of one thread, and for dense also wall time with all
BLAS threads, whichever is less. The sparse gradient is that of its cells, the dense one that of all entries.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.progress import track
from threadpoolctl import threadpool_info, threadpool_limits

from engine.networks.growing.crossover import measured, random_core, seconds

SIDE, DENSITY = 1024, 0.05
SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SIDES = (256, 512)
DENSITIES = (0.01, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
NEAR = 1.1
"""Forms whose times differ by less than this factor are called equal."""


def main() -> None:
    """Print both tables."""
    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    print(f"# Sparse and dense blocks\n\n`python benchmarks/sparse.py` on {os.cpu_count()} CPU cores; float32. Dense:")
    print(f"{blas['internal_api']} {blas['version']} with kernels for {blas['architecture']}.\n")
    print(f"Forward and gradient, {SIDE} x {SIDE}, {DENSITY:.0%} of the cells:\n")
    print(
        "The sparse form has one thread, the dense one what its column says. On a busy machine the second thread is not"
    )
    print("free, and the last column flatters the sparse form.\n")
    print("| samples | sparse, us | dense, 1 thread, us | best, us | times faster than 1 thread | than best |")
    print("|---|---|---|---|---|---|")
    core = random_core(SIDE, SIDE, DENSITY)
    for samples in track(SAMPLES, "speed", transient=True, disable=not sys.stderr.isatty()):
        tries = 400 if samples <= 32 else 100
        with threadpool_limits(1, user_api="blas"):
            one = seconds(core, samples, tries)
        many = seconds(core, samples, tries)
        sparse, dense = min(one["sparse"], many["sparse"]), min(one["dense"], many["dense"])
        print(
            f"| {samples} | {1e6 * sparse:.0f} | {1e6 * one['dense']:.0f} | {1e6 * dense:.0f} "
            f"| {one['dense'] / sparse:.1f} | {dense / sparse:.1f} |"
        )
    right = equal = count = 0
    missed = []
    for side in SIDES:
        for samples in (1, 8, 32):
            costs = measured(side, side, samples)
            for density in DENSITIES:
                core = random_core(side, side, density, seed=2)
                found = seconds(core, samples)
                pick = costs.faster(core.struct, side, side)
                best = min(found, key=lambda form: found[form])
                count += 1
                right += pick == best
                equal += pick != best and found[pick] < NEAR * found[best]
                if pick != best:
                    missed.append(
                        f"{side}, {samples}, {density:g}: {pick}, {found[pick] / found[best]:.2f} times slower"
                    )
    print(f"\nOver sides {SIDES}, samples (1, 8, 32) and densities {DENSITIES} the crossover picks the faster form")
    print(f"in {right} of {count} cases ({right / count:.0%}); {equal} of the others differ by less than 10 %.")
    if missed:
        print("\nMissed (side, samples, density):\n\n" + "\n".join(f"- {line}" for line in missed))


if __name__ == "__main__":
    main()

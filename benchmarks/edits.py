"""What each structural edit of a growing graph is worth: a graph with none, with one of them, with all.

    python benchmarks/edits.py                        # fhn and lorenz96, seeds 0 to 2, about half an hour
    python benchmarks/edits.py heat --seeds 1 --only none help

Each graph grows on the first 60 % of a stream and is judged on its last quarter, freed of noise. A row is the mean over
seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from rich.progress import track

from engine.dynamics.scores import edge_f1
from engine.grow_bench.grown import Grown
from engine.grow_bench.problem import DATA, score

STREAMS: dict[str, dict[str, Any]] = {
    "fhn": {"rate": 0.01, "memory": 6, "shapes": "hinges"},
    "lorenz96": {"rate": 0.01, "memory": 3, "shapes": "products", "jitter": 0.01},
    "heat": {"rate": 0.01, "memory": 3, "shapes": ""},
    "black-hole": {"rate": 0.01, "memory": 3, "shapes": "products and hinges"},
}
SWITCHES = ("help", "clones", "sleeps", "discovers")
EDITS = {"none": (), **{name: (name,) for name in SWITCHES}, "all": SWITCHES}
KINDS = ("clone", "merge", "consolidate", "materialise", "cluster")


def measured(stream: str, on: tuple[str, ...], seed: int, steps: int) -> tuple[list[float], Counter[str]]:
    """Edge F1, one-step error, valid time (NaN where not known), cells and taps; and decisions of each kind."""
    problem = DATA[stream].problem(seed)
    model = Grown(problem, steps, seed, **STREAMS[stream], **{name: name in on for name in SWITCHES})
    found, true = score(model, problem, test=True), problem.stream.truth.adjacency
    f1 = np.nan if true is None else edge_f1(model.adjacency(), true)
    ledger = model.planner.ledger.decisions
    made = Counter(d.kind for d in ledger if d.kind in KINDS)
    made["by help"] = sum(d.what.endswith("by help") for d in ledger)
    return [f1, found.one_step, np.nan if found.valid is None else found.valid, float(model.weights)], made


def main() -> None:
    """Print a table for each stream."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="*", default=["fhn", "lorenz96"], metavar="stream")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--only", nargs="+", default=list(EDITS), choices=list(EDITS))
    asked = parser.parse_args()
    for stream in asked.streams:
        print(f"\n{stream}, {asked.steps} steps, {asked.seeds} seeds\n")
        print("| edits | edge F1 | one step | valid | cells and taps | made |")
        print("| --- | --- | --- | --- | --- | --- |", flush=True)
        for name in track(asked.only, stream, transient=True, disable=not sys.stderr.isatty()):
            rows, made = zip(*(measured(stream, EDITS[name], s, asked.steps) for s in range(asked.seeds)), strict=True)
            f1, one_step, valid, weights = np.mean(rows, 0)
            words = ", ".join(f"{n / asked.seeds:.3g} {kind}" for kind, n in sorted(sum(made, Counter()).items()) if n)
            print(f"| {name} | {f1:.3f} | {one_step:.4f} | {valid:.3g} | {weights:.0f} | {words} |", flush=True)


if __name__ == "__main__":
    main()

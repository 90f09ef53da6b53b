"""The reference numbers of docs/science.md, measured anew: both chains over sigma, digits, float32.

Run `python benchmarks/reference_numbers.py [--seeds K]`; prints Markdown tables (median over seeds).
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from rich.progress import track

from engine.networks.hopfield_chain import decay_law
from engine.preset import load_preset
from engine.probe import probe

RECURSIVE = (0.0, 0.5, 0.8, 0.9, 0.95, 1.0, 1.05, 1.2, 1.5, 2.5)
HOPFIELD = (0.6, 0.8, 0.9, 0.95, 0.99, 1.0, 1.2, 2.0)


def measured(preset: str, seeds: int, **knobs: float | str) -> list[dict[str, Any]]:
    """Probes of one setting over seeds."""
    base = load_preset(preset)
    return [probe(base.model_copy(update={"seed": seed}), knobs, max_ticks=4000) for seed in range(seeds)]


def cell(probes: list[dict[str, Any]], key: str, form: str = ".0f") -> str:
    """The median over seeds; where some seeds never settled, how many did."""
    known = [found[key] for found in probes if found[key] is not None]
    if not known:
        return "never"
    note = "" if len(known) == len(probes) else f" ({len(known)} of {len(probes)} seeds)"
    return f"{median(known):{form}}{note}"


def print_table(rows: list[list[str]]) -> None:
    """Markdown, first row is the head."""
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(row) + " |")
    print()


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds

    head = ["sigma", "T_relax (tol 1e-5)", "ticks for the nudge", "credit layer 1 / layer 100"]
    rows = [[*head, "saturated share", "oscillating share"]]
    for sigma in track(RECURSIVE, "deep-100", transient=True):
        found = measured("deep-100", seeds, sigma=sigma, tolerance=1e-5)
        calm = all(f["settled"] for f in found)
        keys = (("t_relax", ".0f"), ("t_nudge", ".0f"), ("credit_ratio", ".2f"))
        cells = [cell(found, key, form) if calm or key == "t_relax" else "-" for key, form in keys]
        shares = [cell(found, key, ".3f") for key in ("saturated_share", "oscillating_share")]
        rows.append([f"{sigma:g}", *cells, *shares])
    print_table(rows)

    rows = [["sigma", "decay measured", "lambda(sigma)", "D_nudge", "T_relax plain", "accelerated"]]
    for sigma in track(HOPFIELD, "hopfield-100", transient=True):
        knobs = {"sigma": sigma, "tolerance": 1e-6, "input_gain": 0.1}
        plain, fast = (measured("hopfield-100", seeds, **knobs, dynamics=way) for way in ("plain", "accelerated"))
        law = f"{decay_law(sigma):.3f}" if sigma <= 1 else "-"
        cells = [cell(plain, "credit_decay", ".3f"), law, cell(plain, "d_nudge"), cell(plain, "t_relax")]
        rows.append([f"{sigma:g}", *cells, cell(fast, "t_relax") if sigma <= 1 else "-"])
    print_table(rows)


if __name__ == "__main__":
    main()

"""Forward and gradient of grown graphs in either form, one thread: whether whole matrices would pay.

python benchmarks/forms.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from threadpoolctl import threadpool_limits

from engine.grow_bench.grown import Grown
from engine.grow_bench.problem import DATA
from engine.networks.growing.core import Form

STREAMS: dict[str, dict[str, Any]] = {
    "lorenz96": {"memory": 3, "shapes": "products"},
    "heat": {"memory": 3, "shapes": ""},
    "black-hole": {"memory": 3, "shapes": "products and hinges"},
    "lorenz63": {"memory": 3, "shapes": "products and hinges"},
    "doublewell": {"memory": 1, "shapes": "products and hinges"},
}
STEPS, SAMPLES, TRIES = 300, 256, 60


def main() -> None:
    """Print the table."""
    print("| grown on | density | cells | sparse, us | dense, us |\n| --- | --- | --- | --- | --- |")
    for name, settings in STREAMS.items():
        graph = Grown(DATA[name].problem(0), STEPS, 0, rate=0.01, **settings).graph
        graph.compact()
        rng = np.random.default_rng(0)
        seen = graph.memory.seen(graph.memory.draw(rng, SAMPLES), graph.connectors.lags)
        error = rng.standard_normal((graph.states, SAMPLES)).astype(graph.dtype)
        best = dict.fromkeys(get_args(Form), np.inf)
        with threadpool_limits(1, user_api="blas"):
            for form in [*best] * TRIES:
                graph.core.form = form
                begun = time.thread_time()
                graph.backward(graph.forward(seen), error)
                best[form] = min(best[form], time.thread_time() - begun)
        density = graph.core.struct / (graph.states * len(graph.terms))
        micro = " | ".join(f"{1e6 * seconds:.0f}" for seconds in best.values())
        print(f"| `{name}` | {density:.1%} | {graph.core.struct} | {micro} |", flush=True)


if __name__ == "__main__":
    main()

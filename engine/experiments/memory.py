"""Memory audit: peak bytes of one gradient, against the ticks of the relaxation and against depth.

A network of its own size is measured in a process of its own: tracemalloc counts what a whole process allocates, and
so does the resident set. Everything that grows here is allocated by NumPy, which tracemalloc sees; the kernels of
`kernels.cpu` allocate nothing. Memory that the system counts is measured beside it, in a pass without tracemalloc.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from engine.data import load_dataset
from engine.learning.backprop import gradient_through_ticks
from engine.learning.from_ticks import tick_gradients
from engine.networks.recursive_chain import RecursiveChain
from kernels.backends import load_on_host

Array = NDArray[Any]
Held = TypeVar("Held")

TITLE = "Memory audit: peak bytes of a gradient"
QUESTION = (
    "How much memory does one gradient of a batch need, by equilibrium propagation in the ticking network (as many "
    "free as nudged ticks) and by backpropagation through the same synchronous ticks? Control: equilibrium propagation "
    "that keeps its states, which the same tool must see grow."
)
EQPROP, BACKPROP, CONTROL = "eqprop", "backprop", "eqprop, storing (control)"
METHODS = (EQPROP, BACKPROP, CONTROL)
NEURONS = 64
SAMPLES = 16
SIGMA = 0.9
TICKS = (20, 40, 80, 160, 320, 640)
DEPTHS = (10, 30, 100, 200)
LAYERS = 100
TO_SETTLE = 60
"""Ticks that a network of L layers gets in the sweep over depth are L plus this; at sigma 0.9 it rests by then."""


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per method and size."""
    ticks, depths, layers = ((20, 40, 80), (10, 30), 30) if quick else (TICKS, DEPTHS, LAYERS)
    sizes = [("ticks", layers, t) for t in ticks] + [("depth", deep, deep + TO_SETTLE) for deep in depths]
    return [
        {"method": method, "sweep": sweep, "layers": deep, "ticks": t, "seed": 0}
        for sweep, deep, t in sizes
        for method in METHODS
        if sweep == "ticks" or method != CONTROL
    ]


def run(method: str, sweep: str, layers: int, ticks: int, seed: int) -> list[dict[str, Any]]:
    """One row: peak_bytes by tracemalloc, peak_resident by the system (None where it does not tell).

    Weights, states and gradients count, what only the construction of the network needed does not.
    """
    asked = {"method": method, "layers": layers, "ticks": ticks, "seed": seed}
    command = [sys.executable, "-m", "engine.experiments.memory", json.dumps(asked)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise RuntimeError(f"the process that measures memory failed: {answer.stderr.strip()[-500:]}")
    return [{"track": "memory", "sweep": sweep, "samples": SAMPLES, "neurons": NEURONS, **json.loads(answer.stdout)}]


class Batch:
    """Pictures, labels and random weights: what both methods get."""

    def __init__(self, layers: int, seed: int, samples: int = SAMPLES) -> None:
        data = load_dataset("digits")
        self.x, self.labels = data.encode(data.images[:samples]), data.labels[:samples]
        self.classes, self.layers, self.seed = data.classes, layers, seed

    def chain(self) -> RecursiveChain:
        """The ticking network with the batch on its input."""
        samples, pixels = self.x.shape
        chain = RecursiveChain(
            self.layers, NEURONS, pixels, self.classes, load_on_host(), samples=samples, seed=self.seed
        )
        chain.set_parameter("sigma", SIGMA)
        chain.clamp(self.x, self.labels)
        return chain

    def weights(self) -> dict[str, Array]:
        """Only the weights of the same network."""
        return self.chain().state_dict()


def by_equilibrium(chain: RecursiveChain, batch: Batch, ticks: int, storing: bool = False) -> dict[str, Array]:
    """`ticks` free ticks, `ticks` nudged ones, local gradients. `storing` keeps a copy of every free state."""
    kept = []
    for _ in range(ticks):
        chain.tick(nudged=False)
        if storing:
            kept.append([columns[:, :, 0].copy() for columns in chain.columns()])
    chain.aim()
    for _ in range(ticks):
        chain.tick(nudged=True)
    return tick_gradients(chain, batch.labels)


def by_backpropagation(weights: dict[str, Array], batch: Batch, ticks: int) -> dict[str, Array]:
    """`ticks` free ticks, all kept, and back."""
    gradients, _, _ = gradient_through_ticks(
        "recursive", weights, batch.x, batch.labels, sigma=SIGMA, input_gain=0.5, ticks=ticks
    )
    return gradients


def peak_traced(build: Callable[[], Held], work: Callable[[Held], Any]) -> int:
    """Most bytes that Python and NumPy held at a time during `work(build())`, what `build` returned among them."""
    tracemalloc.start()
    try:
        held = build()
        tracemalloc.reset_peak()
        work(held)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peak_resident(build: Callable[[], Held], work: Callable[[Held], Any]) -> int | None:
    """The same as the process's resident set grows; None where the system does not tell (it takes Linux's /proc)."""
    before = _resident("VmRSS")
    held = build()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    work(held)
    most = _resident("VmHWM")
    return None if before is None or most is None else most - before


def _resident(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{key}:")]
    return int(found[0][1]) * 1024 if found else None


def measure(method: str, layers: int, ticks: int, seed: int) -> dict[str, Any]:
    """What `run` does in its own process."""

    def peak(tool: Callable[..., int | None], batch: Batch, ticks: int) -> int | None:
        if method == BACKPROP:
            return tool(batch.weights, lambda weights: by_backpropagation(weights, batch, ticks))
        return tool(batch.chain, lambda chain: by_equilibrium(chain, batch, ticks, method == CONTROL))

    peak(peak_traced, Batch(2, seed), 1)
    batch = Batch(layers, seed)
    resident = peak(peak_resident, batch, ticks)
    return {
        "method": method, "layers": layers, "ticks": ticks, "seed": seed,
        "peak_bytes": peak(peak_traced, batch, ticks), "peak_resident": resident,
    }  # fmt: skip


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Peak memory over the ticks of the relaxation; dotted: what the system counts."""
    for method in METHODS:
        chosen = sorted((r for r in rows if r["method"] == method and r["sweep"] == "ticks"), key=lambda r: r["ticks"])
        if not chosen:
            continue
        ticks = [row["ticks"] for row in chosen]
        (line,) = axes.plot(ticks, [row["peak_bytes"] / 2**20 for row in chosen], "o-", label=method)
        if all(row["peak_resident"] is not None for row in chosen):
            axes.plot(ticks, [row["peak_resident"] / 2**20 for row in chosen], ":", color=line.get_color())
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("ticks of the relaxation")
    axes.set_ylabel("peak memory, MiB")
    axes.legend(fontsize=7)


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))

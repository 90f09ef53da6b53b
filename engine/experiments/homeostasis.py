"""Homeostasis: does sigma find the edge by itself, from below and from above?"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.commands import SetParameter
from engine.homeostasis import Homeostat, Verdict
from engine.preset import Preset
from engine.session import Session

TITLE = "Homeostasis: sigma finds the edge by itself"
QUESTION = (
    "From wherever sigma starts, does regulating it by the measured velocity alone bring a network to rest and to its "
    "edge, and keep it there? Controls: the regulator switched off, and a regulator that acts at the same moments with "
    "the same steps, but up or down by the toss of a coin."
)
STARTS = (0.3, 0.6, 0.9, 1.2, 2.0)
REGULATORS = ("velocity", "off (control)", "coin (control)")
POINTS = 60
"""Moments of each run that are told."""


class Coin(Homeostat):
    """Acts whenever the velocity says something, but not on what it says."""

    def __init__(self, layers: int, dtype: np.dtype[Any], seed: int) -> None:
        self._rng = np.random.default_rng((seed, 8))
        super().__init__(layers, dtype)

    def disturbed(self) -> None:
        """A new coin for every verdict."""
        super().disturbed()
        self._side: Verdict = "rests" if self._rng.random() < 0.5 else "diverges"

    def regulated(self, sigma: float, highest: float) -> float:
        """Where sigma goes after the coin."""
        if self.verdict != "undecided":
            self.verdict = self._side
        return super().regulated(sigma, highest)


def jobs(quick: bool) -> list[dict[str, Any]]:
    """One job per network, mode and seed."""
    layers, ticks, seeds = (12, 6000, 1) if quick else (100, 15000, 3)
    return [
        {"network": network, "mode": mode, "layers": layers, "ticks": ticks, "seed": seed}
        for network in ("recursive", "hopfield")
        for mode in ("clocked", "persistent")
        for seed in range(seeds)
    ]


def run(network: str, mode: str, layers: int, ticks: int, seed: int) -> list[dict[str, Any]]:
    """Rows per start, regulator and moment: tick, sigma.

    In each: final_sigma (median of the last third), lowest and highest sigma there, first_rest (tick of the first rest,
    None: never), rest_share (share of the last third's ticks after which the state had settled).
    """
    preset = Preset.model_validate(
        {"name": "homeostasis", "title": TITLE, "network": network, "layers": layers, "neurons": 64, "seed": seed,
         "mode": mode}
    )  # fmt: skip
    rows = []
    for regulator in REGULATORS:
        for start in STARTS:
            session = Session(preset)
            session.apply(SetParameter("sigma", start))
            session.apply(SetParameter("homeostasis", float(regulator != REGULATORS[1])))
            if regulator == REGULATORS[2]:
                session.homeostat = Coin(layers, session.network.dtype, seed)
            sigmas, rested = _follow(session, ticks)
            last = sigmas[-ticks // 3 :]
            told = {
                "track": "homeostasis", "network": network, "mode": mode, "layers": layers, "seed": seed,
                "regulator": regulator, "start": start, "final_sigma": float(np.median(last)),
                "lowest": float(last.min()), "highest": float(last.max()),
                "first_rest": int(rested.argmax()) + 1 if rested.any() else None,
                "rest_share": float(rested[-ticks // 3 :].mean()),
            }  # fmt: skip
            for moment in np.linspace(0, ticks - 1, POINTS).round().astype(int):
                rows.append({**told, "tick": int(moment) + 1, "sigma": float(sigmas[moment])})
    return rows


def _follow(session: Session, ticks: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Sigma after each tick, and whether the state was at rest in it."""
    sigmas, rested = np.empty(ticks), np.empty(ticks, bool)
    for tick in range(ticks):
        session.tick()
        sigmas[tick] = session.knobs["sigma"].value
        rested[tick] = session.network.observe().velocity_max.max() < session.knobs["tolerance"].value
    return sigmas, rested


def figure(rows: list[dict[str, Any]], axes: Any) -> None:
    """Sigma over ticks, clocked, one line per start and seed; the coin's walks in grey."""
    colours = {"recursive": "tab:blue", "hopfield": "tab:orange"}
    for network, colour in colours.items():
        for regulator, looks in ((REGULATORS[2], ("0.8", 0.6)), (REGULATORS[0], (colour, 0.9))):
            chosen = [r for r in rows if (r["network"], r["regulator"], r["mode"]) == (network, regulator, "clocked")]
            label: str | None = network if regulator == REGULATORS[0] else None
            for start, seed in sorted({(r["start"], r["seed"]) for r in chosen}):
                line = [(r["tick"], r["sigma"]) for r in chosen if (r["start"], r["seed"]) == (start, seed)]
                axes.plot(*zip(*line, strict=True), color=looks[0], linewidth=looks[1], label=label)
                label = None
    axes.axhline(1, color="0.3", linewidth=0.6, linestyle=":")
    axes.set_yscale("log")
    axes.set_xlabel("ticks")
    axes.set_ylabel("sigma (grey: by the toss of a coin)")
    axes.legend(fontsize=7)

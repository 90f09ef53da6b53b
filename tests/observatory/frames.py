"""Frames made by hand, for tests that need no engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.dataset import Summary
from engine.frame import Frame, Metrics
from engine.knobs import Knob
from engine.layout import Layout


def fake_knobs() -> dict[str, Knob]:
    """One knob of each scale, sigma not first."""
    return {
        "beta": Knob(0.1, 0.0, 1.0, "", "Strength of the nudge."),
        "sigma": Knob(0.9, 0.0, 2.5, "", "Norm of the recurrent coupling; 1 is the edge."),
        "tolerance": Knob(1e-4, 1e-8, 1e-1, "", "Largest velocity that counts as rest.", "log"),
        "t_free": Knob(300, 1, 5000, "ticks", "Longest free phase.", "integer"),
        "advance": Knob(0, 0, 1, "", "Go to the next sample.", "switch"),
    }


def fake_metrics(layers: int = 6, **changes: Any) -> Metrics:
    """Plausible figures; `changes` replace fields."""
    fields: dict[str, Any] = {
        "phase": "free",
        "phase_ticks": 3,
        "settled": False,
        "t_relax": None,
        "t_nudge": None,
        "d_nudge": layers,
        "nudge_floor": 1e-9,
        "velocity_max": 1e-2,
        "rms_activation": np.full(layers, 0.4, np.float32),
        "rms_velocity": np.full(layers, 1e-3, np.float32),
        "rms_nudge": np.geomspace(1e-4, 1e-2, layers).astype(np.float32),
        "saturated_share": 0.0,
        "oscillating_share": 0.0,
        "finite": True,
        "energy": None,
        "credit_decay": None,
        "decay_theory": None,
        "dense_flops": 1e6,
        "effective_flops": 1e6,
        "ticks_per_second": 60.0,
        "probabilities": np.full(10, 0.1, np.float32),
    }
    return Metrics(**{**fields, **changes})


def fake_frame(layers: int = 6, side: int = 4, metrics: dict[str, Any] | None = None, **changes: Any) -> Frame:
    """A frame of `layers` square tiles with all channels at rest; `changes` replace fields of the frame."""
    shape = (layers, side * side)
    fields: dict[str, Any] = {
        "tick": 1,
        "preset": "tiny",
        "layout": Layout(layers, side, side),
        "activation": np.zeros(shape, np.float32),
        "velocity": np.zeros(shape, np.float32),
        "nudge": np.zeros(shape, np.float32),
        "flags": np.zeros(shape, np.uint8),
        "metrics": fake_metrics(layers, **(metrics or {})),
        "knobs": fake_knobs(),
        "sample": 0,
        "image": np.zeros((8, 8), np.float32),
        "label": 0,
        "data": Summary("digits", 1797, 10),
    }
    return Frame(**{**fields, **changes})

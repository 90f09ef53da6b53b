"""Frames made by hand for the history's tests, and how far a replayed one may lie from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.frame import Frame, Metrics
from engine.history.tolerance import OTHERWISE, TOLERANCES
from engine.knobs import Knob
from engine.layout import Layout


def metrics(layers, **changes):
    made = Metrics(
        phase="free", phase_ticks=0, settled=False, t_relax=None, t_nudge=None, d_nudge=0, nudge_floor=0.0,
        velocity_max=0.0, rms_activation=np.zeros(layers, np.float32), rms_velocity=np.zeros(layers, np.float32),
        rms_nudge=np.zeros(layers, np.float32), saturated_share=0.0, oscillating_share=0.0, finite=True, energy=None,
        credit_decay=None, decay_theory=None, dense_flops=0.0, effective_flops=0.0, ticks_per_second=0.0,
        probabilities=np.full(3, 1 / 3, np.float32),
    )  # fmt: skip
    return replace(made, **changes)


def frame(tick, state, velocity=None, nudge=None, flags=None, **changes):
    """A frame of one tile a layer; state (layers, neurons)."""
    state = np.asarray(state, np.float32)
    zero = np.zeros_like(state)
    fields = {
        "tick": tick,
        "preset": "made",
        "layout": Layout(state.shape[0], 1, state.shape[1]),
        "activation": state,
        "velocity": zero if velocity is None else np.asarray(velocity, np.float32),
        "nudge": zero if nudge is None else np.asarray(nudge, np.float32),
        "flags": np.zeros(state.shape, np.uint8) if flags is None else flags,
        "metrics": metrics(state.shape[0]),
        "knobs": {"sigma": Knob(0.9, 0, 3, "", "A knob.")},
        "sample": None,
        "image": np.zeros((2, 2), np.float32),
        "label": None,
    }
    return Frame(**{**fields, **changes})


def misses(path, live, replayed, tolerances=TOLERANCES):
    """By how many tolerances each value is missed, (...); infinite where only one of the two is finite."""
    tolerance = tolerances.get(path, OTHERWISE)
    live, replayed = np.asarray(live, np.float64), np.asarray(replayed, np.float64)
    with np.errstate(invalid="ignore"):
        missed = np.abs(live - replayed) / (tolerance.relative * np.maximum(tolerance.knee, np.abs(live)))
    same = (live == replayed) | (np.isnan(live) & np.isnan(replayed))
    return np.where(same, 0.0, np.where(np.isnan(missed), np.inf, missed))


def assert_replays(live, replayed):
    """Everything of a frame: real numbers in arrays within their tolerance, all else as it was."""
    for path in ("activation", "velocity", "nudge", "image"):
        assert misses(path, getattr(live, path), getattr(replayed, path)).max() <= 1, path
        assert getattr(replayed, path).dtype == np.float32
    for path in ("rms_activation", "rms_velocity", "rms_nudge", "probabilities"):
        assert misses(f"metrics.{path}", getattr(live.metrics, path), getattr(replayed.metrics, path)).max() <= 1, path
    assert np.array_equal(live.flags, replayed.flags)
    assert replayed.flags.dtype == live.flags.dtype
    exact = ("tick", "preset", "layout", "knobs", "sample", "label", "paused", "nudging", "data", "epoch", "seed")
    assert [getattr(live, name) for name in exact] == [getattr(replayed, name) for name in exact]
    for name in Metrics.__slots__:
        value = getattr(live.metrics, name)
        if not isinstance(value, np.ndarray):
            assert getattr(replayed.metrics, name) == value, name
            assert type(getattr(replayed.metrics, name)) is type(value), name

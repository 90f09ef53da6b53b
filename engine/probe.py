"""A probe: settle, nudge, settle again, and say in numbers what happened. No graphics."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from engine.commands import Reset, SelectSample, SetParameter
from engine.networks.chain import PLAIN
from engine.networks.conv.chain import ConvChain
from engine.phases import LONGEST_PHASE
from engine.preset import Preset
from engine.session import Session
from kernels.backends import AUTO


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _mode(session: Session) -> str:
    if session.phase == "listening":
        return session.phase
    return "persistent" if session.knobs["persistent"].value else "clocked"


def probe(
    preset: Preset,
    overrides: Mapping[str, float | str] | None = None,
    sample: int | None = None,
    max_ticks: int = 2000,
    backend: str = AUTO,
) -> dict[str, Any]:
    """Settle from rest, nudge, settle again; both phases last at most `max_ticks`. The result is JSON-ready.

    Numbers that do not exist (never settled, top layer without a nudge, not finite) are None. `credit_ratio` is the
    RMS nudge of layer 1 over that of layer L; `ticks_per_second` leaves compilation out. A cube also has `voxels`.
    A network that follows a stream does so for twice `max_ticks`; then `t_relax` is when it was entrained.
    Raises PresetError, KnobError, BackendError, ValueError for a sample where none can be chosen.
    """
    if not 1 <= max_ticks <= LONGEST_PHASE:
        raise ValueError(f"max_ticks = {max_ticks} is outside its range 1 to {LONGEST_PHASE}")
    session = Session(preset, backend)
    for nudged in (False, True):
        session.network.tick(nudged)
    session.apply(Reset())
    limits = {"t_free": max_ticks, "t_nudge": max_ticks, "hold": 0, "advance": 0, "persistent": 0}
    asked: dict[str, float | str] = {name: value for name, value in limits.items() if name in session.knobs}
    asked.update(overrides or {})
    for name, value in asked.items():
        session.apply(SetParameter(name, value))
    if sample is not None or preset.stream is None:
        session.apply(SelectSample(preset.sample if sample is None else sample))
    started = time.perf_counter()
    while session.phase == "free" and not session.done:
        session.tick()
    settled = session.frame().metrics
    while session.network.ticks < 2 * max_ticks and not session.done:
        session.tick()
    seconds = time.perf_counter() - started
    frame = session.frame()
    end = frame.metrics
    network = session.network
    free = end if end.phase in ("persistent", "listening") else settled
    top, bottom = float(end.rms_nudge[-1]), float(end.rms_nudge[0])
    return {
        "preset": preset.name,
        "network": preset.network,
        "layers": preset.layers,
        "neurons": max(network.plan.neurons) if isinstance(network, ConvChain) else preset.neurons,
        **({"voxels": preset.layers * preset.neurons} if frame.layout.volume else {}),
        "backend": session.backend,
        "dtype": preset.dtype,
        "mode": _mode(session),
        "sigma": session.knobs["sigma"].value,
        "dynamics": session.knobs["dynamics"].choice if "dynamics" in session.knobs else PLAIN,
        "beta": session.knobs["beta"].value,
        "sample": frame.sample,
        "label": frame.label,
        "settled": end.t_relax is not None,
        "t_relax": end.t_relax,
        "t_nudge": end.t_nudge,
        "entrainment": _finite_or_none(end.entrainment),
        "d_nudge": end.d_nudge,
        "nudge_floor": _finite_or_none(end.nudge_floor),
        "nudge_rms": [_finite_or_none(float(value)) for value in end.rms_nudge],
        "credit_ratio": _finite_or_none(bottom / top) if top > 0 else None,
        "credit_decay": _finite_or_none(end.credit_decay),
        "decay_theory": end.decay_theory,
        "velocity_max": _finite_or_none(free.velocity_max),
        "saturated_share": free.saturated_share,
        "oscillating_share": free.oscillating_share,
        "spectral_radius": _finite_or_none(end.spectral_radius),
        "energy": _finite_or_none(free.energy),
        "probabilities": [_finite_or_none(float(value)) for value in free.probabilities],
        "finite": free.finite and end.finite,
        "ticks": frame.tick,
        "ticks_per_second": frame.tick / seconds,
        "dense_flops": end.dense_flops,
        "effective_flops": end.effective_flops,
    }

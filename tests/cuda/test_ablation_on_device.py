"""Lesions and the noise knobs on the emulated device, beside the same on the NumPy backend."""

from __future__ import annotations

import numpy as np
import pytest
from emulation import EmulatedDevice, needs_emulation

from engine.commands import Ablate, Heal, SetParameter
from engine.preset import parse_preset
from engine.session import Session
from kernels import cuda
from kernels.backends import load_backend

pytestmark = needs_emulation


@pytest.fixture
def sessions(library, monkeypatch, request):
    monkeypatch.setattr(cuda, "probe", lambda: (True, "host emulation"))
    monkeypatch.setattr(cuda, "open_device", lambda: EmulatedDevice(library))
    load_backend.cache_clear()
    kind, weights = request.param
    text = f'title = "t"\nnetwork = "{kind}"\nlayers = 4\nneurons = 9\nmode = "persistent"\n{weights}'
    yield [Session(parse_preset(text, "t", "t"), backend) for backend in ("cuda", "numpy")]
    load_backend.cache_clear()


def both(sessions, *commands):
    """Carry out, tick and compare; sum of |activation|."""
    for session in sessions:
        for command in commands:
            session.apply(command)
        for _ in range(12):
            session.tick()
    ours, theirs = (session.frame() for session in sessions)
    for name in ("activation", "velocity", "nudge", "flags"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5, err_msg=name)
    return np.abs(ours.activation).sum()


@pytest.mark.parametrize("dynamics", ["plain", "accelerated"])
@pytest.mark.parametrize(
    "sessions",
    [("recursive", ""), ("hopfield", ""), ("recursive", 'weights = "float16"'), ("hopfield", 'weights = "float16"')],
    indirect=True,
)
def test_lesions_and_noise_act_as_on_the_host(sessions, dynamics):
    assert [session.backend for session in sessions] == ["cuda", "numpy"]
    if dynamics in sessions[0].knobs["dynamics"].choices:
        both(sessions, SetParameter("dynamics", dynamics))
    seen = [both(sessions, command) for command in (
        Heal(), Ablate(0.3), SetParameter("noise", 0.1), SetParameter("noise", 0), SetParameter("input_noise", 0.3),
        SetParameter("input_noise", 0), SetParameter("weight_noise", 0.3), Ablate(0.2), Heal(),
        SetParameter("weight_noise", 0),
    )]  # fmt: skip
    assert min(abs(np.diff(seen))) > 1e-3

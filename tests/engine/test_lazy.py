"""Lazy ticks: the same fixed point to within epsilon, for less work, and nothing is skipped that was not counted."""

from __future__ import annotations

import numpy as np
import pytest

from engine.commands import Nudge, SelectSample, SetInput, SetParameter
from engine.data import digits
from engine.frame import SKIPPED
from engine.preset import load_preset
from engine.probe import probe
from engine.session import Session

PRESETS = ["tiny", "deep-100", "hopfield-100"]


def session(name, dtype="float64", **knobs):
    made = Session(load_preset(name).model_copy(update={"dtype": dtype}))
    for knob, value in knobs.items():
        made.apply(SetParameter(knob, value))
    return made


def run(made, ticks):
    for _ in range(ticks):
        made.tick()
    return made.frame()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("persistent", [0, 1])
def test_with_epsilon_zero_lazy_ticks_are_plain_ticks(name, persistent):
    """Through free, nudged and hold phases, a change of sigma and the next sample."""
    plain, lazy = (session(name, persistent=persistent, epsilon=0, dynamics=way) for way in ("plain", "lazy"))
    for made in (plain, lazy):
        run(made, 150)
        made.apply(SetParameter("sigma", 0.6))
        run(made, 60)
        made.apply(SelectSample(3))
        run(made, 200)
    ours, theirs = lazy.frame(), plain.frame()
    for channel in ("activation", "velocity", "nudge"):
        np.testing.assert_allclose(getattr(ours, channel), getattr(theirs, channel), atol=1e-7, err_msg=channel)
    assert ours.metrics.phase == theirs.metrics.phase
    assert ours.metrics.t_relax == theirs.metrics.t_relax
    np.testing.assert_allclose(ours.metrics.rms_nudge, theirs.metrics.rms_nudge, atol=1e-9)


@pytest.mark.parametrize(("name", "error"), [("deep-100", 5e-3), ("hopfield-100", 0.1)])
def test_error_is_proportional_to_epsilon_and_work_falls_with_it(name, error):
    """The Hopfield chain's signals are a tenth as large and its coupling amplifies what is left out."""
    errors, work = [], []
    for epsilon in (1e-2, 1e-3, 1e-4):
        made = session(name, "float32", dynamics="lazy", epsilon=epsilon, advance=0)
        reference = session(name, "float32", advance=0)
        for each in (made, reference):
            each.apply(Nudge(False))
            run(each, 400)
        ours, theirs = (each.network.channels(0)[0] for each in (made, reference))
        errors.append(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
        work.append(made.network.effective_flops / made.network.dense_flops)
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[1] < error
    assert work[0] < work[1] < work[2] < 0.2


def test_the_lazy_credit_is_the_dense_one_to_within_epsilon():
    dense, lazy = (
        probe(load_preset("deep-100"), {"dynamics": way, "epsilon": 1e-4, "tolerance": 1e-5})
        for way in ("plain", "lazy")
    )
    np.testing.assert_allclose(lazy["nudge_rms"], dense["nudge_rms"], rtol=0.01)
    assert lazy["d_nudge"] == 100
    assert lazy["effective_flops"] < 0.35 * lazy["dense_flops"]
    assert dense["effective_flops"] == dense["dense_flops"]


def test_the_work_counted_is_the_work_of_the_events():
    """One neuron kicked: its row through R, the row of its stream value through the next W, and nothing else."""
    made = session("tiny", dynamics="lazy", epsilon=1e-3, sigma=0.0)
    made.apply(Nudge(False))
    made.apply(SetParameter("advance", 0))
    run(made, 200)
    before = made.network.effective_flops
    frame = run(made, 1)
    assert made.network.effective_flops == before
    assert (frame.flags & SKIPPED).all()
    made.network._states[0][2, 0, 0, 5] += 0.1
    made.network._lazy.hot[2, 0, 0] = 1
    frame = run(made, 1)
    assert made.network.effective_flops - before == 2 * 16
    woken = np.argwhere((frame.flags & SKIPPED) == 0)
    np.testing.assert_array_equal(woken, [[2, 5]])


def test_a_slightly_changed_picture_costs_little():
    images = digits().images
    made = session("deep-100", "float32", dynamics="lazy", epsilon=1e-3)
    made.apply(Nudge(False))
    made.apply(SetInput(images[0]))
    run(made, 300)
    costs = []
    for share in (0.1, 1.0):
        made.apply(SetInput((1 - share) * images[0] + share * images[1]))
        before = made.network.effective_flops
        run(made, 300)
        costs.append(made.network.effective_flops - before)
    assert costs[0] < 0.8 * costs[1]


@pytest.mark.parametrize(("name", "error"), [("deep-100", 5e-3), ("hopfield-100", 0.1)])
def test_another_digit_wakes_the_layers_that_sleep(name, error):
    """A network that rests on one digit comes to the fixed point of the next, though its layers slept when it came."""
    made = session(name, "float32", dynamics="lazy", epsilon=1e-3, advance=0)
    reference = session(name, "float32", advance=0)
    for each in (made, reference):
        each.apply(Nudge(False))
        run(each, 400)
    assert made.network.observe().velocity_max[0] < 1e-3
    before = made.network.channels(0)[0].copy()
    for each in (made, reference):
        each.apply(SelectSample(1))
        run(each, 400)
    ours, theirs = (each.network.channels(0)[0] for each in (made, reference))
    assert np.linalg.norm(before - theirs) > 5 * error * np.linalg.norm(theirs)
    assert np.linalg.norm(ours - theirs) < error * np.linalg.norm(theirs)


def test_an_avalanche_is_visible_and_ends():
    made = session("deep-100", "float32", dynamics="lazy", epsilon=1e-3, advance=0)
    made.apply(Nudge(False))
    shares = [((run(made, 10).flags & SKIPPED) == 0).mean() for _ in range(30)]
    assert max(shares) > 0.02
    assert shares[-1] == 0


def test_dense_ticks_skip_nothing():
    assert not (run(session("tiny"), 5).flags & SKIPPED).any()


@pytest.mark.parametrize("name", ["tiny", "hopfield-100"])
def test_half_precision_weights_are_exact_after_their_rounding(name):
    half = load_preset(name).model_copy(update={"weights": "float16"})
    packed, plain = (Session(half, backend) for backend in ("numba", "numpy"))
    np.testing.assert_allclose(run(packed, 40).activation, run(plain, 40).activation, atol=1e-5)
    full = run(Session(load_preset(name)), 40).activation
    apart = np.abs(packed.frame().activation - full).max()
    assert 0 < apart < 2e-2
    assert packed.network._stacks[0].dtype == np.uint16

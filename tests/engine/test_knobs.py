"""Every knob of every network changes a measured number."""

from __future__ import annotations

import math

import pytest

from engine.commands import Learn, SetParameter
from engine.knobs import Knob, KnobError
from engine.preset import load_preset
from engine.session import Session

PRESETS = ["tiny", "hopfield-100", "cube-8", "cube-energy"]
CASES = [(preset, knob) for preset in PRESETS for knob in Session(load_preset(preset)).knobs]


ACTS_BESIDE = {
    "epsilon": {"dynamics": "lazy"},
    "coarse": {"dynamics": "lazy"},
    "budget": {"t_free": 8, "t_nudge": 8, "hold": 0},
}
"""Knobs that act only where another one stands so."""
ACTS_WHILE_LEARNING = ("rate", "budget")


def history(preset: str, learning: bool = False, **knobs: float | str) -> list[tuple[object, ...]]:
    session = Session(load_preset(preset))
    session.apply(Learn(learning))
    for name, value in knobs.items():
        session.apply(SetParameter(name, value))
    measured = []
    for _ in range(12):
        for _ in range(25):
            session.tick()
        frame = session.frame()
        m = frame.metrics
        rms = (m.rms_activation.sum(), m.rms_velocity.sum(), m.rms_nudge.sum())
        measured.append((m.phase, m.phase_ticks, m.t_relax, m.t_nudge, frame.sample, *rms))
    return measured


@pytest.mark.parametrize(("preset", "name"), CASES)
def test_the_knob_changes_what_is_measured(preset, name):
    knob = Session(load_preset(preset)).knobs[name]
    other = knob.low if knob.value != knob.low else knob.high
    beside, learning = ACTS_BESIDE.get(name, {}), name in ACTS_WHILE_LEARNING
    assert history(preset, learning, **beside) == history(preset, learning, **beside)
    assert history(preset, learning, **beside, **{name: other}) != history(preset, learning, **beside)


@pytest.mark.parametrize(("preset", "name"), CASES)
def test_the_knob_has_words_and_a_range(preset, name):
    knob = Session(load_preset(preset)).knobs[name]
    assert knob.low <= knob.value <= knob.high
    assert knob.doc.endswith(".")
    if knob.scale == "choice":
        assert len(knob.choices) == knob.high + 1 > 1


@pytest.mark.parametrize("value", [-0.1, 3.5, math.nan, math.inf])
def test_values_out_of_range_are_refused_and_nothing_changes(value):
    session = Session(load_preset("tiny"))
    with pytest.raises(KnobError, match="sigma"):
        session.apply(SetParameter("sigma", value))
    assert session.knobs["sigma"].value == 0.8


def test_an_unknown_knob_is_answered_with_the_known_ones():
    with pytest.raises(KnobError, match=r"lipschitz.*sigma"):
        Session(load_preset("tiny")).apply(SetParameter("lipschitz", 1))


@pytest.mark.parametrize(("value", "words"), [("plaid", "one of: plain, lazy"), (2, "outside"), (0.5, "whole")])
def test_a_choice_is_one_of_its_names(value, words):
    session = Session(load_preset("tiny"))
    with pytest.raises(KnobError, match=words):
        session.apply(SetParameter("dynamics", value))
    session.apply(SetParameter("dynamics", "lazy"))
    assert session.knobs["dynamics"].choice == "lazy"


def test_a_name_is_no_number():
    with pytest.raises(KnobError, match="sigma = much must be a number"):
        Session(load_preset("tiny")).apply(SetParameter("sigma", "much"))


def test_whole_numbers_only_where_they_are_meant():
    with pytest.raises(KnobError, match="whole"):
        Knob(1, 0, 10, "ticks", "A count.", "integer").set_to("hold", 1.5)

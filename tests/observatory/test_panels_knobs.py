"""Knobs: scales, typing, dragging, and no echo back to the engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from engine.knobs import Knob
from observatory.panels import throttle
from observatory.panels.knobs import KnobsPanel
from observatory.panels.scale import from_fraction, steps, to_fraction, to_text
from tests.observatory.frames import fake_frame, fake_knobs

KNOBS = [
    Knob(0.9, 0.0, 3.0, "", "", "linear"),
    Knob(1e-4, 1e-12, 1e-1, "", "", "log"),
    Knob(0.0, 0.0, 1.0, "", "", "log"),
    Knob(600, 1, 100_000, "ticks", "", "integer"),
    Knob(3, 0, 12, "", "", "integer"),
    Knob(1, 0, 1, "", "", "switch"),
]


@given(st.sampled_from(KNOBS), st.floats(0, 1))
def test_every_position_is_a_legal_value_near_itself(knob: Knob, fraction: float) -> None:
    value = from_fraction(knob, fraction)
    knob.set_to("k", value)
    assert abs(to_fraction(knob, value) - fraction) <= 0.5 / max(1, min(steps(knob), 12)) + 0.01


@pytest.mark.parametrize("knob", KNOBS)
def test_the_ends_are_exact(knob: Knob) -> None:
    assert (from_fraction(knob, 0), from_fraction(knob, 1)) == (knob.low, knob.high)
    assert (to_fraction(knob, knob.low), to_fraction(knob, knob.high)) == (0, pytest.approx(1))


def test_text_shows_what_matters() -> None:
    assert to_text(KNOBS[0], 0.95) == "0.95"
    assert to_text(KNOBS[3], 600.0) == "600"
    assert to_text(KNOBS[1], 1e-8) == "1e-08"


@given(st.integers(0, throttle.STEPS))
def test_speeds_survive_the_slider(position: int) -> None:
    speed = throttle.speed_at(position)
    assert throttle.speed_at(throttle.position_of(speed)) == speed


def test_the_speed_slider_spans_one_to_a_thousand_and_no_limit() -> None:
    assert throttle.speed_at(0) == 1
    assert throttle.speed_at(throttle.STEPS - 1) == 1000
    assert throttle.speed_at(throttle.STEPS) == 0


@pytest.fixture
def panel(qtbot: QtBot) -> KnobsPanel:
    made = KnobsPanel()
    qtbot.addWidget(made)
    made.expect({"sigma": 0.8})
    made.follow(fake_frame(epoch=1))
    made.show()
    return made


def moves(panel: KnobsPanel) -> list[tuple[str, float]]:
    seen: list[tuple[str, float]] = []
    panel.moved.connect(lambda name, value: seen.append((name, value)))
    return seen


def test_sigma_comes_first_and_large(panel: KnobsPanel) -> None:
    assert list(panel.rows) == ["sigma", "beta", "tolerance", "t_free", "advance"]
    big, small = panel.rows["sigma"], panel.rows["beta"]
    assert big.label.font().pointSizeF() > small.label.font().pointSizeF()
    assert big.y() < small.y() + small.parentWidget().y()


def test_tooltips_come_from_the_docs(panel: KnobsPanel) -> None:
    for name, knob in fake_knobs().items():
        assert knob.doc in panel.rows[name].label.toolTip()
    assert "0 to 2.5" in panel.rows["sigma"].slider.toolTip()  # type: ignore[union-attr]


def test_following_the_engine_sends_nothing(panel: KnobsPanel) -> None:
    seen = moves(panel)
    knobs = fake_knobs()
    changed = {
        name: knob.set_to(name, value)
        for (name, knob), value in zip(knobs.items(), [0.5, 1.7, 1e-6, 42, 1], strict=True)
    }
    panel.follow(fake_frame(epoch=1, knobs=changed))
    assert seen == []
    assert panel.rows["sigma"].edit.text() == "1.7"  # type: ignore[union-attr]
    assert panel.rows["t_free"].edit.text() == "42"  # type: ignore[union-attr]
    assert panel.rows["advance"].switch.isChecked()  # type: ignore[union-attr]


def test_an_older_frame_does_not_pull_the_slider_back(panel: KnobsPanel) -> None:
    row = panel.rows["sigma"]
    assert row.slider is not None
    assert row.edit is not None
    row.slider.setValue(row.slider.maximum())
    panel.follow(fake_frame(epoch=1))
    assert row.edit.text() == "2.5"
    arrived = {**fake_knobs(), "sigma": replace(fake_knobs()["sigma"], value=2.5)}
    panel.follow(fake_frame(epoch=1, knobs=arrived))
    panel.follow(fake_frame(epoch=1))
    assert row.edit.text() == "0.9"


def test_a_refusal_brings_the_engine_value_back(panel: KnobsPanel) -> None:
    row = panel.rows["sigma"]
    assert row.slider is not None
    row.slider.setValue(row.slider.maximum())
    panel.forget()
    assert row.edit.text() == "0.9"  # type: ignore[union-attr]


def type_into(qtbot: QtBot, panel: KnobsPanel, name: str, text: str) -> None:
    edit = panel.rows[name].edit
    assert edit is not None
    edit.setFocus()
    edit.selectAll()
    qtbot.keyClicks(edit, text)
    qtbot.keyClick(edit, Qt.Key.Key_Return)


def test_a_typed_value_is_sent(panel: KnobsPanel, qtbot: QtBot) -> None:
    seen = moves(panel)
    type_into(qtbot, panel, "sigma", "1,25")
    assert seen == [("sigma", 1.25)]
    assert panel.rows["sigma"].slider.value() == 500  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [("sigma", "7", "range"), ("sigma", "much", "number"), ("t_free", "2.5", "whole"), ("beta", "nan", "range")],
)
def test_a_wrong_value_is_refused_in_words(panel: KnobsPanel, qtbot: QtBot, name: str, text: str, word: str) -> None:
    seen, refused = moves(panel), []
    panel.refused.connect(refused.append)
    type_into(qtbot, panel, name, text)
    assert seen == []
    assert word in refused[0]
    assert panel.rows[name].edit.property("wrong")  # type: ignore[union-attr]
    qtbot.keyClick(panel.rows[name].edit, Qt.Key.Key_Escape)
    assert not panel.rows[name].edit.property("wrong")  # type: ignore[union-attr]


def test_the_button_goes_back_to_the_preset(panel: KnobsPanel) -> None:
    seen = moves(panel)
    panel.rows["sigma"].back.click()
    assert seen == [("sigma", 0.8)]
    assert not panel.rows["sigma"].back.isEnabled()


def test_another_network_gets_its_own_rows(panel: KnobsPanel) -> None:
    knobs = {"sigma": fake_knobs()["sigma"], "acceleration": Knob(0, 0, 1, "", "Faster.", "switch")}
    panel.expect({})
    panel.follow(fake_frame(epoch=1))
    assert "beta" in panel.rows
    panel.follow(fake_frame(epoch=2, knobs=knobs))
    assert list(panel.rows) == ["sigma", "acceleration"]
    assert panel.rows["sigma"].preset_value == 0.9

"""The other panels, fed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from observatory import palette
from observatory.panels.banner import Banner
from observatory.panels.channels import STEPS, ChannelsPanel, gain_at, position_of
from observatory.panels.classes import ClassesPanel
from observatory.panels.input import InputPanel
from observatory.panels.pad import Pad, shrink
from observatory.panels.presets import PresetsPanel
from observatory.panels.profile import ProfilePanel, theory_line
from observatory.panels.ring import Ring
from observatory.panels.status import StatusBar
from observatory.panels.traces import LENGTH, TracesPanel
from observatory.view import ViewSettings
from tests.observatory.frames import fake_frame


@given(st.integers(1, 9), st.lists(st.integers(-5, 5), max_size=40))
def test_a_ring_keeps_the_newest_in_order(size: int, values: list[int]) -> None:
    ring = Ring(size, 1)
    for value in values:
        ring.push((float(value),))
        assert ring.rows().base is not None
    assert ring.rows()[:, 0].tolist() == values[-size:]
    ring.clear()
    assert len(ring.rows()) == 0


def test_the_pad_shrinks_like_the_data_set() -> None:
    cells = np.zeros((32, 32), np.float32)
    cells[0:4, 4:8] = 1
    cells[4, 0] = 1
    small = shrink(cells, 4)
    assert small.dtype == np.float32
    assert small[0, 1] == 1
    assert small[1, 0] == pytest.approx(1 / 16)
    assert small.sum() == pytest.approx(1 + 1 / 16)


def test_left_draws_and_right_erases(qtbot: QtBot) -> None:
    pad = Pad()
    qtbot.addWidget(pad)
    pad.resize(164, 164)
    pictures: list[np.ndarray] = []
    pad.drawn.connect(pictures.append)
    qtbot.mousePress(pad, Qt.MouseButton.LeftButton, pos=QPoint(82, 82))
    assert pictures[-1].shape == (8, 8)
    assert pictures[-1].max() > 0
    qtbot.mouseRelease(pad, Qt.MouseButton.LeftButton, pos=QPoint(82, 82))
    qtbot.mousePress(pad, Qt.MouseButton.RightButton, pos=QPoint(82, 82))
    assert pictures[-1].max() == 0


def test_the_pad_can_be_drawn_on_with_keys(qtbot: QtBot) -> None:
    pad = Pad()
    qtbot.addWidget(pad)
    qtbot.keyClick(pad, Qt.Key.Key_Left)
    assert not pad.cells.any()
    for _ in range(6):
        qtbot.keyClick(pad, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    drawn = pad.cells.sum()
    assert drawn > 15
    for _ in range(6):
        qtbot.keyClick(pad, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert pad.cells.sum() < drawn


def test_a_fast_stroke_has_no_gaps(qtbot: QtBot) -> None:
    pad = Pad()
    qtbot.addWidget(pad)
    pad.stroke((16.0, 2.0), (16.0, 30.0), 1.0)
    assert pad.cells[16, 2:30].all()
    assert not pad.cells[20].any()


def test_samples_wrap_round(qtbot: QtBot) -> None:
    panel = InputPanel()
    qtbot.addWidget(panel)
    asked: list[int] = []
    panel.sample_chosen.connect(asked.append)
    panel.follow(fake_frame(sample=0))
    panel.previous()
    panel.next()
    panel.spin.setValue(12)
    assert asked == [1796, 0, 12]


def test_the_input_follows_without_asking(qtbot: QtBot) -> None:
    panel = InputPanel()
    qtbot.addWidget(panel)
    asked: list[object] = []
    panel.sample_chosen.connect(asked.append)
    panel.target_chosen.connect(asked.append)
    panel.follow(fake_frame(sample=5, label=3))
    assert asked == []
    assert panel.spin.value() == 5
    assert [b.isChecked() for b in panel.target.buttons].index(True) == 3
    panel.choose(9)
    panel.follow(fake_frame(sample=5, label=3))
    assert panel.spin.value() == 9


def test_a_drawing_keeps_the_chosen_target(qtbot: QtBot) -> None:
    panel = InputPanel()
    qtbot.addWidget(panel)
    labels: list[int | None] = []
    panel.drawn.connect(lambda _image, label: labels.append(label))
    panel.follow(fake_frame())
    panel.pad.stroke((3, 3), (9, 9), 1.0)
    panel.target.buttons[4].click()
    panel.pad.stroke((3, 3), (9, 9), 1.0)
    assert labels == [None, 4]


def test_traces_are_bounded_and_start_afresh(qtbot: QtBot) -> None:
    panel = TracesPanel()
    qtbot.addWidget(panel)
    for tick in range(LENGTH + 10):
        panel.observe(fake_frame(tick=tick, metrics={"velocity_max": 1e-3, "t_relax": 7 if tick > 5 else None}))
    panel.observe(fake_frame(tick=LENGTH + 9))
    panel.redraw()
    x, y = panel.curves[0].getOriginalDataset()
    assert (len(x), x[0], x[-1]) == (LENGTH, 10, LENGTH + 9)
    assert y[-1] == pytest.approx(-3)
    assert panel.curves[1].getOriginalDataset()[1][-1] == 7
    panel.observe(fake_frame(tick=0, epoch=1, metrics={"velocity_max": 0.0}))
    panel.redraw()
    assert len(panel.ring) == 1


def test_the_theory_line_falls_by_lambda_from_the_top() -> None:
    line = theory_line(np.array([9.0, 9.0, 8.0], np.float32), 0.5)
    assert line.tolist() == [2.0, 4.0, 8.0]


def test_the_profile_shows_measurement_and_law(qtbot: QtBot) -> None:
    panel = ProfilePanel()
    qtbot.addWidget(panel)
    rms = np.array([0.0, 1e-3, 1e-2], np.float32)
    panel.redraw(fake_frame(3, metrics={"rms_nudge": rms, "credit_decay": 0.1, "decay_theory": 0.12}))
    assert "0.100" in panel.title
    assert "0.120" in panel.title
    y = panel.curve.getOriginalDataset()[1]
    assert np.isnan(y[0])
    assert y[1:] == pytest.approx([-3, -2])
    assert panel.theory.getOriginalDataset()[1][1] == pytest.approx(np.log10(1.2e-3))
    panel.redraw(fake_frame(3, tick=2, metrics={"rms_nudge": 0 * rms}))
    assert panel.title == "no nudge now"
    assert panel.curve.opacity() < 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.1])
def test_classes_can_be_painted_whatever_comes(qtbot: QtBot, value: float) -> None:
    panel = ClassesPanel()
    qtbot.addWidget(panel)
    panel.resize(280, 160)
    panel.redraw(fake_frame(label=3, metrics={"probabilities": np.full(10, value, np.float32)}))
    image = panel.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, 280, 2) for y in range(0, 160, 2)}
    assert palette.ACCENT in colours


def test_the_note_is_there_only_for_untrained_weights(qtbot: QtBot) -> None:
    panel = ClassesPanel()
    qtbot.addWidget(panel)
    panel.show()
    assert panel.note.isVisible()
    panel.set_trained(True)
    assert not panel.note.isVisible()


@given(st.integers(0, STEPS))
def test_gains_survive_the_slider(position: int) -> None:
    assert abs(position_of(gain_at(position)) - position) <= 1


def test_channels_and_settings_stay_in_step(qtbot: QtBot) -> None:
    view = ViewSettings()
    panel = ChannelsPanel(view)
    qtbot.addWidget(panel)
    row = panel.rows["green"]
    row.on.click()
    row.auto.click()
    row.log.click()
    row.gain.setValue(STEPS)
    panel.highlight.click()
    assert (view.green.on, view.green.auto, view.green.log, view.green.gain) == (False, False, True, 100.0)
    assert not view.highlight
    view.green.gain = 1.0
    view.green.on = True
    view.highlight = True
    assert row.gain.value() == STEPS // 2
    assert row.on.isChecked()
    assert panel.highlight.isChecked()
    panel.close_links()


def test_the_banner_counts_what_repeats_and_closes(qtbot: QtBot) -> None:
    banner = Banner()
    qtbot.addWidget(banner)
    for _ in range(3):
        banner.error("it broke")
    assert banner.text.text() == "it broke  (x3)"
    banner.news("saved")
    assert (banner.text.text(), banner.is_error) == ("saved", False)
    banner.error("x" * 5000)
    assert len(banner.text.text()) < 1000


def test_presets_are_listed_with_their_words(qtbot: QtBot) -> None:
    panel = PresetsPanel()
    qtbot.addWidget(panel)
    panel.fill(["/somewhere/mine.toml"])
    titles = [panel.list.item(i).text() for i in range(panel.list.count())]
    assert "Deep 100" in titles
    assert titles[-1] == "mine.toml"
    asked: list[str] = []
    panel.chosen.connect(asked.append)
    panel.mark("tiny")
    assert asked == []
    assert "6 layers of 16" in panel.about.text()
    panel.mark("conv-digits")
    assert "10 layers, conv" in panel.about.text()
    qtbot.keyClick(panel.list, Qt.Key.Key_Down)
    panel.show()
    panel.list.itemClicked.emit(panel.list.item(0))
    assert len(asked) == 1


def test_the_status_bar_names_the_backend_that_computes_now(qtbot: QtBot) -> None:
    bar = StatusBar("cuda")
    qtbot.addWidget(bar)
    bar.follow(replace(fake_frame(), backend="numba", backend_reason="cuda failed"))
    bar.refresh()
    assert bar.backend.text() == "backend numba"
    assert "cuda failed" in bar.backend.toolTip()

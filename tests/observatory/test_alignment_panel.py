"""The alignment of the running network: measured off to the side, shown by layer, ended at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.commands import Ablate, SetParameter, TakeSnapshot
from engine.frame import Frame
from engine.learning import align as align_module
from engine.learning.align import Alignment, align, align_snapshot
from engine.mailbox import Mailbox
from engine.preset import Preset, load_preset, parse_preset
from engine.session import Session
from engine.snapshot import Snapshot
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.panels.alignment import AlignmentPanel, cosine_words, nines
from observatory.settings import Settings
from observatory.window import Window

TIMEOUT = 20_000
SMALL = 'title = "Small"\nnetwork = "recursive"\nlayers = 5\nneurons = 16\n[knobs]\nsigma = 0.8\nbeta = 0.01\n'


def small(text: str = SMALL) -> Preset:
    return parse_preset(text, "small", "small.toml")


def snapshot_of(session: Session) -> Snapshot:
    reply: Mailbox[Snapshot] = Mailbox()
    session.apply(TakeSnapshot(reply))
    taken = reply.take()
    assert taken is not None
    return taken


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_a_snapshot_is_measured_like_the_command_line_does(network: str) -> None:
    preset = small(SMALL.replace("recursive", network))
    found = align_snapshot(snapshot_of(Session(preset, "numpy")))
    wanted, _ = align(preset.model_copy(update={"dtype": "float64"}), samples=align_module.SNAPSHOT_SAMPLES)
    assert found.min_cosine == pytest.approx(wanted.min_cosine, abs=1e-6)
    assert found.min_cosine is not None
    assert found.min_cosine > 0.999
    assert [len(row) for name, row in found.cosine.items() if name in ("W", "R", "b")] == [5] * len(
        [name for name in ("W", "R", "b") if name in found.cosine]
    )


def test_credit_in_a_random_direction_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a nudge that has nothing to do with the error gives no alignment."""
    taken = snapshot_of(Session(small(), "numpy"))
    settled = align_module.ticked_update

    def random(chain: object, *words: object, **more: object) -> object:
        rng = np.random.default_rng(0)
        monkeypatch.setattr(chain, "aim", lambda: chain._aim.__setitem__(..., rng.standard_normal(chain._aim.shape)))  # type: ignore[attr-defined]
        return settled(chain, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(align_module, "ticked_update", random)
    found = align_snapshot(taken)
    assert max(abs(c) for c in found.cosine["W"] if c is not None) < 0.8


def test_a_snapshot_is_a_copy_of_the_weights_that_act() -> None:
    session = Session(small(), "numpy")
    session.apply(Ablate(0.3))
    taken = snapshot_of(session)
    assert not taken.weights["W"][session.network.ablated].any()
    assert taken.knobs["sigma"] == 0.8
    assert taken.knobs["dynamics"] == "plain"
    kept = taken.weights["W"].copy()
    session.network.weights["W"][...] = 0  # type: ignore[attr-defined]
    assert np.array_equal(taken.weights["W"], kept)
    assert align_snapshot(taken).min_cosine is not None


@pytest.mark.parametrize(("name", "value", "words"), [("beta", 0, "beta is 0"), ("sigma", 3, "still changes by")])
def test_what_cannot_be_measured_is_said(name: str, value: float, words: str) -> None:
    session = Session(small(SMALL.replace("neurons = 16", "neurons = 64")), "numpy")
    session.apply(SetParameter(name, value))
    with pytest.raises(ValueError, match=words):
        align_snapshot(snapshot_of(session))


def test_noise_does_not_keep_it_from_resting() -> None:
    session = Session(small(), "numpy")
    for name in ("noise", "input_noise"):
        session.apply(SetParameter(name, 0.5))
    found = align_snapshot(snapshot_of(session))
    assert found.min_cosine is not None
    assert found.min_cosine > 0.999


def test_nines() -> None:
    assert nines([0.9, 0.99, 0.0, 1.0, -1.0]).tolist() == pytest.approx([1, 2, 0, 16, -0.30103])
    assert np.isnan(nines([None])).all()
    assert [cosine_words(c) for c in (0.5, 0.99979, 1 - 3e-9, 1.0)] == ["0.50000", "0.99979", "1 - 3e-9", "1"]


def test_layers_below_the_floor_are_grey_rings_and_not_counted(qtbot: QtBot) -> None:
    panel = AlignmentPanel()
    qtbot.addWidget(panel)
    alignment = Alignment(
        {"W": [None, 0.1, 0.99], "b": [0.999, 0.9999, 0.99999], "W_out": [1.0]},
        {"W": [True, True, False], "b": [False] * 3, "W_out": [False]},
    )
    panel.show_alignment(alignment, snapshot_of(Session(small(), "numpy")))
    y = panel.curves["W"].getOriginalDataset()[1]
    assert np.isnan(y[:2]).all()
    assert y[2] == pytest.approx(2)
    x, rings = panel.hidden_layers.getData()
    assert x.tolist() == [1, 2]
    assert rings.tolist() == pytest.approx([0, -np.log10(0.9)])
    assert panel.words.text() == "lowest cosine 0.99000\n2 below the floor"
    panel.show_error("no rest")
    assert panel.words.text() == "no rest"
    assert len(panel.hidden_layers.getData()[0]) == 0


@pytest.fixture
def open_window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Callable[[str], Window]]:
    made: list[Window] = []

    def make(text: str) -> Window:
        make_application()
        path = tmp_path / "small.toml"
        path.write_text(text)
        preset = load_preset(path)
        window = Window(EngineThread(preset, "numpy"), preset, Settings())
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.controller.frame is not None, timeout=TIMEOUT)
        return window

    yield make
    for window in made:
        window.close()


def frame(window: Window) -> Frame:
    assert window.controller.frame is not None
    return window.controller.frame


def show_panel(window: Window, qtbot: QtBot) -> AlignmentPanel:
    window.docks.by_title["Alignment"].raise_()
    qtbot.waitUntil(lambda: window.docks.visible("Alignment"), timeout=TIMEOUT)
    return window.alignment_panel


def test_the_nudge_profile_is_in_front_and_the_button_measures(
    open_window: Callable[[str], Window], qtbot: QtBot
) -> None:
    window = open_window(SMALL)
    qtbot.waitUntil(lambda: window.docks.visible("Nudge profile"), timeout=TIMEOUT)
    assert not window.docks.visible("Alignment")
    panel = show_panel(window, qtbot)
    panel.button.click()
    assert panel.button.text() == "Stop"
    qtbot.waitUntil(lambda: "lowest cosine" in panel.words.text(), timeout=TIMEOUT)
    assert panel.button.text() == "Measure"
    assert np.isfinite(panel.curves["R"].getOriginalDataset()[1]).all()
    window.controller.send(SetParameter("beta", 0.0))
    panel.button.click()
    qtbot.waitUntil(lambda: "beta is 0" in panel.words.text(), timeout=TIMEOUT)
    assert not window.banner.isVisible()


def test_repeating_follows_the_network(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    window = open_window(SMALL)
    panel = show_panel(window, qtbot)
    panel.repeat.click()
    qtbot.waitUntil(lambda: "lowest cosine" in panel.words.text(), timeout=TIMEOUT)
    before = panel.words.text()
    window.controller.send(SetParameter("beta", 1.0))
    qtbot.waitUntil(lambda: panel.words.text() != before and "lowest" in panel.words.text(), timeout=TIMEOUT)
    panel.repeat.click()


LONG = 'title = "Long"\nnetwork = "recursive"\nlayers = 200\nneurons = 144\n[knobs]\nsigma = 0.99\n'


def measuring() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "alignment"]


def test_the_engine_ticks_on_meanwhile_and_stop_ends_it(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    window = open_window(LONG)
    panel = show_panel(window, qtbot)
    panel.button.click()
    before = frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick > before + 5, timeout=TIMEOUT)
    assert panel.button.text() == "Stop"
    assert measuring()
    panel.button.click()
    qtbot.waitUntil(lambda: not measuring(), timeout=5000)
    assert panel.words.text() == "not measured"


def test_closing_the_window_ends_a_measurement_within_two_seconds(
    open_window: Callable[[str], Window], qtbot: QtBot
) -> None:
    window = open_window(LONG)
    panel = show_panel(window, qtbot)
    panel.button.click()
    before = frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick > before + 3, timeout=TIMEOUT)
    assert measuring()
    begun = time.monotonic()
    window.close()
    assert time.monotonic() - begun < 2.0
    assert not measuring()


def test_another_network_clears_the_panel(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    window = open_window(SMALL)
    panel = show_panel(window, qtbot)
    panel.button.click()
    qtbot.waitUntil(lambda: "lowest cosine" in panel.words.text(), timeout=TIMEOUT)
    window.load("tiny")
    qtbot.waitUntil(lambda: "lowest" not in panel.words.text(), timeout=TIMEOUT)
    assert panel.curves["W"].getOriginalDataset()[0] is None

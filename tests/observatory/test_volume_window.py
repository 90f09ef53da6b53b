"""The volume in the window: offered for cubes only, switched, steered, told, recorded and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from frames import fake_frame
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from volumes import volume_frame

from engine.commands import Command
from engine.frame import Frame
from engine.history import History
from engine.mailbox import Mailbox
from engine.preset import load_preset
from observatory.app import make_application
from observatory.canvas.orbit import BOOKMARKS, HOME, Orbit
from observatory.panels.volume import VolumePanel
from observatory.settings import Settings, load_settings
from observatory.viewstate import restore_volume
from observatory.volume_view import VolumeSettings
from observatory.window import Window

TIMEOUT = 20_000
LIT = (7, 3, 1)


class StillEngine:
    """An engine that shows what it is given."""

    backend = "numpy"

    def __init__(self) -> None:
        self.mailbox: Mailbox[Frame] = Mailbox()
        self.errors: Mailbox[str] = Mailbox()
        self.news: Mailbox[str] = Mailbox()
        self.history = History()

    def start(self) -> None:
        pass

    def send(self, command: Command) -> None:
        pass

    def stop(self, timeout: float = 2.0) -> bool:
        return True


Show = Callable[[Frame], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(recordings=str(tmp_path / "recordings"))


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, settings: Settings) -> Iterator[Window]:
    make_application()
    made = Window(StillEngine(), load_preset("tiny"), settings)
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=TIMEOUT)
    yield made
    made.close()


@pytest.fixture
def show(window: Window, qtbot: QtBot) -> Show:
    """Sends a frame and waits until it is drawn."""

    def send(frame: Frame) -> None:
        drawn: list[int] = []
        count = lambda: drawn.append(1)  # noqa: E731
        window.stage.drawn.connect(count)
        window.controller.engine.mailbox.put(frame)
        qtbot.waitUntil(lambda: window.controller.frame is frame and bool(drawn), timeout=TIMEOUT)
        window.stage.drawn.disconnect(count)

    return send


def cube(**changes: object) -> Frame:
    return volume_frame(activation={LIT: 0.9}, density={LIT: 17}, **changes)  # type: ignore[arg-type]


def press(window: Window, qtbot: QtBot, key: Qt.Key) -> None:
    qtbot.keyClick(window, key)


def test_a_volume_is_offered_for_cubes_only(window: Window, show: Show) -> None:
    dock = window.docks.by_title["Volume"]
    action = dock.toggleViewAction()
    assert action is not None
    steps: list[tuple[Frame, bool]] = [(fake_frame(), False), (cube(), True), (fake_frame(), False)]
    for frame, offered in steps:
        show(frame)
        assert window.stage.canvas is (window.stage.volume if offered else window.stage.mosaic)
        assert window.stage.canvas.native.isVisible()
        assert window.docks.visible("Volume") == offered
        assert action.isVisible() == offered
        assert window.actions_by_name["volume.toggle"].isEnabled() == offered
        window.docks.arrange()
        assert dock.isHidden() != offered


def test_a_closed_panel_stays_closed(window: Window, show: Show) -> None:
    show(cube())
    window.docks.by_title["Volume"].close()
    show(cube())
    assert not window.docks.visible("Volume")


def test_m_switches_between_the_volume_and_the_mosaic(window: Window, show: Show, qtbot: QtBot) -> None:
    show(cube())
    press(window, qtbot, Qt.Key.Key_M)
    assert window.stage.canvas is window.stage.mosaic
    assert not window.actions_by_name["volume.toggle"].isChecked()
    assert window.volume_panel.mosaic.isChecked()
    show(cube())
    x, y = window.stage.mosaic.position_of(LIT[2] + 1)
    assert window.stage.mosaic.neuron_at(x, y) is not None
    qtbot.mouseClick(window.volume_panel.volume, Qt.MouseButton.LeftButton)
    assert window.stage.canvas is window.stage.volume
    assert window.actions_by_name["volume.toggle"].isChecked()


def test_switching_shows_the_newest_frame_with_the_same_exposure(window: Window, show: Show, qtbot: QtBot) -> None:
    show(volume_frame(velocity={LIT: 0.8}))
    press(window, qtbot, Qt.Key.Key_M)
    for _ in range(3):
        show(volume_frame(velocity={LIT: 0.4}))
    tops = window.stage.mosaic.exposure.tops
    assert tops == window.stage.volume.exposure.tops
    press(window, qtbot, Qt.Key.Key_M)
    assert window.stage.volume._frame is window.controller.frame
    assert window.stage.volume.exposure.tops[1] == pytest.approx(tops[1], rel=0.05)


def test_keys_and_buttons_go_to_the_bookmarks(window: Window, show: Show, qtbot: QtBot) -> None:
    show(cube())
    keys = {"Input": Qt.Key.Key_2, "Side": Qt.Key.Key_3, "Read-out": Qt.Key.Key_4, "Top": Qt.Key.Key_5}
    for name, key in keys.items():
        press(window, qtbot, key)
        assert window.stage.volume.orbit == BOOKMARKS[name]
    press(window, qtbot, Qt.Key.Key_1)
    assert window.stage.volume.orbit == HOME
    for name, orbit in BOOKMARKS.items():
        qtbot.mouseClick(window.volume_panel.bookmarks[name], Qt.MouseButton.LeftButton)
        assert window.stage.volume.orbit == orbit
    press(window, qtbot, Qt.Key.Key_0)
    assert window.stage.volume.orbit == HOME


def test_a_view_of_ones_own_is_kept(window: Window, show: Show, qtbot: QtBot) -> None:
    show(cube())
    assert not window.volume_panel.bookmarks["Kept"].isEnabled()
    press(window, qtbot, Qt.Key.Key_6)
    assert window.stage.volume.orbit == HOME
    mine = Orbit(71.0, -12.0, 2.5)
    window.stage.volume.look(mine)
    press(window, qtbot, Qt.Key.Key_B)
    press(window, qtbot, Qt.Key.Key_1)
    press(window, qtbot, Qt.Key.Key_6)
    assert window.stage.volume.orbit == mine
    window.close()
    assert load_settings().volume_bookmark == [71.0, -12.0, 2.5]


def test_slices_and_turning_have_keys(window: Window, show: Show, qtbot: QtBot) -> None:
    show(cube())
    for key, name in ((Qt.Key.Key_S, "slices"), (Qt.Key.Key_T, "turning")):
        for on in (True, False):
            press(window, qtbot, key)
            assert getattr(window.volume_view, name) is on


def test_the_status_bar_names_the_voxel(window: Window, show: Show) -> None:
    show(cube())
    window.stage.volume.point_at(window.stage.volume.position_of(LIT))
    text = window.status.neuron.text()
    assert text.startswith("voxel x 7  y 3  z 1 ")
    assert "activation +0.900" in text
    assert text.endswith("synapses 17")
    window.stage.volume.point_at(None)
    assert window.status.neuron.text() == ""


def test_pictures_and_videos_show_the_volume(window: Window, show: Show, qtbot: QtBot, tmp_path: Path) -> None:
    show(cube())
    np.testing.assert_array_equal(window.capture.picture("canvas", (320, 200)), window.stage.volume.capture((320, 200)))
    window.volume_view.turning = True
    press(window, qtbot, Qt.Key.Key_V)
    qtbot.waitUntil(lambda: window.stage.volume.orbit.azimuth > HOME.azimuth + 8, timeout=TIMEOUT)
    press(window, qtbot, Qt.Key.Key_V)
    window.volume_view.turning = False
    (path,) = (tmp_path / "recordings").glob("*.mp4")
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert np.abs(frames[-1] - frames[0]).max() > 60


def test_the_settings_are_remembered(window: Window, show: Show) -> None:
    show(cube())
    window.volume_view.show, window.volume_view.smooth, window.volume_view.x = "clouds", False, 0.25
    window.close()
    restored = VolumeSettings()
    restore_volume(restored, load_settings().volume)
    assert restored == window.volume_view
    assert restored.show == "clouds"


def test_what_does_not_fit_is_dropped_key_by_key() -> None:
    volume = VolumeSettings()
    table = {"show": "smoke", "opacity": 7.0, "threshold": "much", "slices": True, "x": float("nan"), "y": 0.9, "z": 1}
    restore_volume(volume, {**table, "unknown": 1})
    assert volume == VolumeSettings(slices=True, y=0.9, z=1.0)


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[VolumePanel]:
    made = VolumePanel(VolumeSettings())
    qtbot.addWidget(made)
    made.follow(volume_frame().layout, True)
    made.show()
    yield made
    made.close_links()


def test_the_panel_edits_the_settings_and_follows_them(panel: VolumePanel, qtbot: QtBot) -> None:
    settings = panel.settings
    for name, button in panel.shows.items():
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert settings.show == name
        assert panel.threshold.isEnabled() == (name == "clouds")
    qtbot.mouseClick(panel.slices, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.smooth, Qt.MouseButton.LeftButton)
    assert (settings.slices, settings.smooth) == (True, False)
    panel.opacity.setValue(80)
    panel.threshold.setValue(10)
    assert (settings.opacity, settings.threshold) == (0.8, 0.1)
    panel.opacity.double_clicked.emit()
    assert settings.opacity == 0.5
    for axis, slider in panel.planes.items():
        slider.setValue(2)
        assert settings.plane(axis, 8) == 2
        settings.put_plane(axis, 6, 8)
        assert slider.value() == 6
        assert panel.places[axis].text() == "6"
        slider.double_clicked.emit()
        assert settings.plane(axis, 8) == 4
    settings.show = "brightest"
    assert panel.shows["brightest"].isChecked()


def test_the_panel_suits_the_layout_and_what_is_known(panel: VolumePanel) -> None:
    panel.follow(volume_frame(28).layout, False)
    assert not panel.shows["density"].isEnabled()
    assert {slider.maximum() for slider in panel.planes.values()} == {27}
    assert {slider.isEnabled() for slider in panel.planes.values()} == {False}


def test_every_button_of_the_panel_is_explained(panel: VolumePanel) -> None:
    for widget in (*panel.shows.values(), *panel.bookmarks.values(), *panel.planes.values(), panel.keep):
        assert isinstance(widget, QWidget)
        assert len(widget.toolTip()) > 8

"""The window: the canvas in the middle, panels round it, and the methods behind every action."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QByteArray, QSize, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PyQt6.QtWidgets import QFileDialog, QMainWindow, QVBoxLayout, QWidget

from engine.commands import (
    Ablate,
    AblateRegion,
    Dream,
    Heal,
    LoadPreset,
    Nudge,
    Pause,
    Reset,
    SelectSample,
    SetInput,
    SetParameter,
    SetTarget,
    Step,
    Throttle,
)
from engine.frame import Frame
from engine.preset import Preset, PresetError, load_preset
from observatory.actions import ACTIONS, build_actions
from observatory.alignment_desk import AlignmentDesk
from observatory.capture import Capture
from observatory.controller import Controller, Engine
from observatory.docks import Docks
from observatory.drops import FILTER, dropped, is_file
from observatory.growth_desk import GrowthDesk
from observatory.history_desk import HistoryDesk
from observatory.history_files import HistoryFiles
from observatory.learning_desk import LearningDesk
from observatory.menus import fill_menus, fill_toolbar
from observatory.panels.alignment import AlignmentPanel
from observatory.panels.banner import Banner
from observatory.panels.channels import ChannelsPanel
from observatory.panels.classes import ClassesPanel
from observatory.panels.command_palette import CommandPalette
from observatory.panels.focus import keep_arrows_while
from observatory.panels.icons import icon
from observatory.panels.input import InputPanel
from observatory.panels.knobs import KnobsPanel
from observatory.panels.links import LinksPanel
from observatory.panels.past_frame import PastFrame
from observatory.panels.presets import PresetsPanel
from observatory.panels.profile import ProfilePanel
from observatory.panels.rhythm import RhythmPanel
from observatory.panels.shortcuts import ShortcutsPage
from observatory.panels.status import StatusBar
from observatory.panels.throttle import Throttle as ThrottleSlider
from observatory.panels.time_bar import TimeBar
from observatory.panels.traces import BUDGETS, FIGURES, LENGTH, TracesPanel, kind_of
from observatory.panels.volume import VolumePanel
from observatory.panels.world import WorldPanel
from observatory.recording_desk import RecordingDesk
from observatory.settings import Settings, save_settings
from observatory.stage import Stage
from observatory.view import settings_for
from observatory.viewstate import restore_view, restore_volume, suit_view, view_table
from observatory.volume_desk import VolumeDesk
from observatory.volume_view import VolumeSettings
from observatory.words import channel_names

log = logging.getLogger(__name__)

SIZE = QSize(1440, 900)
SLOW_SECONDS = 0.07
"""Plots and bars are redrawn no more often than this."""
SETTLING, LIVING = ("Input", "Nudge profile"), ("World", "Links")
"""Docks in front of their tabs, for a network that settles and for one that lives in a world."""
LAST_MS = 150
"""After this long without a frame they show the last one."""


class Window(QMainWindow):
    """Shows one engine. It starts the engine when it is made and stops it when it closes."""

    def __init__(self, engine: Engine, preset: Preset, settings: Settings, source: str | None = None):
        super().__init__()
        self.settings = settings
        self.preset = preset
        self._wanted: tuple[Preset, str] | None = None
        self._epoch = 0
        self._paused = False
        self.setWindowTitle("TorEq Observatory")
        self.setWindowIcon(icon("logo"))
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.view = settings_for(preset.network)
        restore_view(self.view, settings.view, preset.network)
        self.volume_view = VolumeSettings()
        restore_volume(self.volume_view, settings.volume)
        self.stage = Stage(self.view, self.volume_view)
        self.canvas = self.stage.mosaic
        self.banner = Banner()
        self.past_frame = PastFrame(self.stage)
        self.time_bar = TimeBar()
        self._build_centre()
        self._build_panels()
        self.status = StatusBar(engine.backend)
        self.setStatusBar(self.status)
        self.throttle = ThrottleSlider()
        self.controller = Controller(engine, self)
        self.capture = Capture(self, self.stage, self.stage.capture)
        self.recording = RecordingDesk(
            self.capture, settings, self.banner, lambda: self.shown, lambda: self.history.past, self
        )
        self.history = HistoryDesk(
            engine.history, self.time_bar, self.past_frame, self.recording, settings, self.banner, self
        )
        self.history_files = HistoryFiles(self.history, settings, self.banner, self)
        self.learning = LearningDesk(self.controller.send, settings, self.banner, self)
        self.alignment = AlignmentDesk(
            self.alignment_panel, self.controller.send, lambda: self.docks.visible("Alignment"), self
        )
        self.volume = VolumeDesk(self.stage, self.volume_view, self.volume_panel, self.docks, settings, self)
        self.actions_by_name = build_actions(self)
        self.learning.attach(self.actions_by_name["learning.toggle"])
        self.recording.attach(self.actions_by_name["recording.toggle"])
        self.time_bar.attach(self.actions_by_name)
        fill_menus(self, self.actions_by_name, self.docks, self.recording, settings.record_what)
        fill_toolbar(self, self.actions_by_name, self.throttle)
        self._drawn_slowly = 0.0
        self._last = QTimer(self)
        self._last.setSingleShot(True)
        self._last.setInterval(LAST_MS)
        self._last.timeout.connect(self._redraw_slowly)
        self._connect()
        self._restore_places()
        self.volume.attach(self.actions_by_name)
        self._begin(preset, source or preset.name)
        self.controller.start()

    def _build_centre(self) -> None:
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.past_frame, 1)
        column.addWidget(self.time_bar)
        self.stage.setMinimumSize(QSize(240, 180))
        self.setCentralWidget(centre)

    def _build_panels(self) -> None:
        self.presets = PresetsPanel()
        self.presets.fill(self.settings.recent)
        self.input = InputPanel()
        self.classes = ClassesPanel()
        self.knobs = KnobsPanel()
        self.channels = ChannelsPanel(self.view)
        self.volume_panel = VolumePanel(self.volume_view)
        self.traces = TracesPanel()
        self.rhythm = RhythmPanel()
        self.growth = GrowthDesk(self.stage.graph, self)
        self.profile = ProfilePanel()
        self.links = LinksPanel()
        self.world = WorldPanel()
        self.alignment_panel = AlignmentPanel()
        self.docks = Docks(
            self,
            {
                "Presets": self.presets,
                "Input": self.input,
                "World": self.world,
                "Classes": self.classes,
                "Knobs": self.knobs,
                "Channels": self.channels,
                "Volume": self.volume_panel,
                "Traces": self.traces,
                "Rhythm": self.rhythm,
                "Nudge profile": self.profile,
                "Links": self.links,
                "Alignment": self.alignment_panel,
                **self.growth.panels,
            },
        )
        self.growth.attach(self.docks)

    def _connect(self) -> None:
        send = self.controller.send
        self.controller.arrived.connect(self._follow)
        self.controller.failed.connect(self._failed)
        self.controller.told.connect(self.banner.news)
        self.presets.chosen.connect(self.load)
        self.presets.open_asked.connect(self.open_preset)
        self.input.sample_chosen.connect(lambda index: send(SelectSample(index)))
        self.input.drawn.connect(self._draw_input)
        self.input.target_chosen.connect(lambda label: send(SetTarget(label)))
        self.knobs.moved.connect(lambda name, value: send(SetParameter(name, value)))
        self.knobs.refused.connect(self.banner.error)
        self.throttle.chosen.connect(self._set_speed)
        self.growth.watched.connect(lambda number: send(SetParameter("watch", number)))
        self.history.changed.connect(self._look_elsewhere)
        self.capture.changed.connect(self.status.show_recording)
        self.stage.hovered.connect(self._hovered)
        self.canvas.region_drawn.connect(lambda neurons: send(AblateRegion(neurons)))
        self.stage.drawn.connect(self.status.count_draw)
        for dock in self.docks.by_title.values():
            dock.visibilityChanged.connect(self._raised)
        keep_arrows_while(self.canvas.native, lambda: not self.canvas.fitted)

    def _restore_places(self) -> None:
        screen = self.screen()
        self.resize(SIZE if screen is None else SIZE.boundedTo(screen.availableSize()))
        self.docks.arrange()
        if self.settings.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.settings.geometry.encode()))
        if self.settings.docks:
            self.restoreState(QByteArray.fromBase64(self.settings.docks.encode()))

    # -- what the engine says

    def _follow(self, frame: Frame) -> None:
        if self._wanted is not None and frame.epoch != self._epoch and frame.preset == self._wanted[0].name:
            self._begin(*self._wanted)
            self._wanted = None
        self._epoch = frame.epoch
        self.traces.observe(frame)
        self.links.observe(frame)
        if frame.paused != self._paused:
            self._show_paused(frame.paused)
        self.actions_by_name["toggle_nudge"].setChecked(frame.nudging)
        self.actions_by_name["toggle_dream"].setChecked(frame.dreaming)
        self.learning.follow(frame)
        if self.docks.visible("Knobs"):
            self.knobs.follow(frame)
        if self.docks.visible("Input"):
            self.input.follow(frame)
        if not self.history.past:
            self._show(frame)

    # -- what is shown: the newest frame, or one of the past

    @property
    def shown(self) -> Frame | None:
        """The frame on the screen."""
        return self.history.frame or self.controller.frame

    def _look_elsewhere(self) -> None:
        """Another moment of the past, or the present again."""
        if self.history.jumped:
            self.canvas.exposure.forget()
            self.profile.forget()
        if self.shown is not None:
            self._show(self.shown)

    def _show(self, frame: Frame) -> None:
        self.stage.show_frame(frame)
        self.volume.follow(frame)
        self.status.follow(frame)
        if self.docks.visible("World"):
            self.world.follow(frame)
        # In the same turn of the event loop as the canvas: every repaint on its own composes the whole window anew.
        if time.monotonic() - self._drawn_slowly >= SLOW_SECONDS:
            self._redraw_slowly()
        self._last.start()

    def _raised(self, visible: bool) -> None:
        """While the engine rests no frame comes by itself."""
        if visible:
            self._last.start()

    def _redraw_slowly(self) -> None:
        self._drawn_slowly = time.monotonic()
        frame = self.shown
        if frame is None:
            return
        if self.docks.visible("Traces"):
            if self.history.past:
                self._redraw_past_traces(frame)
            else:
                self.traces.redraw()
        if self.docks.visible("Rhythm"):
            self.rhythm.redraw(frame)
        self.growth.redraw(frame)
        if self.docks.visible("Nudge profile"):
            self.profile.redraw(frame)
        if self.docks.visible("Links"):
            self.links.redraw(frame)
        if self.docks.visible("Classes"):
            self.classes.redraw(frame)

    def _redraw_past_traces(self, frame: Frame) -> None:
        figures, kind = self.history.series(FIGURES, LENGTH), kind_of(frame)
        budgets = self.history.lowest(BUDGETS, LENGTH) if kind == "lives" else np.full(len(figures), np.nan)
        gone = len(budgets) - len(figures)  # since the numbers of the frames were counted
        self.traces.redraw_past(figures, budgets[gone:], kind)

    def _failed(self, message: str) -> None:
        if self._wanted is not None:
            self._wanted = None
            self.knobs.expect(self.preset.knobs)
        self.knobs.forget()
        self.banner.error(message)

    def report(self, message: str) -> None:
        """Show something that went wrong anywhere in the program."""
        self.banner.error(message)

    def _show_paused(self, paused: bool) -> None:
        self._paused = paused
        action = self.actions_by_name["toggle_play"]
        action.setIcon(icon("play" if paused else "pause"))
        action.setText("Play" if paused else "Pause")

    def _hovered(self, neuron: Any) -> None:
        frame = self.shown
        volume = frame is not None and frame.layout.volume
        self.status.show_neuron(neuron, volume, channel_names(self.preset.network))

    # -- presets

    def _begin(self, preset: Preset, source: str) -> None:
        """A network of this preset runs from now on."""
        if preset.network != self.preset.network:
            suit_view(self.view, preset.network)
        if "tween" in (preset.network, self.preset.network):
            self.docks.bring_up(LIVING if preset.network == "tween" else SETTLING)
        self.preset = preset
        self.docks.offer("Rhythm", preset.stream is not None)
        self.growth.offer(preset)
        self.channels.call(channel_names(preset.network))
        self.settings.preset = source
        if is_file(source):
            self.settings.remember(source)
            self.presets.fill(self.settings.recent)
        self.setWindowTitle(f"{preset.title} · TorEq Observatory")
        self.knobs.expect(preset.knobs)
        self.classes.set_trained(preset.weights_file is not None)
        self.presets.mark(source)
        self.alignment.forget()
        speed = self.settings.ticks_per_second
        self.throttle.show_speed(preset.ticks_per_second if speed is None else speed)
        if speed is not None:
            self.controller.send(Throttle(speed))

    def load(self, source: str) -> None:
        """Load a shipped preset by name or a file by path: a preset, or a stream of one's own for a graph to grow on.
        What is wrong with it is shown in the banner, and what runs goes on."""
        try:
            preset = load_preset(source)
        except PresetError as error:
            self.banner.error(str(error))
            return
        if is_file(source):
            source = str(Path(source).resolve())
        self._wanted = (preset, source)
        self.knobs.expect(preset.knobs)
        self.controller.send(LoadPreset(preset))

    def open_preset(self) -> None:
        """Ask for a file and load it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open preset or stream", "", FILTER)
        if path:
            self.load(path)

    def dragEnterEvent(self, a0: QDragEnterEvent | None) -> None:
        """A file that can be loaded may come in."""
        if a0 is not None and dropped(a0):
            a0.acceptProposedAction()

    def dropEvent(self, a0: QDropEvent | None) -> None:
        """Load the first such file that was dropped."""
        if a0 is not None:
            for path in dropped(a0)[:1]:
                self.load(path)
            a0.acceptProposedAction()

    # -- running

    def toggle_play(self) -> None:
        """Pause, or go on."""
        self._show_paused(not self._paused)
        self.controller.send(Pause(self._paused))

    def step_one(self) -> None:
        """One tick, then pause."""
        self.controller.send(Step(1))

    def step_ten(self) -> None:
        """Ten ticks, then pause."""
        self.controller.send(Step(10))

    def reset(self) -> None:
        """Back to rest."""
        self.controller.send(Reset())

    def toggle_nudge(self) -> None:
        """Nudge on or off."""
        self.controller.send(Nudge(self.actions_by_name["toggle_nudge"].isChecked()))

    def toggle_dream(self) -> None:
        """Dream, or hold what is dreamt."""
        self.controller.send(Dream(self.actions_by_name["toggle_dream"].isChecked()))

    def ablate(self) -> None:
        """Cut out some of every layer's neurons."""
        self.controller.send(Ablate())

    def heal(self) -> None:
        """All neurons live again."""
        self.controller.send(Heal())

    def _set_speed(self, speed: float) -> None:
        self.settings.ticks_per_second = speed
        self.controller.send(Throttle(speed))

    def _draw_input(self, image: NDArray[np.float32], label: int | None) -> None:
        self.controller.send(SetInput(image, label))

    # -- view, help and the end

    def full_screen(self) -> None:
        """Fill the screen, or leave it."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)
        self.actions_by_name["full_screen"].setChecked(self.isFullScreen())

    def command_palette(self) -> None:
        """Show the list of actions."""
        CommandPalette(self.actions_by_name.values(), self).open()

    def shortcuts(self) -> None:
        """Show the page of keys."""
        ShortcutsPage(ACTIONS, self).open()

    def showEvent(self, a0: QShowEvent | None) -> None:
        """Only now that the docks have their tabs can one of three be raised."""
        super().showEvent(a0)
        if self.preset.network == "tween" and a0 is not None and not a0.spontaneous():
            self.docks.bring_up(LIVING)

    def closeEvent(self, a0: QCloseEvent | None) -> None:
        """Save what is worth remembering, then stop everything that runs."""
        self.history.stop()
        self.capture.stop()
        self._last.stop()
        self.banner.silence()
        self.settings.geometry = self.saveGeometry().toBase64().data().decode()
        self.docks.withhold(())
        self.settings.docks = self.saveState().toBase64().data().decode()
        self.settings.view = view_table(self.view, self.preset.network)
        self.settings.volume = asdict(self.volume_view)
        save_settings(self.settings)
        if not self.controller.stop():
            log.error("the engine did not stop within two seconds")
        if not self.alignment.stop():
            log.error("the measurement of alignment did not stop within two seconds")
        if not self.history_files.stop():
            log.error("a history file was not finished within two seconds")
        self.channels.close_links()
        self.volume.close_links()
        self.stage.close_canvases()
        super().closeEvent(a0)

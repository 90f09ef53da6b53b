"""The actions of the volume: switch it on and off, its slices, its turning, and where it is seen from."""

from __future__ import annotations

from PyQt6.QtCore import QObject
from PyQt6.QtGui import QAction

from engine.frame import Frame
from observatory.canvas.orbit import BOOKMARKS, Orbit
from observatory.docks import Docks
from observatory.panels.volume import VolumePanel
from observatory.settings import Settings
from observatory.stage import Stage
from observatory.volume_view import VolumeSettings

TITLE = "Volume"


class VolumeDesk(QObject):
    """Keeps stage, panel, dock and actions in step; all but the stage are there for networks that are volumes only."""

    def __init__(
        self,
        stage: Stage,
        volume: VolumeSettings,
        panel: VolumePanel,
        docks: Docks,
        settings: Settings,
        parent: QObject,
    ):
        super().__init__(parent)
        self._stage = stage
        self._volume = volume
        self._panel = panel
        self._docks = docks
        self._settings = settings
        self._actions: dict[str, QAction] = {}
        self._offered: bool | None = None
        panel.looked.connect(self.look)
        panel.kept.connect(self.keep)
        panel.show_kept(settings.volume_bookmark is not None)
        volume.events.connect(self._show)

    def attach(self, actions: dict[str, QAction]) -> None:
        """These actions are enabled for volumes only, and show what is switched on."""
        self._actions = {name: action for name, action in actions.items() if name.startswith("volume.")}
        self.offer(False)
        self._show()

    def follow(self, frame: Frame) -> None:
        """Offer what this frame has."""
        self.offer(frame.layout.volume)
        if "volume.toggle" in self._actions:
            self._actions["volume.toggle"].setEnabled(frame.layout.volume or frame.growth is not None)
        if frame.layout.volume:
            self._panel.follow(frame.layout, frame.density is not None)

    def offer(self, on: bool) -> None:
        """Have the dock and the actions, or not."""
        if on == self._offered:
            return
        self._offered = on
        self._docks.offer(TITLE, on)
        for action in self._actions.values():
            action.setEnabled(on)

    def close_links(self) -> None:
        """Stop following the settings, which outlive the window."""
        self._volume.events.disconnect(self._show, missing_ok=True)
        self._panel.close_links()

    def toggle(self) -> None:
        """The volume, or its layers as tiles."""
        self._volume.shown = not self._volume.shown

    def slice(self) -> None:
        """Slices on or off."""
        self._volume.slices = not self._volume.slices

    def turn(self) -> None:
        """Turn, or stand still."""
        self._volume.turning = not self._volume.turning

    def corner(self) -> None:
        """See it from its corner."""
        self.look("Corner")

    def input(self) -> None:
        """See the input face."""
        self.look("Input")

    def side(self) -> None:
        """See it from the side."""
        self.look("Side")

    def readout(self) -> None:
        """See the read-out face."""
        self.look("Read-out")

    def top(self) -> None:
        """See it from above."""
        self.look("Top")

    def own(self) -> None:
        """See it as it was kept."""
        self.look("Kept")

    def keep(self) -> None:
        """Remember where it is seen from."""
        orbit = self._stage.volume.orbit
        self._settings.volume_bookmark = [orbit.azimuth, orbit.elevation, orbit.distance]
        self._panel.show_kept(True)

    def look(self, name: str) -> None:
        """Go to a bookmark; nothing happens before one was kept."""
        kept = self._settings.volume_bookmark
        orbit = BOOKMARKS.get(name) or (None if kept is None else Orbit(*kept).held())
        if orbit is not None:
            self._stage.volume.look(orbit)

    def _show(self) -> None:
        for name, on in (
            ("volume.toggle", self._volume.shown),
            ("volume.slice", self._volume.slices),
            ("volume.turn", self._volume.turning),
        ):
            if name in self._actions:
                self._actions[name].setChecked(on)

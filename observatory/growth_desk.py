"""The docks of a growing graph, kept in step with the picture of it in the middle of the window."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QObject, pyqtSignal

from engine.frame import Frame
from engine.preset import Preset
from observatory.docks import FOREIGN_TO_GROWTH, Docks
from observatory.panels.cores import CoresPanel
from observatory.panels.equations import EquationsPanel
from observatory.panels.foresight import ForesightPanel
from observatory.panels.graph import GraphView
from observatory.panels.growth import GrowthPanel
from observatory.panels.outcomes import OutcomesPanel

Panel = GrowthPanel | ForesightPanel | OutcomesPanel | CoresPanel | EquationsPanel


class GrowthDesk(QObject):
    """Offers its panels for a growing graph, takes away what makes no sense for one, and follows the chosen node."""

    watched = pyqtSignal(int)
    """The number whose outcomes are asked for, -1 for the most ambiguous."""

    def __init__(self, graph: GraphView, parent: QObject):
        super().__init__(parent)
        self._graph = graph
        self._docks: Docks | None = None
        self.growth, self.foresight, self.outcomes = GrowthPanel(), ForesightPanel(), OutcomesPanel()
        self.cores, self.equations = CoresPanel(), EquationsPanel()
        self.panels: Mapping[str, Panel] = {
            "Outcomes": self.outcomes, "Foresight": self.foresight, "Equations": self.equations,
            "Growth": self.growth, "Cores": self.cores,
        }  # fmt: skip
        """By the titles of their docks; of those that share a place the last is in front."""
        graph.chosen.connect(self.pick)
        self.cores.view.chosen.connect(self.pick)

    def attach(self, docks: Docks) -> None:
        """Where the panels are."""
        self._docks = docks

    def offer(self, preset: Preset) -> None:
        """Have the docks for a growing graph, and for no other network."""
        assert self._docks is not None
        grows = preset.growth is not None
        for title in self.panels:
            self._docks.offer(title, grows)
        self._docks.withhold(FOREIGN_TO_GROWTH if grows else ())
        self._docks.share_right(grows)
        self.choose(None)

    def redraw(self, frame: Frame) -> None:
        """Show a frame in what can be seen."""
        assert self._docks is not None
        for title, panel in self.panels.items():
            if self._docks.visible(title):
                panel.redraw(frame)

    def pick(self, node: int | None) -> None:
        """A person has chosen a node, or none: show it, and watch its first number, or what is most ambiguous."""
        self.choose(node)
        frame = self._graph.picture.frame
        features = 1 if frame is None or frame.growth is None else frame.growth.features
        self.watched.emit(-1 if node is None else node * features)

    def choose(self, node: int | None) -> None:
        """Show this node everywhere."""
        self._graph.choose(node)
        self.cores.choose(node)
        self.equations.choose(node)

"""The delta-state log: what every network did over the last minutes, within a stated error and a fixed memory."""

from engine.history.errors import HistoryError
from engine.history.replay import Replay
from engine.history.ring import History

__all__ = ["History", "HistoryError", "Replay"]

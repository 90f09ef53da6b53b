"""Streams: input that never stands still, for the chains that settle; here they follow instead."""

from engine.data import Dataset
from engine.streams.bar import BarStream
from engine.streams.cues import CueStream
from engine.streams.digits import DigitStream
from engine.streams.sine import SineStream
from engine.streams.stream import Heard, Stream

__all__ = ["Heard", "Stream", "build_stream"]


def build_stream(kind: str, data: Dataset, first: int, seed: int) -> Stream:
    """The stream of that name; `data` are the pictures in it, those of "digits" from `first` on."""
    if kind == "bar":
        return BarStream(data)
    if kind == "sine":
        return SineStream(data, seed)
    if kind == "digits":
        return DigitStream(data, first)
    return CueStream(data, seed)

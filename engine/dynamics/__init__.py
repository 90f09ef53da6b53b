"""Streams of dynamical systems whose equations are known, and of one's own files."""

from engine.dynamics.registry import STREAMS, make_stream
from engine.dynamics.stream import Stream, StreamError, Truth

__all__ = ["STREAMS", "Stream", "StreamError", "Truth", "make_stream"]

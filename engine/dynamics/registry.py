"""A stream by its name, or by the path of a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from pathlib import Path

from engine.dynamics.black_hole import black_hole
from engine.dynamics.double_well import double_well
from engine.dynamics.fields import heat, wave
from engine.dynamics.files import SUFFIXES, read_stream
from engine.dynamics.fitzhugh_nagumo import fitzhugh_nagumo
from engine.dynamics.lorenz63 import lorenz63
from engine.dynamics.lorenz96 import lorenz96
from engine.dynamics.stream import Stream, StreamError

Maker = Callable[..., Stream]
STREAMS: dict[str, Maker] = {
    "lorenz63": lorenz63,
    "lorenz96": lorenz96,
    "fhn": fitzhugh_nagumo,
    "heat": heat,
    "wave": wave,
    "doublewell": double_well,
    "black-hole": black_hole,
}
LEAST = {"steps": 20, "nodes": 4, "bodies": 1, "seed": 0}
MOST = {"steps": 200_000, "nodes": 2000, "bodies": 2000}
"""Of whole numbers; everything else only has to be positive, or at least 0 if it is one of these:"""
MAY_BE_0 = ("noise", "flicker", "wind")


def make_stream(name: str, **parameters: float) -> Stream:
    """A named stream with `steps`, `dt`, `noise`, `seed` and parameters of its own, or a .csv or .npz file.

    Of a file only `noise` and `seed` may be given, and `dt` where it has none. Raises StreamError.
    """
    if name not in STREAMS:
        path = Path(name)
        if path.suffix.lower() in SUFFIXES:
            reader: Maker = read_stream
            return reader(path, **_checked(name, reader, parameters))
        raise StreamError(f"no stream named '{name}'; there are: {', '.join(STREAMS)} (or the path of a .csv or .npz)")
    return _made(name, **_checked(name, STREAMS[name], parameters))


@lru_cache(maxsize=8)
def _made(name: str, **parameters: float) -> Stream:
    return STREAMS[name](**parameters)


def _checked(name: str, maker: Maker, parameters: dict[str, float]) -> dict[str, float]:
    known = {key: p.annotation for key, p in inspect.signature(maker).parameters.items() if p.kind == p.KEYWORD_ONLY}
    checked: dict[str, float] = {}
    for key, value in parameters.items():
        if key not in known:
            raise StreamError(f"{name}: no parameter '{key}'; there are: {', '.join(known)}")
        whole = known[key] == "int"
        low, high = LEAST.get(key, 0), MOST.get(key, 2**32 - 1 if whole else 1e6)
        fits = isfinite(value) and low <= value <= high and (value > 0 or whole or key in MAY_BE_0)
        if not fits or (whole and value != int(value)):
            kind = f"a whole number from {low} to {high}" if whole else f"a number from {low} to {high:g}"
            raise StreamError(f"{name}: {key} is {value:g}, expected {kind}")
        checked[key] = int(value) if whole else float(value)
    return checked

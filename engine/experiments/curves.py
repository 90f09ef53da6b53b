"""Curves that the experiments' figures share: mean and standard deviation over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def over_seeds(
    axes: Any, rows: Sequence[Mapping[str, Any]], x: str, y: str, label: str, style: str = "o-", **looks: Any
) -> None:
    """One curve of the rows' `y` over their `x`, a point per value of x; rows without y are left out."""
    known = [row for row in rows if row[y] is not None]
    if not known:
        return
    places = sorted({row[x] for row in known})
    found = [[row[y] for row in known if row[x] == place] for place in places]
    means, spreads = [float(np.mean(f)) for f in found], [float(np.std(f)) for f in found]
    axes.errorbar(places, means, spreads, fmt=style, capsize=2, markersize=4, label=label, **looks)

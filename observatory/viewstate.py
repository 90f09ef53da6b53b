"""Brings remembered view settings back, field by field; what does not fit is left out."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, fields
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from observatory.view import ViewSettings, settings_for
from observatory.volume_view import VolumeSettings

log = logging.getLogger(__name__)


def _fits(new: Any, old: Any) -> bool:
    if isinstance(old, bool):
        return isinstance(new, bool)
    number = isinstance(new, int | float) and not isinstance(new, bool)
    if isinstance(old, int):
        return number and isinstance(new, int) and new >= 0
    return number and math.isfinite(new) and new > 0


def suit_view(view: ViewSettings, network: str) -> None:
    """Linear or logarithmic as this kind of network needs it; everything else stays as the person chose it."""
    for channel, suited in zip(view.channels, settings_for(network).channels, strict=True):
        channel.log = suited.log


def view_table(view: ViewSettings, network: str) -> dict[str, Any]:
    """What to remember of the view, and for which kind of network it was chosen."""
    return {**asdict(view), "network": network}


def restore_view(view: ViewSettings, table: dict[str, Any], network: str) -> None:
    """Set the fields of `view` that `table` has with a fitting value; the scales only for the same kind of network."""
    parts: list[tuple[Any, Any]] = [(view, table)]
    parts += [(getattr(view, name), table.get(name, {})) for name in ("red", "green", "blue")]
    for target, values in parts:
        if not isinstance(values, dict):
            log.warning("settings: view: not a table")
            continue
        for entry in fields(target):
            old = getattr(target, entry.name)
            if entry.name not in values or not isinstance(old, bool | int | float):
                continue
            if _fits(values[entry.name], old):
                setattr(target, entry.name, type(old)(values[entry.name]))
            else:
                log.warning("settings: view: %s dropped", entry.name)
    if table.get("network") != network:
        suit_view(view, network)


def restore_volume(volume: VolumeSettings, table: dict[str, Any]) -> None:
    """Set the fields of `volume` that `table` has with a fitting value; every number lies in 0..1."""
    hints = get_type_hints(VolumeSettings)
    for entry in fields(volume):
        if entry.name not in table:
            continue
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(hints[entry.name], config=ConfigDict(strict=True))
            value = adapter.validate_python(table[entry.name])
        except ValidationError:
            log.warning("settings: volume: %s dropped", entry.name)
            continue
        if isinstance(value, bool | str) or 0 <= value <= 1:
            setattr(volume, entry.name, value)
        else:
            log.warning("settings: volume: %s dropped", entry.name)

"""`observatory align`: how well the credit that a network reads off itself points along the exact gradient."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError, refusals_are_usage_errors
from observatory.commands.parser import Subcommands, add_backend, add_command, add_overrides, positive_integer

if TYPE_CHECKING:
    from engine.learning.align import Alignment

_EXAMPLES = """\
  observatory align deep-100
  observatory align deep-100 --dtype float64 --json
  observatory align hopfield-100 --set sigma=0.99 --set beta=0.003 --dtype float64

The exact gradient comes from the implicit function theorem in float64. The finite nudge
bends the credit a little: compare several beta.
"""
_MARKS = "▁▂▃▄▅▆▇█"


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "align", "compare each layer's update with the exact gradient", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset's name or a .toml file")
    parser.add_argument("--dtype", choices=("float32", "float64"), help="what the network computes in (the preset's)")
    parser.add_argument("--samples", type=positive_integer, default=16, metavar="K", help="pictures in the batch (16)")
    add_overrides(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every layer")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table or the JSON object."""
    from engine.learning.align import align
    from engine.learning.exact import NoFixedPointError
    from engine.preset import load_preset

    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
        if arguments.dtype is not None:
            preset = preset.model_copy(update={"dtype": arguments.dtype})
        try:
            found, chain = align(preset, dict(arguments.overrides), arguments.samples, arguments.backend)
        except NoFixedPointError as error:
            raise UsageError(f"{preset.name}: {error}; there is no gradient to compare with") from error
    report: dict[str, Any] = {
        "preset": preset.name,
        "network": chain.kind,
        "dtype": preset.dtype,
        "backend": chain.backend,
        "sigma": chain.value("sigma"),
        "beta": chain.value("beta"),
        "samples": chain.samples,
        "ticks": chain.ticks,
        "cosine": found.cosine,
        "below_floor": found.below_floor,
        "hidden": found.hidden,
        "min_cosine": found.min_cosine,
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report, found)
    return 0


def _print(report: dict[str, Any], found: Alignment) -> None:
    rows = {
        "preset": f"{report['preset']} ({report['network']}), {report['dtype']}",
        "sigma, beta": f"{report['sigma']:g}, {report['beta']:g}",
        "samples": report["samples"],
        "smallest cosine": "-" if found.min_cosine is None else f"{found.min_cosine:.6f}",
        "below the floor": f"{found.hidden} layers (marked ·, not counted)" if found.hidden else "no layer",
    }
    for family, row in found.cosine.items():
        marks = "".join(
            "·" if low or value is None else _mark(value)
            for value, low in zip(row, found.below_floor[family], strict=True)
        )
        known = [value for value, low in zip(row, found.below_floor[family], strict=True) if not low]
        least = min((value for value in known if value is not None), default=None)
        rows[family] = f"{'-' if least is None else f'{least:.6f}'}  {marks}"
    print_columns(rows)


def _mark(value: float) -> str:
    """Bars over the error 1 - cosine: full for 1e-8 and less, none for 1 and more."""
    import math

    error = min(max(1 - value, 1e-8), 1.0)
    return _MARKS[min(7, int(-math.log10(error)))]

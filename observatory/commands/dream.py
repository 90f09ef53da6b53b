"""`observatory dream`: what a network draws when it is asked for each class, as pictures."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from observatory.commands.columns import print_columns
from observatory.commands.errors import refusals_are_usage_errors
from observatory.commands.folders import require_writable_folder
from observatory.commands.parser import Subcommands, add_backend, add_command, add_overrides, positive_integer
from observatory.commands.progress import progress_bar

_EXAMPLES = """\
  observatory dream deep-100
  observatory dream deep-100 --ticks 1000 --out dreams
  observatory dream my-network.toml --set sigma=0.5 --json

Every dream begins at the mean picture of the data set, and nothing moves before the pull has
crossed all layers. Untrained weights dream too, of nothing in particular.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "dream", "draw what a network dreams of each class", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset's name or a .toml file")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where a PNG per class and a sheet of all go (dreams/PRESET)"
    )
    parser.add_argument("--ticks", type=positive_integer, metavar="N", help="how long to dream (300, and 2 a layer)")
    add_overrides(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Dream, write the pictures, print what the network itself takes them for."""
    from engine.dreams import dream_all
    from engine.preset import load_preset
    from observatory.recording.dreams import write_dreams

    started = time.perf_counter()
    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
        out = arguments.out or Path("dreams") / preset.name
        require_writable_folder(out)
        with progress_bar() as progress:
            found = dream_all(preset, dict(arguments.overrides), arguments.ticks, arguments.backend, progress)
    pictures, sheet = write_dreams(found, out)
    read_as = [int(row.argmax()) for row in found.probabilities]
    report = {
        "preset": preset.name,
        "network": preset.network,
        "layers": preset.layers,
        "data": found.data.name,
        "backend": found.chain.backend,
        "ticks": found.ticks[-1],
        "seconds": round(time.perf_counter() - started, 2),
        "classes": [found.data.class_name(label) for label in range(found.data.classes)],
        "probabilities": [float(row[label]) for label, row in enumerate(found.probabilities)],
        "read_as": read_as,
        "pictures": [str(path) for path in pictures],
        "sheet": str(sheet),
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return 0
    right = sum(read == label for label, read in enumerate(read_as))
    print_columns(
        {
            "preset": f"{preset.name}, {preset.layers} layers, on {found.data.name}",
            "dreamt": f"{found.ticks[-1]} ticks in {report['seconds']:.1f} s",
            "taken for its class": f"{right} of {found.data.classes} dreams, by the network itself",
            "pictures": f"{pictures[0]} to {pictures[-1].name}",
            "sheet": sheet,
        }
    )
    return 0

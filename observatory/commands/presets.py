"""`observatory presets`: what can be loaded."""

from __future__ import annotations

import argparse
import json

from observatory.commands.parser import Subcommands, add_command

_EXAMPLES = """\
  observatory presets
  observatory presets --json
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "presets", "list the presets that come with the program", _EXAMPLES)
    parser.add_argument("--json", action="store_true", help="print a JSON list with everything each preset says")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line, or one JSON object, per preset."""
    from engine.preset import load_preset, shipped_presets

    presets = [load_preset(name) for name in shipped_presets()]
    if arguments.json:
        print(json.dumps([preset.model_dump(mode="json") for preset in presets], indent=2))
        return 0
    width = max(len(preset.name) for preset in presets)
    for preset in presets:
        size = f"{preset.layers:>3}" if preset.chain else f"{preset.layers:>3} x {preset.neurons}"
        print(f"{preset.name:<{width}}  {preset.network:<9}  {size:<10}  {preset.title}")
    return 0

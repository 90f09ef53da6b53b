"""`observatory probe`: settle, nudge, settle again and print what was measured. No graphics."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError, refusals_are_usage_errors
from observatory.commands.parser import (
    Subcommands,
    add_backend,
    add_command,
    add_overrides,
    natural_number,
    positive_integer,
)

MAX_TICKS = 2000

_EXAMPLES = """\
  observatory probe deep-100
  observatory probe deep-100 --set sigma=1.5 --max-ticks 2000
  observatory probe hopfield-100 --set sigma=0.95 --sample 7 --json
  observatory probe tween-vision-motion --max-ticks 6000
  observatory probe grow-fhn

A tween network never settles: it learns for --max-ticks ticks, and then answers frozen. A growing graph learns and
grows for --max-ticks ticks.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "probe", "settle, nudge, settle again and print what was measured", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset's name or a .toml, .csv or .npz file")
    add_overrides(parser)
    parser.add_argument("--sample", type=natural_number, metavar="I", help="index of the digit (the preset's own)")
    parser.add_argument(
        "--max-ticks",
        type=positive_integer,
        default=MAX_TICKS,
        metavar="N",
        help=f"give up settling after N ticks ({MAX_TICKS}); tween networks and growing graphs learn for N ticks",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every layer")
    add_backend(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table or the JSON object."""
    from engine.growth_trial import growth_trial
    from engine.preset import load_preset
    from engine.probe import probe
    from engine.trial import trial

    overrides, ticks, backend = dict(arguments.overrides), arguments.max_ticks, arguments.backend
    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
        lives, grows = preset.network == "tween", preset.growth is not None
        if (lives or grows) and arguments.sample is not None:
            home = f"in the world {preset.world}" if preset.growth is None else f"on the stream {preset.growth.stream}"
            raise UsageError(f"--sample: {preset.name} lives {home}; its input cannot be chosen")
        if grows:
            report = growth_trial(preset, overrides, ticks, backend)
        elif lives:
            report = trial(preset, overrides, ticks, backend)
        else:
            report = probe(preset, overrides, arguments.sample, ticks, backend=backend)
    if arguments.json:
        print(json.dumps(report, indent=2))
    elif grows:
        print_growth(report)
    elif lives:
        print_trial(report)
    else:
        print_report(report)
    return 0


def print_report(report: Mapping[str, Any]) -> None:
    """The probe's result as two columns on stdout."""
    saved = 1 - report["effective_flops"] / report["dense_flops"]
    rows = {
        "preset": f"{report['preset']} ({report['network']})",
        "size": f"{report['layers']} layers of {_most(report)}{report['neurons']} neurons{_voxels(report)}",
        "backend": f"{report['backend']}, {report['dtype']}",
        "sigma, beta": f"{report['sigma']:g}, {report['beta']:g}",
        **({"spectral radius": _number(radius)} if (radius := report["spectral_radius"]) is not None else {}),
        **_settling(report),
        "nudge reaches": f"{report['d_nudge']} of {report['layers']} layers",
        "nudge RMS": _profile(report["nudge_rms"]),
        "credit ratio": f"{_number(report['credit_ratio'])} (layer 1 over layer {report['layers']})",
        "largest velocity": _number(report["velocity_max"]),
        "saturated": f"{report['saturated_share']:.1%} of the neurons",
        "finite": "yes" if report["finite"] else "NO: there is NaN or infinity",
        "ticks": f"{report['ticks']} at {report['ticks_per_second']:,.0f} a second",
        "work": f"{report['effective_flops']:.3g} FLOPs of {report['dense_flops']:.3g} dense ({saved:.0%} saved)",
    }
    print_columns(rows)


def print_growth(report: Mapping[str, Any]) -> None:
    """The result of a growing graph's trial as two columns on stdout."""
    f1, foresight = report["edge_f1"], report["foresight"]
    decisions = ", ".join(f"{count} {kind}" for kind, count in report["decisions"].items())
    rows = {
        "preset": f"{report['preset']} ({report['network']}, on the stream {report['stream']})",
        "size": f"{report['nodes']} nodes of {report['features']} numbers",
        "learned": f"for {report['ticks']} ticks at {report['ticks_per_second']:,.0f} a second",
        "loss": f"{_number(report['loss'])} (0.5 predicts no change)",
        "cells and taps": f"{report['cells']} of {report['limit']}, {report['active']} above 0.001",
        "barrier": _number(report["gamma"]),
        "edges": f"{report['edges']}" + ("" if f1 is None else f", F1 {f1:.3f} beside the true ones"),
        "decisions": decisions or "none",
        "foresight": "-" if foresight is None else f"{foresight:.2f} (rank correlation of predicted, realised gain)",
        "finite": "yes" if report["finite"] else "NO: there is NaN or infinity",
    }
    print_columns(rows)


def print_trial(report: Mapping[str, Any]) -> None:
    """The trial's result as two columns on stdout."""
    kinds, budget = report["kinds"], report["budget"]
    weakest = report["bottleneck"]
    rows = {
        "preset": f"{report['preset']} ({report['network']}, in the world {report['world']})",
        "size": f"{len(kinds)} layers",
        "learned": f"for {report['ticks']} ticks at {report['ticks_per_second']:,.0f} a second",
        "correct": f"{report['correct_learning']:.1%} while it learned, {report['correct_frozen']:.1%} frozen",
        "wanted": f"one and the same answer in {report['most_frequent']:.1%} of the frozen ticks",
        "bottleneck": f"layer {weakest} ({kinds[weakest - 1]}), link budget {budget[weakest - 1]:.3f}",
        "gap RMS": _profile(report["gap"]),
        "depth barrier": _number(report["barrier"][-1]),
        "finite": "yes" if report["finite"] else "NO: there is NaN or infinity",
    }
    print_columns(rows)


def _most(report: Mapping[str, Any]) -> str:
    """Convolutional layers differ in size."""
    return "at most " if report["network"] == "conv" else ""


def _voxels(report: Mapping[str, Any]) -> str:
    return f", {report['voxels']} voxels" if "voxels" in report else ""


def _settling(report: Mapping[str, Any]) -> dict[str, str]:
    if report["mode"] == "listening":
        apart = report["entrainment"]
        return {"entrained": _after(report["t_relax"]), "a period apart": _number(apart)}
    return {"settled": _after(report["t_relax"]), "nudge settled": _after(report["t_nudge"])}


def _after(ticks: int | None) -> str:
    return "no" if ticks is None else f"after {ticks} ticks"


def _profile(rms: list[float]) -> str:
    """A few layers of the profile, from the bottom to the top."""
    top = len(rms)
    layers = sorted({1, (top + 3) // 4, (top + 1) // 2, (3 * top + 3) // 4, top})
    return ", ".join(f"{_number(rms[layer - 1])} (layer {layer})" for layer in layers)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

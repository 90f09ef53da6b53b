"""`observatory train`: train a preset's network by equilibrium propagation, or by its rivals."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError, refusals_are_usage_errors
from observatory.commands.folders import require_writable_file
from observatory.commands.parser import Subcommands, add_command, natural_number, positive_integer
from observatory.commands.progress import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.learning.train import Report

METHODS = ("eqprop", "persistent", "feedback", "drifting", "backprop", "ternary")

_EXAMPLES = """\
  observatory train deep-100
  observatory train deep-100 --epochs 10 --out mine.safetensors --float16
  observatory train deep-100 --data fashion-mnist --resume
  observatory train tiny --method feedback --json
  observatory train cube-8 --epochs 15
  observatory train ternary-100 --method ternary --epochs 20

The weights of every epoch go to a checkpoint beside --out; after a kill or Ctrl-C the
same command with --resume goes on from it and ends with the same bits.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "train", "train a network on labelled pictures", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset's name or a .toml file")
    parser.add_argument("--data", metavar="NAME|PATH", help="pictures to learn (the preset's own)")
    parser.add_argument("--epochs", type=positive_integer, default=5, metavar="E", help="passes over the pictures (5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the weights (weights/PRESET.safetensors)")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint beside --out, if there is one")
    parser.add_argument("--method", choices=METHODS, default="eqprop", help="where gradients come from (eqprop)")
    parser.add_argument("--batch", type=positive_integer, default=64, metavar="B", help="pictures per update (64)")
    parser.add_argument(
        "--rate", type=_rate, metavar="R", help="Adam's first step size (0.002, of cubes and nests 0.01)"
    )
    parser.add_argument("--patience", type=positive_integer, metavar="E", help="stop after E epochs without progress")
    parser.add_argument("--seed", type=natural_number, metavar="S", help="of weights and order (the preset's own)")
    parser.add_argument("--float16", action="store_true", help="write the weights in half precision")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, write the weights, print what was reached."""
    from engine.build import load_data
    from engine.learning.train import RATES, Recipe, TrainingError, train
    from engine.preset import load_preset
    from engine.weights import WeightsError, write_weights

    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
        changes = {"data": arguments.data, "seed": arguments.seed}
        preset = preset.model_copy(update={key: value for key, value in changes.items() if value is not None})
        data = load_data(preset)
    if arguments.float16 and arguments.method == "ternary":
        raise UsageError("--float16: ternary weights are stored in two bits each")
    out = arguments.out or Path("weights") / f"{preset.name}.safetensors"
    require_writable_file(out, ".safetensors")
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    recipe = Recipe(
        epochs=arguments.epochs,
        batch=arguments.batch,
        rate=arguments.rate or RATES.get(preset.network, Recipe().rate),
        method=arguments.method,
        seed=preset.seed,
        patience=arguments.patience,
    )
    try:
        with progress_bar() as progress:
            report = train(preset, data, recipe, progress=progress, checkpoint=checkpoint, resume=arguments.resume)
        write_weights(
            out,
            _as_stored(report.weights, arguments),
            {"preset": preset.name, "test_accuracy": f"{report.test_accuracy:.4f}"},
        )
    except WeightsError as error:
        raise UsageError(str(error)) from error
    except TrainingError as error:
        raise RuntimeError(str(error)) from error
    found = {
        "preset": preset.name,
        "data": data.name,
        "layers": preset.layers,
        "epochs": len(report.history),
        "seconds": round(report.seconds, 2),
        "train_accuracy": report.train_accuracy,
        "test_accuracy": report.test_accuracy,
        "checkpoint": str(checkpoint),
        "weights": str(out),
        "method": recipe.method,
        "seed": recipe.seed,
        "stopped_early": report.stopped_early,
        "test_accuracies": [epoch.test_accuracy for epoch in report.history],
    }
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found, report)
    return 0


def _print(found: dict[str, object], report: Report) -> None:
    rows = {
        "preset": f"{found['preset']}, {found['layers']} layers, on {found['data']}",
        "method": found["method"],
        "epochs": f"{found['epochs']} in {report.seconds:.1f} s{', stopped early' if report.stopped_early else ''}",
        "test accuracy": "  ".join(f"{epoch.test_accuracy:.1%}" for epoch in report.history),
        "in the end": f"{report.train_accuracy:.2%} of the training, {report.test_accuracy:.2%} of the test pictures",
        "weights": found["weights"],
        "checkpoint": found["checkpoint"],
    }
    print_columns(rows)


def _as_stored(weights: dict[str, NDArray[Any]], arguments: argparse.Namespace) -> dict[str, NDArray[Any]]:
    """As they were computed, in half precision, or packed to two bits each."""
    if arguments.method == "ternary":
        from engine.learning.ternary import packed_weights

        return packed_weights(weights)
    return {n: w.astype("float16") for n, w in weights.items()} if arguments.float16 else weights


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a step size above 0, at most 1")
    return value

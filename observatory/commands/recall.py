"""`observatory recall`: does a network remember the last cue of sequences far longer than any buffer?"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from observatory.commands.columns import print_columns
from observatory.commands.errors import UsageError, refusals_are_usage_errors
from observatory.commands.folders import require_writable_file
from observatory.commands.parser import Subcommands, add_command, natural_number, positive_integer
from observatory.commands.progress import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.data import Dataset
    from engine.preset import Preset

    Weights = dict[str, NDArray[Any]]
    Rates = dict[int, float]

LENGTHS = (10, 100, 1000)
WINDOW = 10
DISTRACTION = 0.5

_EXAMPLES = """\
  observatory recall last-cue
  observatory recall last-cue --sequences 1024 --json
  observatory recall last-cue --learn --seed 7 --out mine.safetensors

Sequences have one to three cues, held-out pictures at random places, and noise everywhere
else. The network runs through them from rest and is asked once, at the end.
"""


def add(subcommands: Subcommands) -> None:
    """Describe the command's arguments."""
    parser = add_command(subcommands, "recall", "learn to remember the last cue of a stream, or test it", _EXAMPLES)
    parser.add_argument("preset", metavar="PRESET", help="a preset whose stream is cues, by name or as a .toml file")
    parser.add_argument("--learn", action="store_true", help="learn first, from weights drawn anew")
    parser.add_argument(
        "--pictures", type=positive_integer, metavar="N", help="pictures to learn from in a lane (3000)"
    )
    parser.add_argument(
        "--seed", type=natural_number, metavar="S", help="of weights, learning, tests (the preset's own)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="learnt weights (weights/PRESET.safetensors)")
    parser.add_argument(
        "--sequences", type=positive_integer, default=256, metavar="K", help="tested of each length (256)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Learn if asked to, test, print the shares of right answers."""
    from engine.build import build_network, load_data
    from engine.data import DataError
    from engine.preset import load_preset
    from engine.streams.cues import CUES

    for option in ("pictures", "out"):
        if getattr(arguments, option) is not None and not arguments.learn:
            raise UsageError(f"--{option} goes with --learn")
    with refusals_are_usage_errors():
        preset = load_preset(arguments.preset)
        if preset.stream != "cues":
            raise UsageError(f'{preset.name}: has no cues to remember (its stream must be "cues")')
        if arguments.seed is not None:
            preset = preset.model_copy(update={"seed": arguments.seed})
        data = load_data(preset)
        weights = None if arguments.learn else build_network(preset).state_dict()
    started, out = time.perf_counter(), arguments.out or Path("weights") / f"{preset.name}.safetensors"
    try:
        if weights is None:
            weights = _learnt(preset, data, arguments.pictures, out)
        rates, ideal = _tested(preset, weights, data, arguments.sequences)
    except DataError as error:
        raise UsageError(str(error)) from error
    report: dict[str, Any] = {
        "preset": preset.name,
        "seed": preset.seed,
        "sequences": arguments.sequences,
        "lengths": list(LENGTHS),
        "accuracy": list(rates.values()),
        "best_reader_of_10": list(ideal.values()),
        "chance": 1 / len(CUES),
        "seconds": round(time.perf_counter() - started, 2),
        "weights": str(out) if arguments.learn else None,
    }
    if arguments.json:
        print(json.dumps(report, indent=2))
        return 0
    rows = {f"{length} pictures": f"{rates[length]:.1%} right" for length in LENGTHS}
    best = "  ".join(f"{ideal[length]:.1%}" for length in LENGTHS)
    print_columns(
        {
            "preset": f"{preset.name}, {preset.layers} layers, on {data.name}",
            **rows,
            f"reader of {WINDOW}": f"{best} at best",
            "chance": f"{1 / len(CUES):.0%}",
            **({"weights": out} if arguments.learn else {}),
        }
    )
    return 0


def _learnt(preset: Preset, data: Dataset, pictures: int | None, out: Path) -> Weights:
    """Learn from the stream and write the weights."""
    from engine.learning.recall import CueRecipe, learn_cues
    from engine.weights import WeightsError, write_weights

    require_writable_file(out, ".safetensors")
    recipe = CueRecipe(pictures=pictures or CueRecipe().pictures, seed=preset.seed)
    try:
        with progress_bar() as progress:
            weights = learn_cues(preset, data, recipe, lambda done, total: progress("learning", done, total))
        write_weights(out, weights, {"preset": preset.name, "seed": str(recipe.seed)})
    except (WeightsError, ValueError) as error:
        raise UsageError(str(error)) from error
    return weights


def _tested(preset: Preset, weights: Weights, data: Dataset, lanes: int) -> tuple[Rates, Rates]:
    """Shares of right answers by length, and those that the best possible reader of WINDOW pictures expects."""
    import numpy as np

    from engine.experiments.reader import ideal_reader
    from engine.learning.recall import CueRecipe, last_cues, right_at_the_end, sequences
    from engine.streams.cues import CUES

    rng = np.random.default_rng((preset.seed, 18))
    rates, ideal, show = {}, {}, CueRecipe().show
    with progress_bar() as progress:
        for number, length in enumerate(LENGTHS):
            progress(f"{length} pictures", number, len(LENGTHS))
            cues = sequences(length, lanes, rng)
            rates[length] = right_at_the_end(preset, weights, data, cues, DISTRACTION, show, rng)
            ideal[length] = ideal_reader(last_cues(cues)[1], WINDOW, len(CUES))
    return rates, ideal

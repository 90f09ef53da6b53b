"""The README's tables say what the program does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from engine.data import digits
from engine.knobs import Knob
from engine.listening import listening_knobs
from engine.networks.tween.spec import LayerTable
from engine.preset import Preset, load_preset, parse_preset, shipped_presets
from engine.session import Session
from engine.streams import build_stream
from observatory.actions import ACTIONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CUBE = (ROOT / "docs" / "cube.md").read_text("utf-8")
RHYTHM = (ROOT / "docs" / "rhythm.md").read_text("utf-8")
TWEEN = (ROOT / "docs" / "tween.md").read_text("utf-8")


def _table(header: str, page: str = README) -> dict[str, list[str]]:
    """The rows under a table's header line, by their first cell without backquotes."""
    lines = page[page.index(header) :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_table_of_keys_is_the_programs_own() -> None:
    told = [key for keys in _table("| key | action |") for key in re.split(" or |, ", keys)]
    assert sorted(told) == sorted(key for action in ACTIONS for key in action.keys)


def test_the_table_of_preset_keys_is_the_schema() -> None:
    told = [key.strip("[]") for key in _table("| key | value | default |")]
    assert told == [key for key in Preset.model_fields if key != "name"]


@pytest.fixture(scope="module")
def knobs() -> dict[str, Knob]:
    tables = [
        Session(parse_preset(f'title="t"\nnetwork="{n}"\nlayers=1\nneurons=1', n, n), "numpy").knobs
        for n in ("recursive", "hopfield", "cube")
    ]
    return tables[2] | tables[0] | tables[1]


@pytest.fixture(scope="module")
def tween_knobs() -> dict[str, Knob]:
    presets = [load_preset(name) for name in shipped_presets()]
    tables = [Session(preset.model_copy(update={"knobs": {}})).knobs for preset in presets if preset.chain]
    return {name: knob for table in tables for name, knob in table.items()}


def test_the_table_of_knobs_has_their_ranges_and_defaults(knobs: dict[str, Knob]) -> None:
    _has_ranges_and_defaults(_table("| knob | range | default |"), knobs)


def test_the_table_of_a_tween_chains_knobs_has_theirs(tween_knobs: dict[str, Knob]) -> None:
    _has_ranges_and_defaults(_table("| knob | range | default |", TWEEN), tween_knobs)


def test_the_table_of_streams_has_their_knobs() -> None:
    kinds = get_args(get_args(Preset.model_fields["stream"].annotation)[0])
    assert set(_table("| stream | what comes in |", RHYTHM)) == set(kinds)
    tables = [listening_knobs(build_stream(kind, digits(), 0, 0)) for kind in kinds]
    _has_ranges_and_defaults(_table("| knob | range | default |", RHYTHM), {k: v for t in tables for k, v in t.items()})


def test_the_table_of_layers_is_the_schema() -> None:
    told = {
        kind.strip(" `"): set(re.findall("`([a-z]+)`", keys))
        for kinds, (keys, _) in _table("| kind | keys | reads and gives |", TWEEN).items()
        for kind in kinds.split(",")
    }
    tables = get_args(get_args(LayerTable)[0])
    found = {
        kind: set(table.model_fields) - {"kind", "repeat"}
        for table in tables
        for kind in get_args(table.model_fields["kind"].annotation)
    }
    assert told == found


def _has_ranges_and_defaults(told: dict[str, list[str]], knobs: dict[str, Knob]) -> None:
    assert set(told) == set(knobs)
    for name, (span, default, _) in told.items():
        low, high = (float(number) for number in re.split(" to | or ", span.removesuffix(" ticks")))
        assert (low, high, float(default)) == (knobs[name].low, knobs[name].high, knobs[name].value), name


def test_the_example_preset_is_the_shipped_one() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    shipped = load_preset("hopfield-100")
    assert parse_preset(example, "hopfield-100", "README").model_dump() == shipped.model_dump()
    (example,) = re.findall(r"```toml\n(.*?)```", TWEEN, re.DOTALL)
    assert parse_preset(example, "tween-chase", "tween.md").model_dump() == load_preset("tween-chase").model_dump()


def test_every_preset_that_is_named_exists() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    words = set(re.findall(r"`((?:deep|hopfield|edge|tween|cube)-[\w-]+)`", README + guide + TWEEN + CUBE)) - {
        "tween-bench"
    }
    assert words
    assert words <= set(shipped_presets())

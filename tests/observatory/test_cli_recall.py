"""`observatory recall` as a person meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.weights import read_metadata
from observatory.__main__ import main


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["recall", "--help"])
    assert left.value.code == 0
    assert "examples:\n  observatory recall last-cue" in capsys.readouterr().out


def test_the_shipped_chain_beats_every_reader_of_ten_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recall", "last-cue", "--sequences", "48", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["lengths"] == [10, 100, 1000]
    assert min(report["accuracy"]) > 0.85
    assert report["best_reader_of_10"][2] < 0.6
    assert report["weights"] is None


def test_what_was_learnt_is_written_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "mine.safetensors"
    words = ["--learn", "--pictures", "2", "--seed", "5", "--sequences", "4", "--out", str(out)]
    assert main(["recall", "last-cue", *words]) == 0
    told = capsys.readouterr().out
    assert "1000 pictures" in told
    assert str(out) in told
    assert read_metadata(out) == {"preset": "last-cue", "seed": "5"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rhythm"], 'rhythm: has no cues to remember (its stream must be "cues")'),
        (["nonsense"], "no preset named 'nonsense'"),
        (["last-cue", "--out", "x.safetensors"], "--out goes with --learn"),
        (["last-cue", "--pictures", "3"], "--pictures goes with --learn"),
        (["last-cue", "--learn", "--out", "x.txt"], "must end in .safetensors"),
    ],
)
def test_bad_use_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recall", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1

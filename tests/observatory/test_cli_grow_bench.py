"""`observatory grow-bench` as a person meets it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.grow_bench import suite
from observatory.__main__ import main

Cli = Callable[..., subprocess.CompletedProcess[str]]

ROW = {
    "data", "method", "seeds", "one_step_nrmse", "valid_time", "nnz", "tokens_used", "edge_f1", "nll", "ks_p",
    "seconds",
}  # fmt: skip


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A bench of seconds, in an empty folder."""
    plan = replace(suite.QUICK, methods=("grown", "dense", "persistence"), steps=50, ticks=1000, tries=1)
    monkeypatch.setattr(suite, "QUICK", plan)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["grow-bench", "--help"])
    assert left.value.code == 0
    assert "examples:\n  observatory grow-bench --quick" in capsys.readouterr().out


def test_json_is_one_object_of_complete_rows(little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("own.npz", states=np.sin(0.1 * np.arange(900)[:, None] + np.arange(3)))
    words = ["grow-bench", "--quick", "--json", "--data", "own.npz", "doublewell", "--seeds", "2"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    result = json.loads(told.out)
    assert result == json.loads((little / "bench-results" / "growing-quick.json").read_text())
    rows = result["rows"]
    assert [row["data"] for row in rows] == ["own.npz"] * 3 + ["doublewell"] * 4
    assert all(row.keys() >= ROW and row["seeds"] == 2 for row in rows)
    assert main([*words[:2], *words[3:]]) == 0
    assert "written: bench-results/growing-quick.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--data", "lorenz64"], "--data: no stream named 'lorenz64'; there are: "),
        (["--data", "none.csv"], "--data: none.csv: no such file"),
        (["--seeds", "0"], "argument --seeds: '0' is not a whole number of at least 1"),
        (["--out", "/dev/null/x"], "--out /dev/null/x: cannot be written: "),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_bad_use_is_refused_in_one_line(cli: Cli, words: list[str], complaint: str) -> None:
    done = cli("grow-bench", "--quick", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"observatory grow-bench: {complaint}")
    assert done.stderr.count("\n") == 1

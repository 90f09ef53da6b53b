"""`observatory tween-bench` as a person meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.tween_bench import suite
from observatory.__main__ import main

Cli = Callable[..., subprocess.CompletedProcess[str]]

ROW = {
    "net", "mode", "seeds", "accuracy_mean", "accuracy_sd", "thirds", "dip_depth", "recovery_ticks",
    "outputs_per_second", "latency_bound",
}  # fmt: skip


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A bench of a second, in an empty folder."""
    plan = replace(
        suite.QUICK, nets=("dense-3",), fresh_nets=("relu-3",), seeds=2, ticks=60, tuning_seeds=1, final_seeds=1,
        variants=1, timed=20,
    )  # fmt: skip
    monkeypatch.setattr(suite, "QUICK", plan)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["tween-bench", "--help"])
    assert left.value.code == 0
    assert "examples:\n  observatory tween-bench --quick" in capsys.readouterr().out


def test_json_is_one_object_of_complete_rows_and_the_file_holds_the_same(
    little: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tween-bench", "--quick", "--json", "--nets", "rnn-2", "dense-3", "rnn-2", "--seeds", "3"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert told.err == ""
    assert result == json.loads((little / "bench-results" / "tween-quick.json").read_text())
    rows = result["rows"]
    modes = ("stc", "stepped", "backprop")
    assert [(row["net"], row["mode"]) for row in rows] == [
        (net, mode) for net in ("rnn-2", "dense-3") for mode in modes
    ]
    for row in rows:
        assert row.keys() >= ROW
        assert row["seeds"] == 3
        assert (len(row["thirds"]), len(row["windows"]), len(row["dip_depth"]), len(row["recovery_ticks"])) == (
            3,
            15,
            2,
            2,
        )
        assert sum(row["thirds"]) / 3 == pytest.approx(row["accuracy_mean"])
        assert row["outputs_per_second"] > 0
    tried = [entry for entry in result["tuning"] if (entry["net"], entry["mode"]) == ("dense-3", "stc")]
    assert len(tried) == result["settings_tried"]
    finals = [entry for entry in tried if entry["final"] is not None]
    worst = min(entry["accuracy"] - entry["accuracy_sd"] for entry in finals)
    assert len(finals) == 3
    assert all(entry["accuracy"] - entry["accuracy_sd"] <= worst for entry in tried if entry["final"] is None)
    best = max(finals, key=lambda entry: entry["final"]["accuracy"] - entry["final"]["accuracy_sd"])
    assert rows[3]["settings"]["rate"] == best["rate"]


def test_tables_are_for_people(little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tween-bench", "--quick", "--out", "here"]) == 0
    told = capsys.readouterr().out
    for title in ("Late outputs.", "Fresh outputs.", "Controls.", "Beside the published figures."):
        assert f"\n{title}" in told
    assert "(64.0)" in told
    names = ["tween-quick.json", "tween-quick.md"] + (["tween-quick.png"] if find_spec("matplotlib") else [])
    assert f"written: {', '.join(str(Path('here', name)) for name in names)}" in told
    page = (little / "here" / "tween-quick.md").read_text()
    assert page.startswith("# Tween bench, quick\n")
    assert "\n## Tuning\n" in page


def test_several_jobs_give_the_rows_of_one(little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for jobs in ("1", "2"):
        assert main(["tween-bench", "--quick", "--json", "--jobs", jobs, "--nets", "dense-2", "dense-3"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        found.append([{key: value for key, value in row.items() if key != "outputs_per_second"} for row in rows])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--nets", "gru-3"], "--nets: 'gru-3' is no network of the game: "),
        (["--seeds", "0"], "argument --seeds: '0' is not a whole number of at least 1"),
        (["--jobs", "x"], "argument --jobs: 'x' is not a whole number of at least 1"),
        (["--out", "/dev/null/x"], "--out /dev/null/x: cannot be written: "),
    ],
    ids=lambda words: str(words[0]),
)
def test_bad_use_is_refused_in_one_line(cli: Cli, words: list[str], complaint: str) -> None:
    done = cli("tween-bench", "--quick", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"observatory tween-bench: {complaint}")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_stops_with_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    terminal, side = os.openpty()
    words = [sys.executable, "-m", "observatory", "tween-bench", "--jobs", "2", "--out", "results"]
    process = subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=side, text=True, start_new_session=True
    )
    os.close(side)
    told = b""
    deadline = time.monotonic() + 100
    while b"starting" not in told and time.monotonic() < deadline:
        told += os.read(terminal, 4096)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    while True:
        try:
            told += os.read(terminal, 4096)
        except OSError:
            break
    out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130
    assert told.decode().rstrip().endswith("observatory tween-bench: stopped")
    assert b"Traceback" not in told
    assert out == ""
    assert list((tmp_path / "results").iterdir()) == []
    assert _is_gone(process.pid)


def _is_gone(group: int) -> bool:
    """Whether no process of the group is left, after a moment at most."""
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False

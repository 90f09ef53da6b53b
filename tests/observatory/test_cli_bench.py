"""`observatory bench` as a person meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.bench import suite
from engine.bench.multipliers import NumpyMultiplier
from engine.bench.timing import Effort
from observatory.__main__ import main

Cli = Callable[..., subprocess.CompletedProcess[str]]

LITTLE = suite.Plan(
    neurons=(4,), layers=3, effort=Effort(2, 0.0005, 0.0), digits=1, sigmas=(0.8,), epsilons=(1e-2,), depths=(2, 4),
    widths=(4, 8), quick=True,
)  # fmt: skip


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A bench of a second, in an empty folder."""
    monkeypatch.setattr(suite, "QUICK", LITTLE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    NumpyMultiplier("gemm", 1, 1).prepare()


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bench", "--help"])
    assert left.value.code == 0
    assert "examples:\n  observatory bench --quick" in capsys.readouterr().out


def test_json_is_one_object_and_the_file_holds_the_same(little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == json.loads((little / "bench-results" / "bench-quick.json").read_text())
    assert told.err == ""


def test_tables_are_for_people(little: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quick", "--out", "here"]) == 0
    told = capsys.readouterr().out
    for title in ("Ticks.", "Acceleration.", "Lazy.", "Scaling.", "note: --quick"):
        assert f"\n{title}" in told
    assert f"written: {Path('here', 'bench-quick.json')}, {Path('here', 'bench-quick.md')}" in told
    assert (little / "here" / "bench-quick.md").read_text().startswith("# Bench, quick\n")


def test_in_a_checkout_results_go_where_results_are_kept(little: Path) -> None:
    (little / "benchmarks" / "results").mkdir(parents=True)
    assert main(["bench", "--quick", "--json"]) == 0
    assert (little / "benchmarks" / "results" / "bench-quick.json").exists()
    assert not (little / "bench-results").exists()


@pytest.mark.parametrize("words", [["--out", "/dev/null/x"], ["--out", "/proc"]], ids=lambda words: words[1])
def test_an_unwritable_folder_is_refused_before_anything_is_measured(cli: Cli, words: list[str]) -> None:
    done = cli("bench", "--quick", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"observatory bench: --out {words[1]}: cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_stops_with_one_line_and_leaves_no_half_result(tmp_path: Path) -> None:
    terminal, side = os.openpty()
    words = [sys.executable, "-m", "observatory", "bench", "--out", "results"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=side, text=True)
    os.close(side)
    told = b""
    deadline = time.monotonic() + 200
    while b"recursive chain" not in told and time.monotonic() < deadline:
        told += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    while True:
        try:
            told += os.read(terminal, 4096)
        except OSError:
            break
    out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130
    assert told.decode().rstrip().endswith("observatory bench: stopped")
    assert b"Traceback" not in told
    assert out == ""
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.slow
def test_a_quick_run_is_complete(cli: Cli, tmp_path: Path) -> None:
    found = json.loads(cli("bench", "--quick", "--json", "--out", "here").stdout)
    assert found["quick"] is True
    assert {row["neurons"] for row in found["rows"]} == {64, 256}
    assert {row["layers"] for row in found["rows"]} == {100}
    assert all(row["max_error"] < 1e-5 for row in found["rows"] if "float16" not in row["backend"])
    assert [entry["sigma"] for entry in found["acceleration"]] == [0.8, 0.9, 0.95, 0.99]
    edge = found["acceleration"][-1]
    assert edge["ticks_plain"] >= 7 * edge["ticks_accelerated"]
    (entry,) = [row for row in found["lazy"] if row["input"] == "rest" and row["epsilon"] == 5e-4]
    assert entry["flops_saved"] >= 0.84
    assert entry["state_error_max"] < 1e-3
    assert {path.name for path in (tmp_path / "here").iterdir()} >= {"bench-quick.json", "bench-quick.md"}

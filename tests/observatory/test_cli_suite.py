"""The suite: resumed after a kill, the same on a cluster, failures told, a report that needs nothing else."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.experiments import registry
from engine.suite import schedule
from engine.suite.schedule import Failure, SchedulerError, connected, run_jobs
from engine.suite.store import Done, Job, Store
from observatory.__main__ import main
from observatory.suite import master_chart
from observatory.suite.results import as_csv
from observatory.suite.style import dark_figure

SEEDS = (0, 1, 2, 5)


def fake_track(log: Path, failing: int | None = None) -> Any:
    def run(seed: int) -> list[dict[str, Any]]:
        with log.open("a") as file:
            file.write(f"{seed}\n")
        if seed == failing:
            raise ValueError("a wheel\ncame off")
        return [{"track": "depth", "method": "eqprop", "layers": 2, "seed": seed, "test_accuracy": 0.5 + seed / 100}]

    def figure(rows: list[dict[str, Any]], axes: Any) -> None:
        axes.plot([row["seed"] for row in rows], [row["test_accuracy"] for row in rows])

    return SimpleNamespace(
        TITLE="Fake & <fast>",
        QUESTION="Is it?",
        jobs=lambda quick: [{"seed": s} for s in SEEDS],
        run=run,
        figure=figure,
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with a line for every job that was run; the only track is a fake one under the name depth."""
    log = tmp_path / "log"
    log.touch()
    monkeypatch.setitem(sys.modules, "engine.experiments.depth", fake_track(log))
    return log


def suite(out: Path, *words: str) -> int:
    return main(["suite", "--tracks", "depth", "--out", str(out), *words])


def test_everything_is_written_and_agrees(fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert suite(out) == 0
    table = json.loads((out / "results.json").read_text())
    rows = table["rows"]["depth"]
    assert sorted(row["seed"] for row in rows) == list(SEEDS)
    assert table["seeds"] == {"depth": list(SEEDS)}
    with (out / "depth.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [{key: str(value) for key, value in row.items()} for row in rows] == read
    assert (out / "master_chart.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "master_chart.pdf").read_bytes().startswith(b"%PDF")


def test_the_report_needs_nothing_else_and_tells_every_seed(fake: Path, tmp_path: Path) -> None:
    assert suite(tmp_path / "out") == 0
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert not re.search(r"""(src|href)=['"](?!data:)""", page)
    assert "Fake &amp; &lt;fast&gt;" in page
    assert "seeds 0, 1, 2, 5" in page
    assert "observatory suite --tracks depth" in page
    for seed in SEEDS:
        assert f"<td>{0.5 + seed / 100:.6g}</td>" in page
    assert page.count("data:image/png") == 2


def test_a_second_run_computes_only_what_is_missing(fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert suite(out) == 0
    first = (out / "depth.csv").read_text()
    victim = min((out / "jobs").glob("*.json"))
    victim.write_text(victim.read_text()[:40])
    fake.write_text("")
    assert suite(out) == 0
    assert len(fake.read_text().split()) == 1
    assert (out / "depth.csv").read_text() == first


def test_a_failing_job_is_named_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    monkeypatch.setitem(sys.modules, "engine.experiments.depth", fake_track(log, failing=2))
    assert suite(out) == 1
    told = capsys.readouterr().out
    assert "ValueError: a wheel came off" in told
    assert "3 of 4 jobs done" in told
    assert "a wheel came off" in (out / "report.html").read_text("utf-8")
    monkeypatch.setitem(sys.modules, "engine.experiments.depth", fake_track(log))
    log.write_text("")
    assert suite(out) == 0
    assert log.read_text().split() == ["2"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tracks", "depth,nonsense"], "unknown track 'nonsense'"),
        (["--out", "/proc/nowhere"], "cannot be written"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler answers there"),
    ],
)
def test_bad_use_is_one_line(
    fake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str], told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(schedule, "CONNECT_SECONDS", 1)
    assert suite(tmp_path / "out", *words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_every_track_keeps_the_contract() -> None:
    for name in registry.TRACKS:
        module = registry.track(name)
        assert module.TITLE
        assert "ontrol" in module.QUESTION, name
        quick, full = module.jobs(True), module.jobs(False)
        assert 0 < len(quick) <= len(full)
        for jobs in (quick, full):
            keys = [Job(name, params).key for params in jobs]
            assert len(set(keys)) == len(keys)
            assert all(isinstance(params["seed"], int) for params in jobs)
            assert json.loads(json.dumps(jobs)) == jobs


def test_the_master_chart_shows_the_rows() -> None:
    depth = [
        {"method": method, "layers": layers, "test_accuracy": 0.9 + seed / 100}
        for method in ("eqprop", "backprop", "shuffled labels (control)")
        for layers in (10, 100)
        for seed in (0, 2)
    ]
    with dark_figure(2, 2, (8, 6)) as (figure, axes):
        master_chart.draw(figure, axes, {"depth": depth}, "words")
        assert [ax.get_title() for ax in axes] == list(master_chart.PANELS)
        curves = axes[0].containers
        assert [curve.get_label() for curve in curves] == ["eqprop", "backprop", "shuffled labels (control)"]
        middle, _, bars = curves[0]
        assert middle.get_ydata() == pytest.approx([0.91, 0.91])
        assert bars[0].get_segments()[0][:, 1] == pytest.approx([0.90, 0.92])
        assert "was not run" in axes[1].texts[0].get_text()


def test_a_store_refuses_what_tells_of_another_job(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job("depth", {"seed": 1})
    done = Done(job, [{"a": 1, "b": None}], 2.0)
    store.keep(done)
    assert store.find(job) == done
    (tmp_path / f"{Job('depth', {'seed': 2}).key}.json").write_text((tmp_path / f"{job.key}.json").read_text())
    assert store.find(Job("depth", {"seed": 2})) is None
    with pytest.raises(ValueError, match="JSON"):
        store.keep(Done(job, [{"a": float("nan")}], 0.0))
    assert store.find(job) == done


def test_csv_has_all_columns() -> None:
    assert as_csv([{"a": 1}, {"a": None, "b": "x,y"}]) == 'a,b\n1,\n,"x,y"\n'


_SCRIPT = """
import sys, time, types
from pathlib import Path
log = Path(sys.argv[1])
def run(seed):
    with log.open("a") as file:
        file.write(f"{seed}\\n")
    time.sleep(0.7)
    return [{"track": "depth", "method": "eqprop", "layers": 2, "seed": seed, "test_accuracy": seed / 10}]
jobs, figure = lambda quick: [{"seed": s} for s in range(8)], lambda rows, axes: None
sys.modules["engine.experiments.depth"] = types.SimpleNamespace(
    TITLE="t", QUESTION="q", jobs=jobs, run=run, figure=figure)
from observatory.__main__ import main
from engine.suite import schedule
schedule.side_by_side = lambda: 2
sys.exit(main(["suite", "--tracks", "depth", "--out", sys.argv[2]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_is_gone_on_with(tmp_path: Path, how: signal.Signals) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    command = [sys.executable, "-c", _SCRIPT, str(log), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()})
    deadline = time.monotonic() + 60
    while len(list((out / "jobs").glob("depth-*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(how)
    _, told = process.communicate(timeout=20)
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert b"Traceback" not in told
    kept = len(list((out / "jobs").glob("depth-*.json")))
    assert 3 <= kept < 8
    log.write_text("")
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()}, capture_output=True)
    assert len(log.read_text().split()) == 8 - kept
    rows = json.loads((out / "results.json").read_text())["rows"]["depth"]
    assert sorted(row["seed"] for row in rows) == list(range(8))


@pytest.mark.slow
def test_a_cluster_of_two_workers_gives_the_same_rows(tmp_path: Path) -> None:
    from distributed import LocalCluster

    jobs = [Job("robustness", {"method": m, "layers": 2, "epochs": 1, "seed": 0}) for m in ("eqprop", "backprop")]
    jobs.append(Job("depth", {"method": "eqprop", "layers": 2, "epochs": 1, "seed": 3}))
    found: dict[str | None, dict[str, Any]] = {}
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        for address in (None, cluster.scheduler_address):
            kept: list[Done | Failure] = []
            with connected(address) as (client, threads):
                run_jobs(jobs, client, threads, kept.append)
            assert all(isinstance(one, Done) for one in kept), kept
            found[address] = {
                one.job.key: [{k: v for k, v in row.items() if k != "seconds"} for row in one.rows] for one in kept
            }
    here, there = found.values()
    assert here == there
    assert set(here) == {job.key for job in jobs}


def test_no_cluster_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "CONNECT_SECONDS", 1)
    with pytest.raises(SchedulerError, match="no Dask scheduler"), connected("tcp://127.0.0.1:1"):
        pass


@pytest.mark.slow
def test_a_quick_track_for_real(tmp_path: Path) -> None:
    assert main(["suite", "--quick", "--tracks", "memory", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]["memory"]
    assert {row["method"] for row in rows} >= {"eqprop", "backprop"}

"""The bench measures what it says: the same tick by every contestant, ratios from one run, one result in two forms."""

from __future__ import annotations

import getpass
import json
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.bench import acceleration, lazy, report, rows, scaling, suite
from engine.bench.floor import Reader
from engine.bench.multipliers import NumpyMultiplier
from engine.bench.ours import NumbaTick, half_matrices
from engine.bench.plot import lazy_curve
from engine.bench.problem import Problem, Shape
from engine.bench.rivals import Rival
from engine.bench.timing import Effort, interleaved
from engine.bench.torch_multiplier import TorchMultiplier, import_torch

LITTLE = Effort(2, 0.0005, 0.0)
SMALL = suite.Plan(
    neurons=(4, 16), layers=5, effort=LITTLE, digits=2, sigmas=(0.8,), epsilons=(1e-2, 1e-3), depths=(2, 4, 8),
    widths=(4, 8), largest_batched=4, quick=True,
)  # fmt: skip
SHAPES = [
    Shape(network, layers, neurons, batch, columns)
    for network in ("recursive", "hopfield")
    for layers, neurons in ((1, 1), (4, 9), (3, 16))
    for batch, columns in ((1, 1), (1, 3), (3, 3))
]


@pytest.fixture(autouse=True)
def one_blas_thread() -> Iterator[None]:
    yield
    NumpyMultiplier("gemm", 1, 1).prepare()


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return suite.run(SMALL, lambda what, done, total: None)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("way", [("gemv", 1), ("gemm", 1), ("gemm", 2), ("matmul", 1), ("matmul", 2)], ids=str)
def test_numpy_rivals_compute_the_reference_tick(shape: Shape, way: Any) -> None:
    problem = Problem(shape)
    rival = Rival(problem, NumpyMultiplier(*way, 1))
    assert problem.error(rival.states(), 0) == 0
    rival.tick()
    assert problem.error(rival.states(), 1) < 2e-6
    rival.tick()
    rival.tick()
    assert problem.error(rival.states(), 3) < 1e-5


def test_torch_computes_the_reference_tick() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra bench)")
    for shape in SHAPES:
        for axis in (1, 2):
            problem = Problem(shape)
            rival = Rival(problem, TorchMultiplier(torch, axis, 1))
            rival.tick()
            assert problem.error(rival.states()) < 2e-6, (shape, axis)


@pytest.mark.parametrize("network", ["recursive", "hopfield"])
def test_the_error_is_seen_where_displacements_are_small_beside_states(network: str) -> None:
    problem = Problem(Shape(network, 3, 9, 1, 3))
    states = [state.copy() for state in problem.expected()]
    states[0][1, 0, 2, 4] += 1e-3
    assert problem.error(states) > 1e-3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_no_small_error(value: float) -> None:
    problem = Problem(Shape("hopfield", 3, 9, 4, 3))
    states = [np.zeros((3, 4, 3, 9))]
    states[0][0, 1, 0, 0] = value
    with pytest.raises(RuntimeError, match="NaN"):
        problem.error(states)


def test_a_wrong_last_sample_of_a_batch_is_seen() -> None:
    problem = Problem(Shape("recursive", 3, 9, 4))
    tick = NumbaTick(problem, problem.matrices)
    tick.tick()
    states = [state.copy() for state in tick.states()]
    assert problem.error(states) < 1e-5
    states[1][2, 3, 0, 8] += 0.1
    assert problem.error(states) > 1e-3


def test_half_precision_is_told_apart_from_single() -> None:
    problem = Problem(Shape("hopfield", 4, 16))
    full, half = NumbaTick(problem, problem.matrices), NumbaTick(problem, half_matrices(problem.matrices))
    assert rows.first_error(problem, full) < 1e-5
    assert 1e-5 < rows.first_error(problem, half) < 2e-3


def test_a_variant_that_was_tried_starts_the_race_afresh() -> None:
    problem = Problem(Shape("recursive", 3, 9))
    assert problem.error(rows.best(problem, rows.numpy_variants(problem), LITTLE).states(), 0) == 0


class Sleeper:
    burst = 4

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name, self.diary = name, diary

    def prepare(self) -> None:
        self.diary.append(self.name)

    def tick(self) -> None:
        pass


def test_turns_are_interleaved() -> None:
    diary: list[str] = []
    found = interleaved({name: Sleeper(name, diary) for name in "abc"}, Effort(3, 0.0, 0.0))
    assert "".join(diary) == "abcabcabc"
    assert all(duration.seconds > 0 and duration.spread >= 0 for duration in found.values())


def test_the_floor_reads_every_byte() -> None:
    arrays = [np.arange(4000, dtype=np.float32), np.zeros((3, 8, 8), np.uint16)]
    for threads in rows.thread_counts():
        reader = Reader(arrays, threads)
        reader.prepare()
        assert reader.size == 4000 * 4 + 192 * 2
        reader.tick()
        read = sum(sums.sum() for sums in reader.sums)
        assert read == pytest.approx(np.arange(4000).sum(), rel=1e-4)


def test_the_result_has_the_promised_keys(result: dict[str, Any]) -> None:
    assert {"machine", "floor_gb_s", "rows", "acceleration", "lazy", "scaling"} <= set(result)
    promised = {
        *("backend", "network", "layers", "neurons", "batch", "ms_per_tick", "gb_per_s", "floor_share"),
        *("speedup_vs_numpy", "speedup_vs_torch", "max_error"),
    }
    assert all(promised <= set(row) for row in result["rows"])
    assert all({"sigma", "ticks_plain", "ticks_accelerated"} <= set(row) for row in result["acceleration"])
    keys = {"preset", "input", "epsilon", "flops_saved", "wallclock_speedup", "state_error", "same_class"}
    assert all(keys <= set(row) for row in result["lazy"])
    assert isinstance(result["scaling"]["layers_exponent"], float)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_every_contestant_has_a_row_for_every_problem(result: dict[str, Any]) -> None:
    found = {(r["network"], r["neurons"], r["batch"], r["columns"]) for r in result["rows"]}
    assert len(found) == 2 * (3 + 2)
    for problem in found:
        names = [
            r["backend"] for r in result["rows"] if (r["network"], r["neurons"], r["batch"], r["columns"]) == problem
        ]
        assert len(names) == len(set(names))
        assert {"numpy", "matmul", "numba", "float16"} <= set(names)


def test_only_half_precision_is_far_from_the_reference(result: dict[str, Any]) -> None:
    for row in result["rows"]:
        assert 0 < row["max_error"] < (2e-3 if row["backend"].endswith("float16") else 1e-5), row


def test_ratios_are_those_of_the_times_beside_them(result: dict[str, Any]) -> None:
    for row in result["rows"]:
        same = [
            other for other in result["rows"]
            if all(other[key] == row[key] for key in ("network", "neurons", "batch", "columns"))
        ]  # fmt: skip
        times = {other["backend"]: other["ms_per_tick"] for other in same}
        assert row["speedup_vs_numpy"] == pytest.approx(times["numpy"] / row["ms_per_tick"])
        shape = Shape(row["network"], row["layers"], row["neurons"])
        size = shape.weights * (2 if row["backend"] == "float16" else 4)
        assert row["gb_per_s"] == pytest.approx(size / row["ms_per_tick"] / 1e6)
        assert row["floor_share"] == pytest.approx(row["gb_per_s"] / row["floor_gb_s"])
        if "torch" in times:
            assert row["speedup_vs_torch"] == pytest.approx(times["torch"] / row["ms_per_tick"])


def test_the_floor_on_top_is_that_of_the_largest_couplings(result: dict[str, Any]) -> None:
    (largest,) = [
        row for row in result["rows"]
        if row["backend"] == "numba" and row["network"] == "recursive" and row["neurons"] == 16
        and row["batch"] == row["columns"] == 1
    ]  # fmt: skip
    assert result["floor_gb_s"] == largest["floor_gb_s"]


def test_a_missing_torch_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    torch, why = import_torch()
    assert torch is None
    assert "torch is missing" in why
    assert "[bench]" in why
    problem = Problem(Shape("hopfield", 2, 4))
    table = rows.measure(problem, half_matrices(problem.matrices), torch, None, LITTLE)
    assert "torch" not in {row["backend"] for row in table}
    assert {row["speedup_vs_torch"] for row in table} == {None}


def test_markdown_says_what_the_object_says(result: dict[str, Any]) -> None:
    text = report.as_markdown(json.loads(json.dumps(result)))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    ticks = [row for row in cells if len(row) == 12 and row[0].split()[0] in ("recursive", "hopfield")]
    assert len(ticks) == len(result["rows"])
    for told, row in zip(ticks, result["rows"], strict=True):
        assert told[3] == row["backend"]
        assert float(told[4]) == pytest.approx(row["ms_per_tick"], abs=6e-4)
        assert float(told[10]) == pytest.approx(row["max_error"], rel=0.06)
        assert told[11] == row["variant"]
    lazies = [row for row in cells if row[0] == "deep-100"]
    assert [float(row[2]) for row in lazies] == [row["epsilon"] for row in result["lazy"]]
    assert re.search(rf"layers\^{result['scaling']['layers_exponent']:.2f}", text)
    assert all(note in text for note in result["notes"])


def test_files_are_written_whole(result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = report.write(result, tmp_path / "new" / "folder")
    assert {"bench-quick.json", "bench-quick.md"} <= {path.name for path in written}
    assert sorted(path.name for path in written) == sorted(p.name for p in (tmp_path / "new" / "folder").iterdir())
    assert json.loads(written[0].read_text()) == result
    before = written[0].read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", _refuse)
    with pytest.raises(OSError, match="no room"):
        report.write(result, tmp_path / "new" / "folder")
    assert written[0].read_bytes() == before
    assert len(list((tmp_path / "new" / "folder").iterdir())) == len(written)


def _refuse(*_: Any) -> None:
    raise OSError("no room")


def test_the_curve_is_a_picture_where_matplotlib_is(result: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra bench)")
    picture = lazy_curve(result["lazy"])
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_curve(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], tmp_path: Path
) -> None:
    monkeypatch.setattr("engine.bench.plot.find_spec", lambda name: None)
    assert lazy_curve(result["lazy"]) is None
    assert not any(path.suffix == ".png" for path in report.write(result, tmp_path))
    assert "![" not in (tmp_path / "bench-quick.md").read_text()


def test_nothing_tells_whose_machine_it_is(result: dict[str, Any]) -> None:
    text = json.dumps(result)
    for secret in (platform.node(), str(Path.home()), str(Path(__file__).parents[2])):
        assert len(secret) < 3 or secret not in text
    assert re.search(rf"\b{re.escape(getpass.getuser())}\b", json.dumps(result["machine"])) is None


def test_progress_counts_to_the_end() -> None:
    told: list[tuple[str, int, int]] = []
    plan = suite.Plan(
        neurons=(4,), layers=2, effort=LITTLE, digits=1, sigmas=(0.5,), epsilons=(1e-2,), depths=(2, 4), widths=(4, 8)
    )
    suite.run(plan, lambda *said: told.append(said))
    assert len({total for _, _, total in told}) == 1
    done = [step for _, step, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][2]


def test_accelerated_relaxation_needs_fewer_ticks_near_the_edge() -> None:
    (found,) = acceleration.measure((0.95,))
    assert found["ticks_plain"] > 3 * found["ticks_accelerated"]
    assert found["ticks_accelerated"] > found["ticks_red_black"]


def test_lazy_ticks_trade_work_for_error() -> None:
    table = lazy.measure(2, (1e-2, 1e-4))
    assert [(row["input"], row["epsilon"]) for row in table] == [
        ("rest", 1e-2), ("rest", 1e-4), ("streamed", 1e-2), ("streamed", 1e-4)
    ]  # fmt: skip
    for coarse, fine in (table[:2], table[2:]):
        assert 0.75 < fine["flops_saved"] < coarse["flops_saved"] < 1
        assert fine["state_error"] < 1e-3 < coarse["state_error"] < 0.1
        assert fine["state_error"] <= fine["state_error_max"]
        assert fine["same_class"] == 1


def test_exponents_are_slopes() -> None:
    assert scaling.exponent([10, 100, 1000], [2.0, 20.0, 200.0]) == pytest.approx(1)
    assert scaling.exponent([4, 8, 16], [16.0, 64.0, 256.0]) == pytest.approx(2)

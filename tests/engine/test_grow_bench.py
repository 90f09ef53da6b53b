"""The bench of growing graphs: every rival is what it claims to be, tuning sees other data, jobs are kept."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from engine.grow_bench import report, suite
from engine.grow_bench.family import Look, Terms, pruned, random_sparse, trained
from engine.grow_bench.methods import GROWN, METHODS, Budget, applies
from engine.grow_bench.outcomes import told, true_density
from engine.grow_bench.problem import DATA, PAST, Data, score

MEMORY = 6
LITTLE = replace(
    suite.QUICK, data=(DATA["doublewell"], Data("wave", (("nodes", 6),), 40)), steps=60, units=30, ticks=1200, tries=2
)


def without_noise(name: str, **parameters: float):
    return Data(name, tuple({"steps": 2500, **parameters}.items()), DATA[name].horizon).problem(0)


@pytest.fixture(scope="module")
def rod():
    return without_noise("heat", nodes=8)


def models(problem, methods, **settings):
    for name in methods:
        method = METHODS[name]
        if method.missing() is None and applies(name, DATA["lorenz63"], problem):
            settings = [s for s in method.grid if s.get("memory", 1) == 1 and s.get("rate", 0.01) == 0.01]
            yield name, method.make(problem, Budget(500, 60, 40), 0, settings[0])


def test_every_model_forecasts_what_it_would_step_by_step(rod):
    """The first state of a roll-out is the one-step prediction, and shapes are those of the protocol."""
    states = rod.stream.states[rod.last :]
    for name, model in models(rod, METHODS):
        one_step = model.one_step(states[: PAST + 30])
        assert one_step.shape == (31, 8, 1), name
        ahead = model.roll_out(np.stack([states[i : i + PAST] for i in (0, 7, 30)]), 5)
        assert ahead.shape == (3, 5, 8, 1), name
        assert ahead[:, 0] == pytest.approx(one_step[[0, 7, 30]], abs=1e-4), name


def test_rivals_are_better_than_the_last_state(rod):
    found = {name: score(model, rod, test=True) for name, model in models(rod, METHODS)}
    print({name: (round(s.one_step, 5), s.valid) for name, s in found.items()})
    for name in set(found) & {"dense, least squares", "echo state", "PySINDy"}:
        assert found[name].one_step < 0.5 * found["persistence"].one_step, name
    assert found["dense"].one_step < 0.8 * found["persistence"].one_step


def test_the_family_has_the_terms_that_it_says():
    problem = without_noise("fhn", nodes=4)
    terms = Terms(problem, Look(MEMORY))
    scaled = terms.scaled(problem.training)
    windows = np.stack([scaled[i : i + MEMORY] for i in range(50)])
    phi = terms.of(windows)
    assert phi.shape == (50, terms.reads.shape[0])
    assert phi.shape[1] == 1 + MEMORY * 8 + 14 * 8 + 36
    assert (phi[:, 0] == 1).all()
    assert phi[:, 1:9] == pytest.approx(windows[:, -1], abs=1e-5)
    assert phi[:, -1] == pytest.approx(windows[:, -1, -1] ** 2, rel=1e-4)
    moved = windows.copy()
    moved[:, -1, 4] += 0.1
    changed = (np.abs(terms.of(moved) - phi) > 1e-7).any(0)
    assert (changed <= terms.reads[:, 4]).all()
    assert changed[terms.reads[:, 4]].mean() > 0.6
    hinges = terms.allowed[:, 1 + MEMORY * 8 : 1 + (MEMORY + 14) * 8]
    assert (hinges == np.tile(np.kron(np.eye(4, dtype=bool), np.ones((2, 2), bool)), 14)).all()
    assert terms.unscaled(terms.scaled(problem.training)) == pytest.approx(problem.training, abs=1e-9)


def test_a_late_family_multiplies_differences_too():
    problem = without_noise("lorenz63")
    terms = Terms(problem, Look(2, late=True))
    scaled = terms.scaled(problem.training)
    windows = np.stack([scaled[i : i + 2] for i in range(50)])
    phi = terms.of(windows)
    assert phi.shape[1] == 1 + 2 * 3 + 14 * 3 + 21
    size = np.sqrt(np.square(np.diff(scaled, axis=0)).mean(0))
    difference = (windows[:, 1] - windows[:, 0]) / size
    assert phi[:, -1] == pytest.approx(difference[:, 2] ** 2, rel=1e-3, abs=1e-6)
    moved = windows.copy()
    moved[:, 0, 1] += 0.1
    changed = (np.abs(terms.of(moved) - phi) > 1e-7).any(0)
    assert (changed <= terms.reads[:, 1]).all()
    assert changed[-21:].sum() == 6


def test_masks_hold_what_they_promise(rod):
    sparse = random_sparse(rod, 30, 0, 0.01, Look(2), weights=50)
    assert sparse.weights == (sparse.W != 0).sum() == 50
    thin = pruned(rod, 60, 0, 0.01, Look(2), weights=50)
    assert thin.weights == (thin.W != 0).sum() == 50
    dense = trained(rod, 60, 0, 0.01, Look(2))
    assert dense.weights == dense.terms.allowed.sum()
    assert dense.adjacency() is None
    assert sparse.adjacency() is not None


@pytest.mark.skipif(find_spec("pysindy") is None, reason="without PySINDy")
def test_pysindy_finds_lorenz_63_and_its_edges():
    problem = without_noise("lorenz63")
    model = METHODS["PySINDy"].make(problem, Budget(0, 0, 0), 0, {"threshold": 0.1})
    assert model.weights == 7
    assert (model.adjacency() == problem.stream.truth.adjacency).all()
    assert score(model, problem, test=True).valid > 2


@pytest.mark.skipif(find_spec("reservoirpy") is None, reason="without ReservoirPy")
def test_an_echo_state_network_forecasts_lorenz_63():
    problem = without_noise("lorenz63")
    settings = {"radius": 0.4, "scaling": 0.1, "ridge": 1e-9, "squares": True}
    model = METHODS["echo state"].make(problem, Budget(0, 0, 100), 0, settings)
    assert score(model, problem, test=True).valid > 2


def test_a_head_tells_what_a_point_prediction_cannot():
    problem = DATA["doublewell"].problem(0)
    model = trained(problem, 400, 0, 0.01, Look(1))
    best = true_density(problem)
    point, head = (told(model, problem, head=grows) for grows in (False, True))
    print(best, point, head)
    assert best is not None
    assert point.components == 0 < head.components
    assert best.nll - 0.02 < head.nll < 1.05 * best.nll
    assert point.nll > 1.25 * best.nll
    assert point.p_value < 0.05


def test_a_bench_is_kept_goes_on_and_tells_everything(tmp_path, monkeypatch):
    seen = []
    first = suite.run(LITTLE, lambda what, done, steps: seen.append((done, steps)), tmp_path)
    assert seen[-1][0] == seen[-1][1]
    kept = sorted(path.name for path in tmp_path.iterdir())

    def never(*_):
        raise AssertionError("done already")

    monkeypatch.setattr(suite, "one", never)
    monkeypatch.setattr(suite, "tried", never)
    assert suite.run(LITTLE, lambda *_: None, tmp_path) == first
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
    by_name = {(row["data"], row["method"]): row for row in first["rows"]}
    assert by_name["doublewell", "true density"]["nll"] < by_name["doublewell", "dense"]["nll"]
    grown, sparse = by_name["wave", GROWN], by_name["wave", "random sparse"]
    assert sparse["nnz"] == max(round(grown["nnz"]), 1)
    written = report.write(first, tmp_path / "out")
    assert {path.suffix for path in written} >= {".json", ".md"}
    text = report.as_text(first)
    page = report.as_markdown(first, None)
    for name in METHODS:
        if METHODS[name].missing() is None:
            assert name in text
            assert f"| {name} |" in page


def test_settings_are_chosen_on_another_stream_by_validation(monkeypatch):
    asked = []

    class Fake:
        weights = tokens = 1

        def __init__(self, rate):
            self.rate = rate

        def one_step(self, states):
            return states[PAST - 1 :] + (0 if self.rate == 0.003 else 1)

        def roll_out(self, past, steps):
            return np.repeat(past[:, -1:], steps, axis=1)

    def make(problem, budget, seed, settings):
        asked.append((seed, settings["rate"]))
        return Fake(settings["rate"])

    monkeypatch.setitem(METHODS, "dense", replace(METHODS["dense"], make=make))
    best = next(settings for settings in METHODS["dense"].grid if settings["rate"] == 0.003)
    plan = replace(LITTLE, tries=len(METHODS["dense"].grid))
    assert suite.tuned(plan, DATA["doublewell"], "dense", Budget(1, 1, 1)) == best
    assert {seed for seed, _ in asked} == {suite.TUNING_SEED}
    assert suite.TUNING_SEED not in range(plan.seeds)

"""The streams obey their equations, and say truly who reads whom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from engine.dynamics import STREAMS, Stream, StreamError, make_stream
from engine.dynamics.double_well import transition

ODES = [name for name in STREAMS if name != "doublewell"]


def fine(name: str, **parameters: float) -> Stream:
    """Few ticks close together, so that finite differences tell the rate."""
    dt = {"wave": 2e-4, "heat": 2e-4}.get(name, 2e-3)
    return make_stream(name, steps=200, dt=dt, seed=3, **parameters)


@pytest.mark.parametrize("name", ODES)
def test_states_obey_the_equations(name: str) -> None:
    """Fourth-order differences against the rate, to 1e-5 of its size."""
    stream = fine(name)
    x, dt = stream.clean, stream.dt
    differences = (x[:-4] - 8 * x[1:-3] + 8 * x[3:-1] - x[4:]) / (12 * dt)
    assert stream.truth.rate is not None
    rates = np.stack([stream.truth.rate(tick * dt, x[tick]) for tick in range(2, len(x) - 2)])
    assert np.abs(differences - rates).max() < 1e-5 * np.abs(rates).max()


@pytest.mark.parametrize("name", ODES)
def test_the_adjacency_is_that_of_the_rates_jacobian(name: str) -> None:
    stream = fine(name)
    rate, told = stream.truth.rate, stream.truth.adjacency
    assert rate is not None
    assert told is not None
    x, found = stream.clean[50], np.zeros((stream.nodes, stream.nodes), bool)
    for node in range(stream.nodes):
        for feature in range(stream.features):
            moved = x.copy()
            moved[node, feature] += 1e-3
            found[:, node] |= (np.abs(rate(0.7, moved) - rate(0.7, x)) > 1e-12).any(1)
    off = ~np.eye(stream.nodes, dtype=bool)
    assert (found[off] == told[off]).all()
    assert stream.truth.edges == found[off].sum() > 0


def test_the_random_graph_is_sparse_everyone_reads_somebody_and_seeds_differ() -> None:
    graphs = [make_stream("fhn", steps=20, seed=seed).truth.adjacency for seed in (0, 1, 0)]
    for reads in graphs:
        assert reads is not None
        off = reads & ~np.eye(50, dtype=bool)
        assert off.any(1).all()
        assert 100 < off.sum() < 210
    assert (graphs[0] == graphs[2]).all()
    assert (graphs[0] != graphs[1]).any()


def test_a_string_keeps_its_energy_and_a_rod_its_maximum() -> None:
    string = make_stream("wave", steps=500).clean
    u, p = np.pad(string[:, :, 0], ((0, 0), (1, 1))), string[:, :, 1]
    energy = (p**2).sum(1) + (np.diff(u, axis=1) ** 2).sum(1) * 41**2
    assert np.ptp(energy) < 1e-5 * energy[0]
    rod = make_stream("heat", steps=1000).clean[:, :, 0]
    for way in (rod, -rod):
        hottest_outside = np.maximum.accumulate(way[:, [0, -1]].max(1))
        assert (way.max(1) <= np.maximum(hottest_outside, way[0].max()) + 1e-3).all()


def test_the_transition_density_is_that_of_simulated_particles() -> None:
    """20,000 particles by Euler and Maruyama's scheme."""
    dt, sigma, rng = 1.0, 0.6, np.random.default_rng(0)
    density = transition(dt, sigma)
    for start in (0.0, 0.37, -1.1):
        x = np.full(20_000, start)
        for _ in range(400):
            x += (x - x**3) * dt / 400 + sigma * np.sqrt(dt / 400) * rng.standard_normal(len(x))
        assert kstest(density.distribution(np.full(len(x), start), x), "uniform").pvalue > 0.01
        grid = np.linspace(-2.9, 2.9, 4001)
        p = np.exp(density.log_density(np.full(len(grid), start), grid))
        assert np.trapezoid(p, grid) == pytest.approx(1, abs=1e-4)


def test_a_shaken_particle_has_two_outcomes_and_its_density_fits_it() -> None:
    stream = make_stream("doublewell", seed=2)
    density = stream.truth.density
    assert density is not None
    x = stream.clean[:, 0, 0]
    assert kstest(density.distribution(x[:-1], x[1:]), "uniform").pvalue > 0.01
    assert kstest(density.distribution(x[:-1], x[:-1]), "uniform").pvalue < 1e-6
    top = np.exp(density.log_density(np.zeros(3), np.array([-1.0, 0.0, 1.0])))
    assert min(top[0], top[2]) > 1.5 * top[1]


def test_the_heavy_body_passes_goes_and_comes_back() -> None:
    stream = make_stream("black-hole")
    assert len(stream.truth.passages) == 3
    distance = np.linalg.norm(stream.clean[:, 0, :2], axis=1)
    inside = np.zeros(len(stream), bool)
    for first, last in stream.truth.passages:
        inside[first:last] = True
    assert distance[inside].max() < distance[~inside].min() + 1e-9
    alone = make_stream("black-hole", mass=1e-9)
    pulled = np.abs(stream.clean[:, 1:, :2] - alone.clean[:, 1:, :2]).max((1, 2))
    assert pulled[inside].max() > 0.5
    assert np.abs(stream.clean[:, 1:, :2]).max() < 6


def test_every_parameter_changes_the_stream() -> None:
    own = {
        "lorenz63": {"sigma": 11.0, "rho": 27.0, "beta": 2.5},
        "lorenz96": {"nodes": 20, "forcing": 7.0},
        "fhn": {"nodes": 20, "degree": 2.0, "coupling": 0.1},
        "heat": {"nodes": 20, "diffusivity": 0.1, "flicker": 0.5},
        "wave": {"nodes": 20, "speed": 2.0},
        "doublewell": {"sigma": 0.5},
        "black-hole": {"bodies": 5, "mass": 3.0, "period": 50.0, "wind": 0.5},
    }
    assert set(own) == set(STREAMS)
    for name, parameters in own.items():
        first = {"period": 0.5} if name == "black-hole" else {}
        plain = make_stream(name, steps=30, **first).states
        for key, value in ({"dt": 0.011, "noise": 0.1, "seed": 1} | parameters).items():
            other = make_stream(name, steps=30, **{**first, key: value}).states
            assert other.shape != plain.shape or np.abs(other - plain).max() > 1e-6, (name, key)


def test_noise_is_measured_in_standard_deviations_of_each_number() -> None:
    stream = make_stream("fhn", steps=4000, noise=0.05)
    share = (stream.states - stream.clean).std(0) / stream.clean.std(0)
    assert share.mean() == pytest.approx(0.05, rel=0.01)
    assert (make_stream("fhn", steps=30).states == make_stream("fhn", steps=30).clean).all()


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("lorenz64", {}, "no stream named 'lorenz64'; there are: lorenz63, "),
        (
            "fhn",
            {"sigma": 1.0},
            "fhn: no parameter 'sigma'; there are: steps, dt, noise, seed, nodes, degree, coupling",
        ),
        ("fhn", {"steps": 3}, "fhn: steps is 3, expected a whole number from 20 to 200000"),
        ("fhn", {"nodes": 7.5}, "fhn: nodes is 7.5, expected a whole number"),
        ("heat", {"dt": 0.0}, "heat: dt is 0, expected a number"),
        ("heat", {"dt": float("nan")}, "heat: dt is nan, expected a number"),
        ("doublewell", {"sigma": 9.0}, "doublewell: sigma is 9, expected 0.2 to 1.5"),
        ("nothing/here.csv", {}, "nothing/here.csv: no such file"),
    ],
)
def test_bad_requests_are_refused_in_one_line(name: str, parameters: dict[str, float], complaint: str) -> None:
    with pytest.raises(StreamError) as refused:
        make_stream(name, **parameters)
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)


def test_chance_heats_every_inner_node_and_the_heat_spreads() -> None:
    """What kicks add is a rod with cold ends, kicked at each tick: what was there before has spread, here by Euler's
    method in small steps, and no kick knows of it, of the tick before, or of its neighbour's."""
    dt, fine = 0.02, 200
    still, kicked = (make_stream("heat", steps=3000, dt=dt, nodes=20, flicker=f, seed=1) for f in (0.0, 2.0))
    added = (kicked.clean - still.clean)[:, :, 0]
    assert (added[:, [0, -1]] == 0).all()
    spread = added[:-1].copy()
    for _ in range(fine):
        spread[:, 1:-1] += 0.05 * 19**2 * dt / fine * (spread[:, :-2] - 2 * spread[:, 1:-1] + spread[:, 2:])
    kicks, gone = (added[1:] - spread)[:, 1:-1], (spread - added[:-1])[:, 1:-1]
    assert kicks.std(0) == pytest.approx(2.0 * np.sqrt(dt), rel=0.06)
    for mine, other in ((kicks[:, :-1], kicks[:, 1:]), (kicks[1:], kicks[:-1])):
        alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(mine.T, other.T, strict=True)]
        assert np.abs(alike).max() < 0.08
    assert abs((kicks * gone).sum() / np.square(gone).sum()) < 0.05

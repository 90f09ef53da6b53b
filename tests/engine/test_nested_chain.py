"""The physics of nested chains: the joint fixed point, the credit, contraction and where it stops, lesions, tiles."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.nested_cases import NESTS, Equations, chain_of, settle, state_of

BACKENDS = ["numpy", "numba"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NESTS)
def test_rests_where_the_equations_rest(name, backend):
    chain = chain_of(name, backend)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        state = state_of(chain, sample, 0)
        assert np.abs(state).max() > 0.1
        np.testing.assert_allclose(equations(state, inflow[sample]), state, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NESTS)
def test_the_displacement_is_the_credit(name, backend):
    """d = beta (I - J^T)^-1 f by a dense solve at the joint fixed point; the centred difference is exact to beta^2."""
    chain = chain_of(name, backend, beta=1e-4)
    settle(chain)
    equations, inflow = Equations(chain), chain.read_in()[1]
    for sample in range(3):
        jacobian = equations.jacobian(state_of(chain, sample, 0), inflow[sample])
        force = np.zeros(len(jacobian))
        force[-chain.neurons :] = chain._aim[sample]
        expected = np.linalg.solve(np.eye(len(jacobian)) - jacobian.T, force)
        found = (state_of(chain, sample, 1) - state_of(chain, sample, 2)) / 2e-4
        assert np.abs(expected).min() > 0
        np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", ["one Block", "four levels"])
def test_numba_and_numpy_tick_alike(name, columns):
    chains = [chain_of(name, backend, ticks_2=3) for backend in BACKENDS]
    for _ in range(4):
        for chain in chains:
            chain.aim()
            chain.tick(nudged=columns == 3)
    slow, fast = chains
    for one, other in zip(slow.columns(), fast.columns(), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-14)
    np.testing.assert_allclose(fast.observe().sums, slow.observe().sums, atol=1e-12)
    assert slow.observe().sums[..., [0, 1, 3]].min() > 0
    assert (slow.observe().sums[..., 2] > 0).all() == (columns == 3)


def test_inner_ticks_change_the_way_but_not_the_place():
    """With more inner ticks fewer outer ones are needed; states and displacements end where they did."""
    found, needed = [], []
    for ticks in (1, 6):
        chain = chain_of("four levels", "numba", ticks_2=ticks, ticks_3=ticks, ticks_4=ticks)
        chain.tick(nudged=False)
        first = state_of(chain, 0, 0)
        needed.append(1)
        while chain.observe().velocity_max.max() > 1e-6:
            chain.tick(nudged=False)
            needed[-1] += 1
        settle(chain)
        found.append((first, *(state_of(chain, 1, column) for column in range(3))))
    assert np.abs(found[0][0] - found[1][0]).max() > 1e-3
    assert needed[1] < needed[0]
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(other, one, atol=1e-12)


def _from_anywhere(chain, rng, ticks):
    """Ticks from two random starts; largest difference between the two after every tick."""
    for states in chain.columns():
        states[:, :, 0] = rng.uniform(-0.9, 0.9, states[:, :, 0].shape)
    differences = []
    for _ in range(ticks):
        chain.tick(nudged=False)
        z = chain.columns()[0][:, :, 0]
        differences.append(np.abs(z[:, 0] - z[:, 1]).max())
    return differences


def _alike(chain):
    """Two copies of the same picture, and no bias that would flatten the slopes."""
    chain.weights["b"][...] = 0
    chain.weights_changed()
    chain.clamp(0 * np.repeat(chain.read_in()[0][:1], 2, axis=0), None)
    return chain


@pytest.mark.parametrize("ticks", [1, 5])
@pytest.mark.parametrize("sigma", [0.5, 0.95])
def test_below_the_edge_at_every_level_all_starts_come_to_one_state(sigma, ticks, rng):
    knobs = {f"sigma_{level}": sigma for level in (2, 3, 4)} | {f"ticks_{level}": ticks for level in (2, 3, 4)}
    chain = _alike(chain_of("four levels", "numba", samples=2, sigma=sigma, **knobs))
    assert _from_anywhere(chain, rng, 600)[-1] < 1e-9


@pytest.mark.parametrize("sigma", [0.8, 0.999])
def test_lipschitz_constants_alone_promise_it(sigma):
    """Spectral radius of the matrix of Lipschitz constants between all states, from ||R||, inner ||W|| <= 1."""
    for name in NESTS:
        chain = chain_of(name, sigma=sigma, sigma_2=sigma) if name != "one level" else chain_of(name, sigma=sigma)
        nest = chain.nest.tuned({f"sigma_{level}": sigma for level in range(2, 7)})
        ways, count = nest.ways(sigma), nest.count
        bound = np.zeros((2 * count, 2 * count))
        for k, (level, below, holder, _, last) in enumerate(nest.links):
            given = k if last < 0 else count + last
            read = count + below if below >= 0 else holder
            own, reads, keep, mix, _ = ways[k]
            bound[k, given] += own
            bound[count + k, given] += mix
            if read >= 0:
                bound[k, read] += reads if level else 100.0
                bound[count + k, read] += keep
        assert np.abs(np.linalg.eigvals(bound)).max() < 1, name


def test_the_bound_is_tight_and_broken_above_it(rng):
    """With all R and W the identity a nest contracts just as sigma says: 0.99 does, 1.01 leaves its state of rest."""
    ends = []
    for sigma in (0.99, 1.01):
        chain = _alike(chain_of("two levels", "numba", samples=2, sigma=sigma, sigma_2=sigma))
        for name in ("R", "W"):
            chain.weights[name][...] = np.eye(chain.neurons)
        chain.weights_changed()
        for states in chain.columns():
            states[:, :, 0] = [[[0.3], [-0.3]]]
        for _ in range(3000):
            chain.tick(nudged=False)
        ends.append(np.abs(chain.columns()[0][:, :, 0]).max())
    assert ends[0] < 1e-9
    assert ends[1] > 0.05


def test_norms_are_kept_within_blocks_and_free_outside(rng):
    chain = chain_of("three levels")
    large = {name: 3 * rng.standard_normal(array.shape) for name, array in chain.state_dict().items()}
    chain.load_state_dict(large)
    norms = {name: np.linalg.norm(chain.weights[name], 2, axis=(1, 2)) for name in ("R", "W")}
    inner = chain.nest.inner
    outer = np.setdiff1d(np.arange(chain.nest.count), inner)
    assert norms["R"].max() < 1 + 1e-9
    assert norms["W"][inner].max() < 1 + 1e-9
    np.testing.assert_array_equal(chain.weights["W"][outer], large["W"][outer])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dead_neuron_is_still_and_the_rest_obeys_the_cut_equations(backend, rng):
    chain = chain_of("three levels", backend)
    settle(chain, 20)
    before = {name: array.copy() for name, array in chain.weights.items()}
    dead = (rng.random(chain.ablated.shape) < 0.2) & ~chain.unused
    chain.ablate(dead)
    np.testing.assert_array_equal(chain.ablated & dead, dead)
    settle(chain)
    assert not chain.columns()[0][:, :, 0][np.nonzero(chain._dead)[0], :, np.nonzero(chain._dead)[1]].any()
    assert not any(channel[dead].any() for channel in chain.channels(0)[:2])
    equations = Equations(chain)
    state = state_of(chain, 1, 0)
    np.testing.assert_allclose(equations(state, chain.read_in()[1][1]), state, atol=1e-13)
    chain.heal()
    for name, array in chain.weights.items():
        np.testing.assert_array_equal(array, before[name])
    settle(chain)
    state = state_of(chain, 0, 0)
    np.testing.assert_allclose(Equations(chain)(state, chain.read_in()[1][0]), state, atol=1e-13)


def test_tiles_lie_within_tiles_and_nothing_is_lost():
    chain = chain_of("three levels", neurons=9)
    settle(chain, 5)
    shown, states = chain.channels(1)[0], chain.columns()[0][:, 1, 0]
    assert len(shown) == chain.layout.layers == 2
    places = chain._tiles.places
    assert set(places[places >= 0]) == set(range(states.size))
    for tile, row in zip(shown, places, strict=True):
        np.testing.assert_array_equal(tile[row >= 0], states.reshape(-1)[row[row >= 0]])
    parts = chain.layout.parts
    assert sorted(part.path for part in parts) == sorted([(1,), (2,), (2, 1), (2, 2), (2, 3), (2, 1, 1), (2, 1, 2),
                                                          (2, 3, 1), (2, 3, 2)])  # fmt: skip
    pictures = places.reshape(2, chain.layout.height, -1)
    for part in parts:
        inside = pictures[part.tile - 1, part.top : part.top + part.height, part.left : part.left + part.width]
        layers = set(inside[inside >= 0] // 9)
        assert len(layers) == 1
        middle = part.top + part.height // 2, part.left + part.width // 2
        assert chain.layout.part_at(part.tile, *middle) == part


def test_every_knob_of_a_level_is_there_and_none_for_what_it_cannot_do():
    knobs = chain_of("three levels").parameters
    levels = {"sigma", "sigma_2", "sigma_3", "ticks_2", "ticks_3"}
    assert set(knobs) == levels | {"beta", "noise", "input_noise", "weight_noise", "input_gain"}


@pytest.mark.parametrize("knob", ["sigma", "sigma_2", "sigma_3", "ticks_2", "ticks_3"])
def test_every_knob_of_a_level_changes_what_is_measured(knob):
    seen = []
    for value in (1, 3) if knob.startswith("ticks") else (0.2, 0.9):
        chain = chain_of("three levels", "numba", **{knob: value})
        for _ in range(3):
            chain.tick(nudged=False)
        seen.append(state_of(chain, 0, 0))
    assert np.abs(seen[0] - seen[1]).max() > 1e-5


def test_flops_count_every_inner_tick():
    chain = chain_of("three levels", ticks_2=2, ticks_3=3)
    chain.tick(nudged=False)
    visits = 2 * 1 + 3 * 2 + 4 * 2 * 3
    assert chain.dense_flops == pytest.approx(2 * 3 * 2 * 36 * visits)
    chain.tick(nudged=True)
    assert chain.dense_flops == pytest.approx(6 * 2 * 3 * 2 * 36 * visits)

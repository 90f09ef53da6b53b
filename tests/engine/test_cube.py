"""The neural cube: rests where a root finder says, its credit is the adjoint, its norms are kept, its lesions heal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from engine.networks.chain import softmax
from engine.networks.energy_cube import EnergyCube
from engine.networks.neural_cube import NeuralCube, joined
from engine.networks.retina import retina
from kernels.backends import load_backend
from kernels.lattice_reference import applied, lattice_mask

SIDE, CLASSES = 4, 5
PICTURE = (4, 4)
BETA = 1e-4
KINDS = {kind.kind: kind for kind in (NeuralCube, EnergyCube)}
BACKENDS = ["numpy", "numba"]


def cube(kind="cube", backend="numba", sigma=0.3, side=SIDE, picture=PICTURE, samples=1, seed=3, dtype="float64"):
    """A small cube with biases under random pictures."""
    rng = np.random.default_rng(seed)
    network = KINDS[kind](side, picture, CLASSES, load_backend(backend), dtype=dtype, samples=samples, seed=seed)
    network.weights["b"][...] = 0.1 * rng.standard_normal(network.weights["b"].shape)
    network.weights_changed()
    network.reset(0)
    network.set_parameter("sigma", sigma)
    network.set_parameter("beta", BETA)
    network.clamp(rng.standard_normal((samples, *picture)).reshape(samples, -1), np.array([1, 4])[:samples])
    return network


def settled(network, ticks=600, nudged=600):
    for _ in range(ticks):
        network.tick(nudged=False)
    if nudged:
        network.release()
        network.aim()
    for _ in range(nudged):
        network.tick(nudged=True)
    return network


def matrix(K, side=SIDE):
    """The coupling K (L, 27, N) as a matrix, column by column."""
    shape = (len(K), side * side)
    columns = np.empty((K[:, 0].size, K[:, 0].size))
    for place, unit in enumerate(np.eye(K[:, 0].size)):
        out = np.empty(shape)
        applied(K.astype(np.float64), unit.reshape(shape), side, out)
        columns[:, place] = out.reshape(-1)
    return columns


def coupling(network):
    return matrix(joined(network.weights["U"], network.weights["R"], network.gains), network.side)


def recurrent_norm(network):
    U = network.weights["U"] if network.symmetric else np.zeros_like(network.weights["U"])
    return np.linalg.norm(matrix(joined(U, network.weights["R"], (1.0, 1.0)), network.side), 2)


def drive_of(network, sample=0):
    drive = network.weights["b"].copy()
    drive[0] += network.value("input_gain") * network.weights["W_in"] @ network._x[sample]
    return drive.reshape(-1)


def cost_slope(top, weights, label):
    """dC/ds of the cross-entropy on the read-out face by central differences."""

    def cost(s):
        return -np.log(softmax(weights["W_out"] @ s)[label])

    step = 1e-6
    return np.array([(cost(top + step * e) - cost(top - step * e)) / (2 * step) for e in np.eye(len(top))])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("sigma", [0.0, 0.4])
@pytest.mark.parametrize("kind", KINDS)
def test_it_rests_where_a_root_finder_says(kind, sigma, backend):
    network = settled(cube(kind, backend, sigma, samples=2), nudged=0)
    M = coupling(network)
    for sample in range(2):
        drive = drive_of(network, sample)
        solved = root(lambda s, drive=drive: np.tanh(M @ s + drive) - s, np.zeros(SIDE**3), tol=1e-12).x
        np.testing.assert_allclose(network._states[0][:, sample, 0].reshape(-1), solved, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "sigma"), [("cube", 0.0), ("cube", 0.4), ("energy-cube", 0.4), ("energy-cube", 0.9)])
def test_its_credit_is_the_adjoint(kind, sigma, backend):
    """(x+ - x-) / 2 beta = (I - J^T)^-1 f with a dense J."""
    network = settled(cube(kind, backend, sigma, samples=2))
    M = coupling(network)
    for sample, label in enumerate((1, 4)):
        s = network._states[0][:, sample, 0]
        force = np.zeros_like(s)
        force[-1] = -cost_slope(s[-1], network.weights, label)
        J = (1 - s.reshape(-1, 1) ** 2) * M
        adjoint = np.linalg.solve(np.eye(len(J)) - J.T, force.reshape(-1)).reshape(s.shape)
        assert np.abs(adjoint[0]).max() > (1e-2 if kind == "cube" else 1e-6)
        np.testing.assert_allclose(network.channels(sample)[2] / BETA, adjoint, atol=1e-6)


def test_a_large_beta_is_visibly_not_the_adjoint():
    """The control: the agreement above is that of a small beta, not of a formula that ignores beta."""
    near, far = cube(), cube()
    far.set_parameter("beta", 1.0)
    near, far = settled(near), settled(far)
    assert np.abs(near.channels(0)[2] / BETA - far.channels(0)[2]).max() > 1e-3


def test_the_symmetric_cube_has_the_credit_of_classical_equilibrium_propagation():
    """g = (1 - s^2) d = (D^-1 - sigma K)^-1 f: what a force within the tanh would displace the state by."""
    network = settled(cube("energy-cube", sigma=0.7))
    s = network._states[0][:, 0, 0].reshape(-1)
    force = np.zeros((SIDE, SIDE * SIDE))
    force[-1] = -cost_slope(network._states[0][-1, 0, 0], network.weights, 1)
    classical = np.linalg.solve(np.diag(1 / (1 - s**2)) - coupling(network), force.reshape(-1))
    np.testing.assert_allclose((1 - s**2) * network.channels(0)[2].reshape(-1) / BETA, classical, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_energy_falls_at_every_tick_up_to_the_edge(sigma, seed):
    network = cube("energy-cube", sigma=sigma, seed=seed)
    energies = []
    for _ in range(60):
        network.tick(nudged=False)
        energies.append(network.energy()[0])
    assert (np.diff(energies) <= 1e-12).all()
    assert energies[0] - energies[-1] > 0.01
    s = network._next_states[0][:, 0, 0].reshape(-1)
    own = (s * np.arctanh(s) + 0.5 * np.log(1 - s**2)).sum()
    expected = own - s @ coupling(network) @ s / 2 - drive_of(network) @ s
    assert energies[-1] == pytest.approx(expected, abs=1e-9)


def test_only_the_symmetric_cube_has_an_energy():
    """Control: with directed couplings the same function rises in places, so the fall is no matter of course."""
    assert cube().energy() is None
    directed, energies = cube(sigma=0.9), []
    for _ in range(30):
        directed.tick(nudged=False)
        energies.append(EnergyCube.energy(directed)[0])
    assert (np.diff(energies) > 1e-6).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [1, 2, 5])
def test_the_first_couplings_are_what_they_are_said_to_be(kind, side):
    network = cube(kind, side=side)
    K = joined(network.weights["U"], network.weights["R"], (1.0, 1.0))
    assert not K[~lattice_mask(side, side)].any()
    if side > 1:
        assert recurrent_norm(network) == pytest.approx(1, abs=2e-3)
        straight = matrix(K, side)[side * side, 0]
        assert abs(straight - 1) < 0.3 or kind == "energy-cube"
    if kind == "energy-cube":
        np.testing.assert_array_equal(matrix(K, side), matrix(K, side).T)


@pytest.mark.parametrize("kind", KINDS)
def test_the_norm_is_brought_back_on_the_lattice_without_crushing_the_rest(kind):
    network = cube(kind)
    rng = np.random.default_rng(1)
    for name in network.couplings:
        weights = network.weights[name]
        weights += 0.15 * rng.standard_normal(weights.shape) * (weights != 0)
    if kind == "energy-cube":
        K = joined(network.weights["U"], network.weights["R"], (1.0, 1.0))
        K = (K + network.lattice.transposed(K)) / 2
        network.weights["U"][...], network.weights["R"][...] = K[:, :9], K[:, 9:]
    before = {name: network.weights[name].copy() for name in network.couplings}
    too_large = recurrent_norm(network)
    network.bound()
    assert too_large > 1.3
    assert recurrent_norm(network) == pytest.approx(1, abs=2e-3)
    kept = np.linalg.norm(network.weights["R"]) / np.linalg.norm(before["R"])
    assert kept > 1.1 / too_large, "rescaling would leave 1 / the norm"
    for name in network.couplings:
        assert not network.weights[name][before[name] == 0].any()
    if kind == "cube":
        np.testing.assert_array_equal(network.weights["U"], before["U"])


def test_a_norm_below_one_is_left_alone():
    network = cube()
    network.weights["R"] *= 0.9
    before = network.weights["R"].copy()
    network.bound()
    np.testing.assert_array_equal(network.weights["R"], before)


@pytest.mark.parametrize("sigma", [0.2, 0.6, 1.2])
def test_the_spectral_radius_is_that_of_the_jacobian(sigma):
    network = settled(cube(sigma=sigma), nudged=0)
    s = network._states[0][:, 0, 0].reshape(-1, 1)
    exact = np.abs(np.linalg.eigvals((1 - s**2) * coupling(network))).max()
    assert network.spectral_radius() == pytest.approx(exact, rel=0.01)
    assert exact > 0.9 * sigma / 3


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_signals_that_only_pass_through_are_no_part_of_the_radius(sigma):
    """In ten layers and float32, where a Krylov subspace by itself takes their growth for an eigenvalue."""
    network = settled(cube(sigma=sigma, side=10, picture=(8, 8), dtype="float32"), ticks=100, nudged=0)
    s = network._states[0][:, 0, 0].reshape(-1, 1).astype(np.float64)
    exact = np.abs(np.linalg.eigvals((1 - s**2) * coupling(network))).max() if sigma else 0
    assert network.spectral_radius() == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("side", [1, 2, 6])
def test_a_wave_crosses_one_voxel_a_tick(side):
    """Without recurrence layer z is final after z + 1 ticks, and the nudge goes down as fast."""
    network = cube(sigma=0.0, side=side)
    for tick in range(1, side + 2):
        network.tick(nudged=False)
        moving = np.flatnonzero(network.observe().rms_velocity[:, 0] > 0)
        assert moving.size == 0 or moving.min() >= tick - 1
    assert network.observe().velocity_max[0] == 0
    network.aim()
    for tick in range(1, side + 1):
        network.tick(nudged=True)
        assert np.flatnonzero(network.observe().rms_nudge[:, 0] > 0).min() == side - tick


def test_sigma_acts_at_the_next_tick_and_leaves_the_weights_alone():
    one, other = cube(), cube()
    before = {name: weights.copy() for name, weights in one.weights.items()}
    one.set_parameter("sigma", 0.9)
    one.tick(nudged=False)
    other.tick(nudged=False)
    np.testing.assert_array_equal(one._states[0], other._states[0])
    one.tick(nudged=False)
    other.tick(nudged=False)
    assert np.abs(one._states[0] - other._states[0]).max() > 1e-4
    for name, weights in one.weights.items():
        np.testing.assert_array_equal(weights, before[name])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_dead_voxel_is_silent_and_healing_brings_everything_back(backend):
    network = settled(cube(backend=backend))
    whole = [state.copy() for state in network.columns()]
    counts = network.density().copy()
    dead = np.zeros((SIDE, SIDE * SIDE), bool)
    dead[1, 5] = dead[0, 0] = dead[-1, 3] = True
    network.ablate(dead)
    settled(network)
    for state in network.columns():
        assert not state.transpose(0, 3, 1, 2)[dead].any()
        assert state.transpose(0, 3, 1, 2)[~dead].all()
    assert not network.density()[dead].any()
    assert network.density()[1, 6] == counts[1, 6] - 1
    network.heal()
    settled(network)
    np.testing.assert_array_equal(network.density(), counts)
    for now, then in zip(network.columns(), whole, strict=True):
        np.testing.assert_allclose(now, then, atol=1e-8)


def test_weight_noise_stays_on_the_synapses_that_exist():
    network = cube()
    network.weights["R"][:, 3] = 0
    network.weights_changed()
    before = {name: weights.copy() for name, weights in network.acting.items()}
    network.set_parameter("weight_noise", 0.5)
    for name in (*network.couplings, "W_in"):
        assert np.abs(network.acting[name] - before[name]).max() > 0
        assert not network.acting[name][before[name] == 0].any()
    network.set_parameter("weight_noise", 0)
    for name, weights in network.acting.items():
        np.testing.assert_array_equal(weights, before[name])


def test_the_density_counts_the_synapses_of_each_voxel():
    network = cube()
    counts = network.density().reshape(SIDE, SIDE, SIDE)
    assert counts.dtype == np.float32
    assert counts[1, 1, 1] == 26
    assert counts[0, 0, 0] == 7
    assert counts[0, 1, 1] == 17
    network.weights["U"][1, :, 5] = 0
    network.weights_changed()
    assert network.density().reshape(SIDE, SIDE, SIDE)[1, 1, 1] == 17


def test_weights_that_reach_outside_are_cut_off_when_they_are_read():
    network = cube()
    full = {name: np.ones_like(w) if name in ("U", "R") else w for name, w in network.state_dict().items()}
    network.load_state_dict({name: w.copy() for name, w in full.items()})
    K = joined(network.weights["U"], network.weights["R"], (1.0, 1.0))
    assert not K[~lattice_mask(SIDE, SIDE)].any()
    assert K[lattice_mask(SIDE, SIDE)].all()
    assert recurrent_norm(network) == pytest.approx(1, abs=2e-3)
    with pytest.raises(ValueError, match="U has shape"):
        network.load_state_dict({**full, "U": full["U"][:2]})


def test_the_layout_is_that_of_a_volume():
    network = cube(side=5)
    assert (network.layout.layers, network.layout.height, network.layout.width) == (5, 5, 5)
    assert network.layout.volume


@pytest.mark.parametrize(("picture", "side"), [((8, 8), 8), ((8, 8), 4), ((8, 8), 20), ((9, 6), 4), ((8, 8, 3), 6)])
def test_a_picture_falls_onto_the_face_as_it_is(picture, side, rng):
    face = retina(picture, side)
    np.testing.assert_allclose(face.sum(1), 1)
    assert (face >= 0).all()
    if picture == (side, side):
        np.testing.assert_array_equal(face, np.eye(side * side))
    ramp = np.broadcast_to(np.linspace(0, 1, picture[1])[None, :, *([None] * (len(picture) - 2))], picture)
    seen = (face @ ramp.reshape(-1)).reshape(side, side)
    np.testing.assert_allclose(seen, np.broadcast_to(seen[:1], seen.shape), atol=1e-12)
    assert (np.diff(seen[0]) >= 0).all()
    assert seen[0, -1] - seen[0, 0] > 0.6

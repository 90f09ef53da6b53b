"""From a preset to a network."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from engine.data import DataError, Dataset, load_dataset
from engine.network import Network
from engine.networks.chain import Chain
from engine.networks.conv.chain import ConvChain
from engine.networks.conv.plan import Plan, PlanError
from engine.networks.conv.spec import build_plan
from engine.networks.energy_cube import EnergyCube
from engine.networks.growing.spec import GrowthTable
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.nested.chain import NestedChain
from engine.networks.nested.nest import Nest
from engine.networks.nested.spec import build_nest
from engine.networks.neural_cube import NeuralCube
from engine.networks.recursive_chain import RecursiveChain
from engine.preset import Preset, PresetError
from engine.streams import Stream, build_stream
from engine.trits import unpacked
from engine.weights import read_weights
from kernels.backends import AUTO, BackendError, load_backend

_CHAINS: dict[str, type[Chain]] = {kind.kind: kind for kind in (RecursiveChain, HopfieldChain)}
_CUBES: dict[str, type[NeuralCube]] = {kind.kind: kind for kind in (NeuralCube, EnergyCube)}


def load_data(preset: Preset) -> Dataset:
    """The data set that a preset names. Raises PresetError."""
    try:
        return load_dataset(preset.data, preset.folder)
    except DataError as error:
        raise PresetError(f"{preset.name}: data: {error}") from None


def stream_of(preset: Preset) -> Stream | None:
    """What a preset's network listens to, None if it looks at single pictures. Raises PresetError."""
    if preset.stream is None:
        return None
    try:
        return build_stream(preset.stream, load_data(preset), preset.sample, preset.seed)
    except DataError as error:
        raise PresetError(f"{preset.name}: stream: {error}") from None


def plan_of(preset: Preset) -> Plan | Nest | None:
    """The layers of a convolutional chain for its pictures, the levels of nested ones with their sigmas, None of any
    other network. Raises PresetError."""
    if preset.network == "nested":
        return build_nest(preset.nested).tuned(preset.knobs)
    if preset.network != "conv":
        return None
    try:
        return build_plan(preset.conv, load_data(preset).shape)
    except PlanError as error:
        raise PresetError(f"{preset.name}: conv: {error}") from None


def build_network(
    preset: Preset, backend: str = AUTO, samples: int = 1, weights: dict[str, NDArray[Any]] | None = None
) -> Network:
    """The network of a preset with its weights; knobs still at their defaults. Raises PresetError, BackendError.

    `weights`, of the preset's dtype, are used in place of the preset's own; tween and growing networks have their own
    only.
    With "auto" a device that cannot compute this preset is passed over; `network.backend_reason` then says why.
    """
    if preset.network == "tween":
        return _built_tween(preset, backend, samples)
    if preset.growth is not None:
        return _built_growing(preset, preset.growth, backend, samples)
    data = load_data(preset)
    options: dict[str, Any] = {
        "dtype": preset.dtype, "samples": samples, "seed": preset.seed, "half_weights": preset.weights == "float16",
        "weights": weights,
    }  # fmt: skip
    plan = plan_of(preset)
    network: Chain
    if isinstance(plan, Nest):
        network = NestedChain(plan, preset.neurons, data.pixels, data.classes, load_backend(backend), **options)
    elif plan is not None:
        del options["half_weights"]
        network = ConvChain(plan, data.classes, load_backend(backend), **options)
    elif preset.network in _CUBES:
        cube = _CUBES[preset.network]
        network = cube(preset.layers, data.shape, data.classes, load_backend(backend), **options)
    else:
        chain = _CHAINS[preset.network]
        network = chain(preset.layers, preset.neurons, data.pixels, data.classes, load_backend(backend), **options)
    if backend not in (AUTO, network.backend):
        raise BackendError(f"backend {backend} cannot compute {preset.name}: {network.backend_reason}")
    if weights is None:
        _load_weights(network, preset)
    return network


def _load_weights(network: Network, preset: Preset) -> None:
    if preset.weights_file is not None:
        try:
            network.load_state_dict(unpacked(read_weights(preset.weights_file)))
        except ValueError as error:
            raise PresetError(f"{preset.name}: weights: {error}") from None


def _built_tween(preset: Preset, backend: str, samples: int) -> Network:
    from engine.networks.tween.layer import ShapeError
    from engine.networks.tween.network import TweenNetwork
    from engine.networks.tween.spec import build_layers
    from engine.worlds import build_world

    if backend not in (AUTO, TweenNetwork.backend):
        raise BackendError(f"backend {backend} cannot compute {preset.name}: tween chains run on numpy")
    if samples != 1:
        raise PresetError(f"{preset.name}: a tween network lives in one world at a time")
    world = build_world(preset.world or "", load_data(preset), preset.seed)
    try:
        layers = build_layers(preset.chain, world.shape)
        network = TweenNetwork(layers, world, dtype=preset.dtype, seed=preset.seed)
    except ShapeError as error:
        raise PresetError(f"{preset.name}: chain: {error}") from None
    _load_weights(network, preset)
    return network


def _built_growing(preset: Preset, table: GrowthTable, backend: str, samples: int) -> Network:
    from engine.dynamics import StreamError
    from engine.networks.growing.network import GrowingNetwork

    if backend not in (AUTO, GrowingNetwork.backend):
        raise BackendError(f"backend {backend} cannot compute {preset.name}: growing graphs run on numba")
    if samples != 1:
        raise PresetError(f"{preset.name}: a growing graph lives on one stream at a time")
    if preset.weights_file is not None:
        raise PresetError(f"{preset.name}: weights_file: a growing graph starts without a cell")
    try:
        stream = table.make(preset.seed)
    except StreamError as error:
        raise PresetError(f"{preset.name}: growth: {error}") from None
    return GrowingNetwork(
        stream, table.settings(), pools=table.pools, listened=table.listened, seed=preset.seed, dtype=preset.dtype
    )

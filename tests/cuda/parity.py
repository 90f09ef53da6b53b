"""A burst of ticks on a device beside the same ticks of the float64 NumPy reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import SUMS, reference
from kernels.cuda import variants
from kernels.cuda.chain import DeviceChain
from kernels.cuda.device import Device
from kernels.cuda.variants import Chain, Storage

ROUNDING = 1e-5


@dataclass(frozen=True)
class Case:
    """Shapes and knobs of one comparison."""

    kind: Chain
    layers: int
    neurons: int
    samples: int = 1
    columns: int = 3
    ticks: int = 5
    storage: Storage = "float32"
    held: bool = False
    sigma: float = 0.9
    omega: float = 1.0
    beta: float = 0.5
    seed: int = 0

    def __str__(self) -> str:
        way = "held" if self.held else "stream"
        shape = f"L{self.layers}-N{self.neurons}-B{self.samples}"
        return f"{self.kind}-{way}-{shape}-{self.columns}col-{self.storage}-w{self.omega}"


def draw(case: Case) -> dict[str, NDArray[np.float32]]:
    """Random weights (as stored), states and inputs."""
    rng = np.random.default_rng(case.seed)
    layers, samples, neurons = case.layers, case.samples, case.neurons

    def normal(*shape: int, scale: float = 0.4) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) * scale).astype(np.float32)

    arrays = {name: normal(layers, neurons, neurons, scale=neurons**-0.5).astype(case.storage) for name in "RW"}
    arrays |= {name: np.tanh(normal(layers, samples, 3, neurons)) for name in ("z", "s", "before")}
    arrays |= {name: normal(samples, neurons) for name in ("inflow", "aim")}
    arrays["drive"] = normal(layers, samples, neurons)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def start(device: Device, case: Case, arrays: dict[str, NDArray[np.float32]]) -> DeviceChain:
    """A chain on the device with these weights, states and inputs."""
    chain = DeviceChain(device, case.kind, arrays, case.samples, case.storage, case.held)
    assert chain.holds == case.held, chain.reason
    chain.load_state(arrays)
    for name in ("drive", "inflow", "aim"):
        chain.set_input(name, arrays[name])
    chain.set_knobs(sigma=case.sigma, omega=case.omega, beta=case.beta, shown=case.samples - 1)
    return chain


def expected(case: Case, arrays: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """The reference's arrays after the burst, in float64."""
    a = {name: array.astype(np.float64) for name, array in arrays.items()}
    each = (case.layers, case.samples, case.neurons)
    velocity, flips = np.zeros(each), np.zeros(each, np.uint8)
    sums, products = np.zeros((*each[:2], SUMS)), np.zeros((*each[:2], 15, case.neurons))
    force, history = case.beta * a["aim"], []
    z, s, z_out, s_out = a["z"], a["s"], a["z"].copy(), a["before"]
    rest = (velocity, flips, sums, products, case.columns)
    for _ in range(case.ticks):
        common = (a["W"], a["drive"], a["inflow"], force, case.sigma)
        if case.kind == "recursive":
            reference.recursive_tick(a["R"], *common, z, s, z_out, s_out, *rest)
            z, z_out = z_out, z
        else:
            reference.hopfield_tick(*common, case.omega, s, s_out, *rest)
        s, s_out = s_out, s
        history.append(sums[..., 3:].copy())
    shown = case.samples - 1
    first = z if case.kind == "recursive" else s
    atlas = np.stack([first[:, shown, 0], velocity[:, shown], (s[:, shown, 1] - s[:, shown, 2]) / 2])
    found = {"s": s, "velocity": velocity, "flips": flips, "sums": sums, "peaks": np.array(history), "atlas": atlas}
    if case.kind == "recursive":
        return {**found, "z": z}
    return {**found, "before": s_out, "product": products[:, :, 0]}


def found(device: Device, chain: DeviceChain) -> dict[str, NDArray[Any]]:
    """The same arrays as the device has them."""
    names = ("velocity", "flips", "sums", "atlas", "product")
    return {**{name: device.read(getattr(chain, name)) for name in names}, **chain.state(), "peaks": chain.peaks()}


def assert_parity(device: Device, case: Case) -> None:
    """Raises AssertionError naming the array that differs."""
    arrays = draw(case)
    chain = start(device, case, arrays)
    chain.tick(case.columns, case.ticks)
    ours, theirs = found(device, chain), expected(case, arrays)
    near_threshold = np.isclose(np.abs(theirs["velocity"]), 1e-3, rtol=1e-2)
    for name in theirs.keys() - {"flips"}:
        scale = max(1.0, float(np.abs(theirs[name]).max()))
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=ROUNDING * scale, err_msg=f"{case}: {name}")
    if case.ticks == 1:
        np.testing.assert_array_equal(ours["flips"][~near_threshold], theirs["flips"][~near_threshold])
    else:
        assert np.mean(ours["flips"] != theirs["flips"]) < 0.01


def _streamed() -> list[Case]:
    shapes = [(1, 1, 1), (2, 4, 2), (5, 9, 1), (1, 16, 2), (2, 64, 2), (5, 16, 1), (2, 289, 1), (2, 256, 1), (2, 4, 8)]
    plain = [
        Case(kind, layers, neurons, samples, columns, storage=storage, omega=omega)
        for kind, omega in (("recursive", 1.0), ("hopfield", 1.0), ("hopfield", 1.4))
        for layers, neurons, samples in shapes
        for columns in (1, 3)
        for storage in ("float32", "float16")
        if storage == "float32" or (neurons in (9, 64, 289) and omega == 1.0)
    ]
    return [*plain, *(Case(kind, 3, 25, ticks=1, sigma=2.5) for kind in variants.CHAINS)]


def _held() -> list[Case]:
    shapes = [(1, 1), (2, 4), (2, 9), (5, 16), (2, 64), (2, 144), (2, 256)]
    return [
        Case(kind, layers, neurons, 1, columns, ticks=6, storage=storage, held=True, omega=omega)
        for kind, omega in (("recursive", 1.0), ("hopfield", 1.0), ("hopfield", 1.4))
        for layers, neurons in shapes
        for columns in (1, 3)
        for storage in ("float32", "float16")
        if not variants.can_hold(kind, neurons, storage) and (omega == 1.0 or storage == "float32")
    ]


STREAMED, HELD = _streamed(), _held()
SINGLE = [replace(case, ticks=1) for case in STREAMED if case.neurons in (16, 64) and case.omega == 1.0]

"""Which code computes a tick here, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType

from kernels.cuda.device import Device

AUTO = "auto"
_ON_HOST = ("numba", "numpy")
_ORDER = ("cuda", *_ON_HOST)


class BackendError(ValueError):
    """A backend that does not exist or cannot run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The tick functions of `kernels.reference`, `kernels.conv_reference` and `kernels.nested_reference`, computed by
    `name`.

    `reason` is one line for the user. `half` says whether the weights may be half-precision bits
    (`kernels.half.stored`). With a `device` a chain lives there (`kernels.cuda.DeviceChain`) and the functions, which
    compute on the host, do what the device does not.
    """

    name: str
    reason: str
    recursive_tick: Callable[..., None]
    hopfield_tick: Callable[..., None]
    hopfield_red_black_tick: Callable[..., None]
    conv_tick: Callable[..., None]
    nested_tick: Callable[..., None]
    lattice: ModuleType
    """The functions of `kernels.lattice_reference`."""
    half: bool = False
    device: Device | None = None


def _load_cuda() -> Backend:
    from kernels import cuda

    usable, reason = cuda.probe()
    if not usable:
        raise BackendError(f"no CUDA here: {reason}")
    return replace(load_on_host(), name="cuda", reason=reason, device=cuda.open_device())


def _load_numba() -> Backend:
    import numba

    from kernels import batched, conv_tick, cpu, lattice, nested

    reason = f"Numba {numba.__version__}, {numba.get_num_threads()} threads"
    ticks = (
        batched.recursive_tick, batched.hopfield_tick, cpu.hopfield_red_black_tick, conv_tick.conv_tick,
        nested.nested_tick,
    )  # fmt: skip
    return Backend("numba", reason, *ticks, lattice, half=True)


def _load_numpy() -> Backend:
    from kernels import conv_reference, lattice_reference, nested_reference, reference

    ticks = (
        reference.recursive_tick, reference.hopfield_tick, reference.hopfield_red_black_tick, conv_reference.conv_tick,
        nested_reference.nested_tick,
    )  # fmt: skip
    return Backend("numpy", "the NumPy reference", *ticks, lattice_reference)


_LOADERS: dict[str, Callable[[], Backend]] = {"cuda": _load_cuda, "numba": _load_numba, "numpy": _load_numpy}


def _first(names: Iterable[str]) -> Backend:
    refused = []
    for name in names:
        try:
            return load_backend(name)
        except BackendError as error:
            refused.append(str(error))
    raise BackendError("; ".join(refused))


def load_on_host() -> Backend:
    """The fastest backend that needs no device. Raises BackendError with the reasons."""
    return _first(_ON_HOST)


@cache
def load_backend(name: str = AUTO) -> Backend:
    """The backend called `name`, or with "auto" the fastest that loads. Raises BackendError with the reason."""
    if name == AUTO:
        return _first(_ORDER)
    if name not in _LOADERS:
        raise BackendError(f"unknown backend '{name}'; there are: {AUTO}, {', '.join(_ORDER)}")
    try:
        return _LOADERS[name]()
    except Exception as error:
        raise BackendError(f"backend {name} cannot run here: {error}") from error


def describe() -> dict[str, object]:
    """What "auto" picks and why, and for each backend its reason or what keeps it from running; for `info`."""
    available = {}
    for name in _ORDER:
        try:
            available[name] = load_backend(name).reason
        except BackendError as error:
            available[name] = str(error.__cause__)
    chosen = load_backend()
    return {"name": chosen.name, "reason": chosen.reason, "available": available}

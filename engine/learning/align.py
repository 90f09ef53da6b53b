"""Gradient alignment: per layer, the cosine between what a network reads off itself and the exact gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.build import build_network, load_data
from engine.knobs import set_knob
from engine.learning.exact import Check, exact_gradients, no_check
from engine.learning.from_ticks import tick_gradients
from engine.networks.chain import LAZY, Chain
from engine.networks.structure import structure_of
from engine.preset import Preset
from engine.snapshot import Snapshot
from kernels.backends import AUTO

Array = NDArray[Any]
SAMPLES = 16
SNAPSHOT_SAMPLES = 4
MAX_TICKS = 20_000
CHECK_EVERY = 20
AFTER = 100
"""Free ticks after the state has come to rest, down into the round-off."""
CONVERGED = 1e-9
"""The nudge is left alone once no layer's displacement changes by more than this share of itself in CHECK_EVERY ticks
(in float32: by more than CONVERGED_SINGLE)."""
CONVERGED_SINGLE = 1e-5
RESOLVED = 1e-3
"""A layer whose displacement still changes by more than this share of itself has no credit yet: below the floor."""
UNDERFLOW_MARGIN = 1e4
"""... and so has one whose largest displacement is within this factor of the smallest normal number."""
ROUND_OFF_SHARE = 1e-2
"""... and one where round-off may make up more than this share of the update (see `_drowned`)."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """cosine, below_floor: weight family -> one value per layer, layer 1 first; None where there is no cosine."""

    cosine: dict[str, list[float | None]]
    below_floor: dict[str, list[bool]]

    @property
    def min_cosine(self) -> float | None:
        """The smallest cosine of all layers above the floor."""
        known = [c for f, row in self.cosine.items() for c, low in zip(row, self.below_floor[f], strict=True)
                 if c is not None and not low]  # fmt: skip
        return min(known) if known else None

    @property
    def hidden(self) -> int:
        """How many layers, over all families, are below the floor."""
        return sum(sum(row) for row in self.below_floor.values())


def cosine(a: Array, b: Array) -> float | None:
    """Cosine of the angle between two tensors; None if one of them is zero or not finite."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    largest = np.abs(a).max(), np.abs(b).max()
    if not all(np.isfinite(largest)) or not all(largest):
        return None
    a, b = a / largest[0], b / largest[1]
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def compare(
    update: Mapping[str, Array], exact: Mapping[str, Array], families: tuple[str, ...], unresolved: NDArray[np.bool_]
) -> Alignment:
    """Cosines of two sets of gradients; `families` have a tensor per layer, the others one in all.

    `unresolved` (layers,) marks layers without resolved credit. W_in hangs on layer 1, the read-out on none.
    """
    cosines: dict[str, list[float | None]] = {}
    below: dict[str, list[bool]] = {}
    update, exact = by_family(update), by_family(exact)
    for name in update:
        if name in families:
            cosines[name] = [cosine(a, b) for a, b in zip(update[name], exact[name], strict=True)]
            marks = unresolved.tolist()
        else:
            cosines[name] = [cosine(update[name], exact[name])]
            marks = [bool(unresolved[0]) if name == "W_in" else False]
        below[name] = [mark or value is None for mark, value in zip(marks, cosines[name], strict=True)]
    return Alignment(cosines, below)


def by_family(tensors: Mapping[str, Array]) -> dict[str, Any]:
    """Tensors by name; those of single layers, "l.NAME", as lists under NAME, layer 1 first."""
    found: dict[str, Any] = {}
    numbered = [(int(number), name, key) for key in tensors for number, _, name in [key.partition(".")] if name]
    for _, name, key in sorted(numbered):
        found.setdefault(name, []).append(tensors[key])
    return found | {name: tensor for name, tensor in tensors.items() if "." not in name}


def families_of(chain: Chain) -> tuple[str, ...]:
    """Families of weights with a tensor per layer."""
    return tuple(dict.fromkeys(name.split(".")[-1] for name in (*chain.couplings, "b")))


def _converge(chain: Chain, tolerance: float, most: int, check: Check) -> NDArray[np.bool_]:
    """Nudged ticks until every layer's displacement rests relative to its own size; where it does not, (layers,)."""
    before = [columns[:, :, 1:].copy() for columns in chain.columns()]
    change = np.full(len(before[0]), np.inf)
    for _ in range(0, most, CHECK_EVERY):
        for _ in range(CHECK_EVERY):
            check()
            chain.tick(nudged=True)
        change = np.zeros(len(before[0]))
        for old, columns in zip(before, chain.columns(), strict=True):
            new = columns[:, :, 1:]
            size = np.abs(new).max((1, 2, 3))
            moved = np.abs(new - old).max((1, 2, 3))
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.fmax(change, np.where(moved == 0, 0, moved / size))
            old[...] = new
        if change.max() < tolerance:
            break
    smallest = np.min([np.abs(columns[:, :, 1:]).max((1, 2, 3)) for columns in chain.columns()], axis=0)
    unresolved: NDArray[np.bool_] = ~(change < RESOLVED) | ~(smallest > UNDERFLOW_MARGIN * np.finfo(chain.dtype).tiny)
    return unresolved


def _drowned(chain: Chain, update: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Where a Hopfield link's update may be round-off, (layers,).

    It holds the difference of two products of displacements, d+ d+ - d- d-, which cancel but for their last digits.
    Where the picture does not reach, s is so much smaller than d that these digits are all there is.
    """
    if chain.kind != "hopfield":
        return np.zeros(len(chain.columns()[0]), bool)
    size = np.abs(chain.columns()[0][:, :, 1:]).max((1, 2, 3)).astype(np.float64)
    last_digits = np.finfo(chain.dtype).eps * size * np.concatenate([[0], size[:-1]])
    round_off = last_digits * chain.value("sigma") / (4 * chain.value("beta"))
    drowned: NDArray[np.bool_] = round_off > ROUND_OFF_SHARE * np.abs(update["W"]).max((1, 2))
    return drowned


def ticked_update(
    chain: Chain, labels: NDArray[np.int64], max_ticks: int = MAX_TICKS, check: Check = no_check
) -> tuple[dict[str, Array], Array]:
    """Settle, nudge and settle the clamped chain; its local gradients, and which layers are unresolved (layers,)."""
    single = chain.dtype == np.float32
    chain.release()
    still = 1e-6 if single else 1e-14
    for _ in range(max_ticks):
        check()
        chain.tick(nudged=False)
        if float(chain.observe().velocity_max.max()) < still:
            break
    for _ in range(AFTER):
        chain.tick(nudged=False)
    chain.release()
    chain.aim()
    unresolved = _converge(chain, CONVERGED_SINGLE if single else CONVERGED, max_ticks, check)
    update = tick_gradients(chain, labels)
    return update, unresolved | _drowned(chain, update)


def prepared_chain(
    preset: Preset,
    overrides: Mapping[str, float | str],
    samples: int,
    backend: str = AUTO,
    weights: dict[str, Array] | None = None,
) -> Chain:
    """A preset's network with `samples` pictures' room, knobs of the preset and then `overrides` set.

    `weights` are used in place of the preset's.
    Knobs that are the session's, not the network's, are passed over in the preset. Raises PresetError, KnobError.
    """
    chain = build_network(preset, backend, samples, weights)
    assert isinstance(chain, Chain)
    for name, value in preset.knobs.items():
        if name in chain.parameters:
            chain.set_parameter(name, value)
    for name, value in overrides.items():
        set_knob(dict(chain.parameters), name, value)
        chain.set_parameter(name, value)
    return chain


def align(
    preset: Preset,
    overrides: Mapping[str, float | str] | None = None,
    samples: int = SAMPLES,
    backend: str = AUTO,
) -> tuple[Alignment, Chain]:
    """Alignment over the first `samples` pictures of the data set, from ticks in the preset's dtype.

    Raises PresetError, KnobError, BackendError, NoFixedPointError.
    """
    chain = prepared_chain(preset, overrides or {}, samples, backend)
    return _aligned(chain, preset, no_check), chain


def _aligned(chain: Chain, preset: Preset, check: Check) -> Alignment:
    data = load_data(preset)
    chosen = (np.arange(chain.samples) + preset.sample) % len(data.labels)
    x, labels = data.encode(data.images[chosen]), data.labels[chosen]
    sigma, gain = chain.value("sigma"), chain.value("input_gain")
    exact = exact_gradients(chain.kind, chain.acting, x, labels, sigma, gain, check, structure_of(chain))
    chain.clamp(x, labels)
    update, unresolved = ticked_update(chain, labels, check=check)
    return compare(update, exact, families_of(chain), unresolved)


def align_snapshot(snapshot: Snapshot, check: Check = no_check) -> Alignment:
    """Alignment of a running network as it was, from SNAPSHOT_SAMPLES pictures in float64 and without noise.

    Everything is the caller's own, on the NumPy backend, so that it may run beside the engine. What `check` raises
    ends it. Raises ValueError where there is nothing to compare, NoFixedPointError.
    """
    if snapshot.preset.network == "tween":
        raise ValueError("a tween network has no fixed point to compare with")
    if not snapshot.knobs["beta"]:
        raise ValueError("beta is 0: there is no nudge to compare")
    preset = snapshot.preset.model_copy(update={"dtype": "float64", "weights": None, "knobs": {}})
    told = ("sigma", "beta", "input_gain", "dynamics")
    taken = {name: value for name, value in snapshot.knobs.items() if value != LAZY and name.startswith(told)}
    weights = {name: array.astype(np.float64) for name, array in snapshot.weights.items()}
    chain = prepared_chain(preset, taken, SNAPSHOT_SAMPLES, "numpy", weights)
    return _aligned(chain, preset, check)
